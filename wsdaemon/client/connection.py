"""A WebSocket connection on the client's side: Autobahn reads what comes in, what goes out is framed here.

The rules:

- A connection comes into a listener's hands OPEN. It is CLOSING once a Close frame was sent, and CLOSED once its
  transport is told to end; messages are handed on until then, sent only while OPEN.
- From the first Close frame on, the transport is gone within the target's timeout.
- What the server may make us hold is bounded: a message by the listener's `message_limit`, pongs to one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wsdaemon.client.deflate import ClientDeflate, accept, disagreement
from wsdaemon.client.handshake import Answer, chosen_subprotocol
from wsdaemon.client.listener import PREVIEW, Frame, HandshakeTimes, Listener
from wsdaemon.client.target import Target, parse_deflate
from wsdaemon.observe.log import SILENT
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.frames import apply_mask, frame_header, is_begun, take_whole_frames
from wsdaemon.websocket.transport import Transport, finish_sending

__all__ = ["ClientConnection", "Frame", "HandshakeTimes", "Listener"]

_HELD = 1 << 16
"""How long a frame that is not all there yet may be and still be held for the fast path, in bytes."""

_DROP_DELAY = 1.0
"""How long the server has to end the stream once both Close frames are through, in seconds."""


@implementer(IHandshakeListener, IPushProducer)
class ClientConnection(WebSocketClientProtocol):
    """One connection; `wsdaemon.client.connect` makes it."""

    transport: Transport  # type: ignore[assignment]  # narrower than Twisted's, and there from `connectionMade` on
    log = SILENT  # Autobahn's own words
    data: bytes
    current_frame: Any
    inside_message: bool
    _perMessageCompress: Any
    _isMessageCompressed: bool

    times: HandshakeTimes
    """How long it took to connect."""
    subprotocol: str | None = None
    """The subprotocol that the server chose."""
    extensions: str = ""
    """The server's Sec-WebSocket-Extensions."""
    write_paused = False
    """Whether the server does not keep up; what is sent nevertheless waits in memory."""

    def __init__(self, target: Target, listener: Listener, clock: Any) -> None:
        super().__init__()
        self.factory = _factory()
        self.perMessageCompressionAccept = self._accept_compression
        self.target = target
        self.listener = listener
        self.deadlines = Deadlines(clock)
        self.ready: Callable[[], None] = _nothing
        self.answered: Callable[[bytes], None] = _nothing
        self.failed: Callable[[Failure], None] = _nothing
        self._key = base64.b64encode(os.urandom(16))
        self._cause = ""
        self._opened = False
        self._close_received = False
        self._owed_pong: bytes | None = None
        self._message = bytearray()
        self._is_binary = False
        self._frames = 0
        self._preview = b""
        self.message_data_total_length = 0  # Autobahn counts in it

    # -- for its user ---------------------------------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent."""
        return bool(self.state == self.STATE_OPEN)

    def send_message(self, payload: bytes, is_binary: bool, fragment: int = 0) -> int:
        """Send a message, in frames of at most `fragment` bytes each (0: in one); nothing happens unless open.

        Returns how many frames that were: with compression, it is the compressed message that is cut.
        """
        if self.state != self.STATE_OPEN:
            return 0
        opcode, rsv = (2 if is_binary else 1), 0
        if self._perMessageCompress is not None:
            payload, rsv = self._perMessageCompress.compress(payload), 4
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
        if self.state == self.STATE_OPEN:
            self._write_frame(Opcode.PING, payload, True, 0)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; `reason` is cut to 123 bytes. Nothing happens unless open."""
        self.sendCloseFrame(code, reason.encode()[:123].decode("utf-8", "ignore").encode())

    def abort(self) -> None:
        """Cut the connection at once."""
        self._cause = self._cause or "cut by this side"
        self.dropConnection(abort=True)

    # -- the handshake --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The stream is there; TLS may still have to agree on its keys."""
        self._connectionMade()

    def startHandshake(self) -> None:
        """Leave it to `begin`: what Autobahn would send has each header once, and always a port."""

    def handshakeCompleted(self) -> None:
        """TLS has agreed on its keys."""
        self.ready()

    def begin(self, request: Callable[[str], bytes]) -> None:
        """Send the request for our key."""
        self.websocket_key = self._key
        self.transport.write(request(self._key.decode()))

    def open(self, answer: Answer) -> None:
        """Go from a 101 to OPEN; raises `CannotConnect` or `ValueError` where the answer is not right."""
        self.subprotocol = chosen_subprotocol(answer, self.target.subprotocols)
        self.extensions = ", ".join(answer.values("sec-websocket-extensions"))
        self._dataReceived(answer.for_autobahn())
        if self.state != self.STATE_OPEN:
            raise ValueError(self._cause or self.wasNotCleanReason or "the answer is not a WebSocket handshake")
        if self._perMessageCompress is not None:
            self._perMessageCompress = ClientDeflate(self._perMessageCompress, self.listener.message_limit)
        self._opened = True
        self.transport.registerProducer(self, True)

    def _onOpen(self) -> None:
        """Leave it to `open`, which Autobahn's Deferreds do not stand around."""

    def _accept_compression(self, response: Any) -> Any:
        offered = self.target.compression
        wrong = disagreement(None if offered is None else parse_deflate(offered), response)
        if wrong is None:
            return accept(response)
        self._cause = wrong
        return None

    # -- what comes in --------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take whole messages at once and leave every other byte to Autobahn."""
        if not self._opened:
            self.answered(data)
        elif self.state == self.STATE_CLOSED or self._close_received:
            return  # nothing follows a Close frame, RFC 6455 section 5.5.1
        elif self.current_frame is not None or self.inside_message:
            self._dataReceived(data)
        else:
            self._take(self.data + data if self.data else data)

    def _take(self, data: bytes) -> None:
        """Take `data`, which begins with a frame's first byte."""
        self.data = b""
        limit = self.listener.message_limit
        frames, end = take_whole_frames(data, masked=False, limit=limit)
        listener = self.listener
        for opcode, payload in frames:
            if listener.wants_frames:
                listener.frame_received(Frame(opcode, True, 0, len(payload), b"", payload[:PREVIEW]))
            listener.message_received(payload, opcode == 2, 1)
            if self.state == self.STATE_CLOSED:
                return
        if end < len(data):
            rest = data[end:] if end else data
            if is_begun(rest, masked=False, limit=min(_HELD, limit)):
                self.data = rest
            else:
                self._dataReceived(rest)

    def onFrameData(self, payload: bytes) -> bool | None:
        """Note a frame's first bytes where frames are shown."""
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
        self._is_binary = isBinary
        self._message = bytearray()
        self._frames = 0

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a frame by its header, before anything of it is held."""
        self._frames += 1
        if not self._isMessageCompressed and len(self._message) + length > self.listener.message_limit:
            self._too_big()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Collect a piece of a frame's payload, already inflated."""
        if self.state == self.STATE_CLOSED:
            return
        if len(self._message) + len(payload) > self.listener.message_limit:
            self._too_big()
        else:
            self._message += payload

    def onMessageFrameEnd(self) -> None:
        """Go on to the message's next frame."""

    def onMessageEnd(self) -> None:
        """Hand the collected message on."""
        message, self._message = bytes(self._message), bytearray()
        if self.state != self.STATE_CLOSED:
            self.listener.message_received(message, self._is_binary, self._frames)

    def onPing(self, payload: bytes) -> None:
        """Answer with a pong; while the server does not read, only the last ping is owed one (RFC 6455 5.5.3)."""
        if self.write_paused:
            self._owed_pong = payload
        elif self.state == self.STATE_OPEN:
            self._write_frame(Opcode.PONG, payload, True, 0)

    def onPong(self, payload: bytes) -> None:
        """Hand a pong on."""
        self.listener.pong_received(payload)

    # -- what goes out --------------------------------------------------------------------------------------------

    def _write_frame(self, opcode: int, payload: bytes, fin: bool, rsv: int) -> None:
        key = os.urandom(4)  # fresh and not to be guessed for each frame, RFC 6455 section 5.3
        header = frame_header(opcode, len(payload), fin=fin, rsv=rsv, masking_key=key)
        self.transport.write(header + apply_mask(payload, key) if payload else header)
        if self.listener.wants_frames:
            self.listener.frame_sent(Frame(opcode, fin, rsv, len(payload), key, payload[:PREVIEW]))

    def sendFrame(self, opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, **_: Any) -> None:  # type: ignore[override]  # what Autobahn itself calls it with
        """Send a frame of Autobahn's, the Close, with our masking."""
        self._write_frame(opcode, payload, fin, rsv)

    def pauseProducing(self) -> None:
        """The server does not keep up (called by the transport, maybe while something is written)."""
        self.write_paused = True

    def resumeProducing(self) -> None:
        """The server has taken everything (called by the transport)."""
        self.write_paused = False
        owed, self._owed_pong = self._owed_pong, None
        if owed is not None:
            self.onPing(owed)
        if self.state == self.STATE_OPEN:
            self.listener.writable()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    # -- closing --------------------------------------------------------------------------------------------------

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a Close frame, once, and set the deadline for what has to follow."""
        if self.state == self.STATE_OPEN:
            super().sendCloseFrame(code, reasonUtf8 or None, isReply)
            self.deadlines.set("close", self.target.timeout, self._close_expired)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """Take the server's Close frame; it has to end the stream next (RFC 6455 section 7.1.1)."""
        self._close_received = True
        stop = super().onCloseFrame(code, reasonRaw)  # type: ignore[arg-type]  # Autobahn calls it with None too
        self.data = b""
        if self.state == self.STATE_CLOSING:
            self.deadlines.set("close", _DROP_DELAY, self.dropConnection)
        return stop

    def _fail_connection(self, code: int = CloseCode.GOING_AWAY, reason: str = "going away") -> None:
        """Fail the connection (RFC 6455 section 7.1.7): send Close where that is possible, and look at nothing more."""
        if self.state == self.STATE_CLOSED:
            return
        self.failedByMe = True
        self._cause = self._cause or reason
        self.close(code, reason)
        self.deadlines.set("close", _DROP_DELAY, self.transport.abortConnection)
        self._end(finish_sending)

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(CloseCode.PROTOCOL_ERROR, f"protocol violation: {reason}")
        return True

    def _invalid_payload(self, reason: str) -> bool:
        self._fail_connection(CloseCode.INVALID_PAYLOAD, f"invalid payload: {reason}")
        return True

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        self._too_big()

    def _too_big(self) -> None:
        self._message = bytearray()
        self._fail_connection(CloseCode.MESSAGE_TOO_BIG, f"message over {self.listener.message_limit} bytes")

    def failHandshake(self, reason: str) -> None:
        """The answer is not right: `open` says so."""
        self.wasNotCleanReason = reason

    def dropConnection(self, abort: bool = False) -> None:
        """End the transport: what is written still goes out, unless it is cut."""
        self._end(lambda transport: transport.abortConnection() if abort else transport.loseConnection())
        if not abort and not self.deadlines.running("abort"):
            self.deadlines.set("abort", self.target.timeout, self.transport.abortConnection)

    def _end(self, how: Callable[[Transport], None]) -> None:
        if self.state == self.STATE_CLOSED:
            return
        self.droppedByMe = True
        self.state = self.STATE_CLOSED
        self.data = b""
        if self._opened:
            self.transport.unregisterProducer()
        how(self.transport)

    def _close_expired(self) -> None:
        self._cause = self._cause or f"the server did not answer the Close frame within {self.target.timeout:g} s"
        self.dropConnection(abort=True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        self.deadlines.clear()
        self.state = self.STATE_CLOSED
        self.data = b""
        if not self._opened:
            self.failed(reason)
            return
        self._opened, opened = False, self._opened
        if opened:
            clean = bool(self.wasClean) and not self.failedByMe
            code = (self.remoteCloseCode or 1005) if self._close_received else None
            self.listener.closed(code, self._cause or self.remoteCloseReason or _unclean(reason, clean), clean)

    def logPrefix(self) -> str:
        """Return what Twisted's log calls it."""
        return "wsdaemon.client"


def _unclean(reason: Failure, clean: bool) -> str:
    if clean:
        return ""
    if reason.check(ConnectionDone):
        return "the server ended the stream without a Close frame"
    return f"the stream broke off: {reason.getErrorMessage()}"


def _nothing(*_: Any) -> None:
    """Do nothing: nobody waits."""


@cache
def _factory() -> WebSocketClientFactory:
    """Return what holds Autobahn's options; they are the same for all connections."""
    factory = WebSocketClientFactory("ws://localhost", reactor=object())
    # The deadlines are ours: they run on the clock that is given, and hold in every state.
    factory.setProtocolOptions(
        failByDrop=False,
        echoCloseCodeReason=True,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        perMessageCompressionAccept=accept,
    )
    return factory
