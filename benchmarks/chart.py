"""Chart of the results: one group of bars for each shape, scaled to its greatest result."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.report import LEGEND, TITLE_OF, origin
from benchmarks.results import Cell, Results, figure
from benchmarks.servers import LIMIT, OWN, SERVERS
from benchmarks.shapes import SHAPES

WIDTH, MARGIN, LABEL, VALUE = 940, 16, 176, 70
BAR, GAP, HEADING = 13, 5, 30
COLUMN = (WIDTH - 3 * MARGIN) // 2
LONGEST = COLUMN - LABEL - VALUE

# The chart has its own background: the page around it may be light although the reader's system is dark.
STYLE = """
svg { font-family: sans-serif; font-size: 11px; }
.ground { fill: #ffffff; } text { fill: #1f2328; } .heading { font-weight: bold; font-size: 12px; }
.own { fill: #0b62c4; } .peer { fill: #8c959f; } .limit { fill: #c9ced6; } .spread { stroke: #1f2328; }
.bold { font-weight: bold; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; } text { fill: #e6edf3; }
  .own { fill: #4a9bff; } .peer { fill: #6e7781; } .limit { fill: #3d444d; } .spread { stroke: #e6edf3; }
}
"""


def write_chart(results: Results, file: Path) -> None:
    """Write the chart of `results` as an SVG file, with no scripts, fonts or other external parts."""
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    ET.SubElement(svg, "title").text = "wsdaemon and other WebSocket servers: results of make bench"
    ET.SubElement(svg, "style").text = STYLE
    ground = ET.SubElement(svg, "rect", {"class": "ground", "width": "100%", "height": "100%"})
    ends = [MARGIN, MARGIN]
    for shape in SHAPES:
        row = [(server.name, cell) for server in SERVERS if (cell := results.cell(shape.name, server.name))]
        if not row:
            continue
        column = ends.index(min(ends))  # the shorter one so far
        unit = f"{shape.unit}, less is better" if shape.less_is_better else shape.unit
        left = MARGIN + column * (COLUMN + MARGIN)
        group = ET.SubElement(svg, "g", {"transform": f"translate({left} {ends[column]})"})
        _text(group, 0, 14, f"{shape.title}: {unit}", "heading")
        _bars(group, row)
        ends[column] += HEADING + len(row) * (BAR + GAP) + MARGIN
    spread = "A thin line goes from the least round to the greatest; * may be the generator's limit."
    for index, line in enumerate((f"{origin(results)}.", LEGEND, spread)):
        _text(svg, MARGIN, max(ends) + 8 + 16 * index, line)
    height = max(ends) + 56
    svg.set("viewBox", f"0 0 {WIDTH} {height}")
    svg.set("width", str(WIDTH))
    svg.set("height", str(height))
    ground.set("rx", "6")
    ET.indent(svg)
    file.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(svg).write(file, encoding="utf-8", xml_declaration=True)


def _bars(group: ET.Element, row: list[tuple[str, Cell]]) -> None:
    greatest = max(max(cell.samples) for _, cell in row) or 1.0
    for index, (name, cell) in enumerate(row):
        top = HEADING - 8 + index * (BAR + GAP)
        bold = "bold" if name == OWN else ""
        kind = "own" if name == OWN else "limit" if name == LIMIT else "peer"
        low, length, high = (
            LABEL + LONGEST * max(value, 0) / greatest for value in (min(cell.samples), cell.median, max(cell.samples))
        )
        _text(group, LABEL - 6, top + 10, TITLE_OF[name], bold, anchor="end")
        shown = {"x": str(LABEL), "y": str(top), "width": f"{length - LABEL:.1f}", "height": str(BAR)}
        ET.SubElement(group, "rect", {"class": kind, **shown})
        middle = f"{top + BAR / 2:.1f}"
        ends = {"x1": f"{low:.1f}", "x2": f"{high:.1f}", "y1": middle, "y2": middle}
        ET.SubElement(group, "line", {"class": "spread", **ends})
        _text(group, high + 5, top + 10, figure(cell.median) + ("*" if cell.generator_bound else ""), bold)


def _text(parent: ET.Element, x: float, y: float, text: str, kind: str = "", *, anchor: str = "") -> None:
    attributes = {"x": f"{x:g}", "y": f"{y:g}"}
    if kind:
        attributes["class"] = kind
    if anchor:
        attributes["text-anchor"] = anchor
    ET.SubElement(parent, "text", attributes).text = text
