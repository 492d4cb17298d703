"""websockets on uvloop: its asyncio server, and its `broadcast`."""

from __future__ import annotations

import argparse
import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.common import BACKLOG, MAX_MESSAGE, arguments, tls_context

room: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    """Send each message back, or to all."""
    try:
        if connection.request is not None and connection.request.path == "/broadcast":
            room.add(connection)
            async for message in connection:
                broadcast(room, message)
        else:
            async for message in connection:
                await connection.send(message)
    except ConnectionClosed:
        return
    finally:
        room.discard(connection)


async def main(options: argparse.Namespace) -> None:
    """Serve until the end."""
    await serve(handle, "127.0.0.1", options.port, max_size=MAX_MESSAGE, backlog=BACKLOG)
    await serve(
        handle, "127.0.0.1", options.tls_port, ssl=tls_context(options), max_size=MAX_MESSAGE, backlog=BACKLOG
    )  # fmt: skip
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
