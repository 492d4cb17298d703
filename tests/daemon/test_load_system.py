"""What makes the load generator quick and precise: TCP that sends at once, and a timer of less than a millisecond."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater

from tests.support.eager import WatchedSocket
from wsdaemon.load.alarm import precise
from wsdaemon.load.eager import EagerEndpoint

reactor: Any = global_reactor
LARGE = 4 << 20


def on_reactor(test: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], Any]:
    """Run a test on the global reactor; the same as pytest-twisted's, with types."""
    run: Callable[[Any], Any] = pytest_twisted.ensureDeferred(test)
    return run


class Collector(Protocol):
    """Collects what comes, until a number of bytes is there."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.wanted = 0
        self.done: Deferred[bytes] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.wanted and len(self.received) >= self.wanted:
            self.wanted = 0
            self.done.callback(self.received)

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(None)


class Echoing(Collector):
    """Sends back what comes, in two writes."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data[:1])
        self.transport.write(data[1:])


async def connected(client: Collector, server: Collector) -> Any:
    """Connect the two over TCP; the client sends at once. Returns the listening port."""
    port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(lambda: server))
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    await EagerEndpoint(endpoint).connect(Factory.forProtocol(lambda: client))
    return port


async def end(port: Any, client: Collector, server: Collector) -> None:
    client.transport.loseConnection()
    await client.gone
    await server.gone
    await port.stopListening()


def watch_sends(client: Collector) -> list[int]:
    """Return a list that grows by a length with each system call that sends."""
    client.transport.socket = WatchedSocket(client.transport.socket)
    return client.transport.socket.sends  # type: ignore[no-any-return]  # it was just put there


class TestEager:
    """TCP that sends at once."""

    @on_reactor
    async def test_at_once(self) -> None:
        """What is written has left when `write` returns."""
        client, server = Collector(), Collector()
        port = await connected(client, server)
        sends = watch_sends(client)
        client.transport.write(b"now")
        assert sends == [3]
        server.wanted = 3
        assert await server.done == b"now"
        await end(port, client, server)

    @on_reactor
    async def test_one_chunk_one_call(self) -> None:
        """What is written in answer to one chunk goes out in one system call."""
        client, server = Echoing(), Collector()
        port = await connected(client, server)
        sends = watch_sends(client)
        server.wanted = 10
        server.transport.write(b"0123456789")
        assert await server.done == b"0123456789"
        assert sends == [10]
        await end(port, client, server)

    @on_reactor
    async def test_more_than_the_socket_takes(self) -> None:
        """What the socket does not take follows in order, and what is written then comes behind it."""
        client, server = Collector(), Collector()
        port = await connected(client, server)
        client.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        parts = [bytes([65 + each]) * (LARGE // 4) for each in range(4)]
        server.wanted = LARGE
        for part in parts:
            client.transport.write(part)
        assert await server.done == b"".join(parts)
        await end(port, client, server)

    @on_reactor
    async def test_written_before_the_end(self) -> None:
        """What is written just before the connection is ended still goes out, and nothing is sent after a cut."""
        client, server = Collector(), Collector()
        port = await connected(client, server)
        client.transport.write(b"x" * LARGE)
        client.transport.loseConnection()
        await server.gone
        assert len(server.received) == LARGE
        client.transport.write(b"too late")
        await client.gone
        await port.stopListening()


class TestAlarm:
    """The precise timer."""

    @on_reactor
    async def test_precise(self) -> None:
        """It fires in the very tenth of a millisecond, at least sometimes, and never early."""
        timer = precise(reactor)
        assert timer is not reactor
        late = []
        for _ in range(30):
            fired: Deferred[float] = Deferred()
            due = time.perf_counter() + 0.0023
            timer.callLater(0.0023, lambda fired=fired: fired.callback(time.perf_counter()))
            late.append(await fired - due)
        timer.close()
        assert timer not in reactor.getReaders()
        assert min(late) > -0.0002
        assert min(late) < 0.0004  # the reactor's own timers would be 0.7 ms late

    @on_reactor
    async def test_cancelled(self) -> None:
        """A call that another replaced is not made, nor one that is pending when the timer is closed."""
        timer = precise(reactor)
        calls: list[str] = []
        timer.callLater(0.001, calls.append, "replaced")
        timer.callLater(0, calls.append, "made")
        await deferLater(reactor, 0.01)
        timer.callLater(0.001, calls.append, "closed")
        timer.close()
        await deferLater(reactor, 0.01)
        assert calls == ["made"]

    def test_clock(self) -> None:
        """Where there are no file descriptors, the clock itself has to do."""
        clock = Clock()
        assert precise(clock) is clock
