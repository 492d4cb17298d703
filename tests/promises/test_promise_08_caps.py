"""Promise 8: caps on all connections, on those of one address, and on new ones per second."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.daemon import Daemon
from tests.support.patience import PATIENCE, wait_until
from tests.support.raw import RawClient
from tests.support.wire import TEXT, Frame, request


def _refusal(daemon: Daemon, source: str = "127.0.0.1") -> bytes:
    """Return what a new connection from that address receives."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE, source_address=(source, 0)) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(request("/echo"))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := client.recv(4096):
                answer += data
                if b" 101 " in answer:
                    break
    return answer


def test_promise_8_total(daemon: Callable[..., Daemon]) -> None:
    """HTTP and WebSocket connections count together; beyond the cap comes a 503, and a freed slot can be taken."""
    served = daemon(ini="[server]\nmax_connections = 4\n")
    with RawClient(served) as echo, RawClient(served, "/log"), RawClient(served, None):
        with RawClient(served, None):
            answer = _refusal(served)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: " in answer
        echo.echo(Frame(TEXT, b"still here"))
        _wait_for_place(served)
    served.process.terminate()
    served.wait_for("refused and cut: .*over max_connections: [0-9]+")


def _wait_for_place(served: Daemon) -> None:
    """Connect as soon as the daemon has noticed the free slot."""
    wait_until(lambda: _refusal(served).startswith(b"HTTP/1.1 101 "), "the place that is free is not given to another")


def test_promise_8_per_address(daemon: Callable[..., Daemon]) -> None:
    """One address has reached its cap; another is still served."""
    served = daemon(ini="[server]\nmax_per_address = 2\n")
    with RawClient(served), RawClient(served):
        assert _refusal(served).startswith(b"HTTP/1.1 503 ")
        assert _refusal(served, "127.0.0.2").startswith(b"HTTP/1.1 101 ")


def test_promise_8_new_per_second(daemon: Callable[..., Daemon]) -> None:
    """A burst from one address is limited; another address is still served."""
    served = daemon(ini="[server]\nmax_new_per_second = 5\n")
    answers = [_refusal(served)[:13] for _ in range(50)]
    assert 5 <= answers.count(b"HTTP/1.1 101 ") <= 15
    assert answers.count(b"HTTP/1.1 503 ") >= 35
    assert _refusal(served, "127.0.0.2").startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("kept", [0, 100])
def test_promise_8_flood_of_refused(daemon: Callable[..., Daemon], kept: int) -> None:
    """Refused connections that stay open take no slots and cause one log line, however many there are."""
    served = daemon(ini="[server]\nmax_connections = 1\n")
    with RawClient(served) as inside, ExitStack() as stack:
        for _ in range(300):
            client = stack.enter_context(RawClient(served, None))
            if not kept:
                client.socket.close()
        inside.echo(Frame(TEXT, b"still served"))
        assert served.output.count("over max_connections") == 1
