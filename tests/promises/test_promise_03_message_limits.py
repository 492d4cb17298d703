"""Promise 3: a message over the limit ends with 1009 before it is buffered, an unfinished one with 1008."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.wire import BINARY, CONTINUATION, TEXT, Frame

COLLECTING = ["echo-assemble", "echo-fragment", "echo-broadcast", "echo-broadcast-ping"]


@pytest.mark.parametrize("name", COLLECTING)
@pytest.mark.parametrize("announced", [(64 << 10) + 1, 1 << 30, (1 << 63) - 1])
def test_promise_3_announced(default_daemon: Daemon, figure: Figure, name: str, announced: int) -> None:
    """A frame header that announces more than the limit is answered with 1009, before any payload arrives."""
    with RawClient(default_daemon, f"/{name}") as client:
        before = default_daemon.rss()
        client.send(b"\x82\xff" + announced.to_bytes(8, "big") + os.urandom(4))
        assert client.close_code() == 1009
        figure(3, f"growth by a header of {announced} bytes", (default_daemon.rss() - before) / 1e6, "MB", 1)


@pytest.mark.parametrize("name", COLLECTING)
def test_promise_3_fragments(default_daemon: Daemon, figure: Figure, name: str) -> None:
    """A message that exceeds the limit in small fragments is answered with 1009."""
    with RawClient(default_daemon, f"/{name}") as client:
        before = default_daemon.rss()
        pieces = [Frame(TEXT, b"x" * 100, fin=False), *[Frame(CONTINUATION, b"x" * 100, fin=False)] * 700]
        client.send(b"".join(piece.masked() for piece in pieces))
        assert client.close_code() == 1009
        figure(3, "growth by small fragments", (default_daemon.rss() - before) / 1e6, "MB", 1)


@PLAIN_AND_TLS
def test_promise_3_unfinished(tls_daemon: Callable[..., Daemon], tls: bool) -> None:
    """A message not finished within `message_timeout` is answered with 1008, even if it keeps growing."""
    served = tls_daemon("[websocket]\nmessage_timeout = 1\n")
    with RawClient(served, "/echo-assemble", tls=tls) as silent, RawClient(served, "/echo-assemble", tls=tls) as slow:
        silent.send(Frame(BINARY, b"x", fin=False))
        slow.send(Frame(BINARY, b"x", fin=False))
        slow.socket.settimeout(0.1)
        code = None
        for _ in range(100):
            try:
                slow.send(Frame(CONTINUATION, b"x", fin=False))
                code = slow.close_code()
                break
            except TimeoutError:
                continue
        assert code == 1008
        assert silent.close_code() == 1008
