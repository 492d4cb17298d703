"""Server in memory for the load generator's tests: it replies, stalls and ends connections as the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wsdaemon.client.connection import Listener
from wsdaemon.client.errors import ClientError
from wsdaemon.client.events import HandshakeTimes
from wsdaemon.load.connects import ConnectsRunner
from wsdaemon.load.measurement import Measurement
from wsdaemon.load.plan import LoadPlan, Mode
from wsdaemon.load.runner import EchoRunner

Reply = Callable[[bytes, bool], list[tuple[bytes, bool]]]


def echo(payload: bytes, is_binary: bool) -> list[tuple[bytes, bool]]:
    """Echo the message."""
    return [(payload, is_binary)]


class FakeConnection:
    """Client's connection; its server replies in order, after the server's latency."""

    subprotocol, extensions, can_send = None, "", True

    def __init__(self, server: FakeServer, listener: Listener) -> None:
        self.times = HandshakeTimes(0.001, None, 0.002)
        self.write_paused = False
        self.server, self.listener = server, listener
        self.sent: list[tuple[float, bytes, bool]] = []

    def send_message(self, payload: bytes, is_binary: bool, fragment: int = 0) -> int:
        """Send a message to the server."""
        self.sent.append((self.server.clock.seconds(), payload, is_binary))
        for reply, reply_is_binary in self.server.reply(payload, is_binary):
            self.server.deliver(self, reply, reply_is_binary)
        return 1

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake."""
        self.server.clock.callLater(self.server.close_seconds, self.end, code)

    def end(self, code: int | None = 1000) -> None:
        """End the connection; `code` is that of the server's Close frame, None without one."""
        if self in self.server.open:
            self.server.open.remove(self)
            self.listener.closed(code, "", code == 1000)


class FakeServer:
    """Server that replies with `reply` after `latency` seconds; it stands still from `stall_from` to `stall_until`."""

    def __init__(self, clock: Clock, *, latency: float = 0.002, reply: Reply = echo) -> None:
        self.clock, self.latency, self.reply = clock, latency, reply
        self.stall_from = self.stall_until = 0.0
        self.connect_seconds, self.close_seconds = 0.003, 0.0
        self.errors: list[ClientError | None] = []
        """Outcomes of the next connection attempts; later ones succeed."""
        self.connections: list[FakeConnection] = []
        self.open: list[FakeConnection] = []
        self.connected_at: list[float] = []
        self.most_at_once = self.connecting = 0

    def connect(self, listener: Listener) -> Deferred[Any]:
        """Connect as `wsdaemon.client.connect` does."""
        error = self.errors.pop(0) if self.errors else None
        self.connected_at.append(self.clock.seconds())
        self.connecting += 1
        self.most_at_once = max(self.most_at_once, self.connecting + len(self.open))

        def finish() -> None:
            self.connecting -= 1
            if error is not None:
                done.errback(error)
                return
            connection = FakeConnection(self, listener)
            self.connections.append(connection)
            self.open.append(connection)
            listener.opened(connection)  # type: ignore[arg-type]  # what the runner uses of one
            done.callback(connection)

        call = self.clock.callLater(self.connect_seconds, finish)
        done: Deferred[Any] = Deferred(lambda _: call.cancel())
        return done

    def deliver(self, connection: FakeConnection, payload: bytes, is_binary: bool) -> None:
        """Deliver a message after the latency, or after the stall."""
        at = self.clock.seconds() + self.latency
        if self.stall_from <= at < self.stall_until:
            at = self.stall_until

        def arrive() -> None:
            if connection in self.open:
                connection.listener.message_received(payload, is_binary, 1)

        self.clock.callLater(at - self.clock.seconds(), arrive)


class Run:
    """Run in memory: `advance` lets time pass, `finish` lets it pass until the run is over."""

    def __init__(self, *, latency: float = 0.002, reply: Reply = echo, **options: Any) -> None:
        self.clock = Clock()
        self.server = FakeServer(self.clock, latency=latency, reply=reply)
        self.plan = LoadPlan(**options)
        self.cpu = 0.0
        measurement = Measurement(
            self.plan, self.server.connect, clock=self.clock, now=self.clock.seconds, cpu=lambda: self.cpu
        )
        kind = ConnectsRunner if self.plan.mode is Mode.CONNECTS else EchoRunner
        self.runner = kind(measurement)
        self.outcomes: list[Measurement] = []

    def start(self) -> Run:
        """Start the run."""
        self.runner.run().addCallback(self.outcomes.append)
        return self

    def advance(self, seconds: float) -> Run:
        """Let time pass, at most until the run is over; each call is made exactly when it is due."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end and not self.outcomes:
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            self.clock.advance(max(0.0, min([end, *calls]) - self.clock.seconds()) + 1e-9)
        return self

    def finish(self) -> Measurement:
        """Let time pass until the run is over, at most for a minute after it should be."""
        self.advance(self.plan.duration + self.plan.patience + 60)
        assert self.outcomes, "the run does not end"
        return self.outcomes[0]
