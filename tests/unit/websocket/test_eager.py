"""TCP that sends at once and is read from together, over real sockets: nothing of what Twisted promises is lost."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.library_facts.test_transport import Producer
from tests.support.http_client import failures, wait
from wsdaemon.websocket.eager import LARGE_READ, LEAST_READ, MOST_READ, EagerServer, make_eager
from wsdaemon.websocket.readers import AT_ONCE, Readers, can_read_together

reactor: Any = global_reactor
LARGE = 1 << 20


class Served(Protocol):
    """The server's end: keeps what comes, and what became of the connection."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.takes: Callable[[bytes], None] = lambda _: None
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.takes(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfClosing(Served):
    """Hears of the end of either half of the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def readConnectionLost(self) -> None:
        self.ended.append("read")

    def writeConnectionLost(self) -> None:
        self.ended.append("write")


class WatchedSocket:
    """A socket that notes how much it is given to send, each time, and may have no end of input."""

    def __init__(self, watched: Any) -> None:
        self._watched = watched
        self.sends: list[int] = []
        self.asked: list[int] = []
        self.supply = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def send(self, data: bytes) -> int:
        self.sends.append(len(data))
        return int(self._watched.send(data))

    def recv(self, size: int) -> bytes:
        if not self.supply:
            data: bytes = self._watched.recv(size)
            return data
        self.asked.append(size)
        return b"x" * min(size, self.supply)


class Client:
    """The client's end: a socket that is read from when `read` is called."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.received = b""
        self.ended = False

    def read(self) -> bytes:
        """Return all that came so far."""
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 18):
                self.received += data
            self.ended = True
        return self.received

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """End the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Listening:
    """A listening port whose connections are eager."""

    def __init__(self, readers: Readers | None) -> None:
        self.readers = readers
        self.served: list[Any] = []
        self.kind: type[Served] = Served
        self._port: Any = reactor.listenTCP(0, Factory.forProtocol(self._build), interface="127.0.0.1", backlog=500)
        make_eager(self._port, readers)
        self._clients: list[Client] = []

    def _build(self) -> Served:
        self.served.append(self.kind())
        return self.served[-1]  # type: ignore[no-any-return]  # it was just put there

    def connect(self, kind: type[Served] = Served) -> tuple[Client, Any]:
        """Return both ends of a new connection."""
        count, self.kind = len(self.served), kind
        client = Client(self._port.getHost().port)
        self._clients.append(client)
        wait(lambda: len(self.served) > count and self.served[-1].transport is not None)
        assert isinstance(self.served[-1].transport, EagerServer)
        return client, self.served[-1]

    def turn(self) -> None:
        """Let the loop turn until whatever was there to be read has been: a byte has gone both ways, twice."""
        client, served = self.connect()
        served.takes = served.transport.write
        for count in (1, 2):
            client.send(b"x")
            wait(lambda count=count: len(client.read()) == count)  # type: ignore[misc]  # it has a default

    def close(self) -> None:
        for each in self._clients:
            each.socket.close()
        for each in self.served:
            if not each.lost:
                each.transport.abortConnection()
        wait(lambda: all(each.lost for each in self.served))
        stopped: list[object] = []
        self._port.stopListening().addCallback(stopped.append)
        wait(lambda: bool(stopped))


@pytest.fixture(params=[True, False], ids=["read together", "read by the reactor"])
def listening(request: pytest.FixtureRequest) -> Iterator[Listening]:
    """A port, with readers and without."""
    readers = Readers(reactor) if request.param else None
    listening = Listening(readers)
    yield listening
    listening.close()
    failures()
    if readers is not None:
        assert readers not in reactor.getReaders(), "the reactor is let go of with the last connection"
        readers.connectionLost(Failure(ConnectionDone()))


def watch(served: Any) -> WatchedSocket:
    """Return the socket of the server's end, watched from now on."""
    served.transport.socket = WatchedSocket(served.transport.socket)
    return served.transport.socket  # type: ignore[no-any-return]  # it was just put there


def fill(served: Any) -> bytes:
    """Write more than the socket takes; returns what was written."""
    served.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    data = bytes(range(256)) * (LARGE >> 8)
    served.transport.write(data)
    assert served.transport.dataBuffer or served.transport._tempDataBuffer, "something waits"
    return data


# -- sending ----------------------------------------------------------------------------------------------------------


def test_at_once(listening: Listening) -> None:
    """What is written has left when `write` returns, in one system call."""
    client, served = listening.connect()
    sends = watch(served).sends
    served.transport.write(b"now")
    assert sends == [3]
    assert client.read() == b"now", "the loop did not turn"
    assert served.transport not in reactor.getWriters()


def test_more_than_the_socket_takes(listening: Listening) -> None:
    """What the socket does not take follows in order, what is written then comes behind it, and the producer waits."""
    client, served = listening.connect()
    producer = Producer()
    served.transport.registerProducer(producer, True)
    written = fill(served)
    assert producer.told == ["pause"]
    for part in (b"1", b"22", b"333"):
        served.transport.write(part)
    served.transport.writeSequence([b"4", b"5"])
    served.transport.write(b"6")
    wait(lambda: len(client.read()) >= len(written) + 9)
    assert client.received == written + b"122333456"
    wait(lambda: producer.told[-1] == "resume")
    assert producer.told.count("resume") == 1
    served.transport.unregisterProducer()
    sends = watch(served).sends
    served.transport.write(b"again")
    assert sends == [5], "at once again"


def test_a_sequence_keeps_its_place(listening: Listening) -> None:
    """What `writeSequence` was given waits for the next turn, and what is written behind it comes behind it."""
    client, served = listening.connect()
    served.transport.writeSequence([b"1", b"2"])
    served.transport.write(b"3")
    wait(lambda: len(client.read()) >= 3)
    assert client.received == b"123"


@pytest.mark.parametrize("large", [False, True])
def test_written_before_the_end(listening: Listening, large: bool) -> None:
    """What is written before the connection is ended still goes out, all of it."""
    client, served = listening.connect()
    written = fill(served) if large else b"last words"
    if not large:
        served.transport.write(written)
    served.transport.loseConnection()
    wait(lambda: bool(client.read() is not None and client.ended))
    assert client.received == written
    wait(lambda: bool(served.lost))
    assert served.lost[0].check(ConnectionDone)


def test_nothing_after_a_cut(listening: Listening) -> None:
    """Nothing is sent that was written after `abortConnection`, and nothing of what waited."""
    client, served = listening.connect()
    sends = watch(served).sends
    served.transport.abortConnection()
    served.transport.write(b"too late")
    assert sends == []
    wait(lambda: bool(served.lost))
    assert served.lost[0].check(ConnectionAborted)
    served.transport.write(b"much too late")
    assert sends == []
    with pytest.raises(ConnectionResetError):
        client.read()


def test_a_peer_that_is_gone(listening: Listening) -> None:
    """To write to a peer that has reset the connection raises nothing, and the protocol hears of the end once."""
    client, served = listening.connect()
    client.reset()
    served.transport.write(b"1")
    served.transport.write(b"2")
    wait(lambda: bool(served.lost))
    listening.turn()
    assert len(served.lost) == 1


# -- either half ------------------------------------------------------------------------------------------------------


def test_a_peer_ends_its_half(listening: Listening) -> None:
    """A protocol that can go on without the peer's half hears once that it has ended, and may still send."""
    client, served = listening.connect(HalfClosing)
    client.send(b"question")
    client.socket.shutdown(socket.SHUT_WR)
    wait(lambda: bool(served.ended))
    listening.turn()
    assert (served.received, served.ended, served.lost) == (b"question", ["read"], [])
    served.transport.write(b"answer")
    served.transport.loseConnection()
    wait(lambda: client.read() == b"answer" and client.ended)
    wait(lambda: bool(served.lost))


def test_a_peer_ends_its_half_while_something_waits(listening: Listening) -> None:
    """It hears so once also where something waits to be sent meanwhile."""
    client, served = listening.connect(HalfClosing)
    written = fill(served)
    client.socket.shutdown(socket.SHUT_WR)
    wait(lambda: bool(served.ended))
    wait(lambda: len(client.read()) == len(written))
    wait(lambda: served.transport not in reactor.getWriters())
    listening.turn()
    assert (served.ended, served.lost) == (["read"], [])


def test_a_peer_ends_and_the_protocol_with_it(listening: Listening) -> None:
    """A protocol that cannot go on without the peer's half loses the connection."""
    client, served = listening.connect()
    client.socket.shutdown(socket.SHUT_WR)
    wait(lambda: bool(served.lost))
    assert served.lost[0].check(ConnectionDone)
    assert client.read() == b""
    assert client.ended


@pytest.mark.parametrize("large", [False, True])
def test_we_end_our_half(listening: Listening, large: bool) -> None:
    """Once what was written is sent the peer sees the end, but what it sends still comes in; nothing more is sent."""
    client, served = listening.connect(HalfClosing)
    written = fill(served) if large else b""
    served.transport.loseWriteConnection()
    wait(lambda: len(client.read()) == len(written) and client.ended)
    assert client.received == written
    wait(lambda: served.ended == ["write"])
    served.transport.write(b"too late")
    client.send(b"still here")
    wait(lambda: bool(served.received == b"still here"))
    assert client.read() == written
    client.socket.close()
    wait(lambda: bool(served.lost) or "read" in served.ended)


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_protocol_that_fails(listening: Listening) -> None:
    """A protocol that raises is disconnected for that reason, which is logged, and others go on."""
    (client, served), (other, other_served) = listening.connect(), listening.connect()
    other_served.takes = other_served.transport.write
    problem = ValueError("what came makes no sense")

    def fails(_: bytes) -> None:
        raise problem

    served.takes = fails
    failures()
    client.send(b"nonsense")
    other.send(b"sense")
    wait(lambda: bool(served.lost) and other.read() == b"sense")
    assert served.lost[0].value is problem
    if listening.readers is not None:
        assert [each.splitlines()[0] for each in failures()] == ["a connection failed"]
    assert (len(served.lost), other_served.lost) == (1, [])


@pytest.mark.parametrize("waiting", [False, True])
def test_reading_stops_and_goes_on(listening: Listening, waiting: bool) -> None:
    """Nothing is read between `pauseProducing` and `resumeProducing`, also while something waits to be sent."""
    client, served = listening.connect()
    written = fill(served) if waiting else b""
    served.transport.pauseProducing()
    client.send(b"1")
    listening.turn()
    assert served.received == b""
    served.transport.resumeProducing()
    wait(lambda: bool(served.received == b"1"))
    served.transport.pauseProducing()
    client.send(b"2")
    wait(lambda: len(client.read()) == len(written))
    wait(lambda: served.transport not in reactor.getWriters())
    listening.turn()
    assert served.received == b"1", "that all is sent is no reason to read"
    served.transport.resumeProducing()
    wait(lambda: bool(served.received == b"12"))


def test_reading_stops_before_something_waits(listening: Listening) -> None:
    """A connection that is not read from is not read from because something waits to be sent."""
    client, served = listening.connect()
    served.transport.pauseProducing()
    fill(served)
    client.send(b"1")
    listening.turn()
    assert served.received == b""
    assert served.transport not in reactor.getReaders()


def test_who_reads(listening: Listening) -> None:
    """While something waits to be sent, the reactor itself reads, as it must see both sides; else the readers do."""
    client, served = listening.connect()
    alone = listening.readers is None
    assert (served.transport in reactor.getReaders()) is alone
    written = fill(served)
    assert served.transport in reactor.getReaders()
    client.send(b"1")
    wait(lambda: bool(served.received == b"1"))
    wait(lambda: len(client.read()) == len(written))
    wait(lambda: served.transport not in reactor.getWriters())
    assert (served.transport in reactor.getReaders()) is alone
    client.send(b"2")
    wait(lambda: bool(served.received == b"12"))


def test_a_reset_while_something_waits(listening: Listening) -> None:
    """A peer that resets the connection while something waits for it is noticed, once."""
    client, served = listening.connect()
    fill(served)
    client.reset()
    wait(lambda: bool(served.lost))
    listening.turn()
    assert len(served.lost) == 1
    assert served.transport not in reactor.getReaders() + reactor.getWriters()


def test_many(listening: Listening) -> None:
    """More connections than are read from at once all get what is theirs."""
    pairs = [listening.connect() for _ in range(AT_ONCE + 10)]
    expected = [b"0:%d;1:%d;" % (number, number) for number in range(len(pairs))]
    for _, served in pairs:
        served.takes = served.transport.write
    for round_ in range(2):
        for number, (client, _) in enumerate(pairs):
            client.send(b"%d:%d;" % (round_, number))
    wait(lambda: all(len(client.read()) >= len(text) for text, (client, _) in zip(expected, pairs, strict=True)))
    assert [client.received for client, _ in pairs] == [served.received for _, served in pairs] == expected
    assert failures() == []


@pytest.mark.parametrize("how", ["abortConnection", "loseConnection", "pauseProducing"])
def test_another_ends_it(listening: Listening, how: str) -> None:
    """A connection that another's handler ends or pauses gets nothing of what came in the same turn, nor is it read."""
    if listening.readers is None and how == "loseConnection":
        how = "abortConnection"  # Twisted's own reactor reads once more from one that is to end
    pairs = [listening.connect() for _ in range(5)]
    failures()

    def first(data: bytes) -> None:
        for _, served in pairs:
            served.takes = lambda _: None
            if not served.received:
                getattr(served.transport, how)()

    for _, served in pairs:
        served.takes = first
    for client, _ in pairs:
        client.send(b"x")
    listening.turn()
    assert sum(len(served.received) for _, served in pairs) == 1
    if how == "pauseProducing":
        for _, served in pairs:
            served.transport.resumeProducing()
        wait(lambda: all(served.received == b"x" for _, served in pairs))
    else:
        wait(lambda: sum(len(served.lost) for _, served in pairs) == 4)
    assert failures() == []


def test_it_ends_itself(listening: Listening) -> None:
    """A handler may cut its own connection; it hears of the end once."""
    client, served = listening.connect()
    served.takes = lambda _: served.transport.abortConnection()
    client.send(b"x")
    wait(lambda: bool(served.lost))
    listening.turn()
    assert (served.received, len(served.lost), failures()) == (b"x", 1, [])


def test_read_size(listening: Listening) -> None:
    """As much is read at a time as has come lately, within bounds, which are wider for who sends large frames."""
    _, served = listening.connect()
    transport = served.transport
    transport.pauseProducing()
    watched = watch(served)

    def read(supply: int, times: int) -> list[int]:
        watched.supply = supply
        watched.asked.clear()
        for _ in range(times):
            transport.doRead()
        return watched.asked[:]

    assert read(100, 3) == [LEAST_READ] * 3
    grown = read(LARGE, 6)
    assert grown[0] == LEAST_READ
    assert grown[-1] == MOST_READ == max(grown)
    assert grown == sorted(grown)
    transport.expect_large()
    assert read(LARGE, 3)[-1] == LARGE_READ
    assert read(LARGE_READ >> 1, 5) == [LARGE_READ] * 5, "half of it is no reason to read less"
    shrunk = read(100, 10)
    assert shrunk[-1] == LEAST_READ == min(shrunk)
    assert shrunk == sorted(shrunk, reverse=True)


def test_large_input(listening: Listening) -> None:
    """Megabytes come in whole and in order."""
    client, served = listening.connect()
    data = bytes(range(256)) * (LARGE >> 8)
    for start in range(0, LARGE, 1 << 16):
        client.send(data[start : start + (1 << 16)])
        wait(lambda start=start: len(served.received) >= start)  # type: ignore[misc]  # it has a default
    wait(lambda: len(served.received) >= LARGE)
    assert served.received == data


# -- the readers ------------------------------------------------------------------------------------------------------


def test_the_reactor_is_let_go_of() -> None:
    """The reactor watches the readers while there is one to read from, and no longer."""
    assert can_read_together(reactor)
    readers = Readers(reactor)
    listening = Listening(readers)
    assert readers not in reactor.getReaders()
    client, served = listening.connect()
    assert reactor.getReaders().count(readers) == 1
    served.transport.pauseProducing()
    assert readers not in reactor.getReaders()
    served.transport.resumeProducing()
    served.transport.resumeProducing()
    assert reactor.getReaders().count(readers) == 1
    other, _ = listening.connect()
    client.socket.close()
    wait(lambda: bool(served.lost))
    assert readers in reactor.getReaders()
    other.socket.close()
    wait(lambda: all(each.lost for each in listening.served))
    assert readers not in reactor.getReaders()
    listening.close()
    readers.connectionLost(Failure(ConnectionDone()))


def test_other_ports_are_left_alone() -> None:
    """What is no TCP port of Twisted's own kind is not changed."""

    class Other:
        transport = Served

    port = Other()
    make_eager(port, None)
    assert port.transport is Served
    make_eager(object(), None)
