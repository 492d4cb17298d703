"""aiohttp on uvloop; with `--isal`, it compresses with isal instead of zlib, an option of aiohttp."""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.peers.common import BACKLOG, MAX_MESSAGE, arguments, tls_context

room: set[web.WebSocketResponse] = set()


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send each message back."""
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE)
    await socket.prepare(request)
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def broadcast(request: web.Request) -> web.WebSocketResponse:
    """Send each message to all."""
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE)
    await socket.prepare(request)
    room.add(socket)
    try:
        async for message in socket:
            for member in list(room):
                await member.send_str(message.data)
    finally:
        room.discard(socket)
    return socket


async def main(options: argparse.Namespace) -> None:
    """Serve until the end."""
    application = web.Application()
    application.router.add_get("/", echo)
    application.router.add_get("/broadcast", broadcast)
    application.router.add_static("/static", f"{options.files}/static")
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port, backlog=BACKLOG).start()
    await web.TCPSite(
        runner, "127.0.0.1", options.tls_port, ssl_context=tls_context(options), backlog=BACKLOG
    ).start()  # fmt: skip
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    chosen = arguments("--isal")
    if chosen.isal:
        from isal import isal_zlib

        aiohttp.set_zlib_backend(isal_zlib)
    uvloop.run(main(chosen))
