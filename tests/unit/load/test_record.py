"""Record of a run: latencies and counts are kept without loss, in total and for each slice of time."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from wsdaemon.client import HandshakeTimes
from wsdaemon.load.health import Health
from wsdaemon.load.record import Latencies, Record, microseconds, slice_length


def latencies(seconds: Iterable[float]) -> Latencies:
    found = Latencies()
    found.add(microseconds(seconds))
    return found


class TestLatencies:
    """Percentiles by HdrHistogram."""

    def test_results(self) -> None:
        """Percentiles of 1 to 1000 ms are right to three digits; extremes and mean are exact."""
        found = latencies(each / 1000 for each in range(1, 1001)).results()
        assert found["count"] == 1000
        assert (found["min"], found["max"], found["mean"]) == (1.0, 1000.0, 500.5)
        assert found["stdev"] == pytest.approx(288.675, abs=0.01)
        for name, expected in (("p50", 500), ("p90", 900), ("p99", 990), ("p99_9", 999)):
            assert found[name] == pytest.approx(expected, rel=0.001)

    def test_none(self) -> None:
        """Without a latency, there is no number to show, not zero."""
        assert Latencies().results() == {
            "count": 0, "min": None, "mean": None, "p50": None, "p90": None, "p99": None, "p99_9": None, "max": None,
            "stdev": None,
        }  # fmt: skip
        assert Latencies().curve() == []

    def test_percentile_is_never_over_the_maximum(self) -> None:
        """A histogram's step does not make a percentile larger than anything that was measured."""
        found = latencies([1.0000001]).results()
        assert found["p50"] == found["p99_9"] == found["max"] == 1000.0

    def test_zero_and_an_hour(self) -> None:
        """A latency of less than a microsecond counts, and so does one of more than an hour."""
        found = latencies([0.0, 5000.0])
        assert found.histogram().get_total_count() == 2
        assert found.results()["max"] == 5_000_000.0

    def test_many_values_stay_few(self) -> None:
        """Memory stays small and percentiles right, however many different latencies there are."""
        source = random.Random(1)
        found = Latencies()
        values = [source.expovariate(2) for _ in range(60_000)]
        for start in range(0, len(values), 1000):
            found.add(microseconds(values[start : start + 1000]))
        assert len(found.counts) < 25_000
        assert found.counts.total() == found.count == 60_000
        values.sort()
        assert found.results()["p99"] == pytest.approx(1000 * values[59_400], rel=0.002)

    def test_curve(self) -> None:
        """The percentile plot rises to the greatest latency at 100 %."""
        curve = latencies(each / 1000 for each in range(1, 1001)).curve()
        assert curve[0]["percentile"] == 0
        assert curve[-1] == {"percentile": 100.0, "latency_ms": 1000.0}
        assert curve == sorted(curve, key=lambda each: (each["percentile"], each["latency_ms"]))
        assert max(each["percentile"] for each in curve[:-1]) >= 99.9


class TestRecord:
    """Slices of time."""

    def test_slices_add_up(self) -> None:
        """What is counted in slices is the total, and each slice has its own."""
        record = Record()
        append = record.pending.append
        for start in range(3):
            for each in range(10):
                append((start + 1) / 1000)
                record.current.sent += 1
                record.current.received += 1
                record.current.bytes_sent += 5
                record.current.bytes_received += each
            record.error("lost", start)
            record.cut(float(start + 1))
        assert [each.results()["latency_ms"]["p50"] for each in record.slices] == pytest.approx([1, 2, 3], rel=0.001)
        assert [(each.start, each.length, each.sent) for each in record.slices] == [(0, 1, 10), (1, 1, 10), (2, 1, 10)]
        total = record.total()
        assert (total.sent, total.received, total.bytes_sent, total.bytes_received) == (30, 30, 150, 135)
        assert dict(total.errors) == {"lost": 3}
        assert total.latencies.results()["mean"] == 2.0

    def test_nothing_is_counted_twice(self) -> None:
        """A second cut at the same time makes no slice; what was counted between the two is kept."""
        record = Record()
        record.current.sent = 3
        record.cut(1.0)
        record.error("lost")
        record.cut(1.0)
        assert [(each.sent, dict(each.errors)) for each in record.slices] == [(3, {"lost": 1})]

    def test_found_again(self) -> None:
        """A reply that arrives after it was counted as lost is lost no more."""
        record = Record()
        record.error("lost", 2)
        record.cut(1.0)
        record.error("lost", -2)
        record.error("out_of_order", 2)
        record.cut(2.0)
        assert dict(record.total().errors) == {"out_of_order": 2}

    def test_handshakes(self) -> None:
        """A handshake is split into its parts; without TLS there is none."""
        record = Record()
        record.handshake(HandshakeTimes(0.001, None, 0.002))
        record.handshake(HandshakeTimes(0.001, 0.010, 0.002))
        record.cut(1.0)
        found = {part: each.results() for part, each in record.handshakes.items()}
        assert [found[part]["count"] for part in ("tcp", "tls", "upgrade", "total")] == [2, 1, 2, 2]
        assert found["total"]["max"] == 13.0

    @pytest.mark.parametrize(
        ("duration", "length"), [(0.5, 0.1), (3, 0.1), (10, 0.2), (30, 0.5), (60, 1), (600, 10), (3600, 50)]
    )
    def test_slice_length(self, duration: float, length: float) -> None:
        """A slice is of a round length, and there are enough of them for a chart."""
        assert slice_length(duration) == length


class TestHealth:
    """The client notices when it was itself the limit."""

    @pytest.mark.parametrize(
        ("cpu", "lags", "reasons"),
        [
            (5.0, {}, []),
            (9.7, {}, ["it used 97% of a processor core, which is all that it can use"]),
            (5.0, dict.fromkeys(range(0, 1000, 10), 0.02), ["10% of its timers fired more than 10 ms late"]),
            (5.0, {123: 0.5}, ["it stood still for 500 ms, 12.3 s after the start"]),
        ],
        ids=["well", "busy", "late", "pause"],
    )
    def test_reasons(self, cpu: float, lags: dict[int, float], reasons: list[str]) -> None:
        """A full core, timers that are often late, and one long pause are reasons; half a core is none."""
        health = Health()
        assert not health.reasons
        for each in range(1000):
            health.lag(lags.get(each, 0.001), each / 10)
        health.used(cpu, 10.0)
        assert health.reasons == reasons
        assert health.cpu_share == cpu / 10
        assert health.late_share == len(lags) / 1000
