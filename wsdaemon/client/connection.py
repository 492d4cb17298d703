"""A client's WebSocket connection and the listener that hears of it: Autobahn parses its input, output is framed here.

The rules:

- A listener gets a connection OPEN. It is CLOSING once a Close frame was sent, and CLOSED once its transport is told
  to end. Messages are received until CLOSED, and sent only while OPEN.
- The transport is gone within the target's timeout after the first Close frame.
- What a server can make us hold is bounded: a message by the listener's `message_limit`, and one pong.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import PerMessageDeflateResponseAccept
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wsdaemon.client.deflate import ClientDeflate, disagreement
from wsdaemon.client.events import PREVIEW, Frame, HandshakeTimes
from wsdaemon.client.handshake import Response, chosen_subprotocol
from wsdaemon.client.target import Target, parse_deflate
from wsdaemon.observe.log import SILENT
from wsdaemon.websocket import autobahn_facts as autobahn
from wsdaemon.websocket.closing import Closing
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.collecting import Collected
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.frames import apply_mask, frame_header, is_begun, take_whole_frames
from wsdaemon.websocket.transport import Transport, abort_connection

_HELD = 1 << 16
"""The longest incomplete frame that is held for the fast path, in bytes."""

_DROP_DELAY = 1.0
"""How long the server has to end the stream after both Close frames, in seconds."""


class Listener:
    """The listener of a connection, called for each event; subclass and override."""

    wants_frames: bool = False
    """Whether `frame_received` and `frame_sent` are to be called."""

    message_limit: int = 64 << 20
    """The largest message to receive, in bytes; a larger one fails the connection with 1009."""

    def opened(self, connection: ClientConnection) -> None:
        """The connection is open."""

    def frame_received(self, frame: Frame) -> None:
        """A whole frame was received: data or control."""

    def frame_sent(self, frame: Frame) -> None:
        """A frame was handed to the transport."""

    def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
        """A message of that many frames was received; a text is valid UTF-8."""

    def pong_received(self, payload: bytes) -> None:
        """A pong was received."""

    def writable(self) -> None:
        """The server has taken what was queued (`write_paused` is over)."""

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection is gone. Called once for each that was opened.

        `code` is that of the server's Close frame: 1005 if the frame has none, None without a frame. `reason` is the
        server's, or says what went wrong. `clean`: both Close frames were exchanged and the server broke no rule.
        """


class Attempt(Protocol):
    """The attempt to connect, which owns a connection until it is open."""

    def secured(self) -> None:
        """The TLS handshake is complete."""

    def answered(self, data: bytes) -> None:
        """Take a piece of the server's response."""

    def lost(self, reason: Failure) -> None:
        """The stream ended."""


@autobahn.ends_by_closing
@implementer(IHandshakeListener, IPushProducer)
class ClientConnection(WebSocketClientProtocol):
    """One connection; `wsdaemon.client.connect` makes it."""

    transport: Transport  # type: ignore[assignment]  # narrower than Twisted's, and there from `connectionMade` on
    log = SILENT  # Autobahn's own words
    data: bytes
    current_frame: Any
    inside_message: bool
    deflate = autobahn.deflate
    is_compressed = autobahn.is_compressed
    violation, invalid = "protocol violation: {}", "invalid payload: {}"

    times: HandshakeTimes
    """The times of connecting."""
    subprotocol: str | None = None
    """The subprotocol that the server chose."""
    extensions: str = ""
    """The server's Sec-WebSocket-Extensions."""
    write_paused = False
    """Whether the server does not keep up; what is sent meanwhile is queued in memory."""

    def __init__(self, target: Target, listener: Listener, clock: Any, attempt: Attempt) -> None:
        super().__init__()
        self.factory = _factory()
        self.perMessageCompressionAccept = self._accept_compression
        self.target = target
        self.listener = listener
        self.deadlines = Deadlines(clock)
        self._attempt = attempt
        self.closing = Closing(self, target.timeout, _DROP_DELAY)
        self._opened = False
        self._owed_pong: bytes | None = None
        self._preview = b""
        self.message_data_total_length = 0  # Autobahn counts in it

    # -- for its user ---------------------------------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent."""
        return self.closing.is_open

    def send_message(self, payload: bytes, is_binary: bool, fragment: int = 0) -> int:
        """Send a message in frames of at most `fragment` bytes each (0: in one); nothing happens unless open.

        Returns the number of frames; with compression, `fragment` counts compressed bytes.
        """
        if not self.closing.is_open:
            return 0
        opcode, rsv = (2 if is_binary else 1), 0
        if self.deflate is not None:
            payload, rsv = self.deflate.compress(payload), 4
        if not fragment or len(payload) <= fragment:
            self._write_frame(opcode, payload, True, rsv)
            return 1
        starts = range(0, len(payload), fragment)
        for start in starts:
            part = payload[start : start + fragment]
            self._write_frame(0 if start else opcode, part, start + fragment >= len(payload), 0 if start else rsv)
        return len(starts)

    def send_ping(self, payload: bytes) -> None:
        """Send a ping of at most 125 bytes; nothing happens unless open. Raises `ValueError` for a longer one."""
        if len(payload) > 125:
            raise ValueError("a ping holds at most 125 bytes (RFC 6455 section 5.5)")
        if self.closing.is_open:
            self._write_frame(Opcode.PING, payload, True, 0)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; `reason` is cut to 123 bytes. Nothing happens unless open."""
        self.closing.close(code, reason.encode())

    def abort(self) -> None:
        """Cut the connection at once."""
        self.closing.end(abort_connection, "cut by this side")

    # -- the handshake --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The stream is connected; a TLS handshake may follow."""
        autobahn.begin_client(self)

    def startHandshake(self) -> None:
        """Do nothing: `begin` sends the request. Autobahn's has no header twice, and always a port."""

    def handshakeCompleted(self) -> None:
        """The TLS handshake is complete (called by Twisted)."""
        self._attempt.secured()

    def begin(self, request: Callable[[str], bytes]) -> None:
        """Send the request that `request` makes of a new key."""
        self.websocket_key = base64.b64encode(os.urandom(16))  # where Autobahn looks for it
        self.transport.write(request(self.websocket_key.decode()))

    def open(self, response: Response, times: HandshakeTimes) -> None:
        """Open the connection after a 101; raises `CannotConnect` or `ValueError` for a wrong response."""
        self.times = times
        self.subprotocol = chosen_subprotocol(response, self.target.subprotocols)
        self.extensions = ", ".join(response.values("sec-websocket-extensions"))
        autobahn.parse(self, response.for_autobahn())
        if not self.closing.is_open:
            raise ValueError(self.closing.cause or "the answer is not a WebSocket handshake")
        if self.deflate is not None:
            self.deflate = ClientDeflate(self.deflate, self.listener.message_limit)
        self._opened = True
        self.transport.registerProducer(self, True)

    def _accept_compression(self, response: Any) -> Any:
        offered = self.target.compression
        wrong = disagreement(None if offered is None else parse_deflate(offered), response)
        if wrong is None:
            return PerMessageDeflateResponseAccept(response)
        self.closing.cause = wrong
        return None

    # -- input ---------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Read whole messages at once and leave every other byte to Autobahn."""
        if not self._opened:
            self._attempt.answered(data)
        elif self.closing.state == autobahn.CLOSED or self.closing.received is not None:
            return  # nothing follows a Close frame (RFC 6455 section 5.5.1)
        elif self.current_frame is not None or self.inside_message:
            autobahn.parse(self, data)
        else:
            self._take(self.data + data if self.data else data)

    def _take(self, data: bytes) -> None:
        """Read `data`, which begins with a frame's first byte."""
        self.data = b""
        limit = self.listener.message_limit
        frames, end = take_whole_frames(data, masked=False, limit=limit)
        listener = self.listener
        for opcode, payload in frames:
            if listener.wants_frames:
                listener.frame_received(Frame(opcode, True, 0, len(payload), b"", payload[:PREVIEW]))
            listener.message_received(payload, opcode == 2, 1)
            if self.closing.state == autobahn.CLOSED:
                return
        if end < len(data):
            rest = data[end:] if end else data
            if is_begun(rest, masked=False, limit=min(_HELD, limit)):
                self.data = rest
            else:
                autobahn.parse(self, rest)

    def onFrameData(self, payload: bytes) -> bool | None:
        """Keep a frame's first bytes if frames are shown."""
        if self.listener.wants_frames and len(self._preview) < PREVIEW:
            self._preview += payload[: PREVIEW - len(self._preview)]
        return super().onFrameData(payload)

    def onFrameEnd(self) -> bool | None:
        """Show the frame."""
        if self.listener.wants_frames:
            frame, preview, self._preview = self.current_frame, self._preview, b""
            self.listener.frame_received(Frame(frame.opcode, frame.fin, frame.rsv, frame.length, b"", preview))
        return super().onFrameEnd()

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to collect a message."""
        self._message = Collected(isBinary, self.listener.message_limit)

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a frame by its header, before its payload is held."""
        if not self._message.begin_frame(0 if self.is_compressed else length):
            self.too_big()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Collect a piece of a frame's payload, already inflated."""
        if self.closing.state != autobahn.CLOSED and not self._message.add(payload):
            self.too_big()

    def onMessageFrameEnd(self) -> None:
        """Do nothing: `onMessageEnd` follows the last frame."""

    def onMessageEnd(self) -> None:
        """Tell the listener of the collected message."""
        message = self._message
        if self.closing.state != autobahn.CLOSED:
            self.listener.message_received(message.take(), message.is_binary, message.frames)

    def too_big(self) -> None:
        """Fail the connection: the message is larger than the limit."""
        self.closing.fail(CloseCode.MESSAGE_TOO_BIG, f"message over {self.listener.message_limit} bytes")

    def onPing(self, payload: bytes) -> None:
        """Send a pong; while the server does not read, only the last ping gets one (RFC 6455 section 5.5.3)."""
        if self.write_paused:
            self._owed_pong = payload
        elif self.closing.is_open:
            self._write_frame(Opcode.PONG, payload, True, 0)

    def onPong(self, payload: bytes) -> None:
        """Tell the listener of a pong."""
        self.listener.pong_received(payload)

    # -- output --------------------------------------------------------------------------------------------------

    def _write_frame(self, opcode: int, payload: bytes, fin: bool, rsv: int) -> None:
        key = os.urandom(4)  # new and unpredictable for each frame (RFC 6455 section 5.3)
        header = frame_header(opcode, len(payload), fin=fin, rsv=rsv, masking_key=key)
        self.transport.write(header + apply_mask(payload, key) if payload else header)
        if self.listener.wants_frames:
            self.listener.frame_sent(Frame(opcode, fin, rsv, len(payload), key, payload[:PREVIEW]))

    def pauseProducing(self) -> None:
        """The server does not keep up (called by the transport, also from within `write`)."""
        self.write_paused = True

    def resumeProducing(self) -> None:
        """The server has taken everything (called by the transport)."""
        self.write_paused = False
        owed, self._owed_pong = self._owed_pong, None
        if owed is not None:
            self.onPing(owed)
        if self.closing.is_open:
            self.listener.writable()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    # -- the end, called by `closing` --------------------------------------------------------------------------------

    def send_close(self, code: int | None, body: bytes) -> bool:
        """Write a Close with this body."""
        self._write_frame(Opcode.CLOSE, body, True, 0)
        return True

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Return at once: output is never paced."""
        return False

    def left_open(self) -> None:
        """Do nothing: nothing runs only while open."""

    def forget_input(self) -> None:
        """Drop the start of a frame that is held."""
        self.data = b""

    def ending(self) -> None:
        """Let go of input and output before the stream ends."""
        self.forget_input()
        if self._opened:
            self.transport.unregisterProducer()

    def failing(self, code: int) -> None:
        """Do nothing: `connectionLost` tells the listener."""

    def cut_late(self) -> str:
        """Return what the server did not do in time."""
        if self.closing.received is not None:
            return ""
        return f"the server did not answer the Close frame within {self.target.timeout:g} s"

    def failHandshake(self, reason: str) -> None:
        """Note what is wrong with the response: `open` raises it (called by Autobahn)."""
        self.closing.cause = self.closing.cause or reason

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the listener, or the attempt if the connection was never open."""
        self.deadlines.clear()
        self.closing.gone()
        self.forget_input()
        if not self._opened:
            self._attempt.lost(reason)
            return
        self._opened, closing = False, self.closing
        why = closing.cause or closing.reason or _unclean(reason, closing.is_clean)
        self.listener.closed(closing.received, why, closing.is_clean)

    def logPrefix(self) -> str:
        """Return the connection's name in Twisted's log."""
        return "wsdaemon.client"


def _unclean(reason: Failure, clean: bool) -> str:
    if clean:
        return ""
    if reason.check(ConnectionDone):
        return "the server ended the stream without a Close frame"
    return f"the stream broke off: {reason.getErrorMessage()}"


@cache
def _factory() -> WebSocketClientFactory:
    """Return Autobahn's factory, with the options of all connections."""
    factory = WebSocketClientFactory("ws://localhost", reactor=object())
    # Autobahn's deadlines are off: ours run on the given clock, and hold in every state.
    factory.setProtocolOptions(
        failByDrop=False,
        echoCloseCodeReason=True,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
    )
    return factory
