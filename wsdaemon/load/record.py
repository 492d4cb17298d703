"""Record of a run: latencies, counts and errors, in total and for each slice of time. Pure.

During a run a latency is only appended to a list, which is counted by `collections.Counter` at the end of its slice:
both run in C. The HdrHistograms are filled from these counts after the run, so that bookkeeping does not disturb the
measurement.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from wsdaemon.client import HandshakeTimes

DIGITS = 3
"""Significant decimal digits of a latency."""
LONGEST = 3_600_000_000
"""The longest latency in a histogram, in microseconds: an hour; longer ones count as this."""
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}
HANDSHAKE_PARTS = ("tcp", "tls", "upgrade", "total")
_SLICES_WANTED = 60
_PRECISION_BITS = 11  # 2048 steps in each power of two: what three digits need, and what HdrHistogram uses


def slice_length(duration: float) -> float:
    """Return the length of a slice, in seconds: a round number, a multiple of 0.1, that makes 25 to 100 slices."""
    wanted = max(0.1, duration / _SLICES_WANTED)
    power = 10.0 ** math.floor(math.log10(wanted) + 1e-9)
    factor = min((1, 2, 5, 10), key=lambda each: abs(math.log(each * power / wanted)))
    return max(0.1, round(factor * power, 3))


def microseconds(latencies: Iterable[float]) -> Counter[int]:
    """Count latencies in seconds by whole microseconds."""
    return Counter([int(each * 1e6 + 0.5) for each in latencies])


def _coarse(counts: Counter[int]) -> Counter[int]:
    """Return the counts, merged to the histogram's precision if there are many values."""
    if len(counts) < 1 << _PRECISION_BITS:
        return counts
    result: Counter[int] = Counter()
    for value, count in counts.items():
        shift = max(0, value.bit_length() - _PRECISION_BITS)
        result[value >> shift << shift] += count
    return result


@dataclass(slots=True)
class Latencies:
    """Latencies, counted by whole microseconds, with exact extremes and sums."""

    counts: Counter[int] = field(default_factory=Counter)
    count: int = 0
    least: int = 0
    greatest: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, counts: Counter[int]) -> None:
        """Add latencies."""
        if counts:
            total = sum(value * count for value, count in counts.items())
            squares = sum(value * value * count for value, count in counts.items())
            self.merge(Latencies(counts, counts.total(), min(counts), max(counts), total, squares))
            self.counts = _coarse(self.counts)

    def merge(self, other: Latencies) -> None:
        """Add other latencies."""
        if other.count:
            self.least = min(self.least, other.least) if self.count else other.least
            self.greatest = max(self.greatest, other.greatest)
            self.count += other.count
            self.total += other.total
            self.squares += other.squares
            self.counts.update(other.counts)

    def histogram(self) -> HdrHistogram:
        """Return an HdrHistogram of microseconds."""
        histogram = HdrHistogram(1, LONGEST, DIGITS)
        for value, count in self.counts.items():
            histogram.record_value(min(value, LONGEST), count)
        return histogram

    def results(self) -> dict[str, float | int | None]:
        """Return count, min, mean, max, stdev and percentiles, in milliseconds; without latencies, None."""
        names = ("min", "mean", *PERCENTILES, "max", "stdev")
        if not self.count:
            return {"count": 0, **dict.fromkeys(names)}
        found = self.histogram().get_percentile_to_value_dict(list(PERCENTILES.values()))
        mean = self.total / self.count
        variance = max(0.0, self.squares / self.count - mean * mean)
        # The histogram returns the upper end of a step, which may be more than the maximum.
        values = [
            self.least, mean, *(min(found[each], self.greatest) for each in PERCENTILES.values()),
            self.greatest, math.sqrt(variance),
        ]  # fmt: skip
        return {"count": self.count, **{name: to_ms(value) for name, value in zip(names, values, strict=True)}}

    def curve(self) -> list[dict[str, float]]:
        """Return the percentile plot: points of percentile and milliseconds, denser towards 100."""
        if not self.count:
            return []
        wanted, step = [0.0], 1.0
        while (1 - step) * self.count < self.count - 0.5 and step > 1e-7:
            wanted += [100 * (1 - step * part) for part in (0.875, 0.75, 0.625, 0.5)]
            step /= 2
        histogram = self.histogram()
        found = histogram.get_percentile_to_value_dict(wanted)
        points = [
            {"percentile": round(each, 6), "latency_ms": to_ms(min(found[each], self.greatest))}
            for each in sorted(found)
        ]
        return [*points, {"percentile": 100.0, "latency_ms": to_ms(self.greatest)}]


def to_ms(value: float) -> float:
    """Return microseconds as milliseconds, rounded to a tenth of a microsecond."""
    return round(value / 1000, 4)


@dataclass(slots=True)
class Slice:
    """Slice of time, from `start` for `length` seconds; a reply belongs to the slice in which it arrived."""

    start: float
    length: float = 0.0
    sent: int = 0
    received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    errors: Counter[str] = field(default_factory=Counter)

    def absorb(self, other: Slice) -> None:
        """Add another slice."""
        self.sent += other.sent
        self.received += other.received
        self.bytes_sent += other.bytes_sent
        self.bytes_received += other.bytes_received
        self.errors.update(other.errors)
        self.latencies.merge(other.latencies)

    def results(self) -> dict[str, Any]:
        """Return the slice as a part of the JSON document."""
        times = self.latencies.results()
        return {
            "start_seconds": round(self.start, 3),
            "length_seconds": round(self.length, 3),
            "sent_messages": self.sent,
            "received_messages": self.received,
            "sent_bytes": self.bytes_sent,
            "received_bytes": self.bytes_received,
            "latency_ms": {name: times[name] for name in ("p50", "p90", "p99", "max")},
            "errors": {kind: count for kind, count in sorted(self.errors.items()) if count},
        }


class Record:
    """Record of one run, which the clients write to.

    `current` counts since the last cut. `pending` holds the latencies of right replies since then, in seconds; it is
    always the same list, so that a client may keep its `append`.
    """

    def __init__(self) -> None:
        self.pending: list[float] = []
        self.current = Slice(0.0)
        self.slices: list[Slice] = []
        self.handshakes = {part: Latencies() for part in HANDSHAKE_PARTS}
        self._handshakes: dict[str, list[float]] = {part: [] for part in HANDSHAKE_PARTS}

    def error(self, kind: str, count: int = 1) -> None:
        """Count `count` errors of a kind, such as "lost"."""
        if count:
            self.current.errors[kind] += count

    def handshake(self, times: HandshakeTimes) -> None:
        """Add the times of a handshake."""
        for part, pending in self._handshakes.items():
            seconds = getattr(times, part)
            if seconds is not None:
                pending.append(seconds)

    def cut(self, now: float) -> None:
        """End the slice at `now`, in seconds since the beginning of the run."""
        ended, self.current = self.current, Slice(now)
        ended.length = now - ended.start
        ended.latencies.add(microseconds(self.pending))
        self.pending.clear()
        for part, times in self._handshakes.items():
            self.handshakes[part].add(microseconds(times))
            times.clear()
        if self.slices and ended.length <= 0.0:
            self.slices[-1].absorb(ended)
        else:
            self.slices.append(ended)

    def total(self) -> Slice:
        """Return the sum of all slices, up to the last cut."""
        whole = Slice(0.0, self.current.start)
        for each in self.slices:
            whole.absorb(each)
        whole.errors = +whole.errors  # a late reply takes one back from "lost"
        return whole
