"""Autobahn's protocol engine as this project uses it: with bounds, deadlines, flow control and its own framing.

Autobahn parses what comes in and keeps the state of the closing handshake. What goes out is framed here. The rules:

- A connection is OPEN from `accept` until a Close frame is sent (CLOSING), and CLOSED once its transport is told to
  end. Data is handed on and sent only while OPEN.
- While the peer does not keep up, little more is read from it (`flow`), and after `stall_timeout` it is dropped.
- A frame whose header is out but whose payload is not (`frame_left`) is never broken into by another frame.
- From the first Close frame or drop on, the transport is gone within `close_timeout`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wsdaemon.observe.log import SILENT, shorten
from wsdaemon.observe.tally import Cause
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.compression import agree
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.frames import frame_header
from wsdaemon.websocket.handshake import Handshake, accepting_response
from wsdaemon.websocket.incoming import Incoming
from wsdaemon.websocket.keepalive import KeepAlive
from wsdaemon.websocket.lease import Lease
from wsdaemon.websocket.transport import (
    Transport,
    abort_connection,
    finish_sending,
    lose_connection,
    send_soon,
    show_peer,
)

if TYPE_CHECKING:
    from wsdaemon.websocket.factory import ConnectionFactory


class Unheard:
    """Stands for Autobahn's Deferreds that tell of an open or closed connection: `opened` and `closed` do that."""

    def callback(self, result: object) -> None:
        """Tell nobody."""


@implementer(IHalfCloseableProtocol)
class Engine(Incoming):
    """One connection, from the answer to its handshake until its transport is gone."""

    factory: ConnectionFactory
    lease: Lease | None = None  # the place among all connections
    log = SILENT  # Autobahn's own words; ours are in `events`
    is_open = is_closed = Unheard()

    @property
    def can_send(self) -> bool:  # type: ignore[override]  # follows from the state
        """Whether messages can be sent."""
        return bool(self.state == self.STATE_OPEN)

    def __init__(self) -> None:
        """Begin with what the factory has given to the class, which is all that Autobahn would set here."""

    # -- what a connection does with it ---------------------------------------------------------------------------

    def opened(self) -> None:
        """Do what is to be done once the handshake is answered."""

    def pong_received(self, payload: bytes) -> None:
        """Take a pong that answers none of the keep-alive pings."""

    def closed(self) -> None:
        """Let go of what was held: the transport is gone. Called once for each connection that was opened."""

    # -- sending --------------------------------------------------------------------------------------------------

    def send_frame(self, opcode: int, payload: bytes, *, fin: bool = True, compress: bool = False) -> None:
        """Send one frame; nothing happens unless open.

        With `compress`, the frame belongs to a compressed message; one that is no continuation begins it. A whole
        message under `compression_threshold` is sent as it is.
        """
        if not self.can_send:
            return
        if fin and opcode != Opcode.CONTINUATION and len(payload) < self.settings.compression_threshold:
            compress = False
        if compress and self.deflate is not None:
            if opcode != Opcode.CONTINUATION:
                self.deflate.start_compress_message()
            payload = self.deflate.compress_frame(payload, fin=fin)
        header = frame_header(opcode, len(payload), fin=fin, rsv1=compress and opcode != Opcode.CONTINUATION)
        self.trace("sends", opcode, len(payload), fin)
        self.hub.traffic.gave_frame(opcode, len(payload), fin)
        self.write(header + payload)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Take the bytes of Autobahn's own frames, and of its answer to the handshake, into the order of ours."""
        self.write(data)

    def send_ping(self, payload: bytes) -> None:
        """Send a ping of at most 125 bytes, unless a frame is half sent or the peer is not reading."""
        if not self.frame_left and not self.write_paused:
            self.send_frame(Opcode.PING, payload)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake; `reason` is cut to 123 bytes. Nothing happens unless open."""
        self.sendCloseFrame(code, _cut(reason.encode(), 123))

    # -- life -----------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Set up the state; the transport is the one that the request came over."""
        self.peer = show_peer(self.transport.getPeer())
        self.frame_left = 0
        self.deadlines = Deadlines(self.hub.clock)
        self.subprotocol = self.factory.name
        self.target = ""
        self.number = 0
        self._keep_alive = KeepAlive(self)
        self._cause = ""
        self._watched = 0  # of the messages that have begun, the one whose time is watched

    def accept(self, handshake: Handshake, subprotocol: str | None, early: bytes) -> None:
        """Answer the handshake with 101 and begin; `early` is what came in behind the request.

        `subprotocol` is the name to choose in the answer, one of the client's, or None to name none.
        """
        self.target = handshake.target
        extensions = self.agree_on_extensions(handshake.extensions)
        self.write(accepting_response(handshake.key, subprotocol, extensions))
        self.begin(early)

    def agree_on_extensions(self, header: str) -> str:
        """Take up what the Sec-WebSocket-Extensions header offers; returns the header to answer with, or nothing."""
        offers = self._parseExtensionsHeader(header) if header else ()
        self._perMessageCompress, extensions = agree(offers, self.settings, self.hub.compressors)
        return extensions

    def begin(self, early: bytes) -> None:
        """Be open: the answer to the handshake is written; `early` is what came in behind the request."""
        self.state = self.STATE_OPEN
        self.number = self.hub.add(self)
        self.opened_at = self.hub.clock.seconds()
        self.hub.traffic.opened[self.subprotocol] += 1
        self.hub.traffic.handshakes[101] += 1
        # The HTTP channel is gone, and with it the producer that it registered.
        self.transport.registerProducer(self, True)
        send_soon(self.transport)
        self._keep_alive.start()
        self.events.info(
            "connection {number} from {peer}: open, {target}, {subprotocol}",
            target=shorten(self.target), number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="open",
        )  # fmt: skip
        self.opened()
        if early:
            self.dataReceived(early)
        if self.hub.draining:  # it came in time to be told, and nobody was refused
            self.close(CloseCode.GOING_AWAY, self.hub.farewell)

    def parse(self, data: bytes) -> None:
        """Have Autobahn parse bytes of one frame."""
        self._dataReceived(data)

    def progressed(self) -> None:
        """Watch the time of a message that is not whole yet."""
        timeout = self.settings.message_timeout
        if not self.can_send or not (self.inside_message or self.begun_frame):
            self.watching = False
            self.deadlines.cancel("message")
        elif timeout and (not self.watching or self._watched != self.begun_messages):
            self.watching = True
            self._watched = self.begun_messages
            self.deadlines.set("message", timeout, self._message_expired)

    def readConnectionLost(self) -> None:
        """The peer has ended its side (TCP): what is written still goes out, then ours ends too."""
        if self.state == self.STATE_CLOSED:
            self.transport.loseConnection()
        else:
            self._end(lose_connection)

    def writeConnectionLost(self) -> None:
        """Our side is ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self.deadlines.clear()
        self.forget_input()
        self.forget_backlog()
        if self.deflate is not None:
            self.deflate.release()
        if self.lease is not None:
            self.lease.release()
        was_open = bool(self.number)
        try:
            # Past the server's own, which would describe the connection at length to a log that nobody reads.
            WebSocketProtocol._connectionLost(self, reason)  # type: ignore[arg-type]  # Autobahn means a Failure too
        finally:
            if was_open:
                self.hub.remove(self)
                self._log_closed()
                self.closed()

    # -- control frames in ----------------------------------------------------------------------------------------

    def onPing(self, payload: bytes) -> None:
        """Answer with a pong of the same payload (RFC 6455 section 5.5.3)."""
        self.send_frame(Opcode.PONG, payload)

    def onPong(self, payload: bytes) -> None:
        """Take the answer to our ping, or one that nobody asked for."""
        if not self._keep_alive.answered(payload):
            self.pong_received(payload)

    # -- closing --------------------------------------------------------------------------------------------------

    def sendCloseFrame(  # noqa: D102  # as Autobahn's, with our deadline; code and reason are as they go out
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,
        isReply: bool = False,
    ) -> None:
        if not self.can_send:
            return
        if self.frame_left and (self.frame_left > self.hub.limits.fill_limit or code != CloseCode.INVALID_PAYLOAD):
            self._cause = self._cause or "a frame could not be finished"
            self.dropConnection(abort=True)
            return
        self.write(b" " * self.frame_left)
        self.frame_left = 0
        length = 2 + len(reasonUtf8 or b"") if code else 0
        self.trace("sends", Opcode.CLOSE, length, True)
        self.hub.traffic.gave_frame(Opcode.CLOSE, length, True)
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self._start_closing()

    def _fail_connection(self, code: int = CloseCode.GOING_AWAY, reason: str = "going away") -> None:
        """Fail the connection (RFC 6455 section 7.1.7): send Close where that is possible, and look at nothing more.

        What the peer still sends is read and dropped until it ends the stream too, because a socket that is closed
        with something unread sends a reset, which may overtake the Close frame.
        """
        self.failedByMe = True
        self._cause = self._cause or reason
        if self.can_send:
            self.hub.tally.count(Cause.FAILED, code=int(code))
            self.close(code, reason)
            self._end(finish_sending)
        else:
            self.dropConnection()

    def crashed(self) -> None:
        """Log the exception that is handled now, which is no fault of the peer's, and end the connection with 1011."""
        self.events.failure(
            "connection {number} from {peer}: {subprotocol} failed",
            number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="failed",
        )  # fmt: skip
        self._fail_connection(CloseCode.INTERNAL_ERROR, "internal error")

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(CloseCode.PROTOCOL_ERROR, reason)
        return True  # nothing that follows means anything

    def _invalid_payload(self, reason: str) -> bool:
        self._fail_connection(CloseCode.INVALID_PAYLOAD, reason)
        return True

    def dropConnection(self, abort: bool = False) -> None:
        """End the transport: what is written still goes out and a FIN follows, unless the closing was not clean."""
        self._end(abort_connection if abort and not self.wasClean else finish_sending)

    def _end(self, how: Callable[[Transport], None]) -> None:
        if self.state == self.STATE_CLOSED:
            return
        self.uncork()
        self.droppedByMe = True
        self.state = self.STATE_CLOSED
        self.data = b""
        self.forget_input()
        if self.number:
            self.transport.unregisterProducer()
        if self.read_paused:
            self.read_paused = 0
            self.transport.resumeProducing()
        self._start_closing()
        how(self.transport)

    def _start_closing(self) -> None:
        for name in ("ping", "pong", "message", "stall"):
            self.deadlines.cancel(name)
        if not self.deadlines.running("close"):
            self.deadlines.set("close", self.settings.close_timeout, self._close_expired)

    def _close_expired(self) -> None:
        self.hub.tally.count(Cause.CLOSE_TIMEOUT)
        self._cause = self._cause or "the peer did not close in time"
        self.transport.abortConnection()

    def _message_expired(self) -> None:
        self._fail_connection(CloseCode.POLICY_VIOLATION, "message unfinished for too long")

    def stalled(self) -> None:
        """Drop the peer: it took nothing for too long."""
        self.hub.tally.count(Cause.STOPPED_READING)
        self._cause = "the peer stopped reading"
        self.dropConnection(abort=True)

    def unanswered(self) -> None:
        """Drop the peer: it did not answer our ping."""
        self.hub.tally.count(Cause.NO_PONG)
        self._cause = "no pong came back"
        self.dropConnection(abort=True)

    def _log_closed(self) -> None:
        self.hub.traffic.ended(self.localCloseCode, self.remoteCloseCode)
        if self._cause or self.remoteCloseCode is None:
            ending = self._cause or self.wasNotCleanReason or "no close code"
        else:
            ending = f"the peer's code {self.remoteCloseCode}"
        self.events.info(
            "connection {number} from {peer}: closed, {subprotocol}, sent {sent}, received {received}: {cause}",
            number=self.number, peer=self.peer, subprotocol=self.subprotocol, event="close", cause=ending,
            sent=self.localCloseCode, received=self.remoteCloseCode,
        )  # fmt: skip


def _cut(text: bytes, length: int) -> bytes:
    """Return the start of UTF-8 `text`, at most `length` bytes and cut at a character's border."""
    return text if len(text) <= length else text[:length].decode("utf-8", "ignore").encode()
