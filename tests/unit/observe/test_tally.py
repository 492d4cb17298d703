"""Refusals are counted each time and logged now and then."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import eventAsText, globalLogPublisher

from wsdaemon.observe.tally import Tally


def test_one_line_for_a_cause_and_a_minute() -> None:
    """The first of a cause is logged, then at most one a minute, with how many there were; all are counted."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

    clock = Clock()
    tally = Tally(clock, log_every=60)
    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]  # any callable will do
    try:
        for _ in range(100):
            tally.note("over max_connections", "{peer}: no place", peer="192.0.2.1")
        tally.note("answered 431", "{peer}: too long", peer="192.0.2.2")
        clock.advance(60)
        tally.note("over max_connections", "{peer}: no place", peer="192.0.2.3")
        tally.count("answered 431")
    finally:
        globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]  # any callable will do
    assert lines == ["192.0.2.1: no place", "192.0.2.2: too long", "192.0.2.3: no place (101 times so far)"]
    assert tally.counts == {"over max_connections": 101, "answered 431": 2}
    assert tally.summary() == "over max_connections: 101, answered 431: 2"
