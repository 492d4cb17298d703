"""TCP that sends at once, over real sockets: everything that Twisted promises still holds."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone

from tests.library_facts.test_transport import Producer
from tests.support.eager import HalfClosing, Listening, Served, fill, reactor, watch
from tests.support.http_client import wait
from wsdaemon.websocket.eager import make_eager


def test_at_once(listening: Listening) -> None:
    """Data has left when `write` returns, in one system call."""
    client, served = listening.connect()
    sends = watch(served).sends
    served.transport.write(b"now")
    assert sends == [3]
    assert client.read() == b"now", "the loop did not turn"
    assert served.transport not in reactor.getWriters()


def test_more_than_the_socket_takes(listening: Listening) -> None:
    """What the socket does not take follows in order, later writes come behind it, and the producer is paused."""
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
    """`writeSequence` waits for the next turn, and a later write comes behind it."""
    client, served = listening.connect()
    served.transport.writeSequence([b"1", b"2"])
    served.transport.write(b"3")
    wait(lambda: len(client.read()) >= 3)
    assert client.received == b"123"


@pytest.mark.parametrize("large", [False, True])
def test_written_before_the_end(listening: Listening, large: bool) -> None:
    """Everything written before `loseConnection` is sent."""
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
    """After `abortConnection` nothing is sent, neither queued data nor later writes."""
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
    """Writing to a peer that has reset the connection raises nothing; the protocol hears of the end once."""
    client, served = listening.connect()
    client.reset()
    served.transport.write(b"1")
    served.transport.write(b"2")
    wait(lambda: bool(served.lost))
    listening.turn()
    assert len(served.lost) == 1


def test_a_peer_ends_its_half(listening: Listening) -> None:
    """A half-closeable protocol hears once that the peer has ended its half, and may still send."""
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
    """It hears so once also if data is queued meanwhile."""
    client, served = listening.connect(HalfClosing)
    written = fill(served)
    client.socket.shutdown(socket.SHUT_WR)
    wait(lambda: bool(served.ended))
    wait(lambda: len(client.read()) == len(written))
    wait(lambda: served.transport not in reactor.getWriters())
    listening.turn()
    assert (served.ended, served.lost) == (["read"], [])


def test_a_peer_ends_and_the_protocol_with_it(listening: Listening) -> None:
    """A protocol that is not half-closeable loses the connection."""
    client, served = listening.connect()
    client.socket.shutdown(socket.SHUT_WR)
    wait(lambda: bool(served.lost))
    assert served.lost[0].check(ConnectionDone)
    assert client.read() == b""
    assert client.ended


@pytest.mark.parametrize("large", [False, True])
def test_we_end_our_half(listening: Listening, large: bool) -> None:
    """After `loseWriteConnection` the peer sees the end once all is sent; its data still arrives; we send no more."""
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


def test_other_ports_are_left_alone() -> None:
    """A port that is not Twisted's TCP port is not changed."""

    class Other:
        transport = Served

    port = Other()
    make_eager(port, None)
    assert port.transport is Served
    make_eager(object(), None)
