"""Facts about Twisted's TLS, a wrapper around another transport, that the code relies on or works around."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ClientContextFactory
from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from tests.library_facts.test_transport import Producer
from tests.support.http_client import Transport
from wsdaemon.settings import TlsSettings
from wsdaemon.tls import make_context

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does


@implementer(IHandshakeListener)
class Listening(Protocol):
    """Records its events; pauses at the first bytes if it is told to."""

    pauses = False

    def __init__(self) -> None:
        self.told: list[Any] = []

    def handshakeCompleted(self) -> None:
        self.told.append("handshake")

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)
        if self.pauses:
            transport: Any = self.transport
            transport.pauseProducing()

    def connectionLost(self, reason: Any = None) -> None:
        self.told.append("lost")


class Pair:
    """Both ends of a TLS connection, each over a transport in memory."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        context = make_context(TlsSettings(enabled=True, certificate="auto"), folder / "auto.pem")
        self.server, self.server_side = self._end(context, is_client=False)
        self.client, self.client_side = self._end(ClientContextFactory(), is_client=True)
        self.pump()

    def _end(self, context: Any, *, is_client: bool) -> tuple[Any, Transport]:
        inner = Factory.forProtocol(Listening)
        end: Any = TLSMemoryBIOFactory(context, is_client, inner, self.clock).buildProtocol(None)
        transport = Transport()
        transport.protocol = end
        end.makeConnection(transport)
        return end, transport

    def pump(self) -> None:
        """Deliver bytes both ways until none are left; small writes wait for the next turn of the loop."""
        self.clock.advance(0)
        while self.server_side.value() or self.client_side.value():
            for near, far in ((self.server_side, self.client), (self.client_side, self.server)):
                data = near.value()
                near.clear()
                if data and not far.transport.gone:
                    far.dataReceived(data)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    assert pair.server.wrappedProtocol.told == ["handshake"]
    yield pair
    for side in (pair.server_side, pair.client_side):
        side.lose()


def test_tls_is_a_wrapper_whose_protocol_can_be_replaced(pair: Pair) -> None:
    """A TLS transport delivers to whatever `wrappedProtocol` is at the time: so a connection can be handed over."""
    assert issubclass(TLSMemoryBIOProtocol, ProtocolWrapper)
    assert list(filter(ISSLTransport.providedBy, [pair.server, pair.server_side])) == [pair.server]
    old, new = pair.server.wrappedProtocol, Listening()
    pair.client.write(b"first")
    pair.pump()
    pair.server.wrappedProtocol = new
    pair.client.write(b"second")
    pair.pump()
    pair.server_side.lose()
    assert (old.told, new.told) == (["handshake", b"first"], [b"second", "lost"])


def test_tls_hands_on_what_it_has_though_it_is_paused(pair: Pair) -> None:
    """After pauseProducing, TLS still delivers the other records of the same chunk: so they are kept."""
    inner: Any = pair.server.wrappedProtocol
    inner.pauses = True
    for data in (b"1", b"2"):
        pair.client.write(data)
        pair.clock.advance(0)
    pair.pump()
    assert inner.told == ["handshake", b"1", b"2"]


def test_tls_ends_with_close_notify_and_waits_for_the_peers(pair: Pair) -> None:
    """loseConnection sends what is written and close_notify; the stream goes on until the peer's close_notify."""
    pair.server.write(b"last words")
    pair.server.loseConnection()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair.client, "_shutdownTLS", lambda: None)  # a peer that does not answer
        pair.pump()
    assert pair.client.wrappedProtocol.told[1] == b"last words"
    assert not pair.server_side.disconnecting
    pair.client._tlsConnection.shutdown()
    pair.client._flushSendBIO()
    pair.pump()
    assert pair.server_side.disconnecting


def test_tls_has_the_half_close_of_what_it_wraps(pair: Pair) -> None:
    """loseWriteConnection would end TCP's half beneath TLS: so we look for TLS first."""
    cut: list[bool] = []
    vars(pair.server_side)["loseWriteConnection"] = lambda: cut.append(True)
    pair.server.loseWriteConnection()
    assert cut == [True]
    assert "loseWriteConnection" not in vars(TLSMemoryBIOProtocol)


def test_tls_pauses_its_producer(pair: Pair) -> None:
    """A producer is paused while the transport below is full; unregistering twice is allowed."""
    producer = Producer()
    pair.server.registerProducer(producer, True)
    pair.server_side.fill()
    pair.server.write(b"x")
    pair.clock.advance(0)
    pair.server_side.drain()
    assert producer.told == ["pause", "resume"]
    pair.server.unregisterProducer()
    pair.server.unregisterProducer()


def test_tls_contexts_release_their_buffers(tmp_path: Path) -> None:
    """CertificateOptions sets MODE_RELEASE_BUFFERS, which an idle connection's memory depends on."""
    context = make_context(TlsSettings(enabled=True, certificate="auto"), tmp_path / "auto.pem").getContext()
    assert context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS
