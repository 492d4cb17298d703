"""TLS that sends at once: no loss and no disorder, wherever the stream is cut and whatever fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from tests.support.tls_link import RECORD, Greeting, Link, plain_count, tls_factory
from wsdaemon.websocket import eager_tls
from wsdaemon.websocket.eager_tls import (
    USED_OF_CONNECTION,
    USED_OF_LIBRARY,
    USED_OF_TRANSPORT,
    EagerTls,
    make_eager,
)

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does

SIZES = [0, 1, 100, RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, 40_000, 64_000, 64_001, 100_000, 200_000]
VERSIONS = [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("step", [1, 5, 1000, 4096, RECORD + 22, 1 << 30])
def test_echo(version: int, step: int) -> None:
    """Messages of any size are echoed whole, wherever the stream is cut."""
    link = Link(version=version).open()
    link.served.answers = lambda data: data
    for size in SIZES:
        if step < 5 and size > 2 * RECORD:
            break
        message = bytes(at & 255 for at in range(size))
        link.received = b""
        link.served.chunks.clear()
        link.to_server(link.encrypt(message), step)
        assert b"".join(link.served.chunks) == message
        assert link.to_client() == message, "and no time has passed"


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=12), st.integers(1, 4000), st.data())
@settings(max_examples=60)
def test_any_records(parts: list[bytes], step: int, data: Any) -> None:
    """Each record is delivered as one chunk as soon as it is complete, wherever the stream is cut."""
    link = Link().open()
    stream = link.encrypt(*parts)
    start = 0
    while start < len(stream):
        end = start + data.draw(st.integers(1, step))
        link.tls.dataReceived(stream[start:end])
        start = end
        assert len(link.served.chunks) == plain_count(stream[:end])
    assert link.served.chunks == parts


def test_several_records_in_one_chunk() -> None:
    """Several records in one chunk are delivered one by one, in order."""
    link = Link().open()
    parts = [bytes([at]) * (at + 1) for at in range(50)]
    link.to_server(link.encrypt(*parts))
    assert link.served.chunks == parts


def test_a_record_in_several_chunks() -> None:
    """A record is delivered with its last byte, not before."""
    link = Link().open()
    stream = link.encrypt(b"x" * 100)
    for at in range(len(stream)):
        assert link.served.chunks == []
        link.tls.dataReceived(stream[at : at + 1])
    assert link.served.chunks == [b"x" * 100]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_data_with_the_end_of_the_handshake(version: int) -> None:
    """Data in one chunk with the end of the handshake is not lost, nor are the borders of later records."""
    link = Link(version=version)
    link.served.answers = lambda data: data
    while True:
        try:
            link.client.do_handshake()
            break
        except SSL.WantReadError:
            stream = link.from_client()
            last = link.carrier.value()
            link.to_server(stream)
            if link.carrier.value() == last:
                pytest.fail("the handshake stands still")
            link.client.bio_write(link.carrier.value())
            link.carrier.clear()
    link.to_server(link.encrypt(b"early") + link.encrypt(b"more")[:10])
    assert b"".join(link.served.chunks) == b"early"


@pytest.mark.parametrize("size", SIZES)
def test_one_write(size: int) -> None:
    """A write leaves at once, in one write to the transport below, however many records it takes."""
    link = Link().open()
    writes: list[int] = []
    below = link.carrier.write

    def counted(data: bytes) -> None:
        writes.append(len(data))
        below(data)

    link.carrier.write = counted  # type: ignore[method-assign]
    link.tls.write(b"x" * size)
    assert len([each for each in writes if each]) == (size > 0)
    assert link.to_client() == b"x" * size


def test_order_behind_the_handshake() -> None:
    """Data written before and during the handshake comes first."""
    link = Link(Greeting)
    link.tls.write(b"early, ")
    link.handshake()
    link.tls.write(b"gathered, ")
    link.tls.send_at_once()
    link.tls.write(b"at once")
    assert link.to_client() == b"hello, early, gathered, at once"
    link.clock.advance(1)
    assert link.to_client() == b"hello, early, gathered, at once"


def test_order_where_it_is_at_once_from_the_start() -> None:
    """If `send_at_once` is called before the handshake, writes wait for it, in order."""
    link = Link()
    link.tls.send_at_once()
    for part in (b"1", b"2", b"3"):
        link.tls.write(part)
    link.handshake()
    link.tls.write(b"4")
    assert link.to_client() == b"1234"


def test_order_of_sequences() -> None:
    """`writeSequence` keeps its place among writes."""
    link = Link().open()
    link.tls.writeSequence([b"1", b"2"])
    link.tls.write(b"3")
    link.clock.advance(1)
    assert link.to_client() == b"123"


def test_written_before_the_end() -> None:
    """Data written before `loseConnection` arrives, then close_notify; later data does not."""
    link = Link().open()
    link.tls.write(b"last words")
    link.tls.loseConnection()
    link.tls.write(b"too late")
    assert link.to_client() == b"last words"
    assert link.ended
    link.clock.advance(1)
    assert link.to_client() == b"last words"


def test_input_after_we_end() -> None:
    """After `loseConnection` the peer's data is still delivered, until it ends its side too."""
    link = Link().open()
    link.tls.loseConnection()
    link.to_server(link.encrypt(b"1", b"2"))
    assert b"".join(link.served.chunks) == b"12"
    assert not link.carrier.disconnecting
    link.to_client()
    link.client.shutdown()
    link.to_server(link.from_client())
    assert link.carrier.disconnecting


def test_nothing_after_a_cut() -> None:
    """After `abortConnection` nothing is sent or delivered, not even of the same chunk."""
    link = Link().open()
    link.served.answers = lambda _: link.tls.abortConnection()
    link.to_server(link.encrypt(b"1", b"2", b"3"))
    assert link.served.chunks == [b"1"]
    assert link.carrier.aborted
    link.to_client()
    link.tls.write(b"too late")
    assert link.carrier.value() == b""
    assert link.received == b""


def test_nothing_after_it_is_lost() -> None:
    """Writing to a lost connection does nothing."""
    link = Link().open()
    link.to_client()
    link.tls.connectionLost(Failure(ConnectionError()))
    link.carrier.clear()  # TLS says goodbye in any case
    link.tls.write(b"too late")
    link.clock.advance(1)
    assert link.carrier.value() == b""
    assert len(link.served.lost) == 1


@pytest.mark.parametrize("step", [1, 1 << 30])
def test_close_notify(step: int) -> None:
    """Data before the peer's close_notify is delivered, close_notify is answered, and the connection ends."""
    link = Link().open()
    stream = link.encrypt(b"1", b"2")
    link.client.shutdown()
    link.to_server(stream + link.from_client(), step)
    assert link.served.chunks == [b"1", b"2"]
    assert link.carrier.disconnecting
    link.to_client()
    assert link.ended
    link.tls.write(b"too late")
    link.to_server(b"more", step)
    assert link.carrier.value() == b""


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n" * 2000, b"\x17\x03\x03\x00\x20" + bytes(32), bytes(5)])
def test_garbage(version: int, garbage: bytes) -> None:
    """Garbage ends the connection; what came before it is delivered, and nothing after it."""
    link = Link(version=version).open()
    stream = link.encrypt(b"good")
    link.to_server(stream + garbage)
    link.to_server(link.encrypt(b"late") + bytes(40_000))
    assert link.served.chunks == [b"good"]
    assert link.carrier.disconnecting
    link.tls.write(b"too late")
    link.tls.connectionLost(Failure(ConnectionError()))
    assert len(link.served.lost) == 1


def test_one_connections_trouble_is_not_anothers() -> None:
    """OpenSSL's error queue is per thread, but an error on one connection does not end another."""
    good, bad = Link().open(), Link().open()
    good.served.answers = lambda data: data
    for at in range(5):
        bad = Link().open()
        bad.to_server(b"\x17\x03\x03\x00\x20" + bytes(32))
        bad.tls.write(b"too late")
        assert bad.carrier.disconnecting
        stream = good.encrypt(b"%d" % at)
        good.to_server(stream[:7])
        good.to_server(stream[7:])
    assert good.to_client() == b"01234"
    assert not good.carrier.disconnecting


def test_a_protocol_that_fails() -> None:
    """An exception of the protocol goes on to the transport below, which ends the connection."""
    link = Link().open()
    link.served.fails = True
    with pytest.raises(ValueError, match="no"):
        link.to_server(link.encrypt(b"1", b"2"))
    assert link.served.chunks == [b"1"]


def test_producers() -> None:
    """The transport below pauses the producer; writes still work meanwhile and afterwards."""
    link = Link().open()
    told: list[str] = []

    class Producer:
        def pauseProducing(self) -> None:
            told.append("pause")

        def resumeProducing(self) -> None:
            told.append("resume")

        def stopProducing(self) -> None:
            told.append("stop")

    link.tls.registerProducer(Producer(), True)
    producer: Any = link.carrier.producer
    producer.pauseProducing()
    link.tls.write(b"1")
    producer.resumeProducing()
    link.tls.write(b"2")
    assert told == ["pause", "resume"]
    link.tls.loseConnection()
    link.tls.write(b"3")
    link.tls.unregisterProducer()
    assert link.to_client() == b"123", "by Twisted's rules, a producer may finish"
    assert link.ended


def test_what_is_made_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted's TLS factory is made eager; other factories are not, nor is any if a private name is missing."""
    assert eager_tls.can_be_eager()
    factory = tls_factory(Factory(), Clock())
    monkeypatch.setattr(eager_tls, "can_be_eager", lambda: False)
    make_eager(factory)
    assert factory.protocol is BufferingTLSTransport
    monkeypatch.undo()
    make_eager(factory)
    assert factory.protocol is EagerTls
    assert TLSMemoryBIOFactory.protocol is BufferingTLSTransport
    plain: Any = Factory()
    make_eager(plain)
    assert plain.protocol is None
    factory.protocol = TLSMemoryBIOProtocol
    make_eager(factory)
    assert factory.protocol is TLSMemoryBIOProtocol


@pytest.mark.parametrize("name", [*USED_OF_TRANSPORT, *USED_OF_CONNECTION, *USED_OF_LIBRARY])
def test_a_private_name_that_is_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the private names that are used, TLS is left to Twisted."""
    if name in USED_OF_LIBRARY:
        kept = {each: None for each in USED_OF_LIBRARY if each != name}
        monkeypatch.setattr(eager_tls, "_openssl", SimpleNamespace(**kept))
    owner = SSL.Connection if name in USED_OF_CONNECTION else TLSMemoryBIOProtocol
    monkeypatch.delattr(owner, name, raising=False)
    monkeypatch.setattr(
        owner,
        "__setattr__",
        lambda self, attribute, value: object.__setattr__(self, attribute.replace(name, "renamed"), value),
        raising=False,
    )
    factory = tls_factory(Factory(), Clock())
    make_eager(factory)
    assert factory.protocol is BufferingTLSTransport


def test_twisteds_way() -> None:
    """Where TLS is left to Twisted everything works as well, one turn of the loop later."""
    link = Link(eager=False).open()
    assert type(link.tls) is BufferingTLSTransport
    link.served.answers = lambda data: data
    link.to_server(link.encrypt(b"1", b"2"))
    assert link.to_client() == b""
    link.clock.advance(0)
    assert link.to_client() == b"12"
