"""Promise 17: failures of accept, send and recv."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import Start
from tests.support.faults import Faults
from tests.support.raw import RawClient
from tests.support.serving import assert_serves, cpu_share, log_lines, stop_and_check
from tests.support.wire import BINARY, TEXT, Frame, request

HELLO = Frame(TEXT, b"hello")
TWISTD = Path(sys.executable).with_name("twistd")


# -- accept -------------------------------------------------------------------------------------------------------

SCARCE = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]
GONE = [errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETDOWN]


@pytest.mark.parametrize("code", [*SCARCE, *GONE, errno.EIO], ids=errno.errorcode.get)
def test_promise_17_accept_fails_once(faulty: Start, faults: Faults, code: int) -> None:
    """One failure is one log line; the next client, or one that waits, is served."""
    daemon = faulty()
    with RawClient(daemon) as inside:
        faults.arm("accept", code, times=1)
        with RawClient(daemon, None) as first:
            faults.wait("accept")
            if code != errno.EMFILE:  # then it is closed by the descriptor that is kept in reserve
                first.send(request("/echo"))
                assert first.read_head().startswith(b"HTTP/1.1 101 ")
        assert_serves(daemon)
        inside.echo(HELLO)
        inside.socket.close()
    assert faults.struck("accept") == 1
    assert stop_and_check(daemon) == [f"warn     cannot accept a connection: {os.strerror(code).lower()}"]


@pytest.mark.parametrize("code", [*SCARCE[:2], *GONE[:2], errno.EIO], ids=errno.errorcode.get)
def test_promise_17_accept_fails_always(faulty: Start, faults: Faults, figure: Figure, code: int) -> None:
    """While accept fails the daemon does not spin and logs one line; afterwards waiting clients are accepted."""
    daemon = faulty()
    with RawClient(daemon) as inside:
        daemon.wait_for("connection 1 from")
        faults.arm("accept", code)
        lines = len(log_lines(daemon))
        with RawClient(daemon, None) as waiting:
            faults.wait("accept")
            figure(17, f"one core, while accept fails with {errno.errorcode[code]}", cpu_share(daemon, 1), "%", 5)
            inside.echo(HELLO)
            assert len(log_lines(daemon)) - lines == 1
            faults.clear()
            waiting.send(request("/echo"))
            assert waiting.read_head().startswith(b"HTTP/1.1 101 ")
            waiting.echo(HELLO)
        assert_serves(daemon)
        inside.echo(HELLO)
        inside.socket.close()
    assert stop_and_check(daemon) == [f"warn     cannot accept a connection: {os.strerror(code).lower()}"]


def test_promise_17_stops_while_accept_fails(faulty: Start, faults: Faults) -> None:
    """The daemon stops cleanly even while accept fails."""
    daemon = faulty("[websocket]\nclose_timeout = 1\n")
    with RawClient(daemon):  # which does not answer the Close, so that the end takes its time
        faults.arm("accept", errno.ENFILE)
        waiting = socket.create_connection(("127.0.0.1", daemon.port))
        faults.wait("accept")
        assert len(stop_and_check(daemon)) == 1
        waiting.close()


# -- send and receive ---------------------------------------------------------------------------------------------

CUTS = [errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ENOMEM, errno.ETIMEDOUT]


@PLAIN_AND_TLS
@pytest.mark.parametrize("code", CUTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["send", "recv"])
def test_promise_17_a_websocket_that_fails(faulty: Start, faults: Faults, call: str, code: int, tls: bool) -> None:
    """A connection whose call fails ends, with its one log line; all others continue."""
    daemon = faulty()
    with RawClient(daemon, tls=tls) as inside, RawClient(daemon, tls=tls) as hit:
        hit.echo(HELLO)
        faults.arm(call, code, str(hit.socket.getsockname()[1]))
        hit.send(HELLO)
        hit.wait_until_cut()
        inside.echo(HELLO)
        faults.clear()
        daemon.wait_for("connection 2 from [^ ]*: closed, echo, sent None, received None")
        assert_serves(daemon, tls=tls)
        inside.echo(HELLO)
        inside.socket.close()
    assert stop_and_check(daemon) == []
    assert daemon.output.count("connection 2 from") == 2


@PLAIN_AND_TLS
@pytest.mark.parametrize("code", CUTS, ids=errno.errorcode.get)
def test_promise_17_a_download_that_fails(faulty: Start, faults: Faults, code: int, tls: bool) -> None:
    """A download whose send fails ends short; nothing else is affected."""
    daemon = faulty()
    with RawClient(daemon, tls=tls) as inside, RawClient(daemon, None, tls=tls, receive_buffer=4096) as hit:
        faults.arm("send", code, str(hit.socket.getsockname()[1]), skip=3)
        hit.send(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert len(read_what_comes(hit)) < 4 << 20
        inside.echo(HELLO)
        assert faults.struck("send") in (1, 2)  # what could not be sent at once is tried once more in Twisted's way
        faults.clear()
        assert_serves(daemon, tls=tls)
        inside.socket.close()
    assert stop_and_check(daemon) == []


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS, errno.EINTR], ids=errno.errorcode.get)
@PLAIN_AND_TLS
def test_promise_17_what_cannot_be_sent_yet(faulty: Start, faults: Faults, code: int, tls: bool) -> None:
    """What could not be sent at once is sent later, whole and in order."""
    daemon = faulty()
    with RawClient(daemon, tls=tls) as client:
        faults.arm("send", code, str(client.socket.getsockname()[1]), times=5)
        client.echo(Frame(BINARY, os.urandom(300_000)))
        client.echo(HELLO)
        assert faults.struck("send") == 5
        client.socket.close()
    assert stop_and_check(daemon) == []


def read_what_comes(client: RawClient) -> bytes:
    try:
        return client.read_to_end()
    except ConnectionResetError:
        return b""
