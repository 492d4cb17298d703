"""Promise 4: a deflate bomb costs little and ends with 1009; after a BFINAL block a new stream begins."""

from __future__ import annotations

import functools
import random
import zlib
from collections.abc import Callable

import pytest

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.wire import BINARY, CONTINUATION, Frame

DEFLATE = "permessage-deflate"
TOTAL = 100_000_000


@functools.cache
def _bomb(size: int) -> bytes:
    engine = zlib.compressobj(9, wbits=-15)
    return b"".join(engine.compress(bytes(1 << 20)) for _ in range(size >> 20)) + engine.flush(zlib.Z_SYNC_FLUSH)[:-4]


def _ended(message: bytes) -> bytes:
    engine = zlib.compressobj(1, wbits=-15)
    return engine.compress(message) + engine.flush() + b"\0"


def _inflated(frames: list[Frame], engine: zlib._Decompress) -> bytes:
    return engine.decompress(b"".join(frame.payload for frame in frames) + b"\0\0\xff\xff")


def _message(client: RawClient) -> list[Frame]:
    frames = [client.frame()]
    while not frames[-1].fin:
        frames.append(client.frame())
    return frames


@pytest.mark.parametrize("path", ["/echo", "/echo-assemble", "/echo-broadcast", "/log"])
@pytest.mark.parametrize("pieces", [1, 1000])
def test_promise_4_bomb(daemon: Callable[..., Daemon], figure: Figure, path: str, pieces: int) -> None:
    """256 KiB that inflate to 256 MiB end with 1009, in one frame or many, and grow the daemon by at most 8 MB."""
    bomb = _bomb(256 << 20)
    step = len(bomb) // pieces + 1
    frames = [
        Frame(CONTINUATION if at else BINARY, bomb[at : at + step], fin=at + step >= len(bomb), rsv=0 if at else 4)
        for at in range(0, len(bomb), step)
    ]
    served = daemon()
    with RawClient(served, path, extensions=DEFLATE) as client:
        before = served.rss()
        client.send(b"".join(frame.masked() for frame in frames))
        assert client.close_code() == 1009
        figure(4, f"growth by a bomb at {path}", (served.rss() - before) / 1e6, "MB", 8)


@pytest.mark.parametrize("path", ["/echo", "/echo-assemble"])
def test_promise_4_bfinal(daemon: Callable[..., Daemon], path: str) -> None:
    """Messages with and without BFINAL, in any order, are echoed correctly."""
    with RawClient(daemon(), path, extensions=DEFLATE) as client:
        back, plain = zlib.decompressobj(wbits=-15), zlib.compressobj(wbits=-15)
        for number in range(20):
            text = b"message %d " % number * 20
            data = _ended(text) if number % 3 == 0 else plain.compress(text) + plain.flush(zlib.Z_SYNC_FLUSH)[:-4]
            if number % 3 == 0:
                plain = zlib.compressobj(wbits=-15)  # what follows an end is a stream of its own
            client.send(Frame(BINARY, data, rsv=4))
            assert _inflated(_message(client), back) == text


def test_promise_4_bfinal_traffic(daemon: Callable[..., Daemon], figure: Figure) -> None:
    """100 MB of messages with BFINAL grow the daemon by at most 8 MB."""
    source = random.Random(4)
    messages = [source.randbytes(20_000).hex().encode() for _ in range(4)]
    frames = [Frame(BINARY, _ended(message), rsv=4).masked() for message in messages]
    served = daemon()
    with RawClient(served, "/echo", extensions=DEFLATE) as client:
        back = zlib.decompressobj(wbits=-15)
        for octets, message in zip(frames, messages, strict=True):
            client.send(octets)
            assert _inflated(_message(client), back) == message
        before = served.rss()
        for number in range(TOTAL // 40_000):
            client.send(frames[number % 4])
            assert _inflated(_message(client), back) == messages[number % 4]
        figure(4, "growth by 100 MB of BFINAL traffic", (served.rss() - before) / 1e6, "MB", 8)
