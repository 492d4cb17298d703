"""What all clients of a soak share, and the state of one client."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.cut import CutWatch
from tests.soak.ledger import Ledger
from tests.soak.watched import WatchedDaemon
from tests.support.patience import PATIENCE
from tests.support.raw import untrusting

SLACK = PATIENCE / 2
"""Seconds that something may be later than promised, as the machine is busy."""


class Unexpected(Exception):
    """The daemon did something wrong, or failed to do something."""


@dataclass
class Tally:
    """Counts so far."""

    connections: Counter[str] = field(default_factory=Counter)  # by kind
    outcomes: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # of faults
    messages: int = 0
    bytes: int = 0
    alive: int = 0
    slowest: float = 0  # answer to an echo, in seconds
    errors: Counter[str] = field(default_factory=Counter)  # by kind
    shown: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def note(self, messages: int, size: int) -> None:
        """Count messages and their bytes."""
        self.messages += messages
        self.bytes += size

    def error(self, kind: str, text: str) -> None:
        """Count an error; the first ones are kept for display."""
        self.errors[kind] += 1
        if len(self.shown) < 20:
            self.shown.append(f"{kind} after {time.monotonic() - self.begun:.0f} s: {text}")


@dataclass
class World:
    """One soak: its daemon, its settings and what was seen."""

    daemon: WatchedDaemon
    ini: ConfigParser
    docroot: Path
    seed: int
    life: float  # the longest that a well-behaved client lives, in seconds
    tally: Tally = field(default_factory=Tally)
    ledger: Ledger = field(default_factory=Ledger)
    cut: CutWatch = field(default_factory=CutWatch)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # of the visits
    stopping: bool = False

    def __post_init__(self) -> None:
        self.tls = untrusting()
        source = random.Random(self.seed)
        self.noise = source.randbytes(2 << 20)
        words = ["one", "zwei", "trois", "čtyři", "пять", "六", "seven", "acht", "neuf", "deset", ""]
        self.prose = " ".join(source.choices(words, k=300_000))

    def seconds(self, name: str) -> float:
        """Return a deadline of [websocket]."""
        return self.ini.getfloat("websocket", name)


@dataclass
class Visit:
    """One client's life: its kind, source address, and random numbers that repeat with the soak's seed."""

    world: World
    kind: str
    number: int
    address: str
    life: float  # the longest that it may last, where it does nothing wrong

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.world.seed}/{self.number}")
        self.ends = time.monotonic() + self.rng.uniform(0.1, 1) * self.life

    @property
    def over(self) -> bool:
        """Whether it is time to leave."""
        return self.world.stopping or time.monotonic() >= self.ends

    async def think(self, mean: float) -> None:
        """Pause for a while, at most until the end of this life."""
        left = self.ends - time.monotonic()
        await asyncio.sleep(max(0.0, min(self.rng.expovariate(1 / mean), 3 * mean, left)))

    def outcome(self, seen: str, *expected: str) -> None:
        """Record how the daemon reacted to a fault; raises `Unexpected` if not as `expected`."""
        self.world.tally.outcomes[self.kind][seen] += 1
        if seen not in expected:
            raise Unexpected(f"{seen}, not {' or '.join(expected)}")

    def port(self, tls: bool) -> int:
        """Return the daemon's port."""
        return self.world.daemon.tls_port if tls else self.world.daemon.port


Client = Callable[[Visit], Awaitable[None]]
