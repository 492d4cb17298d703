"""Text report: tables, the ratios that must hold, and the changes since an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median

from benchmarks.compare import GOALS, LEAST_DROP, Change, judge
from benchmarks.results import Cell, Results, figure
from benchmarks.servers import SERVERS
from benchmarks.shapes import SHAPES

SHAPE_OF = {shape.name: shape for shape in SHAPES}
TITLE_OF = {server.name: server.title for server in SERVERS}
NOTHING = "–"
LIMITED = "*"
LEGEND = "C × D: C connections with D messages in flight each. In a broadcast, one of 500 has 4 in flight."

Table = Sequence[Sequence[str]]


def tables(results: Results, *, markdown: bool = False) -> str:
    """Return a table for each group of shapes with a row for each server: medians and their spread."""
    parts = []
    for group, members in groupby(SHAPES, key=lambda shape: shape.group):
        shapes = [shape for shape in members if results.cells.get(shape.name)]
        rows = [server.name for server in SERVERS if any(results.cell(shape.name, server.name) for shape in shapes)]
        if not rows:
            continue
        table = [[group, *(shape.title for shape in shapes)], ["", *(shape.unit for shape in shapes)]]
        table += [
            [TITLE_OF[name], *(_cell(results.cell(each.name, name), markdown) for each in shapes)] for name in rows
        ]
        parts.append(_markdown(table) if markdown else _aligned(table))
    return "\n\n".join(parts)


def _cell(cell: Cell | None, markdown: bool) -> str:
    if cell is None:
        return NOTHING
    text = figure(cell.median)
    if not markdown and len(cell.samples) > 1:
        text += f" ±{50 * cell.spread:.0f}%"
    return text + (LIMITED if cell.generator_bound else "")


def _markdown(table: Table) -> str:
    titles, units, *rows = table
    heads = [f"{title}, {unit}" if unit else title for title, unit in zip(titles, units, strict=True)]
    lines = ["| " + " | ".join(cell.replace(LIMITED, "\\*") for cell in row) + " |" for row in (heads, *rows)]
    lines.insert(1, "|---" + "|---:" * (len(titles) - 1) + "|")
    return "\n".join(lines)


def _aligned(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for name, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]))
    return "\n".join(lines)


def origin(results: Results) -> str:
    """Return date, machine and settings of a run."""
    settings, machine = results.settings, results.machine
    where = f"{machine.get('processor', '?')}, {machine.get('cores', '?')} cores, {machine.get('system', '?')}"
    return f"{results.date}; {where}; medians of {settings.rounds} × {settings.seconds:g} s"


def notes(results: Results) -> str:
    """Return the notes below the tables."""
    lines = [f"{origin(results)}; the server on one core, the generator on another.", LEGEND]
    if any(cell.generator_bound for row in results.cells.values() for cell in row.values()):
        limit = f"{Cell.GENERATOR_LIMIT:.0f}%"
        lines.append(f"{LIMITED} the generator used over {limit} of its core: the server may be faster than that.")
    if results.machine.get("cores") == "1":
        lines.append("Server and generator shared the only core: no figure shows what a server can do.")
    lines += [f"Left out: {TITLE_OF.get(name, name)}: {reason}." for name, reason in results.left_out.items()]
    for shape, failed in results.failures.items():
        lines += [f"Failed: {TITLE_OF.get(name, name)} in {shape}: {reason}" for name, reason in failed.items()]
    return "\n".join(lines)


def goals(results: Results) -> str:
    """Return a line for each goal."""
    lines = ["Ratios that must hold, wsdaemon's result to another's: median (least to greatest) of the rounds'."]
    for goal in GOALS:
        shape = SHAPE_OF[goal.shape]
        verdict = judge(goal, shape, results)
        sign = "≤" if shape.less_is_better else "≥"
        rival = TITLE_OF.get(verdict.rival if verdict else goal.rival, "the best of the peers")
        if verdict and verdict.rival != goal.rival:
            rival += ", the best of the peers"
        wanted = f"  {shape.name}: {sign} {goal.bound:.1f} × {rival}"
        if verdict is None:
            lines.append(f"{wanted}: not measured")
            continue
        mark = LIMITED if results.cells[goal.shape][verdict.rival].generator_bound else ""
        outcome = f"missed by {100 * verdict.missed_by:.1f}%" if verdict.missed_by else "reached"
        low, high = min(verdict.ratios), max(verdict.ratios)
        lines.append(f"{wanted}: {verdict.ratio:.2f}{mark} ({low:.2f} to {high:.2f}): {outcome}")
    return "\n".join(lines)


def changes(found: Iterable[Change], then: Results) -> str:
    """Return the changes since the run `then`, with a last line that lists what got slower."""
    lines = [
        f"Since {then.date} ({then.machine.get('processor', '?')}): wsdaemon's own result now / then, and its ratio to",
        "the median of the peers (above 1: better than they), then and now. As machines differ, slower means: behind",
        "the peers by more than that ratio's spread over the rounds (greatest - least, the wider of both runs) and by",
        f"more than {LEAST_DROP:.0%}.",
    ]
    words = len(lines)
    slower = []
    for change in found:
        verdict = "the same within the spread"
        if change.slower:
            verdict = "SLOWER"
            slower.append(f"{change.shape} by {change.drop:.0%}")
        elif -change.drop > change.spread:
            verdict = "faster"
        lines.append(
            f"  {change.shape}: {change.own:.2f}; {median(change.then):.2f} then, {median(change.now):.2f} now, "
            f"spread {change.spread:.0%}: {verdict}"
        )
    if len(lines) == words:
        return "This run and the baseline have no shape in common with wsdaemon and a peer."
    lines.append(f"Slower: {'; '.join(slower)}." if slower else "Nothing got slower.")
    return "\n".join(lines)


def whole(results: Results, *, markdown: bool = False) -> str:
    """Return tables and notes, and the goals unless it is Markdown."""
    said = notes(results).replace(f"\n{LIMITED}", f"\n\\{LIMITED}") if markdown else notes(results)
    parts = [tables(results, markdown=markdown), said]
    if not markdown:
        parts.append(goals(results))
    return "\n\n".join(parts)
