"""Statistics of times. Pure; percentiles come from an HDR histogram, in constant memory."""

from __future__ import annotations

import math

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it has no types

_HIGHEST = 24 * 3600 * 10**9
"""The longest time in the histogram, in nanoseconds; longer times count as this one."""

_DIGITS = 3
"""Significant digits of a percentile."""


class Times:
    """Times in seconds: their exact mean and deviation, and percentiles to three digits."""

    def __init__(self) -> None:
        self.count = 0
        self.minimum = math.inf
        self.maximum = 0.0
        self.mean = 0.0
        self._squares = 0.0  # the sum of the squared distances from the mean, by Welford's method
        self._histogram: HdrHistogram = HdrHistogram(1, _HIGHEST, _DIGITS)

    def record(self, seconds: float) -> None:
        """Add a time; a negative one, after the clock was set back, counts as zero."""
        seconds = max(0.0, seconds)
        self.count += 1
        self.minimum = min(self.minimum, seconds)
        self.maximum = max(self.maximum, seconds)
        distance = seconds - self.mean
        self.mean += distance / self.count
        self._squares += distance * (seconds - self.mean)
        self._histogram.record_value(min(_HIGHEST, max(1, round(seconds * 1e9))))

    @property
    def deviation(self) -> float:
        """The standard deviation of all times, in seconds; 0 for fewer than two."""
        return math.sqrt(self._squares / self.count) if self.count > 1 else 0.0

    def percentile(self, percent: float) -> float:
        """Return the time that `percent` of all times do not exceed, in seconds; 0 without any time."""
        if not self.count:
            return 0.0
        nanoseconds: int = self._histogram.get_value_at_percentile(percent)
        return min(max(nanoseconds / 1e9, self.minimum), self.maximum)


def per_second(amount: float, seconds: float) -> float:
    """Return a rate; 0 if no time has passed."""
    return amount / seconds if seconds > 0 else 0.0
