"""Facts about Twisted's TLS, a wrapper around another transport, that the code relies on or works around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from tests.library_facts.test_transport import Producer
from tests.support.tls_link import Link, Served
from wsdaemon.settings import TlsSettings
from wsdaemon.tls import make_context

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does


@implementer(IHandshakeListener)
class Listening(Served):
    """Hears of the handshake's end."""

    handshaken = 0

    def handshakeCompleted(self) -> None:
        self.handshaken += 1


@pytest.fixture
def link() -> Link:
    """An open connection that Twisted carries in its own way."""
    link = Link(Listening, eager=False).open()
    assert link.served.handshaken == 1
    return link


def test_tls_is_a_wrapper_whose_protocol_can_be_replaced(link: Link) -> None:
    """A TLS transport delivers to whatever `wrappedProtocol` is at the time: so a connection can be handed over."""
    assert issubclass(TLSMemoryBIOProtocol, ProtocolWrapper)
    assert list(filter(ISSLTransport.providedBy, [link.tls, link.carrier])) == [link.tls]
    new = Listening()
    link.to_server(link.encrypt(b"first"))
    link.tls.wrappedProtocol = new
    link.to_server(link.encrypt(b"second"))
    link.carrier.lose()
    assert (link.served.chunks, link.served.lost) == ([b"first"], [])
    assert (new.chunks, len(new.lost)) == ([b"second"], 1)


def test_tls_hands_on_what_it_has_though_it_is_paused(link: Link) -> None:
    """After pauseProducing, TLS still delivers the other records of the same chunk: so they are kept."""
    link.served.answers = lambda _: link.tls.pauseProducing()
    link.to_server(link.encrypt(b"1", b"2"))
    assert link.served.chunks == [b"1", b"2"]
    assert link.carrier.producerState == "paused"


def test_tls_ends_with_close_notify_and_waits_for_the_peers(link: Link) -> None:
    """loseConnection sends what is written and close_notify; the stream goes on until the peer's close_notify."""
    link.tls.write(b"last words")
    link.tls.loseConnection()
    assert (link.to_client(), link.ended) == (b"last words", True)
    assert not link.carrier.disconnecting
    link.client.shutdown()
    link.to_server(link.from_client())
    assert link.carrier.disconnecting


def test_tls_has_the_half_close_of_what_it_wraps(link: Link) -> None:
    """loseWriteConnection would end TCP's half beneath TLS: so we look for TLS first."""
    cut: list[bool] = []
    vars(link.carrier)["loseWriteConnection"] = lambda: cut.append(True)
    link.tls.loseWriteConnection()
    assert cut == [True]
    assert "loseWriteConnection" not in vars(TLSMemoryBIOProtocol)


def test_tls_pauses_its_producer(link: Link) -> None:
    """A producer is paused while the transport below is full; unregistering twice is allowed."""
    producer: Any = Producer()
    link.tls.registerProducer(producer, True)
    link.carrier.fill()
    link.tls.write(b"x")
    link.clock.advance(0)
    link.carrier.drain()
    assert producer.told == ["pause", "resume"]
    link.tls.unregisterProducer()
    link.tls.unregisterProducer()


def test_tls_contexts_release_their_buffers(tmp_path: Path) -> None:
    """CertificateOptions sets MODE_RELEASE_BUFFERS, which an idle connection's memory depends on."""
    context = make_context(TlsSettings(enabled=True, certificate="auto"), tmp_path / "auto.pem").getContext()
    assert context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS
