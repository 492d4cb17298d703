"""Promise 5: fragments cost only their bytes, and a flood of tiny frames delays nobody else."""

from __future__ import annotations

import socket
import statistics
import threading
from collections.abc import Callable

import pytest

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.flooder import flood
from tests.support.patience import PATIENCE, wait_until
from tests.support.raw import RawClient
from tests.support.wire import CLOSE, CONTINUATION, PING, PONG, TEXT, Frame

FRAGMENTS, CHUNK = 250_000, 10_000
FLOODS = {  # what to begin with, and what to repeat
    "empty messages": (b"", Frame(TEXT).masked() * 10_000),
    "one-byte messages": (b"", Frame(TEXT, b"x").masked() * 10_000),
    "empty fragments": (Frame(TEXT, fin=False).masked(), Frame(CONTINUATION, fin=False).masked() * 10_000),
    "pings": (b"", Frame(PING).masked() * 10_000),
}
ECHOES = 200


@pytest.mark.parametrize("path", ["/echo", "/echo-assemble"])
def test_promise_5_fragments(daemon: Callable[..., Daemon], figure: Figure, path: str) -> None:
    """A fragment of a message, be it empty or of a byte, costs at most 8 bytes, held or sent back.

    No deadline ends it, neither the keep-alive's nor that of an unfinished message: the daemon holds what it holds for
    as long as it takes.
    """
    served = daemon(ini="[websocket]\nping_interval = 0\nmessage_timeout = 0\n")
    first, end, ending = Frame(TEXT, fin=False), Frame(CONTINUATION, b"end"), Frame(CLOSE)
    turn = [Frame(CONTINUATION, b"x", fin=False)] + [Frame(CONTINUATION, fin=False)] * 19
    sent = b"".join(each.masked() for each in turn) * (CHUNK // len(turn))
    pong, received = Frame(PONG, b"taken").unmasked(), bytearray()
    with RawClient(served, path) as client:
        client.socket.settimeout(None)  # nothing is assembled before the last fragment, and a busy machine is slow
        reader = threading.Thread(target=lambda: read(client.socket, received), daemon=True)
        reader.start()
        before, worst = served.rss(), 0
        client.send(first)
        for _ in range(FRAGMENTS // CHUNK):
            client.send(sent)
            worst = max(worst, served.rss())
        client.send(Frame(PING, b"taken"))  # what is still in the buffers of the sockets costs the daemon nothing
        wait_until(lambda: pong in received, "the fragments are not taken")
        worst = max(worst, served.rss())
        client.send(end.masked() + ending.masked())
        reader.join(3 * PATIENCE)
        figure(5, f"growth by {FRAGMENTS} fragments, {path}", (worst - before) / 1e6, "MB", 8 * FRAGMENTS / 1e6)
    if path == "/echo":
        back = b"".join(each.unmasked() for each in turn)
        right = first.unmasked() + back * (FRAGMENTS // len(turn)) + pong + end.unmasked()
    else:
        right = pong + Frame(TEXT, b"x" * (FRAGMENTS // len(turn)) + end.payload).unmasked()
    assert received == right + ending.unmasked()


def read(stream: socket.socket, into: bytearray) -> None:
    """Read to the end of a stream."""
    while data := stream.recv(1 << 16):
        into += data


@pytest.mark.parametrize("path", ["/echo", "/log"])
@pytest.mark.parametrize("frames", FLOODS)
def test_promise_5_latency(daemon: Callable[..., Daemon], figure: Figure, frames: str, path: str) -> None:
    """While one client floods with tiny frames, echoes to others take at most 100 ms (p99)."""
    served = daemon()
    with RawClient(served) as other, flood(served.port, path, *FLOODS[frames]):
        times = [other.echo(Frame(TEXT, b"x" * 64)) for _ in range(ECHOES)]
    p99 = statistics.quantiles(times, n=100)[98] * 1000
    figure(5, f"p99 of others' echoes during {frames} to {path}", p99, "ms", 100)
