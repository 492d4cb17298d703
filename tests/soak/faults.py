"""Misbehaving clients. Each knows how the daemon must react, and by when."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import zlib
from collections.abc import AsyncIterator

from tests.soak.raw import SMALL, RawPeer
from tests.soak.world import SLACK, Unexpected, Visit
from tests.support.wire import BINARY, CONTINUATION, PING, TEXT, Frame, close, request

HALF_MESSAGE = Frame(TEXT, b"to be continued", fin=False)
HELLO = Frame(TEXT, b"hello")
INVALID: dict[str, list[bytes]] = {  # by the code that they are answered with
    "1002": [
        Frame(3, b"x").masked(),  # a reserved opcode
        Frame(TEXT, b"x", rsv=2).masked(),
        Frame(PING, b"x" * 126).masked(),
        Frame(PING, b"x", fin=False).masked(),
        Frame(CONTINUATION, b"x").masked(),
        b"\x81\x01x",  # not masked
        close(1005).masked(),
    ],
    "1007": [Frame(TEXT, b"\xff").masked(), Frame(TEXT, b"\xc3", fin=False).masked() + Frame(CONTINUATION).masked()],
}


@functools.cache
def _floods() -> tuple[bytes, ...]:
    return (
        Frame(BINARY, bytes(1 << 16)).masked(),
        Frame(TEXT, b"x" * 64).masked() * 500,
        Frame(BINARY, bytes(1 << 20)).masked(),
        Frame(PING, b"x" * 125).masked() * 100,
    )


@functools.cache
def _bomb() -> bytes:
    """Return 32 MiB of zeros as a compressed message of some 32 KiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = compressor.compress(bytes(32 << 20)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return Frame(BINARY, data[:-4], rsv=4).masked()


@contextlib.asynccontextmanager
async def due(seconds: float, what: str) -> AsyncIterator[None]:
    """Hold the daemon to a deadline, with slack for a busy machine."""
    try:
        async with asyncio.timeout(seconds + SLACK):
            yield
    except TimeoutError:
        raise Unexpected(f"not {what} within {seconds:g} s and {SLACK:g} more") from None


async def flooder(visit: Visit) -> None:
    """Floods and reads nothing: aborted after the stall time, which begins when all buffers are full."""
    tls, flood = visit.rng.random() < 0.4, visit.rng.choice(_floods())
    # Short segments make for short buffers: a second of work for each flood is nothing to learn from.
    async with (
        await RawPeer.upgrade(visit, "/echo", tls=tls, buffer=SMALL, segment=600) as peer,
        due(2 * visit.world.seconds("stall_timeout"), "cut for not reading"),
    ):
        await peer.flood(flood)
    visit.outcome("cut", "cut")


async def stalled_download(visit: Visit) -> None:
    """Requests a large file and reads nothing: aborted after the stall time."""
    async with await RawPeer.connect(visit, buffer=SMALL, segment=600) as peer:
        peer.stop_reading()
        await peer.send(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with due(2 * visit.world.ini.getfloat("server", "stall_timeout"), "cut for not reading"):
            await peer.until_cut()
    visit.outcome("cut", "cut")


async def dead_peer(visit: Visit) -> None:
    """Answers no ping: aborted after the pong timeout."""
    async with await RawPeer.upgrade(visit, visit.rng.choice(["/echo", "/log"]), tls=visit.rng.random() < 0.3) as peer:
        seconds = visit.world.seconds("ping_interval") + visit.world.seconds("ping_timeout")
        async with due(seconds, "cut for not answering pings"):
            visit.outcome(await peer.ending(), "cut")


async def unfinished_message(visit: Visit) -> None:
    """Never finishes a message: 1008."""
    async with await RawPeer.upgrade(visit, visit.rng.choice(["/echo-assemble", "/echo-broadcast"])) as peer:
        await peer.send(HALF_MESSAGE)
        async with due(visit.world.seconds("message_timeout"), "closed for an unfinished message"):
            visit.outcome(await peer.close_code(), "1008")


async def mute(visit: Visit) -> None:
    """Does not answer a Close frame and does not end the connection: aborted after the close timeout."""
    async with await RawPeer.upgrade(visit, "/echo") as peer:
        await peer.send(Frame(3))
        code = await peer.close_code()
        async with due(visit.world.seconds("close_timeout"), "cut for not closing"):
            await peer.until_cut(reset=True)
    visit.outcome(f"{code}, then cut", "1002, then cut")


async def slow_headers(visit: Visit) -> None:
    """Sends its headers byte by byte: 408 when they are not complete in time."""

    async def dribble(peer: RawPeer) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await peer.send(b"x")
                await asyncio.sleep(0.5)

    async with await RawPeer.connect(visit, tls=visit.rng.random() < 0.4) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        dribbling = asyncio.create_task(dribble(peer))
        try:
            async with due(visit.world.seconds("handshake_timeout"), "refused for being slow"):
                visit.outcome(await peer.status(), "408", "cut")  # cut: a byte met the closed port
        finally:
            dribbling.cancel()


async def unfinished_tls(visit: Visit) -> None:
    """Makes no TLS handshake, or a part of one: aborted after its deadline."""
    began = visit.rng.choice([b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)])
    async with await RawPeer.connect(visit, port=visit.world.daemon.tls_port) as peer:
        await peer.send(began)
        seconds = visit.world.seconds("handshake_timeout") + visit.world.seconds("close_timeout")
        async with due(seconds, "cut for its unfinished handshake"):
            await peer.to_end()
    visit.outcome("cut", "cut")


async def idle_http(visit: Visit) -> None:
    """Requests a file and then nothing: ended after the idle timeout."""
    async with await RawPeer.connect(visit, tls=visit.rng.random() < 0.4) as peer:
        await peer.send(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status = await peer.status()
        async with due(visit.world.ini.getfloat("server", "idle_timeout"), "ended for being idle"):
            await peer.to_end()
    visit.outcome(f"{status}, then ended", "200, then ended")


async def mid_frame(visit: Visit) -> None:
    """Leaves in the middle of a frame."""
    path = visit.rng.choice(["/echo", "/echo-assemble", "/echo-fragment", "/log", "/echo-broadcast"])
    async with await RawPeer.upgrade(visit, path, tls=visit.rng.random() < 0.3) as peer:
        if visit.rng.random() < 0.5:
            await peer.send(HALF_MESSAGE)
        frame = Frame(CONTINUATION if visit.rng.random() < 0.5 else BINARY, bytes(60_000)).masked()
        await peer.send(frame[: visit.rng.randrange(1, len(frame))])
        if visit.rng.random() < 0.5:
            peer.reset()


async def reset(visit: Visit) -> None:
    """Echoes, then resets the connection."""
    async with await RawPeer.upgrade(visit, "/echo", tls=visit.rng.random() < 0.4) as peer:
        await _talk(visit, peer)
        peer.reset()


async def vanish(visit: Visit) -> None:
    """Echoes, then ends the connection without a Close frame, or before the answer to it."""
    async with await RawPeer.upgrade(visit, "/echo", tls=visit.rng.random() < 0.4) as peer:
        await _talk(visit, peer)
        if visit.rng.random() < 0.5:
            await peer.send(Frame(BINARY, bytes(100_000)))


async def half_close(visit: Visit) -> None:
    """Ends its own side only: the daemon ends the other."""
    async with await RawPeer.upgrade(visit, "/echo") as peer:
        await _talk(visit, peer)
        peer.end_sending()
        async with due(visit.world.seconds("close_timeout"), "ended after the end of the stream"):
            await peer.to_end()
    visit.outcome("ended", "ended")


async def abandoned_download(visit: Visit) -> None:
    """Leaves in the middle of a download."""
    async with await RawPeer.connect(visit, tls=visit.rng.random() < 0.4) as peer:
        await peer.send(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        visit.outcome(await peer.status(), "200")
        if visit.rng.random() < 0.5:
            peer.reset()


async def invalid_frames(visit: Visit) -> None:
    """Violates RFC 6455: closed with the matching code."""
    code = visit.rng.choice(list(INVALID))
    path = visit.rng.choice(["/echo", "/echo-assemble", "/echo-fragment", "/log", "/echo-broadcast"])
    async with await RawPeer.upgrade(visit, path, tls=visit.rng.random() < 0.3) as peer:
        await peer.send(visit.rng.choice(INVALID[code]))
        visit.outcome(await peer.close_code(), code)


async def bomb(visit: Visit) -> None:
    """Sends a deflate bomb: 1009."""
    path = visit.rng.choice(["/echo", "/echo-assemble", "/echo-fragment", "/echo-assemble"])
    async with await RawPeer.upgrade(visit, path, extensions="permessage-deflate") as peer:
        await peer.send(_bomb())
        visit.outcome(await peer.close_code(), "1009")


async def oversize(visit: Visit) -> None:
    """Sends or announces a message over the limit: 1009."""
    path = visit.rng.choice(["/echo-assemble", "/echo-fragment", "/echo-broadcast"])
    limit = 64 << 10
    announced = b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4)
    fragments = HALF_MESSAGE.masked() + Frame(CONTINUATION, bytes(limit)).masked()
    async with await RawPeer.upgrade(visit, path, tls=visit.rng.random() < 0.3) as peer:
        await peer.send(visit.rng.choice([announced, fragments, Frame(BINARY, bytes(limit + 1)).masked()]))
        visit.outcome(await peer.close_code(), "1009")


async def bad_handshake(visit: Visit) -> None:
    """Sends a malformed request or upgrade: refused with the matching status."""
    right = request("/echo")
    status, wrong = visit.rng.choice(
        [
            ("426", right.replace(b"Version: 13", b"Version: 8")),
            ("400", request("/", subprotocols="nobody-knows-this")),
            ("400", right.replace(b"Sec-WebSocket-Key", b"X-Key")),
            ("400", right.replace(b"HTTP/1.1", b"HTTP/1.0")),
            ("400", b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
            ("413", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"),
            ("431", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + bytes(60_000).replace(b"\0", b"x")),
        ]
    )
    await _refused(visit, wrong, status)


async def wrong_origin(visit: Visit) -> None:
    """Joins the room from another site's page: 403."""
    await _refused(visit, request("/echo-broadcast", more="Origin: https://elsewhere.example\r\n"), "403")


async def _refused(visit: Visit, sent: bytes, status: str) -> None:
    async with await RawPeer.connect(visit, tls=visit.rng.random() < 0.3) as peer:
        await peer.send(sent)
        answer = await peer.status()
        async with due(visit.world.seconds("close_timeout"), "ended after it was refused"):
            await peer.to_end()
    visit.outcome(answer, status)


async def _talk(visit: Visit, peer: RawPeer) -> None:
    """Echo a few messages; the daemon's pings may come in between."""
    for _ in range(visit.rng.randint(0, 3)):
        await peer.send(HELLO)
        while (frame := await peer.frame()) != HELLO:
            if frame is None or frame.opcode != PING:
                raise Unexpected(f"hello came back as {frame}")
