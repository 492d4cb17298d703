"""Refusals are all counted, and logged at most once a minute."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from wsdaemon.observe.tally import Cause, Tally


def test_one_line_for_a_cause_and_a_minute() -> None:
    """The first of a cause is logged, then at most one a minute, with the number so far; all are counted."""
    clock = Clock()
    tally = Tally(clock, log_every=60)
    with capturedLogs() as events:
        for _ in range(100):
            tally.note(Cause.OVER_CAP, "{peer}: no place", cap="max_connections", peer="192.0.2.1")
        tally.note(Cause.HTTP_REFUSED, "{peer}: too long", status=431, peer="192.0.2.2")
        clock.advance(60)
        tally.note(Cause.OVER_CAP, "{peer}: no place", cap="max_connections", peer="192.0.2.3")
        tally.count(Cause.HTTP_REFUSED, status=431)
    lines = [formatEvent(event) for event in events]
    assert lines == [
        "192.0.2.1: no place",
        "192.0.2.2: too long",
        "192.0.2.3: no place (101 times so far)",
    ]
    assert tally.counts == {"over max_connections": 101, "answered 431": 2}
    assert tally.summary() == "over max_connections: 101, answered 431: 2"


def test_keywords_fill_in_labels() -> None:
    """Names in braces are filled in from keywords; causes of slow readers are marked."""
    tally = Tally(Clock())
    tally.count(Cause.FAILED, code=1002)
    tally.count(Cause.NO_PONG)
    assert tally.counts == {"closed with 1002": 1, "cut: no pong": 1}
    assert [cause.value for cause in Cause if cause.is_slow] == [
        "cut: download stood still", "cut: stopped reading", "left the room: read too slowly",
    ]  # fmt: skip
    assert all(cause.meaning.endswith(".") for cause in Cause)
