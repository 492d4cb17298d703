"""What the code relies on in its libraries, each in a test that fails when an upgrade changes it."""

from __future__ import annotations

import inspect

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer
from twisted.internet import abstract
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.http import HTTPChannel
from twisted.web.server import Site

from tests.memory import MemorySite
from wsdaemon.websocket.compression import usable_offers


class TestAutobahn:
    """Autobahn|Python's server protocol."""

    def test_config_is_taken_from_the_class(self) -> None:
        """Options that the factory has are copied to each connection."""
        assert "maxMessagePayloadSize" in WebSocketServerProtocol.CONFIG_ATTRS
        assert "failByDrop" in WebSocketServerProtocol.CONFIG_ATTRS

    def test_null_origin_flips(self) -> None:
        """setProtocolOptions without allowNullOrigin switches it off."""
        factory = WebSocketServerFactory()
        assert factory.allowNullOrigin
        factory.setProtocolOptions(versions=[13])
        assert not factory.allowNullOrigin

    def test_violation_can_stop_the_parser(self) -> None:
        """A `_protocol_violation` that returns True ends the parsing of the chunk."""
        source = inspect.getsource(WebSocketServerProtocol.processData)
        assert source.count("if self._protocol_violation(") >= 10
        assert "return False" in source

    def test_every_client_accepts_no_context_takeover(self) -> None:
        """A server may ask any client to drop its context (RFC 7692 section 7.1.1.2)."""
        assert PerMessageDeflateOffer.parse({}).accept_no_context_takeover

    def test_wrong_offers_raise(self) -> None:
        """An offer with a wrong parameter raises, so that it can be declined."""
        assert usable_offers([("permessage-deflate", {"nonsense": [True]}), ("x-other", {})]) == []
        assert usable_offers([("permessage-deflate", {"server_max_window_bits": ["12"]})])

    def test_utf8_is_checked_at_the_end_after_the_last_frame(self) -> None:
        """onMessageFrameEnd is called before the end of a text is checked, onMessageEnd after: echo relies on it."""
        source = inspect.getsource(WebSocketServerProtocol.onFrameEnd)
        order = [source.index(text) for text in ("_onMessageFrameEnd()", "utf8validateLast[1]", "_onMessageEnd()")]
        assert order == sorted(order)


class TestTwisted:
    """Twisted's web server and transports."""

    def test_site_offers_http2_when_it_can(self) -> None:
        """Twisted's own site may offer h2 by ALPN; ours never does."""
        assert "h2" in inspect.getsource(Site.acceptableProtocols)
        assert MemorySite().site.acceptableProtocols() == [b"http/1.1"]

    def test_what_follows_a_request_is_in_the_line_buffer(self) -> None:
        """clearLineBuffer() gives what came in behind the request that is being served."""
        assert callable(HTTPChannel.clearLineBuffer)

    def test_tls_is_a_wrapper(self) -> None:
        """A TLS transport hands its bytes to `wrappedProtocol`, which can be replaced."""
        assert issubclass(TLSMemoryBIOProtocol, ProtocolWrapper)
        assert "self.wrappedProtocol.dataReceived" in inspect.getsource(ProtocolWrapper.dataReceived)

    def test_a_paused_producer_keeps_a_closing_connection(self) -> None:
        """A connection that ends while its producer is paused asks it to go on instead: unregister it first."""
        source = inspect.getsource(abstract.FileDescriptor.doWrite)
        assert source.index("resumeProducing") < source.index("_postLoseConnection")
