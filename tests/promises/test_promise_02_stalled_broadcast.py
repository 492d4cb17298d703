"""Promise 2: a broadcast member that does not read costs little, is closed with 1013, and delays nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.loops import run
from tests.support.raw import RawClient
from tests.support.wire import CLOSE, Frame, close_code

FAST = 50
MESSAGES = 400
SIZE = 32 << 10
QUEUE = 1 << 20
AHEAD = QUEUE // SIZE // 2
NAME = "echo-broadcast"


async def _chat(daemon: Daemon) -> list[list[str]]:
    """Let one member send and `FAST` listen; returns what each received.

    After each `AHEAD` messages the sender waits until all have received them: so they keep up on a busy machine too.
    """
    async with contextlib.AsyncExitStack() as opened:
        members = [
            await opened.enter_async_context(
                connect(daemon.ws, subprotocols=[Subprotocol(NAME)], compression=None, max_queue=None)
            )
            for _ in range(FAST)
        ]
        room = asyncio.Barrier(FAST + 1)

        async def hear(member: ClientConnection) -> list[str]:
            heard: list[str] = []
            while len(heard) < MESSAGES:
                message = await member.recv()
                assert isinstance(message, str)
                assert len(message) == SIZE
                heard.append(message[:8].strip())
                if len(heard) % AHEAD == 0:
                    await room.wait()
            return heard

        async def say() -> None:
            for number in range(MESSAGES):
                await members[0].send(f"{number:<{SIZE}}")
                if (number + 1) % AHEAD == 0:
                    await room.wait()

        async with asyncio.TaskGroup() as tasks:
            hearing = [tasks.create_task(hear(member)) for member in members]
            tasks.create_task(say())
        return [each.result() for each in hearing]


def test_promise_2_stalled_reader(daemon: Callable[..., Daemon], figure: Figure) -> None:
    """The daemon grows by at most 16 MB; fast members get all in order, the stalled one a prefix, then 1013."""
    served = daemon(ini=f"[subprotocol:echo-broadcast]\nqueue_limit = {QUEUE}\nclose_timeout = 60\n")
    with RawClient(served, "/", subprotocols=NAME, receive_buffer=1 << 18) as stalled:
        before = served.rss()
        heard = run(lambda: _chat(served))
        figure(2, "growth, one stalled and 50 fast", (served.rss() - before) / 1e6, "MB", 16)
        assert heard == [list(map(str, range(MESSAGES)))] * FAST
        frames: list[Frame] = []
        while not frames or frames[-1].opcode != CLOSE:
            frames.append(stalled.frame())
        assert close_code(frames.pop()) == 1013
        numbers = [int(frame.payload[:8]) for frame in frames]
        assert numbers == list(range(len(numbers)))
        assert 0 < len(numbers) < MESSAGES
