"""Promise 8: running out of file descriptors neither makes the daemon spin nor stops it."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import Daemon
from tests.support.http_client import request
from tests.support.patience import PATIENCE, wait_until
from tests.support.raw import RawClient
from tests.support.serving import (
    ask,
    ask_on,
    assert_serves,
    cpu_share,
    descriptors,
    log_lines,
    stop_and_check,
    troubles,
)
from tests.support.wire import TEXT, Frame
from tests.support.wire import request as upgrade

LIMIT = 64
HELLO = Frame(TEXT, b"hello")
INI = "[server]\ndocroot = {}\n[websocket]\nhandshake_timeout = 60\n"
MANY = 250


@pytest.fixture
def docroot(docroot: Path) -> Path:
    """A folder with a page, a folder and a large file."""
    (docroot / "sub").mkdir()
    (docroot / "big.bin").write_bytes(bytes(20 << 20))
    return docroot


def limit(daemon: Daemon, descriptors: int) -> None:
    """Limit how many descriptors the daemon may have open."""
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


@contextlib.contextmanager
def crowd(port: int, count: int = MANY) -> Iterator[list[socket.socket]]:
    """Idle connections, whatever the daemon does with them."""
    held: list[socket.socket] = []
    try:
        held.extend(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(count))
        yield held
    finally:
        for each in held:
            each.close()


def is_closed(connection: socket.socket) -> bool:
    """Whether the daemon closes a connection, before its handshake deadline."""
    connection.settimeout(PATIENCE)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@PLAIN_AND_TLS
def test_promise_8_at_the_limit(tls_daemon: Callable[..., Daemon], docroot: Path, figure: Figure, tls: bool) -> None:
    """More connections than there can be: no spinning, few log lines, those that are in go on, and others can follow.

    A connection that has no place is closed and not left waiting.
    """
    daemon = tls_daemon(INI.format(docroot))
    kind = "TLS" if tls else "plain"
    limit(daemon, LIMIT)
    with RawClient(daemon, tls=tls) as inside:
        inside.echo(HELLO)
        lines = len(log_lines(daemon))
        with crowd(daemon.tls_port if tls else daemon.port) as held:
            wait_until(lambda: descriptors(daemon) >= LIMIT - 1, "the limit is not reached")
            figure(8, f"one core, at the limit of descriptors, {kind}", cpu_share(daemon, 3), "%", 5)
            inside.echo(HELLO)
            assert is_closed(held[-1])
            figure(8, f"log lines of {MANY} connections beyond, {kind}", len(log_lines(daemon)) - lines, "", 10)
        wait_until(lambda: descriptors(daemon) < LIMIT // 2, "the connections that left are not let go of")
        assert_serves(daemon, tls=tls)
        inside.echo(HELLO)
        assert [each for each in troubles(daemon) if "too many open files" in each], daemon.output
        inside.socket.close()
    stop_and_check(daemon)


def test_promise_8_flood_at_the_limit(daemon: Callable[..., Daemon], docroot: Path, figure: Figure) -> None:
    """Thousands of connections that come and go at the limit cause a handful of log lines."""
    server = daemon(ini=INI.format(docroot))
    limit(server, LIMIT)
    with RawClient(server) as inside, crowd(server.port):
        wait_until(lambda: descriptors(server) >= LIMIT - 1, "the limit is not reached")
        lines = len(log_lines(server))
        for _ in range(8):
            with crowd(server.port, 200):
                inside.echo(HELLO)
        figure(8, "log lines of 1600 connections at the limit", len(log_lines(server)) - lines, "", 10)
        figure(8, "one core, after them", cpu_share(server, 2), "%", 5)
    wait_until(lambda: descriptors(server) < LIMIT // 2, "the connections that left are not let go of")
    assert_serves(server)
    stop_and_check(server)


def test_promise_8_beyond_the_limit(daemon: Callable[..., Daemon], docroot: Path, figure: Figure) -> None:
    """Where not even one descriptor can be had, however much is let go of, it waits, and goes on once there are some.

    So it is while another program has taken all that the system has.
    """
    server = daemon(ini=INI.format(docroot))
    with RawClient(server) as inside, crowd(server.port, 20):
        wait_until(lambda: descriptors(server) >= 20, "they are not let in")
        lines = len(log_lines(server))
        limit(server, 4)
        with crowd(server.port, 5) as waiting:
            figure(8, "one core, beyond the limit", cpu_share(server, 3), "%", 5)
            inside.echo(HELLO)
            figure(8, "log lines in 3 seconds beyond the limit", len(log_lines(server)) - lines, "", 10)
            limit(server, 1000)
            # Those that wait are let in; a new one comes behind them.
            assert_serves(server)
            waiting[-1].sendall(request("/page.html"))
            assert waiting[-1].recv(12) in (b"HTTP/1.1 200", b"")
    assert len(stop_and_check(server)) <= 2


@pytest.mark.parametrize("target", ["/page.html", "/sub/", "/"])
def test_promise_8_a_file_at_the_limit(daemon: Callable[..., Daemon], docroot: Path, target: str) -> None:
    """A file or folder that cannot be opened is answered with 503 and Retry-After, even on the first request."""
    server = daemon(ini=INI.format(docroot))
    limit(server, LIMIT)
    with RawClient(server, None) as asking, RawClient(server, None) as again:
        with crowd(server.port) as held:
            assert is_closed(held[-1])  # so none is being accepted now, and the descriptor in reserve is taken
            response = ask_on(asking, target, "Connection: close")
            assert (response.status, response["retry-after"]) == (503, "1")
        wait_until(lambda: descriptors(server) < LIMIT // 2, "the connections that left are not let go of")
        assert ask_on(again, target, "Connection: close").status == 200
    assert [each for each in stop_and_check(server) if "cannot be read: too many open files" in each]


def test_promise_8_an_upgrade_at_the_limit(daemon: Callable[..., Daemon], docroot: Path) -> None:
    """An accepted connection can still upgrade, as that needs no further descriptor."""
    server = daemon(ini=INI.format(docroot))
    limit(server, LIMIT)
    with RawClient(server, None) as client, crowd(server.port):
        wait_until(lambda: descriptors(server) >= LIMIT - 1, "the limit is not reached")
        client.send(upgrade("/echo"))
        assert client.read_head().startswith(b"HTTP/1.1 101 ")
        client.echo(HELLO)


def test_promise_8_nothing_is_kept_open(daemon: Callable[..., Daemon], docroot: Path) -> None:
    """Downloads that are whole, in part, cut short by the peer, not changed, beyond the end, or only asked about.

    None leaves a descriptor behind.
    """
    server = daemon(ini=INI.format(docroot))
    for target in ("/page.html", "/sub/"):
        ask(server, target)  # a thread and the like come with the first
    before = descriptors(server)
    tag = ask(server, "/big.bin", "Range: bytes=0-9")["etag"]
    for _ in range(20):
        for headers in ([], ["Range: bytes=0-9,20-29"], ["Range: bytes=99999999-"], [f"If-None-Match: {tag}"]):
            with RawClient(server, None) as client:
                client.send(request("/big.bin", *headers))
                assert client.read_head()
        with RawClient(server, None) as client:
            client.send(request("/big.bin", method="HEAD"))
            assert client.read_head()
        for target in ("/sub/", "/nothing"):
            ask(server, target)
    wait_until(lambda: descriptors(server) <= before, f"{descriptors(server)} descriptors are open, {before} were")
    assert stop_and_check(server) == []
