"""The connection that every subprotocol subclasses: messages in, messages out.

What it consists of: `input` (a base class, since Autobahn's parser calls its hooks by name), and in fields `outbox`
(what is written, back-pressure), `closing` (how it ends), `deadlines` and the keep-alive. Rules that hold for all:

- Messages are handed on and sent only while the connection is open.
- While the peer does not keep up, little more is read from it, and after `stall_timeout` it is cut.
- A frame whose header is out is never broken into by another frame.
- From the first Close or end on, the transport is gone within `close_timeout`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wsdaemon.observe.log import SILENT, shorten
from wsdaemon.observe.tally import Cause
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.autobahn_facts import CLOSED
from wsdaemon.websocket.closing import NO_CODE, Closing
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.collecting import Collected
from wsdaemon.websocket.compression import agree, parse_extensions
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.frames import frame_header
from wsdaemon.websocket.handshake import Lease, Request, accept_token, switching_response
from wsdaemon.websocket.input import Input
from wsdaemon.websocket.keepalive import KeepAlive
from wsdaemon.websocket.outbox import Outbox
from wsdaemon.websocket.transport import Transport, abort_connection, call_if_any, show_peer


@implementer(IHalfCloseableProtocol)
class Connection(Input):
    """An open WebSocket on the server's side.

    A subprotocol overrides `message_received`, and where it needs to `opened`, `pong_received` and `closed`, or the
    frame hooks `onMessageBegin` … `onMessageEnd`, which Autobahn calls for each piece as it arrives.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """What a client may offer or name by its path; the last is the short name, which the INI file uses."""

    settings_class: ClassVar[type[WebSocketSettings]] = WebSocketSettings
    """The options that [subprotocol:NAME] takes, with this subprotocol's defaults."""

    broadcasts: ClassVar[bool] = False
    """Whether each message goes to every connection of the subprotocol; then `wsping` expects it at each client."""

    subprotocol: ClassVar[str]
    """The subprotocol's short name."""
    log = SILENT  # Autobahn's own words; ours are in `events`
    peer: str
    """The peer's address, as people write it."""
    opened_at: float
    """When it was opened, on the hub's clock."""
    target: str
    """The target of its handshake's request, with the query."""
    ping_takes = 0.0
    """How long a ping is on its way out, in seconds, where that is not at once."""

    def __init__(self) -> None:
        """Begin with what the factory has given to the class, which is all that Autobahn would set here."""

    def __init_subclass__(cls) -> None:
        """Give all messages to Autobahn's hooks where a class has hooks of its own, unless it takes whole ones too."""
        super().__init_subclass__()
        if "messages_in" in vars(cls):
            cls.takes_whole_messages = True
        elif any(name.startswith("onMessage") for name in vars(cls)):
            cls.takes_whole_messages = False

    # -- what a subprotocol may override ----------------------------------------------------------------------------

    def opened(self) -> None:
        """Begin: the handshake is answered."""

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a whole message, at most `message_limit` bytes; a text is valid UTF-8."""

    def pong_received(self, payload: bytes) -> None:
        """Take a pong that answers none of the keep-alive pings."""

    def writable(self) -> None:
        """Go on sending: everything queued for the peer was sent."""

    def closed(self) -> None:
        """Let go of everything: the transport is gone. Called once for each connection that was opened."""

    # -- what a subprotocol may call --------------------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent."""
        return self.closing.is_open

    @property
    def write_paused(self) -> bool:
        """Whether the peer does not keep up, so that what is sent is queued."""
        return self.outbox.is_paused

    def send_message(self, message: bytes, is_binary: bool) -> None:
        """Send a message in one frame, compressed where that was agreed on; nothing happens unless open."""
        self.send_frame(Opcode.BINARY if is_binary else Opcode.TEXT, message, compress=self.deflate is not None)

    def send_frame(self, opcode: int, payload: bytes, *, fin: bool = True, compress: bool = False) -> None:
        """Send one frame; nothing happens unless open.

        With `compress`, the frame belongs to a compressed message; one that is no continuation begins it. A whole
        message under `compression_threshold` is sent as it is.
        """
        if not self.closing.is_open:
            return
        if fin and opcode != Opcode.CONTINUATION and len(payload) < self.settings.compression_threshold:
            compress = False
        if compress and self.deflate is not None:
            if opcode != Opcode.CONTINUATION:
                self.deflate.start_compress_message()
            payload = self.deflate.compress_frame(payload, fin=fin)
        header = frame_header(opcode, len(payload), fin=fin, rsv=4 if compress and opcode != Opcode.CONTINUATION else 0)
        self.note_sent(opcode, len(payload), fin)
        self.outbox.write(header + payload)

    def send_ping(self, payload: bytes) -> None:
        """Send a ping of at most 125 bytes, unless a frame is half sent or the peer is not reading."""
        if not self.outbox.frame_left and not self.outbox.is_paused:
            self.send_frame(Opcode.PING, payload)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake; `reason` is cut to 123 bytes. Nothing happens unless open."""
        self.closing.close(code, reason.encode())

    # -- its life -----------------------------------------------------------------------------------------------------

    def begin(self, request: Request, transport: Transport) -> None:
        """Answer the handshake over `transport`, and be open if the answer is a 101."""
        self.peer = show_peer(transport.getPeer())
        self.target = request.handshake.target
        self._lease: Lease | None = request.lease
        self.deadlines = Deadlines(self.hub.clock)
        self.outbox = self.make_outbox()
        self.closing = Closing(self, self.settings.close_timeout)
        self._keep_alive = KeepAlive(self)
        self.makeConnection(transport)
        try:
            self.accept(request)
        except Exception:  # whatever it raises ends its own connection
            self.crashed()

    def connectionMade(self) -> None:
        """Do nothing: `begin` follows."""

    def make_outbox(self) -> Outbox:
        """Return the part that output goes through."""
        return Outbox(self)

    def accept(self, request: Request) -> None:
        """Answer the handshake with a 101, and be open."""
        handshake = request.handshake
        extensions = self.agree_on_extensions(handshake.extensions)
        accepts = (accept_token(handshake.key),)
        self.outbox.write_now(switching_response(accepts, request.subprotocol, extensions))
        self.be_open(request.early)

    def agree_on_extensions(self, header: str) -> str:
        """Take up what the Sec-WebSocket-Extensions header offers; returns the header to answer with, or nothing."""
        offers = parse_extensions(header) if header else ()
        self.deflate, extensions = agree(offers, self.settings, self.hub.compressors)
        return extensions

    def be_open(self, early: bytes) -> None:
        """Be open: the 101 is written; `early` is input that arrived behind the request."""
        hub = self.hub
        self.closing.opened()
        self.number = hub.add(self)
        self.opened_at = hub.clock.seconds()
        hub.traffic.opened[self.subprotocol] += 1
        hub.handshake_answered(101)
        # The HTTP channel is gone, and with it the producer that it registered.
        self.transport.registerProducer(self.outbox, True)
        call_if_any(self.transport, "setTcpNoDelay", True)  # send before earlier messages are acknowledged
        self._keep_alive.start()
        self.events.info(
            "connection {number} from {peer}: open, {target}, {subprotocol}",
            target=shorten(self.target), number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="open",
        )  # fmt: skip
        self.opened()
        if early:
            self.dataReceived(early)
        if hub.draining:  # it came in time to be told, and nobody was refused
            self.close(CloseCode.GOING_AWAY, hub.farewell)

    def readConnectionLost(self) -> None:
        """The peer has ended its side of the stream."""
        self.closing.peer_ended()

    def writeConnectionLost(self) -> None:
        """Our side of the stream is ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything: the transport is gone."""
        was_ended = self.closing.state == CLOSED
        self.closing.gone()
        self._keep_alive.stop()
        self.deadlines.clear()
        self.forget_input()
        self.outbox.lost()
        if self.deflate is not None:
            self.deflate.release()
        if self._lease is not None:
            self._lease.release()
        if self.number:
            self.hub.remove(self)
            self._log_closed("" if was_ended else _lost(reason))
            self.closed()

    def abort(self) -> None:
        """Cut the stream."""
        self.transport.abortConnection()

    # -- control frames -----------------------------------------------------------------------------------------------

    def onPing(self, payload: bytes) -> None:
        """Answer with a pong of the same payload (RFC 6455 section 5.5.3)."""
        self.send_frame(Opcode.PONG, payload)

    def onPong(self, payload: bytes) -> None:
        """Take the answer to our ping, or an unsolicited pong."""
        if not self._keep_alive.answered(payload):
            self.pong_received(payload)

    # -- messages in pieces -------------------------------------------------------------------------------------------

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Hand whole messages on, one by one."""
        for opcode, payload in frames:
            if not self.closing.is_open:
                return
            self.message_received(payload, opcode == Opcode.BINARY)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to collect a message."""
        self.message = Collected(isBinary, self.settings.message_limit)

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a frame by its header, before anything of it is held."""
        if not self.message.begin_frame(length, is_compressed=self.is_compressed):
            self.too_big()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Collect a piece of a frame's payload, already inflated."""
        if self.closing.is_open and not self.message.add(payload):
            self.too_big()

    def onMessageFrameEnd(self) -> None:
        """Go on to the message's next frame."""

    def onMessageEnd(self) -> None:
        """Hand the collected message on."""
        message = self.message.take()
        if self.closing.is_open:
            self.note_message(self.message.is_binary, len(message))
            self.message_received(message, self.message.is_binary)

    def too_big(self) -> None:
        """Fail the connection: the message is larger than the limit."""
        self.message.take()
        if self.closing.is_open:
            self.closing.fail(CloseCode.MESSAGE_TOO_BIG, f"message over {self.settings.message_limit} bytes")

    # -- its end, as `closing` asks for it ----------------------------------------------------------------------------

    def send_close(self, code: int | None, body: bytes) -> bool:
        """Write a Close with this body; False where another frame is half sent and cannot be finished."""
        if not self.outbox.finish_frame(self.hub.limits.fill_limit if code == CloseCode.INVALID_PAYLOAD else 0):
            return False
        self.note_sent(Opcode.CLOSE, len(body), True)
        self.outbox.write(frame_header(Opcode.CLOSE, len(body)) + body)
        return True

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Call `done` once paced output is written; False, and no call, where there is none."""
        return self.outbox.when_sent(done)

    def left_open(self) -> None:
        """Stop waiting for what only an open connection waits for."""
        self._keep_alive.stop()
        self.deadlines.cancel("message")
        self.deadlines.cancel("stall")

    def ending(self) -> None:
        """Let go of input and output before the stream ends; it is read on, as no reset may overtake a Close."""
        self.outbox.uncork()
        self.forget_input()
        if self.number:
            self.transport.unregisterProducer()
        self.outbox.read_to_the_end()

    def failing(self, code: int) -> None:
        """Count a connection that fails."""
        self.hub.tally.count(Cause.FAILED, code=int(code))

    def cut_late(self) -> str:
        """Count a peer that did not close in time."""
        self.hub.tally.count(Cause.CLOSE_TIMEOUT)
        return "the peer did not close in time"

    def crashed(self) -> None:
        """Log the exception that is being handled, which is no fault of the peer's, and fail with 1011."""
        self.events.failure(
            "connection {number} from {peer}: {subprotocol} failed",
            number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="failed",
        )  # fmt: skip
        self.closing.fail(CloseCode.INTERNAL_ERROR, "internal error")

    def stalled(self) -> None:
        """Cut the peer: it took nothing for too long."""
        self.hub.tally.count(Cause.STOPPED_READING)
        self.closing.end(abort_connection, "the peer stopped reading")

    def unanswered(self) -> None:
        """Cut the peer: it did not answer our ping."""
        self.hub.tally.count(Cause.NO_PONG)
        self.closing.end(abort_connection, "no pong came back")

    # -- what is logged and counted -----------------------------------------------------------------------------------

    def note_sent(self, opcode: int, length: int, fin: bool) -> None:
        """Log and count a frame that is sent."""
        if self.hub.verbose:  # saves a call
            self.trace("sends", opcode, length, fin)
        self.hub.traffic.count_out(opcode, length, fin)

    def note_message(self, is_binary: bool, length: int) -> None:
        """Log a message that is whole, where every frame is logged."""
        if self.hub.verbose:
            self.debug(
                "message received: {kind}, {length} bytes", kind="binary" if is_binary else "text", length=length
            )

    def _log_closed(self, lost: str) -> None:
        closing = self.closing
        sent, received = (None if code == NO_CODE else code for code in (closing.sent, closing.received))
        self.hub.traffic.ended(sent, received)
        if closing.cause or received is None:
            ending = closing.cause or ("" if closing.is_clean else lost) or "no close code"
        else:
            ending = f"the peer's code {received}"
        self.events.info(
            "connection {number} from {peer}: closed, {subprotocol}, sent {sent}, received {received}: {cause}",
            number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="close", cause=ending,
            sent=sent, received=received,
        )  # fmt: skip


def _lost(reason: Failure) -> str:
    """Say why a stream is gone that we did not end."""
    error = reason.value
    if isinstance(error, SSL.Error) and error.args and error.args[0]:
        _, function, what = error.args[0][0]
        return f"SSL error: {what} (in {function})"
    return "peer dropped the TCP connection without previous WebSocket closing handshake"
