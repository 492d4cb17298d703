"""Times are summed up exactly where that can be, and to three digits where it cannot."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdaemon.client.statistics import Times, per_second

SECONDS = st.lists(st.floats(1e-6, 3600), min_size=1, max_size=50)


def recorded(values: list[float]) -> Times:
    times = Times()
    for value in values:
        times.record(value)
    return times


@given(SECONDS)
def test_mean_and_deviation_are_exact(values: list[float]) -> None:
    times = recorded(values)
    assert (times.count, times.minimum, times.maximum) == (len(values), min(values), max(values))
    assert times.mean == pytest.approx(statistics.fmean(values))
    assert times.deviation == pytest.approx(statistics.pstdev(values), rel=1e-6, abs=1e-6)


@given(SECONDS, st.sampled_from([50.0, 90.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    """To three digits: that share, to the nearest whole number, lies at or below it, and it is one of the values."""
    found = recorded(values).percentile(percent)
    nearest = min(values, key=lambda value: abs(value - found))
    assert found == pytest.approx(nearest, rel=2e-3, abs=2e-9)
    assert sum(value <= found * 1.002 for value in values) >= len(values) * percent / 100 - 0.5


def test_one_outlier_of_a_second_among_a_hundred_shows() -> None:
    """It is not averaged away: the maximum and p99.9 show it, the median does not."""
    times = recorded([0.001] * 999 + [1.0])
    assert times.percentile(50) == pytest.approx(0.001, rel=1e-3)
    assert times.percentile(99.9) == pytest.approx(0.001, rel=1e-3)
    assert times.percentile(99.99) == times.maximum == 1.0


def test_nothing_recorded_is_zero() -> None:
    times = Times()
    assert (times.count, times.mean, times.deviation, times.percentile(99)) == (0, 0.0, 0.0, 0.0)


def test_times_that_cannot_be_are_bounded_and_long_ones_count() -> None:
    """A clock that was set back gives no negative time; a day and longer still counts."""
    assert (recorded([-5.0]).minimum, recorded([1e6]).maximum) == (0.0, 1e6)


def test_rates() -> None:
    assert (per_second(10, 4), per_second(10, 0)) == (2.5, 0.0)
