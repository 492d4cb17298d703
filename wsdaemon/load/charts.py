"""Charts as SVG: axes, lines and stacked bars, in classes that the page's style sheet colours. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

Point = tuple[float, float | None]
"""Point of a line; None makes a gap."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 10, 40


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis of a chart: its range and labelled ticks; `log` for a logarithmic one."""

    least: float
    greatest: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False
    title: str = ""

    def place(self, value: float) -> float:
        """Return where a value lies, from 0 to 1."""
        least, greatest = self.least, self.greatest
        if self.log:
            value, least, greatest = (math.log10(max(each, 1e-9)) for each in (value, least, greatest))
        return min(1.0, max(0.0, (value - least) / (greatest - least))) if greatest > least else 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """Line through points; `style` is its class."""

    name: str
    style: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars: each has a start, an end and one height per style."""

    names: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    bars: tuple[tuple[float, float, tuple[float, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """Tooltip of a stretch of the x axis."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Chart of lines or bars; `label` describes it for screen readers."""

    label: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    bars: Bars = Bars()
    hints: tuple[Hint, ...] = ()


def linear_axis(greatest: float, show: Callable[[float], str], *, ticks: int = 5) -> Axis:
    """Return an axis from 0 to at least `greatest`, with about `ticks` ticks at round numbers."""
    step = _round_step(max(greatest, 1e-9) / ticks)
    count = math.ceil(max(greatest, 1e-9) / step - 1e-9)
    return Axis(0.0, count * step, tuple((each * step, show(each * step)) for each in range(count + 1)))


def time_axis(seconds: float, *, ticks: int) -> Axis:
    """Return the time axis of a run of that many seconds."""
    step = _round_step(seconds / ticks)
    times = [each * step for each in range(math.floor(seconds / step + 1e-9) + 1)]
    return Axis(0.0, seconds, tuple((each, f"{each:g}") for each in times), title="seconds since the start")


def log_axis(values: Sequence[float], show: Callable[[float], str]) -> Axis:
    """Return a logarithmic axis that spans positive values, with ticks at 1, 2 and 5 times powers of 10, or fewer."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(known)) * 3) / 3, math.ceil(math.log10(max(known)) * 3 + 1e-9) / 3
    least, greatest = 10**low, 10 ** max(high, low + 1 / 3)
    factors = (1,) if high - low > 2.4 else (1, 2, 5)
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    marks = [factor * 10.0**power for power in powers for factor in factors]
    ticks = tuple((mark, show(mark)) for mark in marks if least * 0.999 <= mark <= greatest * 1.001)
    return Axis(least, greatest, ticks, log=True)


def draw(chart: Chart, width: int, height: int) -> str:
    """Return the chart as an SVG element, in text."""
    svg = Element("svg", viewBox=f"0 0 {width} {height}", role="img", xmlns="http://www.w3.org/2000/svg")
    svg.set("aria-label", chart.label)
    frame = _Frame(chart, width, height)
    _axes(svg, chart, frame)
    _bars(svg, chart.bars, frame)
    for line in reversed(chart.lines):  # the first on top
        SubElement(svg, "path", {"class": f"line {line.style}", "d": _path(line.points, frame)})
    for hint in chart.hints:
        left, right = frame.x(hint.start), frame.x(hint.end)
        box = _add(svg, "rect", "hint", x=left, y=_TOP, width=right - left, height=frame.height)
        SubElement(box, "title").text = hint.text
    return tostring(svg, encoding="unicode")


def _add(svg: Element, tag: str, style: str, text: str | None = None, **numbers: float) -> Element:
    """Add an element of a class, with coordinates to a tenth of a pixel; returns it."""
    shown = {name: _n(value) for name, value in numbers.items()}
    element = SubElement(svg, tag, {"class": style, **shown})
    element.text = text
    return element


class _Frame:
    """The drawing area: values to coordinates."""

    def __init__(self, chart: Chart, width: int, height: int) -> None:
        self._x, self._y = chart.x, chart.y
        self.width = width - _LEFT - _RIGHT
        self.height = height - _TOP - _BOTTOM

    def x(self, value: float) -> float:
        return _LEFT + self._x.place(value) * self.width

    def y(self, value: float) -> float:
        return _TOP + (1 - self._y.place(value)) * self.height


def _axes(svg: Element, chart: Chart, frame: _Frame) -> None:
    right, bottom = _LEFT + frame.width, _TOP + frame.height
    for value, label in chart.y.ticks:
        y = frame.y(value)
        _add(svg, "line", "grid", x1=_LEFT, x2=right, y1=y, y2=y)
        _add(svg, "text", "tick end", label, x=_LEFT - 7, y=y + 4)
    for value, label in chart.x.ticks:
        x = frame.x(value)
        _add(svg, "line", "mark", x1=x, x2=x, y1=bottom, y2=bottom + 4)
        _add(svg, "text", "tick middle", label, x=x, y=bottom + 17)
    _add(svg, "line", "axis", x1=_LEFT, x2=right, y1=bottom, y2=bottom)
    _add(svg, "text", "title middle", chart.x.title, x=_LEFT + frame.width / 2, y=bottom + 35)


def _bars(svg: Element, bars: Bars, frame: _Frame) -> None:
    for start, end, heights in bars.bars:
        left, base = frame.x(start), 0.0
        width = max(1.0, frame.x(end) - left - 1)
        for style, height in zip(bars.styles, heights, strict=True):
            if height:
                top = frame.y(base + height)
                _add(svg, "rect", f"bar {style}", x=left, y=top, width=width, height=frame.y(base) - top)
                base += height


def _path(points: Sequence[Point], frame: _Frame) -> str:
    """Return a path with gaps where values are missing; a single point becomes a dot."""
    path, pen_is_down = "", False
    for x, y in points:
        if y is not None:
            command, dot = ("L", "") if pen_is_down else ("M", "h.01")
            path += f"{command}{_n(frame.x(x))} {_n(frame.y(y))}{dot}"
        pen_is_down = y is not None
    return path


def _round_step(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(wanted))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * 0.999))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
