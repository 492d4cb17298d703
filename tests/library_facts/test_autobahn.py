"""What the code relies on or works around in Autobahn: each fact fails when an upgrade changes it.

Where a fact is one that the code works around, the workaround can go once its test fails. The other libraries are in
`test_codecs.py`, `test_web.py` and `test_transport.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer
from autobahn.websocket.protocol import parseHttpHeader
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.support.http_client import Transport
from tests.support.wire import BINARY, CLOSE, CONTINUATION, MASK, PING, TEXT, Frame, request


class Protocol(WebSocketServerProtocol):
    """Autobahn's, noting the hooks that it calls."""

    stops = False
    """Whether a violation ends the parsing."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def onMessageFrameData(self, payload: bytes) -> None:
        self.calls.append(f"data {payload!r}")

    def onMessageFrameEnd(self) -> None:
        self.calls.append("frame end")

    def onMessageEnd(self) -> None:
        self.calls.append("message end")

    def onPing(self, payload: bytes) -> None:
        self.calls.append("ping")

    def _protocol_violation(self, reason: str) -> bool:
        self.calls.append("violation")
        return self.stops

    def _invalid_payload(self, reason: str) -> bool:
        self.calls.append("invalid")
        return self.stops


class Stopping(Protocol):
    """The same, but a violation ends the parsing."""

    stops = True


class Peer:
    """An open connection of a stock factory with options, and its transport."""

    def __init__(self, kind: type[WebSocketServerProtocol] = Protocol, **options: Any) -> None:
        self.factory = WebSocketServerFactory(reactor=Clock())
        self.factory.protocol = kind
        self.factory.setProtocolOptions(openHandshakeTimeout=0, **options)
        protocol: Any = self.factory.buildProtocol(None)
        self.protocol = protocol
        self.transport = Transport()
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        protocol.dataReceived(request("/"))
        self.transport.clear()

    def send(self, *frames: Frame | bytes) -> list[str]:
        """Deliver frames in one chunk; returns the calls of the hooks."""
        self.protocol.dataReceived(b"".join(each.masked() if isinstance(each, Frame) else each for each in frames))
        calls: list[str] = self.protocol.calls
        return calls


def test_options() -> None:
    """These defaults are not ours, so each that matters is set."""
    factory = WebSocketServerFactory()
    defaults: dict[str, Any] = {
        "versions": [8, 13], "webStatus": True, "failByDrop": True, "echoCloseCodeReason": False,
        "openHandshakeTimeout": 5, "closeHandshakeTimeout": 1, "maxFramePayloadSize": 0, "maxMessagePayloadSize": 0,
        "autoPingInterval": 0, "allowedOrigins": ["*"], "allowNullOrigin": True, "utf8validateIncoming": True,
        "requireMaskedClientFrames": True, "maskServerFrames": False, "trustXForwardedFor": 0, "maxConnections": 0,
        "logOctets": False, "logFrames": False, "serveFlashSocketPolicy": False, "tcpNoDelay": True,
    }  # fmt: skip
    assert {name: getattr(factory, name) for name in defaults} == defaults
    assert factory.perMessageCompressionAccept([PerMessageDeflateOffer()]) is None


def test_null_origin_flips() -> None:
    """setProtocolOptions without allowNullOrigin switches it off."""
    factory = WebSocketServerFactory()
    factory.setProtocolOptions(versions=[13])
    assert not factory.allowNullOrigin


def test_config_is_taken_from_the_class() -> None:
    """Options that the factory has are copied to each connection."""
    assert Peer(failByDrop=False).protocol.failByDrop is False
    assert Peer(failByDrop=True).protocol.failByDrop is True


def test_timers_know_one_clock_only() -> None:
    """No timer runs on the reactor that the factory was given: so all deadlines are ours."""
    peer = Peer(closeHandshakeTimeout=1, autoPingInterval=1)
    peer.protocol.sendClose()
    assert peer.factory.reactor.getDelayedCalls() == []
    peer.transport.lose()


# -- the parser -------------------------------------------------------------------------------------------------------

WRONG = [
    Frame(TEXT, rsv=1), Frame(3), Frame(11), Frame(CONTINUATION), Frame(PING, fin=False), Frame(PING, bytes(126)),
    Frame(CLOSE, b"x"), b"\x81\x00", b"\x81\xfe\x00\x01" + MASK, b"\x81\xff" + bytes(8) + MASK,
    b"\x81\xff\x80" + bytes(7) + MASK, b"\x89\xfe\x00\x7e" + MASK,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_violation_can_stop_the_parser(wrong: Frame | bytes) -> None:
    """Each violation is told by `_protocol_violation`, and where that returns True nothing that follows is looked at.

    Otherwise the parser goes on, as far as it can.
    """
    assert Peer(Stopping).send(wrong, Frame(PING)) == ["violation"]


def test_invalid_payload_can_stop_the_parser() -> None:
    """So it is with what is not UTF-8 and `_invalid_payload`."""
    assert Peer(Stopping).send(Frame(TEXT, b"\xff"), Frame(PING)) == ["invalid"]


@pytest.mark.parametrize("payload", [b"\x03\xed", b"\x03\xe7", b"\x03\xe8\xff"])
def test_what_a_close_frame_holds_never_stops_the_parser(payload: bytes) -> None:
    """With a wrong code or reason the parser goes on, unless the state is CLOSED: our failing sets that."""

    class Closing(Stopping):
        def _protocol_violation(self, reason: str) -> bool:
            self.state = self.STATE_CLOSED
            return super()._protocol_violation(reason)

        def _invalid_payload(self, reason: str) -> bool:
            self.state = self.STATE_CLOSED
            return super()._invalid_payload(reason)

    assert Peer(Stopping).send(Frame(CLOSE, payload), Frame(PING))[1:] == ["ping"]
    assert Peer(Closing).send(Frame(CLOSE, payload), Frame(PING))[1:] == []


def test_a_hook_that_returns_false_stops_the_parser() -> None:
    """`onFrameData` ends the parsing of a chunk by returning False: our inflating does."""

    class Refusing(Protocol):
        def onFrameData(self, payload: bytes) -> bool:
            return False

    assert Peer(Refusing).send(Frame(BINARY, b"x"), Frame(PING)) == []


def test_utf8_is_checked_at_the_end_after_the_last_frame() -> None:
    """onMessageFrameEnd is called before the end of a text is checked, onMessageEnd after: echo relies on it."""
    assert Peer(Stopping).send(Frame(TEXT, b"a\xc3"))[-2:] == ["frame end", "invalid"]
    assert Peer().send(Frame(TEXT, b"a"))[-2:] == ["frame end", "message end"]


def test_where_the_parser_stands() -> None:
    """What is read of it: an unfinished header in `data`, the frame and its place, and whether a message is open."""
    protocol = Peer().protocol
    frame = Frame(BINARY, b"payload", fin=False).masked()
    assert (protocol.data, protocol.current_frame, protocol.inside_message) == (b"", None, False)
    protocol.dataReceived(frame[:3])
    assert (protocol.data, protocol.current_frame) == (frame[:3], None)
    protocol.dataReceived(frame[3:10])
    assert (protocol.data, protocol.current_frame.length, protocol.current_frame_masker.pointer()) == (b"", 7, 4)
    assert (protocol.inside_message, protocol._isMessageCompressed) == (True, False)
    protocol.dataReceived(frame[10:])
    assert (protocol.current_frame, protocol.inside_message) == (None, True)
    protocol.dataReceived(Frame(CONTINUATION).masked())
    assert not protocol.inside_message


def test_payload_comes_in_pieces() -> None:
    """A frame's payload is handed on as it comes in, unmasked."""
    peer = Peer()
    data = Frame(BINARY, b"payload").masked()
    assert peer.send(data[:10])[-1] == "data b'payl'"
    assert peer.send(data[10:])[-3:] == ["data b'oad'", "frame end", "message end"]


# -- closing and sending ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1001, 1002, 1007, 1008, 1009, 1013, 2999, 5000])
def test_close_codes(code: int) -> None:
    """SendClose takes none of a server's codes; sendCloseFrame takes any."""
    peer = Peer()
    with pytest.raises(Exception, match="invalid close code"):
        peer.protocol.sendClose(code)
    peer.protocol.sendCloseFrame(code)
    assert peer.transport.value() == b"\x88\x02" + code.to_bytes(2, "big")


def test_dropped_connection_has_no_deadline() -> None:
    """After dropConnection the state is CLOSED, and a timer that expires then does nothing: ours is armed instead."""
    peer = Peer(closeHandshakeTimeout=1)
    peer.protocol.dropConnection(abort=False)
    assert peer.protocol.state == peer.protocol.STATE_CLOSED
    assert peer.transport.disconnecting
    for expired in (peer.protocol.onCloseHandshakeTimeout, peer.protocol.onServerConnectionDropTimeout):
        expired()
    assert not peer.transport.aborted


def test_failure_drops() -> None:
    """By default a violation cuts the stream without a code; with failByDrop off it gets one."""
    for drops in (True, False):
        peer = Peer(WebSocketServerProtocol, failByDrop=drops)
        peer.protocol.dataReceived(b"\x81\x00")
        assert (peer.transport.aborted, peer.transport.value()[:1]) == (drops, b"" if drops else b"\x88")


def test_sending_knows_no_backpressure() -> None:
    """A message is written whatever the transport says, and no producer is registered: flow control is ours."""
    peer = Peer()
    assert peer.transport.producer is None
    peer.transport.fill()
    peer.protocol.sendMessage(bytes(1 << 20), isBinary=True)
    assert len(peer.transport.value()) > 1 << 20


# -- what the handshake of our own is for -----------------------------------------------------------------------------


class TestResource:
    """Autobahn's WebSocketResource behind Twisted's Site, which the site here does without."""

    def ask(self, data: bytes) -> tuple[bytes, list[Any]]:
        """Return what comes back, and the connections that were made."""
        made: list[Any] = []

        class Noting(Protocol):
            def onOpen(self) -> None:
                made.append(self)

        factory = WebSocketServerFactory()
        factory.protocol = Noting
        factory.setProtocolOptions(openHandshakeTimeout=0)
        root = Resource()
        root.putChild(b"ws", WebSocketResource(factory))
        transport = Transport()
        channel: Any = Site(root, reactor=Clock()).buildProtocol(transport.getPeer())
        transport.protocol = channel
        channel.makeConnection(transport)
        channel.dataReceived(data)
        return transport.value(), made

    def test_a_frame_in_the_same_segment_is_lost(self) -> None:
        """What follows the upgrade in its segment reaches no one."""
        answer, (made,) = self.ask(request("/ws") + Frame(PING).masked())
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert made.calls == []

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"Host:", b"Host: other\r\nHost:"),
            (b"Host:", b"Origin: http://a\r\nOrigin: http://b\r\nHost:"),
        ],
    )
    def test_what_is_not_right_gets_in(self, old: bytes, new: bytes) -> None:
        """HTTP/1.0, two Hosts and whatever Origin reach 101."""
        assert self.ask(request("/ws").replace(old, new))[0].startswith(b"HTTP/1.1 101 ")

    def test_a_c1_byte_begins_a_header(self) -> None:
        """The byte 85 within a value is taken for the end of the line."""
        assert "y" in parseHttpHeader(b"GET / HTTP/1.1\r\nX: a\x85Y: b\r\n\r\n")[1]
