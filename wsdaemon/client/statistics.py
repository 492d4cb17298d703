"""Times, counted and summed up: pure. Percentiles come from an HDR histogram, which no outlier is too large for."""

from __future__ import annotations

import math

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it has no types

_HIGHEST = 24 * 3600 * 10**9
"""The longest time that is told apart from longer ones, in nanoseconds."""

_DIGITS = 3
"""How many digits of a percentile are right."""


class Times:
    """Any number of times, in seconds, in constant memory: exact mean and deviation, percentiles to three digits."""

    def __init__(self) -> None:
        self.count = 0
        self.minimum = math.inf
        self.maximum = 0.0
        self._mean = 0.0
        self._squares = 0.0  # the sum of the squared distances from the mean, as Welford has it
        self._histogram: HdrHistogram = HdrHistogram(1, _HIGHEST, _DIGITS)

    def record(self, seconds: float) -> None:
        """Take one time; one below zero, as after the clock was set back, counts as zero."""
        seconds = max(0.0, seconds)
        self.count += 1
        self.minimum = min(self.minimum, seconds)
        self.maximum = max(self.maximum, seconds)
        distance = seconds - self._mean
        self._mean += distance / self.count
        self._squares += distance * (seconds - self._mean)
        self._histogram.record_value(min(_HIGHEST, max(1, round(seconds * 1e9))))

    @property
    def mean(self) -> float:
        """The mean, in seconds; 0 without any time."""
        return self._mean

    @property
    def deviation(self) -> float:
        """The standard deviation of all times, in seconds; 0 for fewer than two."""
        return math.sqrt(self._squares / self.count) if self.count > 1 else 0.0

    def percentile(self, percent: float) -> float:
        """Return the time, in seconds, that `percent` of all times, rounded to a whole number of them, do not exceed.

        0 without any time.
        """
        if not self.count:
            return 0.0
        nanoseconds: int = self._histogram.get_value_at_percentile(percent)
        return min(max(nanoseconds / 1e9, self.minimum), self.maximum)


def per_second(amount: float, seconds: float) -> float:
    """Return a rate; 0 where no time has passed."""
    return amount / seconds if seconds > 0 else 0.0
