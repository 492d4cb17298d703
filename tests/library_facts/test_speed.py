"""Facts about Twisted, Autobahn and pyOpenSSL that the fast paths rely on."""

from __future__ import annotations

import inspect

from autobahn.twisted.websocket import WebSocketServerProtocol
from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from tests.support.memory import MemorySite
from wsdaemon.websocket import eager_tls, zlibs
from wsdaemon.websocket.readers import can_read_together


def test_a_port_makes_its_transports_by_an_attribute() -> None:
    """A listening port calls its `transport` with six arguments, as it would call `tcp.Server`."""
    assert tcp.Port.transport is tcp.Server
    assert "self.transport(" in inspect.getsource(tcp.Port.doRead)
    assert len(inspect.signature(tcp.Server).parameters) == 6


def test_tls_can_send_at_once() -> None:
    """Twisted's TLS transports and pyOpenSSL's connections have the private names that are used."""
    assert eager_tls.can_be_eager()
    assert TLSMemoryBIOFactory.protocol is BufferingTLSTransport


def test_renegotiation_can_be_switched_off() -> None:
    """pyOpenSSL has the option."""
    assert SSL.OP_NO_RENEGOTIATION


def test_the_default_reactor_can_watch_an_epoll() -> None:
    """On Linux, Twisted's reactor watches any descriptor, even an epoll's."""
    assert can_read_together(EPollReactor())


def test_what_autobahn_sets_on_a_connection_can_stand_on_its_class() -> None:
    """A connection has only attributes of its own; nothing that Autobahn sets at the start is set again."""
    peer = MemorySite().open("/echo")
    connection = peer.transport.protocol
    own = set(vars(connection))
    fresh = WebSocketServerProtocol()
    fresh.factory = connection.factory
    fresh._connectionMade()
    again = own & set(vars(fresh)) - {"factory", "state", "_perMessageCompress"}
    assert again == set()
    assert len(own) < 30, "beyond 30 attributes, Python does not share the keys of instances"


def test_isal_and_zlib_go_on_behind_a_window() -> None:
    """Both take earlier output as the dictionary of a raw stream, and read references into it."""
    text = b"what was said before" * 40
    for level in (1, 6):
        compressor = zlibs.new_compressor(level, 15, 8)
        first, second = (compressor.compress(text) + compressor.flush(zlibs.SYNC_FLUSH) for _ in range(2))
        assert len(second) < len(first) <= 40
        for length in (zlibs.SHORT, zlibs.SHORT + 1):
            assert zlibs.new_decompressor(15, text, length).decompress(second) == text
