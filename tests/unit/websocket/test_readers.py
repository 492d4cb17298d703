"""TCP connections that are read together, over real sockets: each in turn, and only while it may be read."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.support.eager import LARGE, Listening, fill, reactor, watch
from tests.support.http_client import failures, wait
from wsdaemon.websocket.eager import LARGE_READ, LEAST_READ, MOST_READ
from wsdaemon.websocket.readers import AT_ONCE, Readers, can_read_together


def test_a_protocol_that_fails(listening: Listening) -> None:
    """A protocol that raises loses its connection for that reason, which is logged; others go on."""
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
    """Nothing is read between `pauseProducing` and `resumeProducing`, even while data is queued."""
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
    """Queued data does not make a paused connection read."""
    client, served = listening.connect()
    served.transport.pauseProducing()
    fill(served)
    client.send(b"1")
    listening.turn()
    assert served.received == b""
    assert served.transport not in reactor.getReaders()


def test_who_reads(listening: Listening) -> None:
    """While data is queued the reactor itself reads, as it must see both sides; otherwise `Readers` does."""
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
    """A reset while data is queued is noticed once."""
    client, served = listening.connect()
    fill(served)
    client.reset()
    wait(lambda: bool(served.lost))
    listening.turn()
    assert len(served.lost) == 1
    assert served.transport not in reactor.getReaders() + reactor.getWriters()


def test_many(listening: Listening) -> None:
    """More connections than are read in one turn all get their data."""
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
    """A connection that another's handler ends or pauses in the same turn is not read."""
    if listening.readers is None and how == "loseConnection":
        how = "abortConnection"  # Twisted's own reactor reads once more from one that is to end
    pairs = [listening.connect() for _ in range(5)]

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
    """A handler may abort its own connection; it hears of the end once."""
    client, served = listening.connect()
    served.takes = lambda _: served.transport.abortConnection()
    client.send(b"x")
    wait(lambda: bool(served.lost))
    listening.turn()
    assert (served.received, len(served.lost), failures()) == (b"x", 1, [])


def test_read_size(listening: Listening) -> None:
    """The size of a read follows what arrived lately, within bounds, which are wider for large frames."""
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
    """Megabytes arrive whole and in order."""
    client, served = listening.connect()
    data = bytes(range(256)) * (LARGE >> 8)
    for start in range(0, LARGE, 1 << 16):
        client.send(data[start : start + (1 << 16)])
        wait(lambda start=start: len(served.received) >= start)  # type: ignore[misc]  # it has a default
    wait(lambda: len(served.received) >= LARGE)
    assert served.received == data


def test_the_reactor_is_let_go_of() -> None:
    """The reactor watches `Readers` only while there is a connection to read."""
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


def test_the_way_of_a_chunk_is_short() -> None:
    """From the epoll to the socket and back a chunk takes three Python frames, one recv and one send."""
    readers = Readers(reactor)
    listening = Listening(readers)
    client, served = listening.connect()
    served.takes = served.transport.write
    client.send(b"x")
    calls: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and "/wsdaemon/" in frame.f_code.co_filename:
            calls.append(frame.f_code.co_name)
        elif event == "c_call" and argument.__name__ in ("recv", "send"):
            calls.append(argument.__name__)

    while not calls:
        sys.setprofile(note)
        readers.doRead()
        sys.setprofile(None)
        calls = [] if len(calls) < 2 else calls
    assert calls == ["doRead", "doRead", "recv", "write", "send"]
    listening.close()
    readers.connectionLost(Failure(ConnectionDone()))
