"""Ratios: those that must hold within a run, and changes since an earlier run.

A ratio is computed for each round, because the runs of one round are close in time. The result is the median of these;
the smallest and the greatest show its uncertainty.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.results import Results, spread
from benchmarks.servers import LIMIT, OWN
from benchmarks.shapes import Shape

BEST = "best"
LEAST_DROP = 0.05
"""A smaller drop never counts as slower: a single round has no spread to compare with."""


@dataclass(frozen=True)
class Goal:
    """Required ratio: in `shape`, at least (idle memory: at most) `bound` times the result of `rival`.

    The rival `BEST` is the peer with the best median.
    """

    shape: str
    bound: float
    rival: str


GOALS = (
    Goal("echo-100x1", 1.0, "aiohttp"),
    Goal("echo-100x1", 4.0, "autobahn"),
    Goal("echo-16x32", 3.0, "picows"),
    Goal("echo-16x4-4k", 1.2, "picows"),
    Goal("echo-16x4-4k", 0.7, LIMIT),
    Goal("echo-4x2-1m", 1.0, BEST),
    Goal("broadcast", 1.2, "picows"),
    Goal("deflate-16x4-1k", 1.0, "aiohttp"),
    Goal("deflate-4x2-64k", 1.0, "aiohttp-isal"),
    Goal("tls-100x1", 1.0, "aiohttp"),
    Goal("handshakes", 1.0, "aiohttp"),
    Goal("idle", 1.0, "ws"),
)


@dataclass(frozen=True)
class Verdict:
    """Outcome of a goal. `missed_by` is the shortfall as a share of the bound, 0.0 if it is reached."""

    goal: Goal
    rival: str
    ratios: tuple[float, ...]
    missed_by: float

    @property
    def ratio(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.ratios)


def judge(goal: Goal, shape: Shape, results: Results) -> Verdict | None:
    """Return the outcome of a goal; None if wsdaemon or the rival was not measured."""
    row = results.cells.get(goal.shape, {})
    peers = _peers(row)
    rival = goal.rival
    if rival == BEST and peers:
        choose = min if shape.less_is_better else max
        rival = choose(peers, key=lambda name: row[name].median)
    if OWN not in row or rival not in row:
        return None
    ratios = tuple(own / other for own, other in zip(row[OWN].samples, row[rival].samples, strict=False))
    found = statistics.median(ratios) / goal.bound
    missed_by = found - 1 if shape.less_is_better else 1 - found
    return Verdict(goal, rival, ratios, max(0.0, missed_by))


@dataclass(frozen=True)
class Change:
    """Result of wsdaemon in one shape, now and in an earlier run.

    `own` is the quotient of its own results. `now` and `then` are its ratios to the median of the peers, one for each
    round; where less is better they are inverted, so that greater is better in all shapes.
    """

    shape: str
    own: float
    now: tuple[float, ...]
    then: tuple[float, ...]

    @property
    def drop(self) -> float:
        """Loss against the peers, as a share; negative for a gain."""
        return 1 - statistics.median(self.now) / statistics.median(self.then)

    @property
    def spread(self) -> float:
        """Wider spread of the two runs, as a share; at least `LEAST_DROP`."""
        return max(spread(self.now), spread(self.then), LEAST_DROP)

    @property
    def slower(self) -> bool:
        """Whether the loss exceeds the spread."""
        return self.drop > self.spread


def compare(now: Results, then: Results, shapes: Iterable[Shape]) -> list[Change]:
    """Return the changes by shape, where both runs measured wsdaemon and a common peer."""
    changes = []
    for shape in shapes:
        row_now, row_then = now.cells.get(shape.name, {}), then.cells.get(shape.name, {})
        peers = [name for name in _peers(row_now) if name in row_then]
        if OWN in row_now and OWN in row_then and peers:
            own = row_now[OWN].median / row_then[OWN].median
            places = [_places(results, shape, peers) for results in (now, then)]
            changes.append(Change(shape.name, own, *places))
    return changes


def _peers(row: Iterable[str]) -> list[str]:
    return [name for name in row if name not in (OWN, LIMIT)]


def _places(results: Results, shape: Shape, peers: list[str]) -> tuple[float, ...]:
    row = results.cells[shape.name]
    rounds = zip(row[OWN].samples, *(row[name].samples for name in peers), strict=False)
    ratios = (own / statistics.median(others) for own, *others in rounds)
    return tuple(1 / ratio if shape.less_is_better else ratio for ratio in ratios)
