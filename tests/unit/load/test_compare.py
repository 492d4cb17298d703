"""Two runs side by side."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wsdaemon.load.compare import compare, table

RUN: dict[str, Any] = {
    "configuration": {"mode": "echo", "url": "ws://a/", "clients": 10, "seed": 1},
    "rates": {"messages_per_second": 1000.0, "handshakes_per_second": None},
    "latency_ms": {"p50": 1.0, "p90": 2.0, "p99": 4.0, "p99_9": 8.0, "max": 16.0},
    "handshake_ms": {"total": {"p50": 5.0}},
    "errors": {},
    "client": {"limited": False},
    "interrupted": False,
}


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    run = copy.deepcopy(RUN)
    for name, values in parts.items():
        run[name] |= values
    return run


def test_change_in_percent() -> None:
    """More messages are better, more latency is worse, both in percent of the old."""
    new = changed(rates={"messages_per_second": 1500.0}, latency_ms={"p50": 0.5, "p99": 5.0}, errors={"lost": 3})
    found = {each.name: each for each in compare(RUN, new).changes}
    assert (found["messages/s"].change, found["messages/s"].verdict) == ("+50.0 %", "better")
    assert (found["latency p50"].change, found["latency p50"].verdict) == ("-50.0 %", "better")
    assert (found["latency p99"].change, found["latency p99"].verdict) == ("+25.0 %", "worse")
    assert (found["latency p90"].change, found["latency p90"].verdict) == ("+0.0 %", "")
    assert (found["errors"].change, found["errors"].verdict) == ("-", "worse")
    assert "handshakes/s" not in found


def test_the_same() -> None:
    """The same run twice: no change, no difference, no note."""
    comparison = compare(RUN, RUN)
    assert comparison.differences == comparison.warnings == ()
    assert not [each for each in comparison.changes if each.verdict]


def test_configurations_differ() -> None:
    """Each difference in the configuration is named; the seed makes none."""
    new = changed(configuration={"clients": 20, "seed": 2, "opcode": "binary"})
    assert compare(RUN, new).differences == ("clients: 10 then, 20 now", "opcode: none then, binary now")
    assert "NOT THE SAME CONFIGURATION" in table(compare(RUN, new))
    assert "NOT THE SAME CONFIGURATION" not in table(compare(RUN, RUN))


def test_doubtful_runs() -> None:
    """A run that the client limited, or that was interrupted, is not silently compared with."""
    old = copy.deepcopy(RUN) | {"interrupted": True}
    new = changed(client={"limited": True})
    assert compare(old, new).warnings == (
        "the old run was interrupted", "the client may have been the limit of the new run",
    )  # fmt: skip


def test_nothing_measured() -> None:
    """A run without a reply can be compared with one that had some."""
    nothing = changed(latency_ms=dict.fromkeys(RUN["latency_ms"]), rates={"messages_per_second": 0.0})
    for old, new in ((RUN, nothing), (nothing, RUN)):
        text = table(compare(old, new))
        assert "latency p50" in text
        assert "nan" not in text


@pytest.mark.parametrize("url", ["ws://" + "x" * 500, "ws://\x1b[2J"])
def test_width(url: str) -> None:
    """The table has at most 80 columns and no control characters, whatever the old file holds."""
    text = table(compare(changed(configuration={"url": url}), RUN))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
