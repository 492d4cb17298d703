"""A constant number of connections: each that leaves is replaced, in a fixed mix of kinds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from tests.soak import behaved, crowds, faults, web
from tests.soak.world import Client, Visit, World

BEHAVED: dict[Client, int] = {
    behaved.echo: 112,
    behaved.assemble: 32,
    behaved.fragment: 32,
    behaved.broadcast: 8,
    behaved.broadcast_ping: 6,
    behaved.log: 24,
    behaved.idle: 40,
    web.web: 32,
}
WAITS: dict[Client, int] = {  # for one of the daemon's deadlines
    faults.flooder: 6,
    faults.stalled_download: 4,
    faults.dead_peer: 6,
    faults.unfinished_message: 4,
    faults.mute: 6,
    faults.slow_headers: 8,
    faults.unfinished_tls: 8,
    faults.idle_http: 4,
    crowds.slow_member: 1,
}
BREACHES: dict[Client, int] = {
    faults.mid_frame: 10,
    faults.reset: 10,
    faults.vanish: 10,
    faults.half_close: 8,
    faults.abandoned_download: 6,
    faults.invalid_frames: 12,
    faults.bomb: 4,
    faults.oversize: 8,
    faults.bad_handshake: 10,
    faults.wrong_origin: 4,
    crowds.burst: 1,
}
FAULTS = WAITS | BREACHES
MIX = BEHAVED | FAULTS

SLOTS_PER_ADDRESS = 50
"""How many connections share a source address: half of its cap, so that none is refused by mistake."""

RAMP = 100
"""How many more connections a second there are at the start: TLS handshakes take their time on both sides."""


LONGEST = 120.0
"""Seconds that a client's waits may last beyond its life."""

WARM_UP = 0.5
"""Seconds that the first clients stay."""


async def warm_up(world: World) -> None:
    """Run a short visit of each kind, so that everything loaded or made once is there."""
    async with asyncio.TaskGroup() as group:
        for client in BEHAVED | BREACHES:
            group.create_task(_visit(world, client, "127.0.0.1", WARM_UP))


class Population:
    """As many clients as wanted at any time, until `drain`."""

    def __init__(self, world: World, size: int) -> None:
        self._world = world
        self._kinds = _deal(random.Random(world.seed))
        self._slots = [asyncio.create_task(self._fill(slot)) for slot in range(size)]

    async def drain(self, seconds: float) -> None:
        """Start no more clients and wait until all are gone; each that remains after `seconds` is an error."""
        self._world.stopping = True
        _, late = await asyncio.wait(self._slots, timeout=seconds)
        for slot in late:
            self._world.tally.error("drain", "a client did not end")
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    async def _fill(self, slot: int) -> None:
        await asyncio.sleep(slot / RAMP)
        while not self._world.stopping:
            await _visit(self._world, next(self._kinds), f"127.0.1.{slot // SLOTS_PER_ADDRESS + 1}", self._world.life)


async def _visit(world: World, client: Client, address: str, life: float) -> None:
    tally = world.tally
    visit = Visit(world, client.__name__, next(world.numbers), address, life)
    tally.connections[visit.kind] += 1
    tally.alive += 1
    try:
        async with asyncio.timeout(life + LONGEST):
            await client(visit)
    except Exception as error:  # whatever it is, it must not be
        tally.error(visit.kind, _explain(error))
    finally:
        tally.alive -= 1


def _deal(source: random.Random) -> Iterator[Client]:
    """Yield every kind once, and then all in a random order in which each has its share of every round."""
    yield from MIX
    deck = [client for client, share in MIX.items() for _ in range(share)]
    while True:
        source.shuffle(deck)
        yield from deck


def _explain(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_explain, error.exceptions))
    return f"{type(error).__name__}: {error}"
