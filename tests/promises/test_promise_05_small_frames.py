"""Promise 5: fragments cost only their bytes, and a flood of tiny frames delays nobody else."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable

import pytest

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.flooder import flood
from tests.support.patience import PATIENCE
from tests.support.raw import RawClient
from tests.support.wire import CONTINUATION, PING, TEXT, Frame

MILLION = 1_000_000
FLOODS = {  # what to begin with, and what to repeat
    "empty messages": (b"", Frame(TEXT).masked() * 10_000),
    "one-byte messages": (b"", Frame(TEXT, b"x").masked() * 10_000),
    "empty fragments": (Frame(TEXT, fin=False).masked(), Frame(CONTINUATION, fin=False).masked() * 10_000),
    "pings": (b"", Frame(PING).masked() * 10_000),
}
ECHOES = 200


@pytest.mark.parametrize(("path", "payload"), [("/echo", b""), ("/echo-assemble", b"x")])
def test_promise_5_fragments(daemon: Callable[..., Daemon], figure: Figure, path: str, payload: bytes) -> None:
    """A million fragments of one message grow the daemon by at most 8 MB."""
    served = daemon(ini=f"[websocket]\nmessage_limit = {2 * MILLION}\nmessage_timeout = 0\nping_interval = 0\n")
    with RawClient(served, path) as client:
        before = served.rss()
        worst = 0
        reader = threading.Thread(target=lambda: [None for frame in client.frames() if not frame.fin], daemon=True)
        if path == "/echo":
            reader.start()  # each fragment comes back
        client.send(Frame(TEXT, payload, fin=False))
        chunk = Frame(CONTINUATION, payload, fin=False).masked() * 10_000
        for _ in range(MILLION // 10_000):
            client.send(chunk)
            worst = max(worst, served.rss())
        client.send(Frame(CONTINUATION, b"end"))
        if path != "/echo":
            assert client.frame() == Frame(TEXT, payload * (MILLION + 1) + b"end")
        figure(5, f"growth by a million fragments, {path}", (worst - before) / 1e6, "MB", 8)
        if path == "/echo":
            client.send(Frame(8))
            reader.join(PATIENCE)
            assert not reader.is_alive()


@pytest.mark.parametrize("path", ["/echo", "/log"])
@pytest.mark.parametrize("frames", FLOODS)
def test_promise_5_latency(daemon: Callable[..., Daemon], figure: Figure, frames: str, path: str) -> None:
    """While one client floods with tiny frames, echoes to others take at most 100 ms (p99)."""
    served = daemon()
    with RawClient(served) as other, flood(served.port, path, *FLOODS[frames]):
        times = [other.echo(Frame(TEXT, b"x" * 64)) for _ in range(ECHOES)]
    p99 = statistics.quantiles(times, n=100)[98] * 1000
    figure(5, f"p99 of others' echoes during {frames} to {path}", p99, "ms", 100)
