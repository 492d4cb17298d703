"""Comparison of two runs, with the changes in percent."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.load import words
from wsdaemon.load.document import Document

_LATENCIES = ("p50", "p90", "p99", "p99_9", "max")
_IGNORED = frozenset(("seed",))


@dataclass(frozen=True, slots=True)
class Change:
    """Row of the comparison: an old and a new figure; `percent` is None if the old one is 0, or if one is missing."""

    name: str
    old: str
    new: str
    percent: float | None
    verdict: str
    """`better`, `worse`, or empty."""

    @property
    def change(self) -> str:
        """The change in words: +12.3 %."""
        if self.percent is None:
            return "same" if self.old == self.new else "-"
        return f"{self.percent:+.1f} %"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two runs: its rows, the differences of the configurations, and warnings."""

    changes: tuple[Change, ...]
    differences: tuple[str, ...]
    warnings: tuple[str, ...]


def compare(old: Document, new: Document) -> Comparison:
    """Return the changes from `old` to `new`; figures that neither run has are left out."""
    then, now = _figures(old), _figures(new)
    changes = [_change(name, then[name], now[name]) for name in now if (then[name], now[name]) != (None, None)]
    return Comparison(tuple(changes), tuple(_differences(old, new)), tuple(_warnings(old, new)))


def table(comparison: Comparison) -> str:
    """Return the comparison as text of at most 80 columns."""
    lines = [f"{'Compared':<18}{'old':>14}{'new':>14}{'change':>12}"]
    for each in comparison.changes:
        row = f"{each.name:<18}{each.old:>14}{each.new:>14}{each.change:>12}  {each.verdict}"
        lines.append(row.rstrip())
    if comparison.differences:
        lines += ["", "NOT THE SAME CONFIGURATION, so the numbers may not be comparable:"]
        lines += [f"  {each}" if len(each) <= 78 else f"  {each[:77]}…" for each in comparison.differences]
    lines += [f"Note: {each}" for each in comparison.warnings]
    return "\n".join(lines)


def _figures(document: Document) -> dict[str, float | None]:
    """Return the figures to compare; latencies are in milliseconds."""
    return {
        "messages/s": document["rates"].get("messages_per_second"),
        "handshakes/s": document["rates"].get("handshakes_per_second"),
        **{f"latency {words.column(name)}": document["latency_ms"].get(name) for name in _LATENCIES},
        "handshake p50": document.get("handshake_ms", {}).get("total", {}).get("p50"),
        "errors": sum(document["errors"].values()),
    }


def _change(name: str, old: float | None, new: float | None) -> Change:
    show = words.milliseconds if name.startswith(("latency ", "handshake ")) else words.count
    percent, verdict = None, ""
    if old is not None and new is not None:
        percent = 100 * (new - old) / old if old else None
        if new != old:
            verdict = "better" if (new > old) is name.endswith("/s") else "worse"
    return Change(name, show(old), show(new), percent, verdict)


def _differences(old: Document, new: Document) -> list[str]:
    then, now = old["configuration"], new["configuration"]
    names = [name for name in (*now, *(each for each in then if each not in now)) if name not in _IGNORED]
    return [
        f"{name}: {words.value(then.get(name))} then, {words.value(now.get(name))} now"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _warnings(old: Document, new: Document) -> list[str]:
    result = []
    for when, document in (("old", old), ("new", new)):
        if document.get("client", {}).get("limited"):
            result.append(f"the client may have been the limit of the {when} run")
        if document.get("interrupted"):
            result.append(f"the {when} run was interrupted")
    return result
