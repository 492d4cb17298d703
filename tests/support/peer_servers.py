"""Third-party servers to measure: right ones, and some that are broken on purpose.

Run as `python -m tests.support.peer_servers KIND [CERTIFICATE KEY [CLIENT_CA]]`; prints the port. KIND is `aiohttp`,
`ipv6`, `refuse`, `silence`, or one of `HANDLERS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Message = str | bytes


def answering(reply: Callable[[Any], Message]) -> Callable[[ServerConnection], Awaitable[None]]:
    """Return the handler of a connection that makes each reply of a message."""

    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(reply(message))

    return handle


echo = answering(lambda message: message)


async def greet(connection: ServerConnection) -> None:
    """Send a message unasked."""
    await connection.send("Request served by 1234")
    await echo(connection)


HANDLERS: dict[str, Callable[[ServerConnection], Awaitable[None]]] = {
    "websockets": echo,
    "opcode": answering(lambda message: message.encode()),
    "greet": greet,
}


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept everything and answer nothing."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


def refuse(connection: ServerConnection, _: Any) -> Any:
    response = connection.respond(http.HTTPStatus.UNAUTHORIZED, "Who are you?\n")
    response.headers["WWW-Authenticate"] = 'Basic realm="here"'
    return response


def choose(connection: ServerConnection, offered: Any) -> Any:
    """Choose the first offered subprotocol."""
    return offered[0] if offered else None


async def serve_aiohttp(context: ssl.SSLContext | None) -> int:
    from aiohttp import WSMsgType, web

    async def handle(request: web.Request) -> web.WebSocketResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        socket = web.WebSocketResponse(protocols=[offered] if offered else [])
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


async def main() -> None:
    kind, *files = sys.argv[1:]
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[0], files[1])
        if len(files) > 2:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(files[2])
    host = "::1" if kind == "ipv6" else "127.0.0.1"
    if kind == "aiohttp":
        port = await serve_aiohttp(context)
    elif kind == "silence":
        raw = await asyncio.start_server(silence, host, 0, ssl=context)
        port = raw.sockets[0].getsockname()[1]
    else:
        handler = HANDLERS.get(kind, echo)
        check = refuse if kind == "refuse" else None
        server = await serve(handler, host, 0, ssl=context, process_request=check, select_subprotocol=choose)
        port = next(iter(server.sockets)).getsockname()[1]
    print(port, flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
