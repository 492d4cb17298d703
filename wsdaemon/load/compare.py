"""Comparison of two runs, with the changes in percent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsdaemon.load import words
from wsdaemon.load.document import Document

_LATENCIES = ("p50", "p90", "p99", "p99_9", "max")
_IGNORED = frozenset(("seed",))


@dataclass(frozen=True, slots=True)
class Change:
    """One row: an old and a new figure; `percent` is None if the old one is 0 or missing."""

    name: str
    old: str
    new: str
    percent: float | None
    better: bool | None
    """Whether the new figure is better; None if it is the same."""

    @property
    def change(self) -> str:
        """The change in words: +12.3 %."""
        if self.percent is None:
            return "same" if self.old == self.new else "-"
        return f"{self.percent:+.1f} %"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, the differences of the configurations, and warnings."""

    changes: tuple[Change, ...]
    differences: tuple[str, ...]
    warnings: tuple[str, ...]


def compare(old: Document, new: Document) -> Comparison:
    """Return the changes from `old` to `new`."""
    changes = []
    for name, label in (("messages_per_second", "messages/s"), ("handshakes_per_second", "handshakes/s")):
        changes += _change(label, old["rates"].get(name), new["rates"].get(name), words.count, more_is_better=True)
    for name in _LATENCIES:
        label = f"latency {words.column(name)}"
        changes += _change(label, old["latency_ms"].get(name), new["latency_ms"].get(name), words.milliseconds)
    then, now = (each.get("handshake_ms", {}).get("total", {}).get("p50") for each in (old, new))
    changes += _change("handshake p50", then, now, words.milliseconds)
    changes += _change("errors", sum(old["errors"].values()), sum(new["errors"].values()), words.count)
    return Comparison(tuple(changes), tuple(_differences(old, new)), tuple(_warnings(old, new)))


def table(comparison: Comparison) -> str:
    """Return the comparison as text of at most 80 columns."""
    lines = [f"{'Compared':<18}{'old':>14}{'new':>14}{'change':>12}"]
    for each in comparison.changes:
        judged = {True: "  better", False: "  worse", None: ""}[each.better]
        lines.append(f"{each.name:<18}{each.old:>14}{each.new:>14}{each.change:>12}{judged}")
    if comparison.differences:
        lines += ["", "NOT THE SAME CONFIGURATION, so the numbers may not be comparable:"]
        lines += [f"  {each}" if len(each) <= 78 else f"  {each[:77]}…" for each in comparison.differences]
    lines += [f"Note: {each}" for each in comparison.warnings]
    return "\n".join(lines)


def _change(
    label: str,
    old: float | None,
    new: float | None,
    show: Callable[[float | None], str],
    *,
    more_is_better: bool = False,
) -> list[Change]:
    if old is None and new is None:
        return []
    percent = better = None
    if old is not None and new is not None:
        percent = 100 * (new - old) / old if old else None
        better = None if new == old else (new > old) is more_is_better
    return [Change(label, show(old), show(new), percent, better)]


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
