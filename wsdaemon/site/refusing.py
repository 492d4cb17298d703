"""Refusals that need no request: a bare response, and the connection beyond a cap."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.transport import finish_sending


def bare_response(status: int, more: str = "") -> bytes:
    """Return a response without a body, the last of its connection; `more` are header lines."""
    headers = "X-Content-Type-Options: nosniff\r\nContent-Length: 0\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{more}{headers}\r\n".encode()


class OverCap(Protocol):
    """A connection beyond a cap: it gets a 503 and ends within `close_timeout`, whatever it sends.

    With `quiet` it is aborted at once. `gone` is called once it has ended.
    """

    def __init__(
        self, clock: IReactorTime, close_timeout: float, gone: Callable[[], None], *, quiet: bool = False
    ) -> None:
        self._quiet = quiet
        self._deadlines = Deadlines(clock)
        self._close_timeout = close_timeout
        self._gone = gone

    def connectionMade(self) -> None:
        """Respond and end."""
        transport: Any = self.transport
        if self._quiet:
            transport.abortConnection()
            return
        transport.write(bare_response(503, "Retry-After: 1\r\n"))
        self._deadlines.set("close", self._close_timeout, transport.abortConnection)
        finish_sending(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the deadline."""
        self._deadlines.clear()
        self._gone()
