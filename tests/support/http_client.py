"""HTTP client without a socket: drives the site in memory, on a Clock, and parses the responses.

Files and listings are sent by Twisted's own cooperator and threads, so `Peer.wait` lets the real reactor turn; all
deadlines are on the Clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import provider

from tests.support.memory import all_subprotocols
from tests.support.patience import PATIENCE
from wsdaemon.config import parse
from wsdaemon.routing.registry import settings_classes
from wsdaemon.service import make_service

_failures: list[str] = []


@provider(ILogObserver)
def _note_failure(event: LogEvent) -> None:
    if "log_failure" in event:
        _failures.append(f"{formatEvent(event)}\n{event['log_failure'].getTraceback()}")


globalLogPublisher.addObserver(_note_failure)


@dataclass(frozen=True)
class Response:
    """One response; `complete` says whether the whole announced body arrived."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def __getitem__(self, name: str) -> str | None:
        """Return the value of a header that occurs at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


def take_response(data: bytes, method: str = "GET", *, ended: bool = False) -> tuple[Response, bytes] | None:
    """Return the first response in `data` and what follows it, or None if its head is incomplete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = status_line.split(" ", 2)
    assert version in ("HTTP/1.1", "HTTP/1.0"), status_line
    headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    response = Response(int(status), headers, b"", True)
    if method == "HEAD" or response.status in (101, 204, 304):
        return response, rest
    assert response["transfer-encoding"] is None, "everything here has a known length"
    if response["content-length"] is None:
        return Response(int(status), headers, rest, ended), b""
    length = int(response["content-length"])
    return Response(int(status), headers, rest[:length], len(rest) >= length), rest[length:]


def request(target: str | bytes = "/", *headers: str | bytes, method: str = "GET", host: str = "site.test") -> bytes:
    """Return a request; strings may hold any byte as Latin-1."""
    first = b" ".join((method.encode(), _octets(target), b"HTTP/1.1"))
    return b"\r\n".join([first, b"Host: " + host.encode(), *map(_octets, headers), b"", b""])


class Transport(StringTransport):
    """Transport to a peer that may stop reading. `aborted`: it was reset; `gone`: the connection is lost."""

    protocol: Any = None
    aborted = False
    gone = False
    _full = _waiting = False

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 50000), lenient=True)

    def fill(self) -> None:
        """The peer stops reading: from the next write on the producer is paused, as by a real transport."""
        self._full = True

    def write(self, data: bytes) -> None:
        """Send bytes."""
        super().write(data)
        if self._full and self.producer is not None:
            self._waiting = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send bytes."""
        self.write(b"".join(data))

    def drain(self) -> None:
        """The peer has read everything and reads on."""
        waiting, self._full, self._waiting = self._waiting, False, False
        if waiting and self.producer is not None:
            self.producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer; as with a real transport, there need not be one."""
        self.producer = None

    def abortConnection(self) -> None:
        """Cut the stream."""
        self.aborted = True
        self.lose(ConnectionAborted())

    def lose(self, reason: Exception | None = None) -> None:
        """The stream is gone."""
        if not self.gone:
            self.gone = self.disconnecting = True
            producer, self.producer = self.producer, None
            if producer is not None:
                producer.stopProducing()
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))


class Peer:
    """The client's end of one connection."""

    def __init__(self, server: Server) -> None:
        self._clock = server.clock
        self.transport = Transport()
        self.transport.protocol = server.site.buildProtocol(self.transport.getPeer())
        self.transport.protocol.makeConnection(self.transport)
        self._rest = b""

    @property
    def closing(self) -> bool:
        """Whether the server has ended the connection, from its side at least."""
        return bool(self.transport.disconnecting)

    def send(self, data: bytes) -> None:
        """Deliver bytes; nothing happens once the stream is gone, or the server reads no more."""
        if not self.transport.gone and self.transport.producerState == "producing":
            self.transport.protocol.dataReceived(data)
            self._clock.advance(0)  # what is too much for one turn of the loop goes on in the next

    def take(self) -> bytes:
        """Return everything received since the last call."""
        data: bytes = self._rest + self.transport.value()
        self._rest = b""
        self.transport.clear()
        return data

    def response(self, method: str = "GET") -> Response:
        """Return the next response when it is complete or the connection ends."""
        found: list[tuple[Response, bytes]] = []

        def is_there() -> bool:
            self._clock.advance(0)  # the next of several requests may have been put off to the next turn
            taken = take_response(self._rest + self.transport.value(), method, ended=self.closing)
            if taken is not None and (taken[0].complete or self.closing):
                found.append(taken)
            return bool(found)

        wait(is_there)
        self.take()
        response, self._rest = found[0]
        assert failures() == []
        return response


class Server:
    """The daemon's site, as configured by INI text, and its Clock."""

    def __init__(self, docroot: Path | None = None, ini: str = "") -> None:
        _failures.clear()  # what other tests provoked
        self.clock = Clock()
        found = all_subprotocols()
        folder = f"docroot = {docroot}" if docroot else ""
        text = ini.replace("[server]", f"[server]\n{folder}") if "[server]" in ini else f"[server]\n{folder}\n{ini}"
        configuration = parse(text, settings_classes(found), file="test.ini", base=Path())
        service = make_service(configuration, found, self.clock)
        self.site: Any = service._site
        self.hub = service._hub

    def connect(self) -> Peer:
        """Return the client's end of a new connection."""
        return Peer(self)

    def ask(self, target: str | bytes = "/", *headers: str | bytes, method: str = "GET") -> Response:
        """Return the response to one request on its own connection, which must leave nothing behind."""
        peer = self.connect()
        peer.send(request(target, *headers, method=method))
        response = peer.response(method)
        assert response.complete
        assert peer.take() == b"", "bytes follow the response"
        peer.transport.lose()
        assert self.clock.getDelayedCalls() == [], "a deadline outlives its connection"
        return response


def wait(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Run the real reactor until `condition` holds."""
    from twisted.internet import reactor

    turn: Callable[[float], None] = reactor.iterate
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s; {failures()}"
        turn(0.001)


def failures() -> list[str]:
    """Return the tracebacks logged since the last call."""
    found = _failures[:]
    _failures.clear()
    return found


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
