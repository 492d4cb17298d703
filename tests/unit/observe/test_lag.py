"""Loop lag: the delay of timed calls is measured, sorted into buckets, and logged above a threshold."""

from __future__ import annotations

import time

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from tests.support.patience import PATIENCE
from wsdaemon.observe.lag import BOUNDS, EVERY, LoopLag


def test_lag_is_what_a_call_is_late() -> None:
    clock = Clock()
    lag = LoopLag(clock, 1.0)
    lag.start()
    for late in (0, 0.003, 0.3, 0):
        clock.advance(EVERY + late)
    assert lag.last == pytest.approx(0)
    assert lag.take_most() == pytest.approx(0.3)
    assert lag.take_most() == pytest.approx(0), "since it was last asked"
    assert lag.total == pytest.approx(0.303)
    counted = dict(zip((*BOUNDS, None), lag.counts, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {0.001: 2, 0.005: 1, 0.5: 1}
    lag.stop()
    assert clock.getDelayedCalls() == []


def test_only_what_is_over_the_threshold_is_logged() -> None:
    clock = Clock()
    lag = LoopLag(clock, 0.5)
    lag.start()
    with capturedLogs() as events:
        clock.advance(EVERY + 0.4)
        assert events == []
        clock.advance(EVERY + 0.6)
    assert [(event["event"], round(event["lag"], 3)) for event in events] == [("lag", 0.6)]
    lag.stop()


def test_the_log_says_what_was_running() -> None:
    """A thread looks at the loop's thread while it is late."""
    clock = Clock()
    lag = LoopLag(clock, 0.05)
    lag.start()
    lag.watch()

    def something_long() -> None:
        until = time.monotonic() + PATIENCE
        while not lag._seen and time.monotonic() < until:
            pass

    with capturedLogs() as events:
        something_long()
        clock.advance(EVERY + 1)
    lag.stop()
    assert ["something_long (test_lag.py:" in event["what"] for event in events] == [True]
