"""Promise 1: a client that floods and never reads costs at most 8 MB, and is aborted after the stall time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Daemon
from tests.promises.conftest import Figure
from tests.promises.raw import RawClient
from tests.wire import BINARY, PING, TEXT, Frame

MB = 1e6
FLOODS = {
    "64 KiB messages": Frame(BINARY, bytes(1 << 16)).masked(),
    "small messages": Frame(TEXT, b"x" * 64).masked() * 500,
    "1 MiB messages": Frame(BINARY, bytes(1 << 20)).masked(),
    "pings": Frame(PING, b"x" * 125).masked() * 500,
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("flood", FLOODS)
def test_promise_1_memory(tls_daemon: Callable[..., Daemon], figure: Figure, flood: str, tls: bool) -> None:
    """For as long as the flood goes on the daemon grows by at most 8 MB."""
    daemon = tls_daemon()
    with RawClient(daemon, tls=tls) as other:
        other.echo(Frame(TEXT, b"warm"))
    before = daemon.rss()
    with RawClient(daemon, tls=tls) as client:
        client.flood(FLOODS[flood], 2)
        figure(1, f"growth by {flood}, {'TLS' if tls else 'plain'}", (daemon.rss() - before) / MB, "MB", 8)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_promise_1_stall_timeout(tls_daemon: Callable[..., Daemon], figure: Figure, tls: bool) -> None:
    """It is aborted after `stall_timeout`, with a reason in the log."""
    daemon = tls_daemon("[websocket]\nstall_timeout = 1\n")
    with RawClient(daemon, tls=tls) as client:
        client.flood(FLOODS["64 KiB messages"], 0.5)
        figure(1, f"aborted after, {'TLS' if tls else 'plain'} (stall time 1 s)", client.wait_until_cut(10), "s", 2.5)
    daemon.wait_for("the peer stopped reading")
