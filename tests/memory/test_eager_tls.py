"""TLS that sends at once: nothing is lost or out of order, wherever the stream is cut, whatever goes wrong."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from tests.support.certificates import Identity
from wsdaemon.websocket import eager_tls
from wsdaemon.websocket.eager_tls import (
    USED_OF_CONNECTION,
    USED_OF_LIBRARY,
    USED_OF_TRANSPORT,
    EagerTls,
    RecordBorders,
    make_eager,
)

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does

RECORD = 1 << 14
SIZES = [0, 1, 100, RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, 40_000, 64_000, 64_001, 100_000, 200_000]
VERSIONS = [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION]


# -- the borders of records -------------------------------------------------------------------------------------------


def plain_count(stream: bytes) -> int:
    """Return how many whole records a stream begins with."""
    count = at = 0
    while at + 5 <= len(stream):
        at += 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
        count += at <= len(stream)
    return count


RECORDS = st.lists(
    st.builds(
        lambda kind, size: bytes((kind, 3, 3)) + size.to_bytes(2, "big") + bytes(size),
        st.integers(20, 24),
        st.one_of(st.integers(0, 6), st.integers(0, 300), st.integers(0, RECORD + 256)),
    ),
    max_size=8,
)


@given(RECORDS, st.lists(st.integers(0, 1 << 30), max_size=20), st.integers(0, 300))
@settings(deadline=None, max_examples=300)
def test_borders(records: list[bytes], cuts: list[int], missing: int) -> None:
    """However a stream is cut, as many records have ended as are whole in what has come."""
    stream = b"".join(records)
    stream = stream[: max(0, len(stream) - missing)]
    borders, ended, start = RecordBorders(), 0, 0
    for end in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        if end > start:
            ended += borders.ended(stream[start:end])
        start = end
        assert ended == plain_count(stream[:end])


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 12))
@settings(deadline=None)
def test_borders_of_tiny_records(sizes: list[int], step: int) -> None:
    """Cuts within headers, and records with nothing in them, count as they should."""
    stream = b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size) for size in sizes)
    borders, ended = RecordBorders(), 0
    for start in range(0, len(stream), step):
        ended += borders.ended(stream[start : start + step])
        assert ended == plain_count(stream[: start + step])


@given(st.binary(max_size=200), st.integers(1, 20))
def test_borders_of_anything(stream: bytes, step: int) -> None:
    """Whatever the bytes are, they are counted in the same way in pieces as in one."""
    borders, ended = RecordBorders(), 0
    for start in range(0, len(stream), step):
        ended += borders.ended(stream[start : start + step])
    assert ended == plain_count(stream) == RecordBorders().ended(stream)


# -- the transport ----------------------------------------------------------------------------------------------------


class Carrier(StringTransport):
    """What carries TLS."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True

    def unregisterProducer(self) -> None:
        self.producer = None


class Served(Protocol):
    """The application: keeps what comes, in chunks, and answers with what `answers` makes of it."""

    transport: Any

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.answers: Any = lambda _: b""
        self.fails = self.greets = False
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        if self.greets:
            self.transport.write(b"hello, ")

    def dataReceived(self, data: bytes) -> None:
        self.chunks.append(data)
        if self.fails:
            raise ValueError("no")
        answer = self.answers(data)
        if answer:
            self.transport.write(answer)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


class Greeting(Served):
    """Writes as soon as there is a connection, which is before the handshake."""

    def __init__(self) -> None:
        super().__init__()
        self.greets = True


@pytest.fixture(scope="module")
def options() -> Any:
    """What the server needs: a key and a certificate."""
    identity = Identity("localhost")
    return CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(identity.key),
        certificate=crypto.X509.from_cryptography(identity.certificate),
    )


class Link:
    """A server and a client in memory; `received` is what the client has got."""

    def __init__(
        self, options: Any, kind: type[Served] = Served, *, version: int = SSL.TLS1_3_VERSION, eager: bool = True
    ) -> None:
        self.clock = Clock()
        wrapped = Factory.forProtocol(kind)
        self.factory = TLSMemoryBIOFactory(options, isClient=False, wrappedFactory=wrapped, clock=self.clock)
        if eager:
            make_eager(self.factory)
        self.tls: Any = self.factory.buildProtocol(None)
        self.carrier = Carrier()
        self.tls.makeConnection(self.carrier)
        self.served: Any = self.tls.wrappedProtocol
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        self.received = b""
        self.ended = False

    def handshake(self) -> None:
        """Have both agree."""
        for _ in range(4):
            with contextlib.suppress(SSL.WantReadError):
                self.client.do_handshake()
            self.to_server(self.from_client())
            self.to_client()

    def open(self) -> Link:
        """Have both agree, and send at once from now on; returns this."""
        self.handshake()
        if isinstance(self.tls, EagerTls):
            self.tls.send_at_once()
        return self

    def from_client(self) -> bytes:
        """Return what the client has to send."""
        data = b""
        while True:
            try:
                data += self.client.bio_read(1 << 16)
            except SSL.WantReadError:
                return data

    def to_server(self, data: bytes, step: int = 1 << 30) -> None:
        """Deliver bytes, in pieces of `step`."""
        for start in range(0, len(data), step):
            self.tls.dataReceived(data[start : start + step])

    def to_client(self) -> bytes:
        """Deliver what the server has sent; returns all that the client has got."""
        data = self.carrier.value()
        self.carrier.clear()
        if data:
            self.client.bio_write(data)
        while not self.ended:
            try:
                self.received += self.client.recv(1 << 16)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.ended = True
        return self.received

    def encrypt(self, *parts: bytes) -> bytes:
        """Return parts as the client sends them, a record for each up to 16 KiB."""
        for part in parts:
            sent = 0
            while sent < len(part):
                sent += self.client.send(part[sent : sent + RECORD])
        return self.from_client()


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("step", [1, 5, 1000, 4096, RECORD + 22, 1 << 30])
def test_echo(options: Any, version: int, step: int) -> None:
    """Messages of any size go both ways and come back whole, wherever the stream is cut."""
    link = Link(options, version=version).open()
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
@settings(deadline=None, max_examples=60)
def test_any_records(parts: list[bytes], step: int, data: Any) -> None:
    """Each record comes as one chunk as soon as it is whole, whatever the cuts."""
    link = Link(_options()).open()
    stream = link.encrypt(*parts)
    start = 0
    while start < len(stream):
        end = start + data.draw(st.integers(1, step))
        link.tls.dataReceived(stream[start:end])
        start = end
        assert len(link.served.chunks) == plain_count(stream[:end])
    assert link.served.chunks == parts


_kept: list[Any] = []


def _options() -> Any:
    if not _kept:
        identity = Identity("localhost")
        key, certificate = crypto.PKey.from_cryptography_key(identity.key), identity.certificate
        _kept.append(CertificateOptions(privateKey=key, certificate=crypto.X509.from_cryptography(certificate)))
    return _kept[0]


def test_several_records_in_one_chunk(options: Any) -> None:
    """Records that come in one chunk are handed on one by one, in order."""
    link = Link(options).open()
    parts = [bytes([at]) * (at + 1) for at in range(50)]
    link.to_server(link.encrypt(*parts))
    assert link.served.chunks == parts


def test_a_record_in_several_chunks(options: Any) -> None:
    """A record comes when its last byte has, and not before."""
    link = Link(options).open()
    stream = link.encrypt(b"x" * 100)
    for at in range(len(stream)):
        assert link.served.chunks == []
        link.tls.dataReceived(stream[at : at + 1])
    assert link.served.chunks == [b"x" * 100]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_data_with_the_end_of_the_handshake(options: Any, version: int) -> None:
    """What comes in one chunk with the end of the handshake is not lost, nor are the borders behind it."""
    link = Link(options, version=version)
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


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_one_write(options: Any, size: int) -> None:
    """What is written leaves at once, in one write to the transport below, however many records it is."""
    link = Link(options).open()
    writes: list[int] = []
    below = link.carrier.write
    link.carrier.write = lambda data: (writes.append(len(data)), below(data))  # type: ignore[method-assign,func-returns-value]
    link.tls.write(b"x" * size)
    assert len([each for each in writes if each]) == (size > 0)
    assert link.to_client() == b"x" * size


def test_order_behind_the_handshake(options: Any) -> None:
    """What was written before and during the handshake comes first."""
    link = Link(options, Greeting)
    link.tls.write(b"early, ")
    link.handshake()
    link.tls.write(b"gathered, ")
    link.tls.send_at_once()
    link.tls.write(b"at once")
    assert link.to_client() == b"hello, early, gathered, at once"
    link.clock.advance(1)
    assert link.to_client() == b"hello, early, gathered, at once"


def test_order_where_it_is_at_once_from_the_start(options: Any) -> None:
    """Where it is told so before the handshake, what is written waits for that, in order."""
    link = Link(options)
    link.tls.send_at_once()
    for part in (b"1", b"2", b"3"):
        link.tls.write(part)
    link.handshake()
    link.tls.write(b"4")
    assert link.to_client() == b"1234"


def test_order_of_sequences(options: Any) -> None:
    """What is given to `writeSequence` comes before what is written behind it."""
    link = Link(options).open()
    link.tls.writeSequence([b"1", b"2"])
    link.tls.write(b"3")
    link.clock.advance(1)
    assert link.to_client() == b"123"


def test_written_before_the_end(options: Any) -> None:
    """What is written before `loseConnection` comes, with a close_notify behind it; what is written after does not."""
    link = Link(options).open()
    link.tls.write(b"last words")
    link.tls.loseConnection()
    link.tls.write(b"too late")
    assert link.to_client() == b"last words"
    assert link.ended
    link.clock.advance(1)
    assert link.to_client() == b"last words"


def test_input_after_we_end(options: Any) -> None:
    """What the peer sends until it ends its side too still comes in."""
    link = Link(options).open()
    link.tls.loseConnection()
    link.to_server(link.encrypt(b"1", b"2"))
    assert b"".join(link.served.chunks) == b"12"
    assert not link.carrier.disconnecting
    link.to_client()
    link.client.shutdown()
    link.to_server(link.from_client())
    assert link.carrier.disconnecting


def test_nothing_after_a_cut(options: Any) -> None:
    """Once the connection is cut nothing more is sent, and nothing handed on, not even of the same chunk."""
    link = Link(options).open()
    link.served.answers = lambda _: link.tls.abortConnection()
    link.to_server(link.encrypt(b"1", b"2", b"3"))
    assert link.served.chunks == [b"1"]
    assert link.carrier.aborted
    link.to_client()
    link.tls.write(b"too late")
    assert link.carrier.value() == b""
    assert link.received == b""


def test_nothing_after_it_is_lost(options: Any) -> None:
    """To write when the connection is gone does nothing."""
    link = Link(options).open()
    link.to_client()
    link.tls.connectionLost(Failure(ConnectionError()))
    link.carrier.clear()  # TLS says goodbye in any case
    link.tls.write(b"too late")
    link.clock.advance(1)
    assert link.carrier.value() == b""
    assert len(link.served.lost) == 1


# -- ends and faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 1 << 30])
def test_close_notify(options: Any, step: int) -> None:
    """What comes before the peer's close_notify is handed on, it is answered, and the connection ends."""
    link = Link(options).open()
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
def test_garbage(options: Any, version: int, garbage: bytes) -> None:
    """What is no record of the peer's ends the connection; what came before it is handed on, and nothing after."""
    link = Link(options, version=version).open()
    stream = link.encrypt(b"good")
    link.to_server(stream + garbage)
    link.to_server(link.encrypt(b"late") + bytes(40_000))
    assert link.served.chunks == [b"good"]
    assert link.carrier.disconnecting
    link.tls.write(b"too late")
    link.tls.connectionLost(Failure(ConnectionError()))
    assert len(link.served.lost) == 1


def test_one_connections_trouble_is_not_anothers(options: Any) -> None:
    """OpenSSL keeps its errors for the whole thread: what is wrong with one connection does not end another."""
    good, bad = Link(options).open(), Link(options).open()
    good.served.answers = lambda data: data
    for at in range(5):
        bad = Link(options).open()
        bad.to_server(b"\x17\x03\x03\x00\x20" + bytes(32))
        bad.tls.write(b"too late")
        assert bad.carrier.disconnecting
        stream = good.encrypt(b"%d" % at)
        good.to_server(stream[:7])
        good.to_server(stream[7:])
    assert good.to_client() == b"01234"
    assert not good.carrier.disconnecting


def test_a_protocol_that_fails(options: Any) -> None:
    """What a protocol raises goes on to the transport below, which ends the connection."""
    link = Link(options).open()
    link.served.fails = True
    with pytest.raises(ValueError, match="no"):
        link.to_server(link.encrypt(b"1", b"2"))
    assert link.served.chunks == [b"1"]


def test_producers(options: Any) -> None:
    """A producer is told by the transport below when to wait; writing goes on meanwhile, and after."""
    link = Link(options).open()
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


# -- where it cannot be ----------------------------------------------------------------------------------------------


def test_what_is_made_eager(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS factory of Twisted's is, others are not, nor is any where the insides are not as they were."""
    assert eager_tls.can_be_eager()
    factory = TLSMemoryBIOFactory(options, isClient=False, wrappedFactory=Factory(), clock=Clock())
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
def test_a_private_name_that_is_gone(options: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
    factory = TLSMemoryBIOFactory(options, isClient=False, wrappedFactory=Factory(), clock=Clock())
    make_eager(factory)
    assert factory.protocol is BufferingTLSTransport


def test_twisteds_way(options: Any) -> None:
    """Where it is left to Twisted, all works as well, but in the next turn."""
    link = Link(options, eager=False).open()
    assert type(link.tls) is BufferingTLSTransport
    link.served.answers = lambda data: data
    link.to_server(link.encrypt(b"1", b"2"))
    assert link.to_client() == b""
    link.clock.advance(0)
    assert link.to_client() == b"12"
