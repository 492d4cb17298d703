"""Third-party servers for `wsping` to measure, also in deliberately broken variants.

Run as `python -m tests.support.peer_servers KIND [CERTIFICATE KEY [CLIENT_CA]]`; prints the port. KIND is `websockets`,
`aiohttp`, or one of `BROKEN` or `RAW`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

Message = str | bytes


def answering(replies: Callable[[int, Any], Iterable[Message]]) -> Callable[[ServerConnection], Awaitable[None]]:
    """Return what serves a connection: `replies` makes the replies of a message's number, from 1, and the message."""

    async def handle(connection: ServerConnection) -> None:
        number = 0
        async for message in connection:
            number += 1
            for reply in replies(number, message):
                await connection.send(reply)

    return handle


echo = answering(lambda number, message: [message])


async def late(connection: ServerConnection) -> None:
    """Answer the first message only when the third is in."""
    first = await connection.recv()
    await connection.send(await connection.recv())
    third = await connection.recv()
    await connection.send(first)
    await connection.send(third)
    await echo(connection)


async def fail(connection: ServerConnection) -> None:
    """Close with 1011 at the third message."""
    for _ in range(2):
        await connection.send(await connection.recv())
    await connection.recv()
    await connection.close(1011, "out of cheese")


async def greet(connection: ServerConnection) -> None:
    """Send a message unasked."""
    await connection.send("Request served by 1234")
    await echo(connection)


answered = 0


def stall(_: int, message: Message) -> list[Message]:
    """Sleep for a second before the 200th reply, and with it every connection."""
    global answered
    answered += 1
    if answered == 200:
        time.sleep(1)
    return [message]


BROKEN: dict[str, Callable[[ServerConnection], Awaitable[None]]] = {
    "websockets": echo,
    "mute": answering(lambda number, message: []),
    "drop": answering(lambda number, message: [message] if number % 10 else []),
    "flip": answering(lambda number, message: [message if number % 3 else f"{message[:20]}!{message[21:]}"]),
    "double": answering(lambda number, message: [message] * (2 if number == 2 else 1)),
    "opcode": answering(lambda number, message: [message.encode()]),
    "stall": answering(stall),
    "late": late,
    "fail": fail,
    "greet": greet,
}
"""The servers by kind: right ones, and broken ones."""


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with something that is not HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01garbage\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept everything and answer nothing."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


async def hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a 103 before the 101, and close at the first message."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(line[19:].strip() for line in request.splitlines() if line.lower().startswith(b"sec-websocket-key:"))
    writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(f"Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n\r\n".encode())
    await reader.read(2)
    writer.write(b"\x88\x02\x03\xe8")
    with contextlib.suppress(ConnectionError):
        await reader.read()


RAW = {"garbage": garbage, "silence": silence, "hints": hints}


async def frames_of_garbage(connection: ServerConnection) -> None:
    """After a correct handshake and reply, send bytes that are no frames."""
    await connection.send(await connection.recv())
    await connection.recv()
    connection.transport.write(b"\xff" * 64)
    with contextlib.suppress(ConnectionClosed):
        await connection.recv()


BROKEN["frames-of-garbage"] = frames_of_garbage

attempts = 0


def refuse(connection: ServerConnection, _: Any) -> Any:
    response = connection.respond(http.HTTPStatus.UNAUTHORIZED, "Who are you?\n")
    response.headers["WWW-Authenticate"] = 'Basic realm="here"'
    return response


def refuse_twice(connection: ServerConnection, _: Any) -> Any:
    global attempts
    attempts += 1
    return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "not yet\n") if attempts <= 2 else None


first_is_gone = asyncio.Event()


async def first(connection: ServerConnection) -> None:
    """Close the first connection with 1011 at once, and serve the others."""
    if first_is_gone.is_set():
        await echo(connection)
    await connection.close(1011, "out of cheese")
    await connection.wait_closed()
    first_is_gone.set()


async def first_alone(_: ServerConnection, __: Any) -> None:
    """Answer the first handshake, and others only when that connection is gone."""
    global attempts
    attempts += 1
    if attempts > 1:
        await first_is_gone.wait()


BROKEN["first"] = first

REFUSING = {"refuse": refuse, "refuse-twice": refuse_twice, "first": first_alone}


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
    elif kind in RAW:
        raw = await asyncio.start_server(RAW[kind], host, 0, ssl=context)
        port = raw.sockets[0].getsockname()[1]
    else:
        handler = BROKEN.get(kind, echo)
        check = REFUSING.get(kind)
        server = await serve(handler, host, 0, ssl=context, process_request=check, select_subprotocol=choose)
        port = next(iter(server.sockets)).getsockname()[1]
    print(port, flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
