"""The daemon with independent clients: Python's `websockets` and Node's `ws`."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.cases.subprotocols import BROADCASTS
from tests.cases.vocabulary import Case, check
from tests.support.clients import node, websockets
from tests.support.daemon import WITH_TLS, Daemon
from tests.support.loops import run
from tests.support.wire import request

INI = WITH_TLS


@pytest.mark.parametrize(("client", "module"), [("websockets", websockets), ("ws", node)], ids=["websockets", "node"])
@pytest.mark.parametrize("case", BROADCASTS, ids=str)
def test_broadcast_to_oneself(server: Daemon, case: Case, client: str, module: Any) -> None:
    """Texts and binary messages come back whole and in order, plain and over TLS, compressed or not."""
    check(case, client, module.visit_all(server, [case])[case])


class TestWebsockets:
    """Python's `websockets`, as it is by default, and without compression."""

    @pytest.mark.parametrize("compression", ["deflate", None])
    def test_large_echo(self, server: Daemon, compression: str | None) -> None:
        """A message far over every other limit passes through echo."""
        message = random.Random(1).randbytes(20 << 20)

        async def client() -> None:
            async with connect(f"{server.ws}/echo", compression=compression, max_size=None) as connection:
                _, answer = await asyncio.gather(connection.send(message), connection.recv())
                assert answer == message

        run(client)

    @pytest.mark.parametrize("path", ["echo-assemble", "echo-fragment", "echo-broadcast"])
    def test_too_big(self, server: Daemon, path: str) -> None:
        """The client sees 1009, also while it is still sending."""

        async def client() -> None:
            # Not as a context manager: its close() trips over asyncio's own after the server has ended the stream.
            connection = await connect(f"{server.ws}/{path}", compression=None)
            with pytest.raises(ConnectionClosed):
                await asyncio.gather(connection.send(bytes(10 << 20)), connection.recv())
            assert connection.close_code == 1009

        run(client)

    def test_broadcast(self, server: Daemon) -> None:
        """Twenty members each send twenty messages: all get all, each sender's in order."""

        async def client() -> None:
            members = [await connect(f"{server.ws}/echo-broadcast") for _ in range(20)]

            async def speak(number: int, member: ClientConnection) -> None:
                for count in range(20):
                    await member.send(f"{number}:{count}")

            async def hear(member: ClientConnection) -> list[tuple[int, int]]:
                heard = [str(await member.recv()).split(":") for _ in range(400)]
                return [(int(number), int(count)) for number, count in heard]

            hearing = asyncio.gather(*map(hear, members))
            await asyncio.gather(*(speak(*each) for each in enumerate(members)))
            for heard in await hearing:
                by_sender = sorted(heard, key=itemgetter(0))  # each sender's stay in their order
                assert by_sender == [(sender, count) for sender in range(20) for count in range(20)]
            await asyncio.gather(*(member.close() for member in members))

        run(client)


def test_endless_message_in_constant_memory(daemon: Callable[..., Daemon]) -> None:
    """A frame of a quarter gigabyte, and an endless row of fragments, pass through echo without memory growing."""
    own = daemon()
    chunk = os.urandom(1 << 20)

    async def exchange(header: bytes, body: bytes, times: int, expected: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", own.port, limit=1 << 20)
        writer.write(request("/echo"))
        await reader.readuntil(b"\r\n\r\n")

        async def send() -> None:
            writer.write(header)
            for _ in range(times):
                writer.write(body)
                await writer.drain()

        sending = asyncio.create_task(send())
        while expected > 0:
            received = await reader.read(1 << 20)
            assert received
            expected -= len(received)
        assert expected == 0
        await sending
        writer.close()
        await writer.wait_closed()

    async def client() -> None:
        await exchange(b"", b"\x82\xfe\x10\x00\0\0\0\0" + bytes(4096), 16, 16 * (4 + 4096))  # warm up
        before = own.rss()
        size = 256 << 20
        await exchange(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4), chunk, 256, 10 + size)
        fragment = b"\xff" + len(chunk).to_bytes(8, "big") + bytes(4) + chunk
        await exchange(b"\x02\x80\0\0\0\0", b"\0" + fragment, 64, 2 + 64 * (10 + len(chunk)))
        assert own.rss() - before < 8 << 20

    run(client)
