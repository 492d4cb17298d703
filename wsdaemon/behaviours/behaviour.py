"""The connection of every behaviour, and the parts that a URL's parameters add to it.

    reply ─▶ order ─▶ delay ─▶ text ─▶ compression ─▶ frames ─▶ pace ─▶ transport

A group of parameters is a frozen dataclass. The part that acts on it is a subclass of `Part` in the same file, which
overrides the steps that it changes. A connection has the parts whose parameters its URL gives, and those that its
behaviour `needs`. They are made once, when the connection begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from wsdaemon.behaviours.pacing import PacedOutbox, Reply
from wsdaemon.behaviours.parameters import Family, Given
from wsdaemon.behaviours.rawframes import Summary, summary
from wsdaemon.observe.tally import Cause
from wsdaemon.options import Size, option
from wsdaemon.settings import BehaviourSettings, WebSocketSettings
from wsdaemon.websocket.autobahn_facts import CONNECTING
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.frames import frame_header
from wsdaemon.websocket.handshake import Request
from wsdaemon.websocket.outbox import LATER, STALLED
from wsdaemon.websocket.transport import abort_connection, lose_connection

EARLY = 1 << 16
"""How many bytes a client may send before its handshake is answered."""


@dataclass(frozen=True, kw_only=True)
class MessageSettings(WebSocketSettings):
    """A behaviour that collects messages."""

    message_limit: int = option(
        Size(0, 1 << 32), 1 << 20, "The largest message, after inflating; a larger one closes the connection with 1009."
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a URL asks for: its parameters, the parts that may act on them, and the server's bounds."""

    given: Given
    parts: tuple[type[Part], ...]
    bounds: BehaviourSettings


class Part:
    """What one group of parameters does to a connection."""

    parameters: ClassVar[type[Any]]
    """The dataclass of its parameters; parts act in the order of the `rank` of its `family`."""
    shapes_replies: ClassVar[bool] = True
    """Whether it changes replies; a behaviour that `streams` has no such part."""

    def __init__(self, connection: Behaviour, wanted: Any) -> None:
        self.connection = connection
        self.wanted = wanted

    def accept(self, request: Request) -> bool:
        """Answer the handshake; False to leave it as usual."""
        return False

    def agree(self, header: str) -> str | None:
        """Agree on extensions; returns the response's header, or None to leave it as usual."""
        return None

    def opened(self) -> None:
        """Begin: the connection is open."""

    def taken(self) -> None:
        """Note that a message from the client was taken."""

    def replies(self, replies: Iterable[Reply]) -> Iterable[Reply]:
        """Return the replies that are sent in place of these."""
        return replies

    def text(self, text: bytes) -> bytes:
        """Return a reply's text as it is sent."""
        return text

    def compress(self, message: bytes) -> bytes | None:
        """Return a reply's compressed payload; None to leave it as usual. Called only if deflate was agreed on."""
        return None

    def cut(self, opcode: int, payload: bytes, *, rsv1: bool) -> bytes | None:
        """Return a reply's frames; None for one frame, as usual."""
        return None

    def replied(self) -> None:
        """Note that a reply was sent."""

    def ping(self, payload: bytes) -> bool:
        """Answer a ping; False to leave it as usual."""
        return False

    def close_received(self, code: int | None) -> bool:
        """Take the client's Close; False to leave it as usual."""
        return False

    def lost(self) -> None:
        """Let go of everything: the transport is gone."""


class Behaviour(Connection):
    """A subprotocol that a URL chooses, with parameters. A subclass says what it is and what it replies."""

    family: ClassVar[Family]
    path: ClassVar[str] = ""
    """The first segment of its URLs; its short name where this is empty."""
    summary: ClassVar[str] = ""
    example: ClassVar[str] = ""
    rfc: ClassVar[str] = ""
    own: ClassVar[tuple[type[Any], ...]] = ()
    """Groups of parameters that no other behaviour has."""
    needs: ClassVar[tuple[type[Part], ...]] = ()
    """The parts that it has even if none of their parameters is given."""
    streams: ClassVar[bool] = False
    """Whether it sends bytes as they are, so that it has no part that shapes replies."""

    settings_class: ClassVar[type[WebSocketSettings]] = MessageSettings
    outbox: PacedOutbox
    batch = 1  # one message may make much output, so the queue is checked after each
    _early = b""
    _pong: bytes | None = None  # the payload of the pong that is held back inside a frame

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.given = asked.given
        self.bounds = asked.bounds
        self._asked_parts = asked.parts

    # -- what a behaviour may override or call --------------------------------------------------------------------

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a message; here it is echoed."""
        self.reply(message, is_binary)

    def reply(self, message: bytes, is_binary: bool = False) -> None:
        """Send a message through all parts; nothing happens unless open."""
        replies: Iterable[Reply] = [(message, is_binary)]
        for part in self._parts:
            replies = part.replies(replies)
        for each in replies:
            self.outbox.delayed.add(each)
        self.outbox.balance()

    def may_go_on(self) -> None:
        """Go on producing: less is queued than before."""

    def every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` at this interval while open, except while the peer does not keep up."""

        def again() -> None:
            if self.can_send:
                self.deadlines.set(name, seconds, again)
                if not self.outbox.is_held_up and not self.outbox.frame_left:
                    action()

        self.deadlines.set(name, seconds, again)

    def send_raw(self, data: bytes, known: Summary | None = None) -> None:
        """Send frames as they are, right or wrong; nothing happens unless open. `known` is their summary."""
        if self.can_send:
            self._write(data, known or summary(data))

    def hold(self) -> None:
        """Leave the connection as it is, without keep-alive, for at most `[behaviours] max_wait`."""
        super().left_open()  # not its own: nothing queued is forgotten
        self.deadlines.set("hold", self.bounds.max_wait, self._held_long_enough)

    def _held_long_enough(self) -> None:
        self.closing.cause = ""
        self.closing.end(abort_connection, "held for as long as is allowed, as asked for")

    # -- its life -----------------------------------------------------------------------------------------------------

    def make_outbox(self) -> PacedOutbox:
        """Return the connection's outbox, and make the parts that the URL asks for."""
        self.outbox = PacedOutbox(self)
        chosen = [each for each in self._asked_parts if each in self.needs or self.given.names_any_of(each.parameters)]
        self._parts = tuple(each(self, self.given.of(each.parameters)) for each in chosen)
        return self.outbox

    def accept(self, request: Request) -> None:
        """Answer the handshake, in the way that the URL asks for."""
        if not any(part.accept(request) for part in self._parts):
            super().accept(request)

    def agree_on_extensions(self, header: str) -> str:
        """Agree on compression, in the way that the URL asks for."""
        for part in self._parts:
            extensions = part.agree(header)
            if extensions is not None:
                return extensions
        return super().agree_on_extensions(header)

    def opened(self) -> None:
        """Begin: the connection is open."""
        for part in self._parts:
            part.opened()

    def dataReceived(self, data: bytes, *, is_our_turn: bool = False) -> None:
        """Take bytes from the transport: hold them until the handshake is answered, and drop them in a stall."""
        if self.outbox.is_deaf or self.outbox.paused_for & STALLED:
            return
        if self.closing.state == CONNECTING:
            self._early += data
            if len(self._early) > EARLY:
                self.hub.tally.note(Cause.EARLY_DATA, "{peer}: sent much before it was answered", peer=self.peer)
                self.abort()
        else:
            super().dataReceived(data, is_our_turn=is_our_turn)

    def be_open(self, early: bytes) -> None:
        """Open the connection: the 101 is written."""
        held, self._early = self._early, b""
        super().be_open(early + held)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything: the transport is gone."""
        for part in self._parts:
            part.lost()
        super().connectionLost(reason)

    # -- the way of a message -------------------------------------------------------------------------------------

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Take whole messages one by one."""
        for opcode, payload in frames:
            if self.can_send:
                self.take_message(payload, opcode == Opcode.BINARY)

    def onMessageEnd(self) -> None:
        """Take the collected message."""
        message = self.message.take()
        if self.can_send:
            self.take_message(message, self.message.is_binary)

    def take_message(self, message: bytes, is_binary: bool) -> None:
        """Take a message and tell the parts."""
        self.message_received(message, is_binary)
        for part in self._parts:
            part.taken()

    def send_reply(self, reply: Reply) -> None:
        """Send a reply whose delay is over."""
        if not self.can_send:
            return
        message, is_binary = reply
        opcode = Opcode.BINARY if is_binary else Opcode.TEXT
        payload, is_compressed = self._payload(message, is_binary)
        for part in self._parts:
            frames = part.cut(opcode, payload, rsv1=is_compressed)
            if frames is not None:
                self.trace("sends", opcode, len(payload), True)
                self._write(frames, summary(frames))
                return
        self.note_sent(opcode, len(payload), True)
        self.outbox.write(frame_header(opcode, len(payload), rsv=4 * is_compressed) + payload)
        self._note_reply()

    def _payload(self, message: bytes, is_binary: bool) -> tuple[bytes, bool]:
        """Return a reply's payload, and whether it is compressed."""
        if not is_binary:
            for part in self._parts:
                message = part.text(message)
        if self.deflate is None:
            return message, False
        for part in self._parts:
            compressed = part.compress(message)
            if compressed is not None:
                return compressed, True
        if len(message) < self.settings.compression_threshold:
            return message, False
        return self.deflate.compress(message), True

    def _write(self, frames: bytes, known: Summary) -> None:
        """Write raw frames and count them; a Close among them counts as the server's."""
        for (opcode, fin, length), times in known.kinds:
            self.hub.traffic.count_out(opcode, length, fin, times)
        self.outbox.write(frames)
        if known.has_close:
            self.closing.close_sent(None)
        self._note_reply()

    def _note_reply(self) -> None:
        for part in self._parts:
            part.replied()
        self.outbox.balance()

    # -- control frames and the end -----------------------------------------------------------------------------------

    def onPing(self, payload: bytes) -> None:
        """Answer a ping, in the way that the URL asks for."""
        if not any(part.ping(payload) for part in self._parts):
            self.send_pong(payload)

    def send_pong(self, payload: bytes) -> None:
        """Send a pong, or hold it back inside a frame: of several, the last is sent (RFC 6455 section 5.5.3)."""
        if self.outbox.frame_left:
            self._pong = payload
        else:
            self.send_frame(Opcode.PONG, payload)

    def send_waiting_pong(self) -> None:
        """Send the pong that was held back inside a frame."""
        payload, self._pong = self._pong, None
        if payload is not None:
            self.send_frame(Opcode.PONG, payload)

    def onPong(self, payload: bytes) -> None:
        """Take a pong; while the connection is held, it does not start the keep-alive again."""
        if not self.deadlines.running("hold"):
            super().onPong(payload)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> None:
        """Take the client's Close, in the way that the URL asks for."""
        if not any(part.close_received(code) for part in self._parts):
            self.closing.close_received(code, reasonRaw or b"")

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Start the closing handshake; do not wait for an answer that would not be read."""
        super().close(code, reason)
        if self.outbox.is_deaf or self.outbox.paused_for & STALLED:
            self.closing.end_at_once(lose_connection)

    def left_open(self) -> None:
        """Stop what only an open connection does."""
        super().left_open()
        self.deadlines.cancel("handshake")
        if self.number:
            self.outbox.delayed.clear()  # they would come after the Close
            self.outbox.balance()
            self.outbox.resume_reading(LATER)

    def in_turn(self, work: Callable[[float], None]) -> None:
        """Have `work` called in one of the loop's next turns, with its share of the turn in seconds."""

        def do() -> None:
            try:
                work(self.hub.turns.share)
            except Exception:  # it ends its own connection, and no other
                self.crashed()

        self.hub.turns.add(do, again=True)
