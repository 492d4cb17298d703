"""Charts of a run's document: latency over time, its distribution, throughput and errors over time. Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from wsdaemon.load import words
from wsdaemon.load.charts import Axis, Bars, Chart, Hint, Line, Point, linear_axis, log_axis, time_axis
from wsdaemon.load.document import Document

_STYLES = {"p50": "a", "p90": "b", "p99": "c", "max": "d"}
_ERROR_STYLES = ("e0", "e1", "e2", "e3", "e4")
_TIME_TICKS = 6


def latency(document: Document) -> Chart:
    """Return latency over time: p50, p90, p99 and maximum of each slice."""
    slices = document["slices"]
    lines = tuple(
        Line(name, style, tuple((_middle(each), each["latency_ms"][name]) for each in slices))
        for name, style in _STYLES.items()
    )
    values = [y for line in lines for _, y in line.points if y]
    hints = tuple(
        _hint(each, ", ".join(f"{name} {words.milliseconds(each['latency_ms'][name])}" for name in _STYLES))
        for each in slices
    )
    return Chart("Latency over time", _time(document), log_axis(values, _tick), lines, hints=hints)


def distribution(document: Document, old: Document | None) -> Chart:
    """Return the percentile plot, also of an `old` run; rarer cases are further to the right."""
    count = document["latency_ms"]["count"]
    rarest = max(10.0, float(count))
    lines = [Line("this run", "a", _curve(document, rarest))]
    if old is not None and old.get("latency_curve"):
        lines.append(Line("old run", "old", _curve(old, rarest)))
    shares = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
    ticks = tuple((_rareness(each, rarest), f"{each:g}") for each in shares if _rareness(each, 1e12) <= rarest * 1.001)
    values = [y for line in lines for _, y in line.points if y]
    x = Axis(1.0, rarest, ticks, log=True, title="percent that took no longer")
    return Chart("Distribution of latency by percentile", x, log_axis(values, _tick), tuple(lines))


def throughput(document: Document) -> Chart:
    """Return right replies, or handshakes, per second."""
    slices = _under_load(document)
    points = tuple((_middle(each), each["received_messages"] / each["length_seconds"]) for each in slices)
    lines = [Line("right replies/s" if document["messages"] is not None else "handshakes/s", "a", points)]
    asked = document["configuration"]["rate_messages_per_second"]
    if asked is not None:
        lines.append(Line("asked for", "old", ((0.0, asked), (document["load_seconds"], asked))))
    greatest = max((y for line in lines for _, y in line.points if y is not None), default=1.0)
    hints = tuple(_hint(each, f"{words.count(round(y or 0))}/s") for each, (_, y) in zip(slices, points, strict=True))
    return Chart("Throughput over time", _time(document), linear_axis(greatest, words.count), tuple(lines), hints=hints)


def errors(document: Document) -> Chart:
    """Return the errors of each slice, by kind; the rarest kinds share one bar."""
    found: Counter[str] = Counter(document["errors"])
    kinds = [kind for kind, _ in found.most_common()]
    several = len(_ERROR_STYLES) - 1
    groups = [[kind] for kind in kinds[:several]] + ([kinds[several:]] if kinds[several:] else [])
    names = tuple(words.error(group[0]) if len(group) == 1 else "others" for group in groups)
    bars = tuple(
        (
            each["start_seconds"],
            each["start_seconds"] + max(each["length_seconds"], 1e-3),
            tuple(float(max(0, sum(each["errors"].get(kind, 0) for kind in group))) for group in groups),
        )
        for each in document["slices"]
    )
    greatest = max((sum(heights) for _, _, heights in bars), default=1.0)
    hints = tuple(
        _hint(each, ", ".join(f"{number:,} {words.error(kind)}" for kind, number in each["errors"].items()))
        for each in document["slices"]
        if each["errors"]
    )
    y_axis = linear_axis(max(1.0, greatest), words.count, ticks=4 if greatest >= 4 else 1)
    stacked = Bars(names, _ERROR_STYLES[: len(names)], bars)
    return Chart("Errors over time", _time(document), y_axis, bars=stacked, hints=hints)


def _curve(document: Document, rarest: float) -> tuple[Point, ...]:
    return tuple((_rareness(each["percentile"], rarest), each["latency_ms"]) for each in document["latency_curve"])


def _rareness(percentile: float, most: float) -> float:
    """Return N such that one in N takes longer; at most `most`."""
    return min(most, 1 / max(1e-12, 1 - percentile / 100))


def _under_load(document: Document) -> list[dict[str, Any]]:
    """Return the slices in which messages were sent, except a last one that is too short for a rate."""
    slices = [each for each in document["slices"] if each["start_seconds"] < document["load_seconds"] - 1e-3]
    usual = max((each["length_seconds"] for each in slices), default=0.0)
    return [each for each in slices if each["length_seconds"] > usual / 4]


def _time(document: Document) -> Axis:
    ends = [each["start_seconds"] + each["length_seconds"] for each in document["slices"]]
    return time_axis(max([document["load_seconds"], 0.1, *ends]), ticks=_TIME_TICKS)


def _middle(part: dict[str, Any]) -> float:
    return float(part["start_seconds"] + part["length_seconds"] / 2)


def _hint(part: dict[str, Any], text: str) -> Hint:
    start, end = part["start_seconds"], part["start_seconds"] + part["length_seconds"]
    return Hint(start, end, f"{start:g} to {round(end, 3):g} s: {text}")


def _tick(value: float) -> str:
    """Return a round time, given in milliseconds, in a fitting unit."""
    unit, factor = ("µs", 1000.0) if value < 0.9995 else ("s", 0.001) if value >= 999.5 else ("ms", 1.0)
    number = value * factor
    return f"{number:.{max(0, -math.floor(math.log10(number) + 1e-9))}f} {unit}"
