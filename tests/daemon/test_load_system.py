"""What makes the load generator quick and precise: TCP that sends at once, and a timer finer than a millisecond."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
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
    """Collects what it receives; `done` fires with the first `wanted` bytes, or more."""

    transport: Any

    def __init__(self, wanted: int = 0) -> None:
        self.received = b""
        self.wanted = wanted
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


@asynccontextmanager
async def connected(client: Collector, server: Collector) -> AsyncIterator[None]:
    """Connect the two over TCP meanwhile; the client sends at once."""
    port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(lambda: server))
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    await EagerEndpoint(endpoint).connect(Factory.forProtocol(lambda: client))
    yield
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
        client, server = Collector(), Collector(3)
        async with connected(client, server):
            sends = watch_sends(client)
            client.transport.write(b"now")
            assert sends == [3]
            assert await server.done == b"now"

    @on_reactor
    async def test_one_chunk_one_call(self) -> None:
        """Replies to one chunk go out in one system call."""
        client, server = Echoing(), Collector(10)
        async with connected(client, server):
            sends = watch_sends(client)
            server.transport.write(b"0123456789")
            assert await server.done == b"0123456789"
            assert sends == [10]

    @on_reactor
    async def test_more_than_the_socket_takes(self) -> None:
        """Bytes that the socket does not take follow in order, before those that are written later."""
        client, server = Collector(), Collector(1 << 20)
        async with connected(client, server):
            client.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            parts = [bytes([65 + each]) * (1 << 18) for each in range(4)]
            for part in parts:
                client.transport.write(part)
            assert await server.done == b"".join(parts)

    @on_reactor
    async def test_written_before_the_end(self) -> None:
        """Bytes written just before the connection ends still go out; none are sent after that."""
        client, server = Collector(), Collector()
        async with connected(client, server):
            client.transport.write(b"x" * LARGE)
            client.transport.loseConnection()
            await server.gone
            assert len(server.received) == LARGE
            client.transport.write(b"too late")


class TestAlarm:
    """The precise timer."""

    @on_reactor
    async def test_precise(self) -> None:
        """It fires within 0.4 ms, at least sometimes, and never early."""
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
        """Without file descriptors, the clock itself is the timer."""
        clock = Clock()
        assert precise(clock) is clock
