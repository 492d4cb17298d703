"""Promise 7: every state has a deadline: 10 s, 30 s or 60 s by default, shorter in these tests."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import WITH_TLS, Daemon, Start
from tests.support.patience import PATIENCE, Stopwatch, wait_until
from tests.support.raw import RawClient
from tests.support.wire import CLOSE, PING, PONG, TEXT, Frame, close, request
from wsdaemon.settings import ServerSettings, WebSocketSettings

TIMES = """\
[server]
stall_timeout = 1
[websocket]
handshake_timeout = 1
close_timeout = 1
ping_interval = 1
ping_timeout = 1
"""
SLACK = 0.7
"""Seconds that timers, and the interval at which stalls are checked, may add."""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, served: Start) -> Daemon:
    """A daemon with short deadlines and a large file."""
    docroot = tmp_path_factory.mktemp("docroot")
    with (docroot / "large").open("wb") as file:
        file.truncate(1 << 30)
    return served(f"{WITH_TLS}{TIMES}".replace("[server]", f"[server]\ndocroot = {docroot}"))


def test_promise_7_defaults() -> None:
    """The defaults are as promised."""
    websocket, server = WebSocketSettings(), ServerSettings()
    assert websocket.handshake_timeout <= 10
    assert websocket.close_timeout <= 10
    assert server.stall_timeout <= 30
    assert websocket.stall_timeout <= 30
    assert websocket.ping_interval + websocket.ping_timeout <= 60


@PLAIN_AND_TLS
@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a request"])
def test_promise_7_slow_headers(hasty: Daemon, figure: Figure, start: bytes, tls: bool) -> None:
    """Headers that arrive byte by byte have the same deadline as headers that never arrive."""
    with RawClient(hasty, None, tls=tls) as client:
        watch = Stopwatch(hasty)
        client.socket.settimeout(0.1)
        client.send(start)
        answer = b""
        while not client.ended and watch.seconds() < 10:
            with contextlib.suppress(ConnectionError):
                client.send(b"x" if start else b"")
            try:
                answer += client.read_to_end()
            except TimeoutError:
                continue
            except ConnectionError:
                break
        figure(7, "request that never ends (of 1 s)", watch.seconds(), "s", 1 + SLACK)
        assert answer.startswith(b"HTTP/1.1 408 ") or tls


def test_promise_7_tls_handshake(hasty: Daemon, figure: Figure) -> None:
    """So does a TLS handshake, whether nothing or a part of it arrives."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)
    for sent in (b"", hello):
        with socket.create_connection(("127.0.0.1", hasty.tls_port), timeout=PATIENCE) as client:
            watch = Stopwatch(hasty)
            client.sendall(sent)
            with contextlib.suppress(ConnectionError):
                assert client.recv(100) == b""
            figure(7, "TLS handshake that never ends (of 1 s)", watch.seconds(), "s", 1 + SLACK)


@PLAIN_AND_TLS
@pytest.mark.parametrize("kind", ["violation", "mute", "floods", "http"])
def test_promise_7_closing(hasty: Daemon, figure: Figure, kind: str, tls: bool) -> None:
    """A closing connection is gone by its deadline, whether the peer is mute, keeps sending, or never ends its side."""
    with RawClient(hasty, None if kind == "http" else "/echo", tls=tls) as client:
        if kind == "http":
            client.send(request("/nothing").replace(b"Upgrade: websocket\r\nConnection: Upgrade", b"Connection: close"))
        elif kind == "mute":
            client.send(close(1000))
        else:
            client.send(Frame(3))
        if kind == "floods":
            client.flood(Frame(TEXT, b"x" * 1000).masked() * 50, 0.5)
        watch = Stopwatch(hasty)
        client.wait_until_cut()  # the daemon's FIN
        _wait_until_gone(hasty, client)
        figure(7, f"closing connection, {kind} (of 1 s)", watch.seconds(), "s", 1 + SLACK)


def _wait_until_gone(served: Daemon, client: RawClient) -> None:
    """Wait until the daemon has closed its socket of this client's connection."""
    port = client.socket.getsockname()[1]
    state = f":{port:04X} "

    def is_held() -> bool:
        lines = Path("/proc/net/tcp").read_text().splitlines()
        ours = [line.split() for line in lines if state in line]
        own = (f":{served.port:04X}", f":{served.tls_port:04X}")
        return any(row[1].endswith(own) and row[9] != "0" for row in ours)  # an inode: a process has it open

    wait_until(lambda: not is_held(), "the daemon does not let go of the socket")


@PLAIN_AND_TLS
def test_promise_7_download(hasty: Daemon, figure: Figure, tls: bool) -> None:
    """A stalled download is dropped; one that is read slowly outlives the deadline."""
    with RawClient(hasty, None, tls=tls, receive_buffer=4096) as stalled:
        stalled.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        figure(7, "download that stands still (of 1 s)", stalled.wait_until_cut(), "s", 1.1 + SLACK)
    with RawClient(hasty, None, tls=tls, receive_buffer=1 << 16) as slow:
        slow.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        begun, received = time.monotonic(), 0
        while time.monotonic() - begun < 3:
            received += len(slow.socket.recv(1 << 15))
            time.sleep(0.1)  # it is slow
        assert received > 100_000


@PLAIN_AND_TLS
@pytest.mark.parametrize("kind", ["silent", "sends", "wrong pong"])
def test_promise_7_dead_peer(hasty: Daemon, figure: Figure, kind: str, tls: bool) -> None:
    """A peer that sends no matching pong is aborted within ping_interval + ping_timeout, even if it keeps sending."""
    with RawClient(hasty, "/log", tls=tls) as client:
        watch = Stopwatch(hasty)
        client.socket.settimeout(0.05)
        what = {"silent": b"", "sends": Frame(TEXT, b"x").masked(), "wrong pong": Frame(PONG, b"x").masked()}[kind]
        with contextlib.suppress(ConnectionError):
            while not client.ended and watch.seconds() < 10:
                client.send(what)
                with contextlib.suppress(TimeoutError):
                    client.read_to_end()
        figure(7, f"dead peer, {kind} (of 2 s)", watch.seconds(), "s", 2 + 2 * SLACK)


def test_promise_7_live_peer(hasty: Daemon) -> None:
    """A peer that answers its pings stays connected."""
    with RawClient(hasty, "/log") as client:
        for _ in range(4):
            ping = client.frame()
            assert ping.opcode == PING
            client.send(Frame(PONG, ping.payload))
        client.send(close(1000))
        assert client.frame().opcode == CLOSE


@PLAIN_AND_TLS
def test_promise_7_stalled_websocket(tls_daemon: Callable[..., Daemon], tls: bool) -> None:
    """A WebSocket whose peer reads slowly is not dropped and receives everything."""
    served = tls_daemon("[websocket]\nstall_timeout = 2\n")
    count = 400
    message = Frame(TEXT, b"x" * 10_000)
    with RawClient(served, tls=tls, receive_buffer=1 << 18) as client:
        client.send_while_reading(message.masked() * count)
        for number in range(count):
            assert client.frame() == message
            if number < 200:
                time.sleep(0.02)  # 4 s, in which the kernel tells of progress only now and then
