"""A client's connection in memory: over a string transport, on a Clock, with the server's part by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from websockets.utils import accept_key
from zope.interface import implementer

from tests.support.memory import Transport
from tests.support.wire import Frame, take_frames
from wsdaemon.client.connect import connect
from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.client.events import Frame as Shown
from wsdaemon.client.target import Target, parse_target


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """Endpoint that connects to a string transport at once, on `release`, or fails with `error`."""

    def __init__(self, *, later: bool = False, error: Exception | None = None) -> None:
        self.transport = Transport()
        self.cancelled = False
        self._error = error
        self._waiting: Deferred[Any] | None = Deferred(self._cancel) if later else None

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        if self._error is not None:
            return fail(self._error)
        self._factory = protocolFactory
        return self._waiting or succeed(self._make())

    def release(self) -> None:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        waiting.callback(self._make())

    def _make(self) -> Any:
        protocol = self._factory.buildProtocol(None)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        return protocol

    def _cancel(self, _: object) -> None:
        self.cancelled = True


class Recorder(Listener):
    """Records everything that a connection reports."""

    def __init__(self, *, wants_frames: bool = False) -> None:
        self.wants_frames = wants_frames
        self.happened: list[Any] = []
        self.frames: list[tuple[str, Shown]] = []

    def opened(self, connection: ClientConnection) -> None:
        self.happened.append("opened")

    def frame_received(self, frame: Shown) -> None:
        self.frames.append(("<", frame))

    def frame_sent(self, frame: Shown) -> None:
        self.frames.append((">", frame))

    def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
        self.happened.append((payload, is_binary, frames))

    def pong_received(self, payload: bytes) -> None:
        self.happened.append(("pong", payload))

    def writable(self) -> None:
        self.happened.append("writable")

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        self.happened.append(("closed", code, reason, clean))


class Server:
    """The server's end of one attempt to connect, by hand."""

    def __init__(
        self,
        target: Target | str = "ws://localhost/",
        *,
        listener: Recorder | None = None,
        endpoint: MemoryEndpoint | None = None,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.listener = listener or Recorder()
        self.endpoint = endpoint or MemoryEndpoint()
        self.transport = self.endpoint.transport
        self.target = parse_target(target, **options) if isinstance(target, str) else target
        self.connections: list[ClientConnection] = []
        self.errors: list[Any] = []
        self.attempt = connect(self.target, self.listener, reactor=self.clock, endpoint=self.endpoint)
        self.attempt.addCallbacks(self.connections.append, lambda failure: self.errors.append(failure.value))
        self._rest = b""

    @property
    def connection(self) -> ClientConnection:
        (connection,) = self.connections
        return connection

    def take(self) -> bytes:
        """Return what the client sent since the last time."""
        taken: bytes = self.transport.value()
        self.transport.clear()
        return taken

    def send(self, *parts: bytes | Frame, piece: int = 0) -> None:
        """Deliver bytes, and frames unmasked, all in one chunk or in pieces of `piece` bytes."""
        data = b"".join(part.unmasked() if isinstance(part, Frame) else part for part in parts)
        for start in range(0, len(data), piece or len(data) or 1):
            if not self.transport.gone:
                self.transport.protocol.dataReceived(data[start : start + (piece or len(data))])

    def accept(self, more: str = "", early: bytes = b"") -> str:
        """Answer the request with 101; returns the request."""
        text = self.take().decode("latin-1")
        self.send(switching(text, more) + early)
        return text

    def frames(self) -> list[Frame]:
        """Return the frames that the client sent since the last time, unmasked; one that is not masked fails."""
        frames, self._rest = take_frames(self._rest + self.take(), masked=True)
        return frames


def opened(target: str = "ws://localhost/", more: str = "", **options: Any) -> Server:
    """Return the server's end of an open connection."""
    server = Server(target, **options)
    server.accept(more)
    assert server.listener.happened == ["opened"], server.errors
    return server


def switching(request: str, more: str = "") -> bytes:
    """Return the 101 response to a request's key."""
    key = next(line.partition(": ")[2] for line in request.splitlines() if line.startswith("Sec-WebSocket-Key"))
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Accept: {accept_key(key)}", f"{more}\r\n"]
    return "\r\n".join(lines).encode("latin-1")
