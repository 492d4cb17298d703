"""Report of a run: one HTML page, made from the JSON document alone.

The page loads nothing and runs no script; all text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from statistics import median_high
from string import Template
from typing import Any

from wsdaemon.load import words
from wsdaemon.load.charts import Chart, draw
from wsdaemon.load.compare import compare
from wsdaemon.load.document import Document
from wsdaemon.load.plots import distribution, errors, latency, throughput

_WIDE, _NARROW = (760, 300), (360, 260)
_STATISTICS = ("min", "mean", "p50", "p90", "p99", "p99_9", "max", "stdev")
_PARTS = {"total": "handshake", "tcp": "TCP", "tls": "TLS", "upgrade": "upgrade"}

_Cell = str | tuple[str, str]
"""Cell of a table: its text, or its text and its class."""


def report(document: Document, old: Document | None = None) -> str:
    """Return the page; with an `old` document it also shows the changes."""
    configuration = document["configuration"]
    here = files("wsdaemon.load")
    page = Template(here.joinpath("report.html").read_text("utf-8"))
    sections = [
        _comparison(document, old), _latency(document, old), _throughput(document), _errors(document),
        _handshakes(document), _configuration(document), _slices(document),
    ]  # fmt: skip
    return page.substitute(
        title=_text(f"Load on {configuration['url']}"),
        style=here.joinpath("report.css").read_text("utf-8"),
        url=_text(configuration["url"]),
        plan=_text(words.plan(configuration)),
        when=_text(document["started"].replace("T", " ").replace("Z", " UTC")),
        notes="\n".join(_notes(document)),
        tiles="\n".join(_tiles(document)),
        sections="\n".join(filter(None, sections)),
        version=_text(document["wsdaemon_version"]),
    )


def _notes(document: Document) -> list[str]:
    notes = []
    if document["client"]["limited"]:
        why = "; ".join(document["client"]["reasons"])
        notes.append(("", f"The client itself may have been the limit: {why}. The server may well do better."))
    if document["interrupted"]:
        notes.append(("", f"The run was interrupted after {words.seconds(document['load_seconds'])}."))
    notes += [("bad", f"Not connected: {why}") for why in document["connections"]["failures"]]
    return [f'<p class="note {kind}">{_text(text)}</p>' for kind, text in notes]


def _tiles(document: Document) -> list[str]:
    rates, times = document["rates"], document["latency_ms"]
    wrong = sum(document["errors"].values())
    if document["messages"] is not None:
        asked = document["configuration"]["rate_messages_per_second"]
        of = "" if asked is None else f", of {words.count(asked)}"
        what, tiles = "latency", [(f"messages/s, echoed{of}", words.count(rates["messages_per_second"]), "")]
    else:
        what, tiles = "handshake", [("handshakes/s", words.count(rates["handshakes_per_second"]), "")]
    tiles += [(f"{what} {name}", words.milliseconds(times[name]), "") for name in ("p50", "p99", "max")]
    tiles.append(("errors", words.count(wrong), "bad" if wrong else ""))
    return [f'<div class="{kind}"><dt>{_text(label)}</dt><dd>{_text(value)}</dd></div>' for label, value, kind in tiles]


def _latency(document: Document, old: Document | None) -> str:
    if not document["latency_ms"]["count"]:
        return ""
    what = "Latency" if document["messages"] is not None else "Handshake time"
    counted = words.counted_from(document)
    over_time = _section(
        f"{what} over time",
        f"Each point stands for {_slice(document)}, {counted}; the scale is logarithmic.",
        _figure(latency(document)),
    )
    columns = {"this run": document["latency_ms"]}
    if old is not None:
        columns["old run"] = old["latency_ms"]
    spread = _section(
        "Distribution" if what == "Latency" else "Distribution of handshake times",
        "How many percent took at most how long; the slowest get the most room. "
        f"{document['latency_ms']['count']:,} in all.",
        _figure(distribution(document, old)) + _statistics(columns),
    )
    return over_time + spread


def _throughput(document: Document) -> str:
    echo = document["messages"] is not None
    about = "Right replies per second, by when they arrived." if echo else "Handshakes per second."
    return _section("Throughput over time", about, _figure(throughput(document)))


def _errors(document: Document) -> str:
    if not document["errors"]:
        return _section("Errors", "None: every reply was right, and every connection held.", "")
    rows = [[words.error(kind), f"{number:,}"] for kind, number in document["errors"].items()]
    return _section("Errors over time", "", _figure(errors(document)) + _table(["what", "how many"], rows))


def _handshakes(document: Document) -> str:
    columns = {label: times for part, label in _PARTS.items() if (times := document["handshake_ms"][part])["count"]}
    if not columns:
        return ""
    connections = document["connections"]
    about = f"{connections['opened']:,} opened, {connections['failed']:,} failed, "
    about += f"{connections['closed_early']:,} closed by the server before the end."
    return _section("Connections", about, _statistics(columns))


def _comparison(document: Document, old: Document | None) -> str:
    if old is None:
        return ""
    comparison = compare(old, document)
    differing = "; ".join(comparison.differences)
    texts = ([f"Not the same configuration: {differing}."] if differing else []) + list(comparison.warnings)
    notes = [f'<p class="note">{_text(text)}</p>' for text in texts]
    rows = [(each.name, each.old, each.new, (each.change, each.verdict)) for each in comparison.changes]
    table = _table(["", "old", "new", "change"], rows)
    return _section("Compared with an earlier run", "", "".join(notes) + table)


def _configuration(document: Document) -> str:
    client = document["client"]
    facts: dict[str, Any] = {
        name: value for name, value in document["configuration"].items() if value not in (None, [])
    }
    facts["client: processor"] = f"{client['cpu_percent_of_a_core']:g} % of a core"
    facts["client: timers over 10 ms late"] = f"{client['late_timers_percent']:g} %"
    facts["client: worst lag"] = words.milliseconds(client["worst_lag_ms"])
    rows = [(name.replace("_", " "), (words.value(value), "text")) for name, value in facts.items()]
    return _section("Configuration and client", "", _table([], rows))


def _slices(document: Document) -> str:
    rows = [
        [
            f"{each['start_seconds']:g}", f"{each['sent_messages']:,}", f"{each['received_messages']:,}",
            *(words.milliseconds(each["latency_ms"][name]) for name in ("p50", "p90", "p99", "max")),
            f"{sum(each['errors'].values()):,}",
        ]
        for each in document["slices"]
    ]  # fmt: skip
    table = _table(["from, s", "sent", "right", "p50", "p90", "p99", "max", "errors"], rows)
    inside = f"<details><summary>{len(rows)} slices of time</summary>{table}</details>"
    return f'<div class="details">{_section("The numbers behind the charts", "", inside)}</div>'


def _statistics(columns: dict[str, dict[str, Any]]) -> str:
    """Return a table of statistics, one per row so that it fits a phone."""
    rows = [
        [words.column(name), *(words.milliseconds(times.get(name)) for times in columns.values())]
        for name in _STATISTICS
    ]
    return _table(["", *columns], rows)


def _slice(document: Document) -> str:
    lengths = [each["length_seconds"] for each in document["slices"]]
    return words.seconds(median_high(lengths)) if lengths else "a slice"


def _figure(chart: Chart) -> str:
    """Return a legend and the chart in two sizes: the style sheet shows the wide or the narrow one."""
    keys = [(line.name, f'<path class="line {line.style}" d="M1 5H25"/>') for line in chart.lines]
    keys += [
        (name, f'<rect class="bar {style}" x="8" width="10" height="10"/>')
        for name, style in zip(chart.bars.names, chart.bars.styles, strict=True)
    ]
    legend = "".join(
        f'<li><svg viewBox="0 0 26 10" aria-hidden="true">{key}</svg>{_text(name)}</li>' for name, key in keys
    )
    pictures = "".join(
        draw(chart, *size).replace("<svg ", f'<svg class="{name}" ', 1)
        for name, size in (("wide", _WIDE), ("narrow", _NARROW))
    )
    return f'<figure><ul class="legend">{legend}</ul>{pictures}</figure>'


def _section(title: str, about: str, inside: str) -> str:
    told = f'<p class="about">{_text(about)}</p>' if about else ""
    return f"<section><h2>{_text(title)}</h2>{told}{inside}</section>"


def _table(head: Sequence[_Cell], rows: Iterable[Sequence[_Cell]]) -> str:
    """Return a table; the first cell of each row is its heading."""
    heads = f"<thead><tr>{_cells('th', head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{_cells('th', row[:1])}{_cells('td', row[1:])}</tr>" for row in rows)
    return f'<div class="scroll"><table>{heads}<tbody>{body}</tbody></table></div>'


def _cells(tag: str, cells: Sequence[_Cell]) -> str:
    html = ""
    for cell in cells:
        text, style = (cell, "") if isinstance(cell, str) else (cell[0], f' class="{cell[1]}"')
        html += f"<{tag}{style}>{_text(text)}</{tag}>"
    return html


def _text(value: object) -> str:
    """Return a text as HTML, with control characters replaced."""
    return escape(words.printable(str(value)))
