"""Faults of several connections: too many at once, and a room's member that does not read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from tests.soak.behaved import Member, Open
from tests.soak.faults import due
from tests.soak.raw import SMALL, RawPeer
from tests.soak.world import Visit

SLOW_MESSAGE = 5000
SLOW_MESSAGES = 160
"""Twice as much as the buffers of the kernel and the transport take, and `queue_limit`: all of it goes to everyone."""


async def burst(visit: Visit) -> None:
    """Exceeds the cap of one address: exactly the cap is accepted, the others get 503."""
    cap = visit.world.ini.getint("server", "max_per_address")
    extra = visit.rng.randint(1, 20)
    visit.address = f"127.9.{visit.number // 250 % 250}.{visit.number % 250 + 1}"  # one that nobody else has
    async with contextlib.AsyncExitStack() as stack:
        connecting = [RawPeer.connect(visit) for _ in range(cap + extra)]
        peers = [await stack.enter_async_context(peer) for peer in await asyncio.gather(*connecting)]
        waiting = {asyncio.create_task(peer.status()): peer for peer in peers}
        statuses: Counter[str] = Counter()
        async with due(visit.world.seconds("handshake_timeout") / 2, "refused beyond the cap"):
            while statuses.total() < extra:
                answered, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                statuses.update(task.result() for task in answered)
                for task in answered:
                    del waiting[task]
        for peer in waiting.values():
            await peer.send(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with due(0, "served below the cap"):
            statuses.update(await asyncio.gather(*waiting))
    refused = statuses["503"] + statuses["cut"]
    visit.outcome(
        "the cap was kept" if (statuses["200"], refused) == (cap, extra) else f"cap {cap}, {dict(statuses)}",
        "the cap was kept",
    )


async def slow_member(visit: Visit) -> None:
    """Does not read in the room while another member does: closed with 1013, or aborted."""
    async with (
        await RawPeer.upgrade(visit, "/echo-broadcast", buffer=SMALL, segment=600) as slow,
        Open(visit, "/echo-broadcast") as socket,
        asyncio.TaskGroup() as group,
    ):
        slow.stop_reading()
        member = Member(visit, socket, f"s{visit.number}")
        group.create_task(member.listen())
        for number in range(SLOW_MESSAGES):
            await member.say(visit.world.prose[number : number + SLOW_MESSAGE], binary=True)
        # What its companion has heard was sent to it too, or was too much for it.
        if visit.rng.random() < 0.5:
            async with due(visit.world.seconds("close_timeout"), "cut for not closing"):
                await slow.until_cut()
            seen = "cut"
        else:
            slow.read_again()
            async with due(visit.world.seconds("close_timeout"), "out of the room"):
                seen = await slow.ending()
        visit.outcome(seen, "1013", "cut")
        await socket.close()
