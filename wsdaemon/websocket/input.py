"""Input of a connection: plainly right frames are taken in one pass (`frames`), Autobahn parses every other byte.

Autobahn gets the bytes of one frame at a time, so that the fast way goes on directly behind a ping or a fragment. The
payload that it parses is unmasked, inflated and checked here, in pieces of bounded size. Work on one connection's input
stops after its share of the loop's turn (`turns`); the rest is held until the next turn and nothing more is read, so
that a flood of tiny frames delays no other connection. The replies to one chunk go out in one write.
"""

from __future__ import annotations

from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar

from autobahn.exception import PayloadCorruptError
from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.logger import Logger

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket import autobahn_facts as autobahn
from wsdaemon.websocket.autobahn_facts import CLOSED, OPEN
from wsdaemon.websocket.closing import Closing
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.frames import RSV1, Masker, frame_extent, is_begun, take_compressed_frame, take_whole_frames
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.outbox import BUSY, Outbox
from wsdaemon.websocket.transport import Transport, call_if_any
from wsdaemon.websocket.utf8 import Utf8Check, is_text

LITTLE = 0.0005
"""Work of fewer seconds is not counted: counting it would cost more than the work."""

COMPRESSED_WHOLE = 1 << 14
"""The largest compressed message that is inflated in one go: it may hold 16 MiB, which take 10 ms."""

COMPRESSED_SLICE = 512
"""Bytes of a larger compressed frame that are parsed between two looks at the clock: they may inflate 1,000 times."""

INFLATED_WHOLE = 1 << 18
"""The longest message that is inflated in one piece."""


@autobahn.ends_by_closing
class Input(WebSocketServerProtocol):
    """Input side of a connection; a base class, because Autobahn's parser calls its hooks by name.

    Input waits in one of three places: bytes that are read and not yet parsed (`_held`), the start of a frame that the
    fast way can take once it is whole (`begun_frame`), and the start of a header, at Autobahn's (`data`).
    """

    transport: Transport  # type: ignore[assignment]  # narrower than Twisted's, and there once it begins
    hub: Hub
    settings: WebSocketSettings
    deadlines: Deadlines
    closing: Closing
    outbox: Outbox
    data: bytes
    current_frame: Any = None
    inside_message = False
    deflate = autobahn.deflate
    is_compressed = autobahn.is_compressed
    violation = invalid = "{}"

    events: ClassVar[Logger] = Logger(namespace="wsdaemon")
    number = 0
    """The connection's number among all of the daemon; 0 until it is open."""
    is_fast = False
    """Whether whole messages are taken without Autobahn: not where every frame is logged."""
    takes_whole_messages = True
    """Whether `messages_in` may get messages; else all of them go to Autobahn's hooks."""
    batch = 256
    """Frames that are taken before the clock is looked at again."""
    heard = False
    """Whether any input arrived since the keep-alive last cleared this."""
    begun_frame = b""
    """The start of a frame that is taken once it is whole."""
    begun_messages = 0
    """How many messages began and did not arrive in one piece."""
    _watched = 0  # the number of the one whose deadline runs; 0: none
    _held = b""

    # -- for the subclass to define ---------------------------------------------------------------------------------

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Take whole messages of one frame each: opcode (text or binary) and payload."""
        raise NotImplementedError

    def inflated_in(self, opcode: int, message: bytes) -> None:
        """Take a whole message of one frame that was compressed: opcode (text or binary) and payload, inflated."""
        self.messages_in([(opcode, message)])

    def crashed(self) -> None:
        """End the connection because of the exception that is being handled."""
        raise NotImplementedError

    # -- the log ------------------------------------------------------------------------------------------------------

    def trace(self, verb: str, opcode: int, length: int, fin: bool) -> None:
        """Log a frame, where every frame is logged."""
        if self.hub.verbose:
            name = Opcode(opcode).name.lower() if opcode in set(Opcode) else f"opcode {opcode}"
            kind = "control" if opcode >= Opcode.CLOSE else "frame"
            self.debug(
                "{verb} {kind}: {name}, {length} bytes{rest}",
                verb=verb, kind=kind, name=name, length=length, rest="" if fin else ", more to come",
            )  # fmt: skip

    def debug(self, text: str, **fields: Any) -> None:
        """Log a detail of this connection that only verbose mode shows; `text` is a format for `fields`."""
        self.events.debug("connection {number}: " + text, number=self.number, **fields)

    # -- chunks of input --------------------------------------------------------------------------------------------

    @property
    def incoming_frame(self) -> object:
        """A value that identifies the frame that is arriving; None between frames."""
        return self.begun_messages if self.begun_frame else self.current_frame

    def dataReceived(self, data: bytes, *, is_our_turn: bool = False) -> None:
        """Take bytes from the transport, or held ones when it is the connection's turn.

        The path of every message is one piece of code here, as each call would cost speed.
        """
        closing, outbox = self.closing, self.outbox
        if closing.state == CLOSED:
            return  # it is read only so that no reset overtakes our Close
        if self._held:
            self._held += data  # over TLS some may arrive although reading is paused
            return
        if self.hub.turns.over and not is_our_turn:
            self._wait_for_turn(data)
            return
        self.heard = True
        rest, at = b"", 0
        begun = perf_counter()
        outbox.cork()
        try:
            if (
                self.is_fast
                and self.current_frame is None
                and not (self.inside_message or self.begun_frame or self.data)
            ):
                frames, at = take_whole_frames(data, masked=True, limit=self.settings.message_limit, count=self.batch)
                if frames:
                    counts, sizes = self.hub.traffic.frames_in, self.hub.traffic.bytes_in
                    for opcode, payload in frames:
                        counts[opcode] += 1
                        sizes[opcode] += len(payload)
                    self.messages_in(frames)
            if at < len(data):
                rest = data[at:] if outbox.is_full else self._work(data, at, begun)
        except Exception:  # whatever a subprotocol raises ends its own connection
            self.crashed()
        finally:
            outbox.uncork()
        if self.inside_message or self.begun_frame or self._watched:
            self._watch_message()
        took = perf_counter() - begun
        if took > LITTLE:
            self.hub.turns.spend(took)
        if rest and closing.state != CLOSED:
            self._hold(rest)

    def _hold(self, data: bytes) -> None:
        if self.outbox.is_full:
            self._held = data  # until the peer takes its replies: one chunk may cause many
        else:
            self._wait_for_turn(data, again=True)

    def _wait_for_turn(self, data: bytes, *, again: bool = False) -> None:
        self._held = data
        self.outbox.pause_reading(BUSY)
        self.hub.turns.add(self._go_on, again=again)

    def _go_on(self) -> None:
        held, self._held = self._held, b""
        if held:
            self.dataReceived(held, is_our_turn=True)
            if not self._held or self.outbox.is_full:
                self.outbox.resume_reading(BUSY)

    def read_on(self) -> bool:
        """Process held input in the next turn; returns whether there is any, and reading stays paused."""
        outbox = self.outbox
        if not self._held or outbox.is_full or outbox.paused_for & BUSY:
            return False
        outbox.paused_for |= BUSY
        self.hub.turns.add(self._go_on)
        return True

    def forget_input(self) -> None:
        """Drop all input that is held."""
        self._held = self.begun_frame = self.data = b""

    def _watch_message(self) -> None:
        """Set the deadline of a message that is not whole, and cancel that of one that is."""
        timeout = self.settings.message_timeout
        if not self.closing.is_open or not (self.inside_message or self.begun_frame):
            self._watched = 0
            self.deadlines.cancel("message")
        elif timeout and self._watched != self.begun_messages:
            self._watched = self.begun_messages
            self.deadlines.set("message", timeout, self._message_expired)

    def _message_expired(self) -> None:
        self.closing.fail(CloseCode.POLICY_VIOLATION, "message unfinished for too long")

    # -- frames that the fast way does not take at once ---------------------------------------------------------------

    def _work(self, data: bytes, at: int, begun: float) -> bytes:
        """Process input from `at` on during this connection's share of the turn; returns the rest."""
        waited = bool(self.begun_frame)
        if waited:
            data, self.begun_frame = self.begun_frame + data, b""
        elif self.current_frame is None and self.data:
            data, self.data = self.data + data, b""
        end = len(data)
        while at < end and self.closing.state != CLOSED:
            before = at
            if self.current_frame is None and not self.inside_message and not self.hub.verbose:
                at = self.take_whole(data, at)
                if at == before and self._can_wait(data[at:] if at else data):
                    self.begun_messages += at > 0 or not waited
                    return b""
            if at == before:
                at = self._parse_some(data, at)
            if at < end and (self.outbox.is_full or perf_counter() - begun > self.hub.turns.share):
                return data[at:]
        return b""

    def _can_wait(self, data: bytes) -> bool:
        """Hold the start of a frame, if the fast way can take it once it is whole; returns whether it is held."""
        hold, limit = self.hub.limits.frame_hold, self.settings.message_limit
        if self.takes_whole_messages and is_begun(data, masked=True, limit=min(hold, limit or hold)):
            self.begun_frame = data
        return bool(self.begun_frame)

    def take_whole(self, data: bytes, at: int) -> int:
        """Take whole messages of one frame each the fast way; returns the position of the first byte not taken."""
        if self.takes_whole_messages:
            frames, end = take_whole_frames(data, at, masked=True, limit=self.settings.message_limit, count=self.batch)
            if frames:
                self.hub.traffic.count_messages_in(frames)
                self.messages_in(frames)
                return end
        if self.deflate is not None:
            compressed = take_compressed_frame(data, at, limit=COMPRESSED_WHOLE)
            if compressed is not None:
                opcode, payload, at = compressed
                message = self._inflated(opcode, payload)
                if message is None:
                    autobahn.take_frame(self, opcode, payload)
                else:
                    self.hub.traffic.count_messages_in([(opcode, payload)])
                    self.inflated_in(opcode, message)
        return at

    def _inflated(self, opcode: int, payload: bytes) -> bytes | None:
        """Return a whole compressed message inflated, if it is plainly right; None if that has to go in pieces."""
        if not (self.takes_whole_messages and self.closing.is_open):
            return None
        inflater, limits = self.deflate.inflater, self.hub.limits
        most = min(self.settings.message_limit or limits.frame_hold, limits.inflate_limit, INFLATED_WHOLE)
        message: bytes | None = inflater.whole(payload, most)
        if message is None or (opcode == Opcode.TEXT and not is_text(message)):
            return None
        inflater.remember(message)
        return message

    def _parse_some(self, data: bytes, at: int) -> int:
        """Have Autobahn parse one frame, or the part that is there; returns the position of the next byte."""
        extent = frame_extent(data, at) if self.current_frame is None else autobahn.frame_lacks(self)
        extent = min(extent or len(data), len(data) - at)
        compressed = self.is_compressed or (self.current_frame is None and data[at] & RSV1)
        if extent > COMPRESSED_SLICE and compressed:
            extent = COMPRESSED_SLICE
        autobahn.parse(self, data[at : at + extent])
        return at + extent

    # -- hooks of Autobahn's parser -----------------------------------------------------------------------------------

    @cached_property
    def utf8validator(self) -> Utf8Check:  # type: ignore[override]  # made when the first text needs it
        """UTF-8 check of texts that arrive in pieces."""
        return Utf8Check()

    def onFrameBegin(self) -> None:
        """Take a frame's header."""
        frame = self.current_frame
        if self.hub.verbose:  # saves a call
            self.trace("receives", frame.opcode, frame.length, frame.fin)
        if frame.mask:
            self.current_frame_masker = Masker(frame.mask)
        if frame.length > self.hub.limits.frame_hold:
            call_if_any(self.transport, "expect_large")
        if 0 < frame.opcode < Opcode.CLOSE:
            self.begun_messages += 1
            self._deflated = self._inflated_size = 0
        super().onFrameBegin()

    def onFrameData(self, payload: bytes) -> bool | None:
        """Inflate in pieces of bounded size, where Autobahn would do a whole chunk of input at once."""
        if self.current_frame.opcode >= Opcode.CLOSE or not self.is_compressed:
            return super().onFrameData(payload)
        if not self.closing.is_open:
            # Closing: only the borders of frames count now, to find the peer's Close behind them.
            autobahn.look_away(self)
            return None
        self._deflated += len(payload)
        limits = self.hub.limits
        try:
            for piece in self.deflate.inflater.inflate(payload):
                self._inflated_size += len(piece)
                if self._inflated_size > max(limits.inflate_limit, limits.inflate_ratio * self._deflated):
                    self.closing.fail(CloseCode.MESSAGE_TOO_BIG, "message inflates too much")
                    return False
                if not autobahn.is_right_so_far(self, piece):
                    self.closing.fail(CloseCode.INVALID_PAYLOAD, "the text is not UTF-8")
                    return False
                self.onMessageFrameData(piece)
                if self.closing.state == CLOSED:
                    return False
                if self.closing.state != OPEN:
                    autobahn.look_away(self)
                    return None
        except PayloadCorruptError as error:
            self.debug("{error}", error=error)
            self.closing.fail(CloseCode.INVALID_PAYLOAD, "invalid permessage-deflate data")
            return False
        return None

    def onFrameEnd(self) -> None:
        """Count a frame that is whole."""
        frame = self.current_frame
        self.hub.traffic.count_in(frame.opcode, frame.length, bool(frame.fin))
        super().onFrameEnd()
