"""Promise 20: behaviours chosen by URL keep the same bounds, whatever a client asks for."""

from __future__ import annotations

import hashlib
import json
import statistics
import threading
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.wire import BINARY, PING, TEXT, Frame

MB = 1e6
SMALL = Frame(TEXT, b"x" * 64).masked() * 500
EMPTY = Frame(TEXT).masked() * 5000
LARGE = Frame(BINARY, bytes(1 << 20)).masked()
AMPLIFY = quote('[{"opcode":"binary","size":60000}]')
FLOODS = {
    "60 kB for each empty message": (f"/frames?on=message&json={AMPLIFY}", EMPTY),
    "2,000 frames for each empty message": ("/echo?fragment=1000&empty=1", EMPTY),
    "pings between a thousand frames": ("/echo?fragment=2000&pings", EMPTY),
    "small messages, each delayed by a minute": ("/echo?delay=60000", SMALL),
    "empty messages, each delayed by a minute": ("/echo?delay=60000", EMPTY),
    "1 MiB messages, delayed": ("/echo?delay=60000", LARGE),
    "1 MiB messages, at 1 kB a second": ("/echo?throttle=1k", LARGE),
    "small messages, a byte at a time": ("/echo?drip=1000", SMALL),
    "messages that are never read": ("/echo?stall=read", LARGE),
    "messages that are never answered": ("/echo?stall=write", LARGE),
    "pings answered in a minute": ("/echo?pong_delay=60000", Frame(PING, b"x" * 125).masked() * 500),
    "messages to inspect": ("/inspect", SMALL),
    "doubled and swapped": ("/echo?double=1&swap=2", LARGE),
    "bytes that nobody reads": ("/bytes?size=4g&frame=0", SMALL),
    "a burst that nobody reads": ("/burst?count=100000&size=64k", SMALL),
    "a bomb and messages": ("/bomb?size=64m", SMALL),
    "pings by the server": ("/echo?ping_rate=1000", SMALL),
    "data behind a Close that is never answered": ("/close?how=never", b"\x88\x80\0\0\0\0" + SMALL),
    "data before an answer that waits": ("/handshake?wait=60000", None),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_promise_20_memory(daemon: Callable[..., Daemon], figure: Figure, flood: str) -> None:
    """Four clients that flood and never read cost at most 8 MB each."""
    own = daemon(ini="[server]\nshutdown_timeout = 1\n")
    with RawClient(own) as other:
        other.echo(Frame(TEXT, b"warm"))
    path, data = FLOODS[flood]
    before = own.rss()
    clients = []
    for _ in range(4):
        if data is None:
            client = RawClient(own, None)
            client.send(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
        else:
            client = RawClient(own, path, extensions="permessage-deflate" if "bomb" in path else "")
        clients.append(client)
        client.flood(data or SMALL, 0.3)
    figure(20, f"growth by {flood}, each of four", (own.rss() - before) / MB / 4, "MB", 8)
    for client in clients:
        client.socket.close()


READ = 512 << 20
"""How much of a longer message is read: a leak would show in half a gigabyte too."""


@pytest.mark.parametrize(
    ("size", "frame"),
    [(4 << 30, "64k"), (4 << 30, "0"), (128 << 20, "64k"), (128 << 20, "0")],
    ids=["4 GiB, 64k", "4 GiB, one frame", "128 MiB, 64k", "128 MiB, one frame"],
)
def test_promise_20_bytes(daemon: Callable[..., Daemon], figure: Figure, size: int, frame: str) -> None:
    """Gigabytes are sent in constant memory and match their pattern and digest; others are served meanwhile."""
    own = daemon()
    with RawClient(own) as other:
        other.echo(Frame(TEXT, b"warm"))
        before = own.rss()
        times: list[float] = []
        done = threading.Event()

        def echo() -> None:
            while not done.is_set():
                times.append(other.echo(Frame(TEXT, b"meanwhile")) * 1000)
                done.wait(0.02)

        echoes = threading.Thread(target=echo)
        with RawClient(own, f"/bytes?size={size}&frame={frame}") as client:
            echoes.start()
            try:
                growth = _read(client, size, frame, own, before)
            finally:
                done.set()
                echoes.join()
            told = client.frame() if size <= READ else None
    what = f"{size >> 20} MiB, frames of {frame}"
    figure(20, f"growth by {what}", growth / MB, "MB", 4)
    figure(20, f"p90 of another's echo meanwhile, {what}", statistics.quantiles(times, n=10)[8], "ms", 100)
    if told is not None:
        digest = hashlib.sha256(PATTERN * (size // len(PATTERN))).hexdigest()
        assert json.loads(told.payload) == {"size": size, "frames": _count(size, frame), "sha256": digest}


PATTERN = bytes(range(256)) * (1 << 8)


def _count(size: int, frame: str) -> int:
    return 1 if frame == "0" else size >> 16


def _read(client: RawClient, size: int, frame: str, own: Daemon, before: int) -> int:
    """Read the message, or its first `READ` bytes, and check them; returns by how much the daemon grew meanwhile."""
    length = size if frame == "0" else 1 << 16
    growth = 0
    for at in range(0, min(size, READ), 1 << 16):
        if at % length == 0:
            header = client.read(10)
            assert header[0] == (0 if at else BINARY) | (0x80 if at + length == size else 0)
            assert header[1:] == bytes([127]) + length.to_bytes(8, "big")
        assert client.read(1 << 16) == PATTERN
        if at % (64 << 20) == 0:
            growth = max(growth, own.rss() - before)
    return growth
