"""Verdict on a soak: its figures and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.soak.population import BEHAVED, FAULTS, MIX
from tests.soak.watched import Sample, WatchedDaemon
from tests.soak.world import Tally

MB = 1e6
WINDOW = 0.15
"""Window for a memory reading, as a part of the load's time; the median counts."""

START, MIDDLE, END = 0.2, 0.5, 1 - WINDOW
"""Where these windows begin; before the first, memory grows to what the load needs."""

OBJECTS = {"wsdaemon.": 1, "": 40}
"""How many more objects of a class there may be at the end, by how its name begins: of ours none but the first room;
Twisted keeps some threads and cancelled timers."""

BLOCKS = 2000
"""How many more blocks of memory there may be at the end: what is loaded or cached at its first use."""


@dataclass(frozen=True)
class Census:
    """Memory blocks and objects by class in the daemon's process."""

    blocks: int
    objects: Mapping[str, int]


@dataclass(frozen=True)
class Run:
    """All measurements."""

    wanted: int
    tally: Tally
    daemon: WatchedDaemon
    before: Sample
    load: Sequence[Sample]  # one a second, while the population was up
    after: Sample  # once all clients were gone
    census_before: Census
    census_after: Census
    exit_code: int
    lag: float  # the longest that the clients' process was late, in seconds

    def memory(self, begins: float) -> float:
        """Return the memory in bytes in the window that begins at this part of the load's time."""
        count = len(self.load)
        first = int(begins * count)
        return median(sample.memory for sample in self.load[first : max(first + 1, round((begins + WINDOW) * count))])

    @property
    def growth(self) -> float:
        """How much memory grew from the middle to the end, in bytes."""
        return self.memory(END) - self.memory(MIDDLE)


def problems(run: Run, *, growth: float) -> Iterator[str]:
    """Yield what is wrong; memory may grow by `growth` bytes from the middle of the run to its end."""
    tally, daemon = run.tally, run.daemon
    for kind, count in tally.errors.items():
        yield f"{count} errors of {kind}"
    yield from tally.shown
    yield from (f"{client.__name__} did not occur" for client in MIX if not tally.connections[client.__name__])
    most = max(sample.descriptors for sample in run.load)
    if most < 0.8 * run.wanted:
        yield f"there were never more than {most} descriptors: {run.wanted} connections were wanted"
    if run.after.descriptors != run.before.descriptors:
        yield f"{run.after.descriptors} descriptors are open at the end, {run.before.descriptors} were at the start"
    if run.growth > growth:
        yield f"memory grew by {run.growth / MB:.1f} MB from the middle to the end; at most {growth / MB:g} are flat"
    yield from _left(run.census_before, run.census_after)
    if daemon.events["open"] != daemon.events["close"]:
        yield f"{daemon.events['open']} WebSockets were opened, {daemon.events['close']} closed"
    slow = sum(count for ending, count in daemon.endings.items() if ending.startswith("sent 1013:"))
    if slow != tally.connections["slow_member"]:
        yield f"{slow} members were sent 1013, {tally.connections['slow_member']} did not keep up"
    if daemon.odd_count:
        yield f"{daemon.odd_count} lines of the log are worse than info, the first: {daemon.odd[0][:2000]}"
    if run.exit_code:
        yield f"the daemon ended with {run.exit_code}"


def _left(before: Census, after: Census) -> Iterator[str]:
    if after.blocks - before.blocks > BLOCKS:
        yield f"{after.blocks - before.blocks} more blocks of memory are in use than at the start; at most {BLOCKS}"
    for name, count in after.objects.items():
        allowed = next(allowed for start, allowed in OBJECTS.items() if name.startswith(start))
        if count - before.objects.get(name, 0) > allowed:
            yield f"{count} objects of {name} are there at the end, {before.objects.get(name, 0)} were at the start"


def figures(run: Run) -> dict[str, float]:
    """Return the figures for machines."""
    return {
        "seconds": run.load[-1].at,
        "connections": run.tally.connections.total(),
        "messages": run.tally.messages,
        "errors": run.tally.errors.total(),
        "descriptors_before": run.before.descriptors,
        "descriptors_after": run.after.descriptors,
        "memory_growth": run.growth,
        "lag": run.lag,
        "blocks_growth": run.census_after.blocks - run.census_before.blocks,
    }


def table(run: Run) -> Iterator[str]:
    """Yield the lines for people."""
    tally, load = run.tally, run.load
    yield f"{run.wanted} connections for {load[-1].at + 1:.0f} s"
    yield ""
    yield "connections by kind"
    for client in BEHAVED:
        yield f"  {client.__name__:<20} {tally.connections[client.__name__]:>8}"
    yield "faults by kind, and how the daemon met them"
    for client in FAULTS:
        name = client.__name__
        met = ", ".join(f"{seen} {count}" for seen, count in tally.outcomes[name].most_common())
        yield f"  {name:<20} {tally.connections[name]:>8}  {met}"
    yield "how the WebSockets ended, by the daemon's log"
    for ending, count in run.daemon.endings.most_common():
        yield f"  {count:>8}  {ending}"
    yield "in all"
    yield from (f"  {name:<20} {value}" for name, value in _summary(run))


def _summary(run: Run) -> Iterator[tuple[str, str]]:
    tally, load = run.tally, run.load
    seconds = load[-1].at or 1
    cpu = load[-1].cpu - run.before.cpu
    waited = load[-1].waited - run.before.waited
    memory = [run.before.memory, run.memory(START), run.memory(MIDDLE), run.memory(END), run.after.memory]
    names = ("before", "start", "middle", "end", "after")
    most = max(load, key=lambda sample: sample.descriptors).descriptors
    yield "connections", f"{tally.connections.total()}, {tally.connections.total() / seconds:.0f} a second"
    yield "messages", f"{tally.messages}, {tally.messages / seconds:.0f} a second, {tally.bytes / MB:.0f} MB"
    yield "memory, MB", ", ".join(f"{name} {value / MB:.1f}" for name, value in zip(names, memory, strict=True))
    yield "", f"at most {max(sample.memory for sample in load) / MB:.1f}, from middle to end {run.growth / MB:+.1f}"
    yield "descriptors", f"before {run.before.descriptors}, at most {most}, after {run.after.descriptors}"
    yield "blocks of memory", f"before {run.census_before.blocks}, after {run.census_after.blocks}"
    yield "daemon's CPU time", f"{cpu:.1f} s, {100 * cpu / seconds:.0f} % of a core, and {waited:.1f} s waiting for one"
    yield "clients", f"late by at most {run.lag:.2f} s; slowest answer to an echo after {tally.slowest:.2f} s"
    yield "errors", str(tally.errors.total())
