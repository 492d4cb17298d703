"""Promise 1: a client that floods and never reads costs at most 8 MB, and is aborted after the stall time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.wire import BINARY, PING, TEXT, Frame

MB = 1e6
FLOODS = {
    "64 KiB messages": Frame(BINARY, bytes(1 << 16)).masked(),
    "small messages": Frame(TEXT, b"x" * 64).masked() * 500,
    "1 MiB messages": Frame(BINARY, bytes(1 << 20)).masked(),
    "pings": Frame(PING, b"x" * 125).masked() * 500,
}


@PLAIN_AND_TLS
@pytest.mark.parametrize("flood", FLOODS)
def test_promise_1_memory(tls_daemon: Callable[..., Daemon], figure: Figure, flood: str, tls: bool) -> None:
    """The daemon grows by at most 8 MB during the flood."""
    daemon = tls_daemon()
    with RawClient(daemon, tls=tls) as other:
        other.echo(Frame(TEXT, b"warm"))
    before = daemon.rss()
    with RawClient(daemon, tls=tls) as client:
        client.flood(FLOODS[flood], 2)
        figure(1, f"growth by {flood}, {'TLS' if tls else 'plain'}", (daemon.rss() - before) / MB, "MB", 8)


@PLAIN_AND_TLS
def test_promise_1_stall_timeout(tls_daemon: Callable[..., Daemon], figure: Figure, tls: bool) -> None:
    """The client is aborted after `stall_timeout`, and the log says why."""
    daemon = tls_daemon("[websocket]\nstall_timeout = 1\n")
    with RawClient(daemon, tls=tls) as client:
        client.flood(FLOODS["64 KiB messages"], 0.5)
        figure(1, f"aborted after, {'TLS' if tls else 'plain'} (stall time 1 s)", client.wait_until_cut(), "s", 2.5)
    daemon.wait_for("the peer stopped reading")


@PLAIN_AND_TLS
@pytest.mark.parametrize("first", ["/nothing", "/large"])
def test_promise_1_pipelined_requests(
    tls_daemon: Callable[..., Daemon], docroot: Path, figure: Figure, first: str, tls: bool
) -> None:
    """The same holds for pipelined requests whose responses are not read, also behind a stalled download."""
    with (docroot / "large").open("wb") as file:
        file.truncate(1 << 28)
    daemon = tls_daemon("", f"--docroot={docroot}")
    with RawClient(daemon, tls=tls) as other:
        other.echo(Frame(TEXT, b"warm"))
    before = daemon.rss()
    with RawClient(daemon, None, tls=tls) as client:
        client.send(f"GET {first} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.flood(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 500, 2)
        figure(1, f"growth by pipelined requests behind {first}", (daemon.rss() - before) / MB, "MB", 8)
