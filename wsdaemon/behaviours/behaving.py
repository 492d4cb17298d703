"""The connection of every behaviour: a reply goes through the parts that the URL asks for, in this order.

    reply ─▶ ordering (drop, double, swap, corrupt) ─▶ delay ─▶ compression ─▶ frames ─▶ pace ─▶ transport

What waits on the way counts against the same bounds as what waits for a slow peer: beyond `read_ahead` nothing more is
read from the client, and what all connections hold counts for `read_ahead_all`. A connection that stalls, or whose
Close is never answered, is held for `[behaviours] max_wait` and then cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from wsdaemon.behaviours import closing
from wsdaemon.behaviours.answering import HandshakeParameters, acceptance, refusal
from wsdaemon.behaviours.closing import CloseParameters
from wsdaemon.behaviours.compressing import CompressionParameters, compressed, force
from wsdaemon.behaviours.framing import FrameParameters, frames_in, frames_of, has_close, spoiled
from wsdaemon.behaviours.ordering import Order, OrderParameters, Reply
from wsdaemon.behaviours.parameters import Given
from wsdaemon.behaviours.timing import TICK, Delay, Pace, TimeParameters
from wsdaemon.options import Size, option
from wsdaemon.settings import BehaviourSettings, WebSocketSettings
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.flow import FULL
from wsdaemon.websocket.handshake import Handshake
from wsdaemon.websocket.transport import Transport, abort_connection, finish_sending, lose_connection

HELD, STALLED, LATER = 8, 16, 32
"""Why nothing is read, beside `flow`'s reasons: too much waits on its way out, the URL asks for it, or what came in
has to wait for what goes out."""

_EARLY = 1 << 16
_PONGS = 64

REPLIES: tuple[type[Any], ...] = (
    HandshakeParameters, CloseParameters, TimeParameters, FrameParameters, OrderParameters, CompressionParameters,
)  # fmt: skip
"""The parts that a behaviour which sends replies takes."""
STREAMS: tuple[type[Any], ...] = (HandshakeParameters, CloseParameters, TimeParameters)
"""The parts that one which sends bytes as they come takes."""


@dataclass(frozen=True, kw_only=True)
class BehavingSettings(WebSocketSettings):
    """For a behaviour that collects messages."""

    message_limit: int = option(
        Size(0, 1 << 32), 1 << 20, "The largest message that is taken; beyond it the connection ends with 1009."
    )


class Behaving(Connection):
    """A subprotocol that URLs choose, with parameters. A subclass says what it is, and what it answers."""

    family: ClassVar[str] = ""
    path: ClassVar[str] = ""
    """The first segment of its URLs; its short name where this is empty."""
    summary: ClassVar[str] = ""
    example: ClassVar[str] = ""
    rfc: ClassVar[str] = ""
    own: ClassVar[tuple[type[Any], ...]] = ()
    """The parameters of its own."""
    parts: ClassVar[tuple[type[Any], ...]] = REPLIES
    """The parts that it takes; each part's parameters are named in the same query."""
    closes: ClassVar[bool] = False
    """Whether it ends the connection without being asked to."""

    settings_class = BehavingSettings
    batch = 1  # each message may ask for much, so it is looked at after each whether too much waits
    bounds: BehaviourSettings = BehaviourSettings()
    """How far the server lets it go (set by the registry)."""
    given: Given = Given(())
    """What its URL asks for (set before `accept`)."""

    _pace: Pace | None = None
    _early = b""
    _deaf = False
    _ends = False
    _counted = 0  # of what waits, how much is counted in the hub
    _taken = _replied = 0
    _late_pongs = 0
    _pong_waits: bytes | None = None
    _when_sent: Callable[[], None] | None = None

    @property
    def can_send(self) -> bool:  # type: ignore[override]  # follows from the state
        """Whether messages can be sent: not behind what ends the connection, though that may be on its way out."""
        return bool(self.state == self.STATE_OPEN) and not self._ends

    # -- what a behaviour may override or call --------------------------------------------------------------------

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a message; here it comes back."""
        self.reply(message, is_binary)

    def reply(self, message: bytes, is_binary: bool = False) -> None:
        """Send a message by way of all parts; nothing happens unless open."""
        for each in self._order.apply(message, is_binary):
            self._delay.add(each)
        self._balance()

    def when_sent(self, done: Callable[[], None]) -> None:
        """Call `done` once no reply is delayed any more."""
        if self._delay.held:
            self._when_sent = done
        else:
            done()

    # -- the handshake --------------------------------------------------------------------------------------------

    def accept(self, handshake: Handshake, subprotocol: str | None, early: bytes) -> None:
        """Answer the handshake as the URL asks for, and begin where the answer is a 101."""
        self.target = handshake.target
        self._early = early
        answer = self.given.of(HandshakeParameters)
        go_on = partial(self._answer, handshake, subprotocol)
        self.hub.answering.add(self)
        if answer.wait:
            self.deadlines.set("handshake", answer.wait / 1000, go_on)
        else:
            go_on()

    def _answer(self, handshake: Handshake, subprotocol: str | None) -> None:
        answer = self.given.of(HandshakeParameters)
        if self.hub.draining:
            self._end(abort_connection)
            return
        if answer.is_refusal:
            self._cause = f"refused with {answer.final_status}, as asked for"
            self.hub.tally.count(f"handshake answered {answer.final_status // 100}xx, as asked for")
            self.hub.traffic.handshakes[answer.final_status] += 1
            self._dribble(refusal(answer), partial(self._end, finish_sending))
            return
        if answer.subprotocol is not None:
            subprotocol = answer.subprotocol
        if answer.extension is not None:
            extensions = answer.extension
        else:
            extensions = self.agree_on_extensions(handshake.extensions)
        self._dribble(acceptance(answer, handshake, subprotocol, extensions), self._begin)

    def agree_on_extensions(self, header: str) -> str:
        """Agree on compression, as the URL asks for where it does."""
        how = self.given.of(CompressionParameters)
        if how == CompressionParameters() or not self.settings.compression:
            return super().agree_on_extensions(header)
        offers = self._parseExtensionsHeader(header) if header else ()
        self._perMessageCompress, extensions = force(how, offers, self.settings, self.hub.compressors)
        return extensions

    def _dribble(self, data: bytes, done: Callable[[], None]) -> None:
        every = self.given.of(HandshakeParameters).dribble / 1000
        if not every:
            self.transport.write(data)
            done()
            return

        def drop(at: int) -> None:
            self.transport.write(data[at : at + 1])
            if at + 1 < len(data):
                self.deadlines.set("handshake", every, partial(drop, at + 1))
            else:
                done()

        self._hold()
        drop(0)

    def _begin(self) -> None:
        self.deadlines.cancel("hold")
        self.hub.answering.discard(self)
        time, order = self.given.of(TimeParameters), self.given.of(OrderParameters)
        now = self.hub.clock.seconds
        self._order = Order(order)
        self._delay = Delay(time, order.seed, self.deadlines, now, self._send_reply)
        if time.is_paced or time.stall in ("write", "both"):
            self._pace = Pace(time, self.deadlines, now, self._write_on)
        early, self._early = self._early, b""
        self.begin(early)

    def opened(self) -> None:
        """Begin what needs no message."""
        time = self.given.of(TimeParameters)
        if time.pongs:
            self._every("pongs", time.pongs / 1000, partial(self.send_frame, Opcode.PONG, b"unasked"))
        if time.ping_rate:
            at_once = max(1, int(time.ping_rate * TICK))
            self._every("ping_rate", at_once / time.ping_rate, partial(self._flood, at_once))
        close = self.given.of(CloseParameters)
        if self._is_to_close() and ("after" in self.given.names or not close.messages):
            self.deadlines.set("end", close.after / 1000, self._end_as_asked)
        self._stall_if_due()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport; those before our answer wait for it, and some are never looked at."""
        if self._deaf or self.read_paused & STALLED:
            return
        if self.state == self.STATE_CONNECTING:
            self._early += data
            if len(self._early) > _EARLY:
                self.transport.abortConnection()
        else:
            super().dataReceived(data)

    # -- replies --------------------------------------------------------------------------------------------------

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Hand whole messages on, one by one."""
        for opcode, payload in frames:
            if self.can_send:
                self._take(payload, opcode == Opcode.BINARY)

    def onMessageEnd(self) -> None:
        """Hand the collected message on."""
        message, self.message = bytes(self.message), bytearray()
        if self.can_send:
            self._take(message, self.message_is_binary)

    def _take(self, message: bytes, is_binary: bool) -> None:
        self._taken += 1
        self.message_received(message, is_binary)
        self._stall_if_due()

    def _send_reply(self, reply: Reply) -> None:
        if not self.can_send:
            return
        message, is_binary = reply
        how, frames = self.given.of(CompressionParameters), self.given.of(FrameParameters)
        message = message if is_binary else spoiled(frames, message)
        opcode = Opcode.BINARY if is_binary else Opcode.TEXT
        deflate = self.deflate
        compress = deflate is not None and (
            how.stream != "right" or len(message) >= self.settings.compression_threshold
        )
        payload = compressed(how, deflate, message) if compress and deflate is not None else message
        self.trace("sends", opcode, len(payload), True)
        data = b"".join(frames_of(frames, opcode, payload, rsv1=compress))
        self._count(data)
        self.write(data)
        if frames.opcode == Opcode.CLOSE:
            self._close_is_sent()
        self.replied()
        self._balance()

    def replied(self) -> None:
        """Note that a reply is sent; the connection may end after it."""
        self._replied += 1
        if self._is_to_close() and self._replied == self.given.of(CloseParameters).messages:
            self._end_as_asked()

    # -- how much waits -------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether nothing is read because too much waits, or because the URL asks for it."""
        return self._deaf or bool(self.read_paused & (FULL | HELD | STALLED | LATER))

    @property
    def is_held_up(self) -> bool:
        """Whether nothing more should be produced now."""
        return self.write_paused or bool(self.read_paused & HELD)

    def write(self, data: bytes) -> None:
        """Send bytes, at the pace that is asked for."""
        corked, self._corked = self._corked, None  # nothing is kept back: how much waits has to be known
        if self._pace is None:
            super().write(data)
        else:
            self._pace.add(data)
            self._balance()
        self._corked = corked

    def send_raw(self, data: bytes) -> None:
        """Send frames as they are, right or wrong; nothing happens unless open."""
        if self.can_send:
            self._count(data)
            self.write(data)
            if has_close(data):
                self._close_is_sent()
            self.replied()

    def _count(self, data: bytes) -> None:
        for opcode, fin, length in frames_in(data):
            self.hub.traffic.gave_frame(opcode, length, fin)

    def _write_on(self, data: bytes) -> None:
        super().write(data)
        self._balance()

    def _balance(self) -> None:
        """Count what waits, and read on or not."""
        waits = self._delay.held + (self._pace.held if self._pace is not None else 0)
        self.hub.backlog += waits - self._counted
        self._counted = waits
        limits, most = self.hub.limits, self.hub.limits.read_ahead
        rate = self.given.of(TimeParameters).throttle
        if rate:
            most = min(most, max(1024, int(rate * self.bounds.max_wait)))
        if waits > most or (waits and self.hub.backlog > limits.read_ahead_all):
            self.pause_reading(HELD)
        elif self.read_paused & HELD and waits <= most // 2:
            self.resume_reading(HELD)
            self.may_go_on()
        if self._when_sent is not None and not self._delay.held:
            done, self._when_sent = self._when_sent, None
            done()

    def may_go_on(self) -> None:
        """Less waits than did."""

    # -- pings and pongs ------------------------------------------------------------------------------------------

    def onPing(self, payload: bytes) -> None:
        """Answer a ping, late, wrongly or never where the URL asks for it."""
        time = self.given.of(TimeParameters)
        if time.pong == "never":
            return
        if time.pong == "wrong":
            payload = bytes((payload[0] ^ 1,)) + payload[1:] if payload else b"?"
        answer = partial(self._send_pong, payload)
        if not time.pong_delay:
            answer()
        elif self._late_pongs < _PONGS:  # of more pings, only some need an answer (RFC 6455 section 5.5.3)
            self._late_pongs += 1
            name = f"pong {self._taken} {self._late_pongs} {self.hub.clock.seconds()}"
            self.deadlines.set(name, time.pong_delay / 1000, partial(self._late_pong, answer))

    def onPong(self, payload: bytes) -> None:
        """Take a pong; while the connection is held as it is, it begins no new wait."""
        if not self.deadlines.running("hold"):
            super().onPong(payload)

    def _send_pong(self, payload: bytes) -> None:
        if self.frame_left:
            self._pong_waits = payload  # of several pings, the last is answered (RFC 6455 section 5.5.3)
        else:
            self.send_frame(Opcode.PONG, payload)

    def send_waiting_pong(self) -> None:
        """Send the pong that could not go out within a frame."""
        payload, self._pong_waits = self._pong_waits, None
        if payload is not None:
            self.send_frame(Opcode.PONG, payload)

    def _late_pong(self, answer: Callable[[], None]) -> None:
        self._late_pongs -= 1
        answer()

    def _flood(self, count: int) -> None:
        for _ in range(count):
            if not self.is_held_up:
                self.send_ping(b"flood")

    def _every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do something again and again, unless the peer does not keep up."""

        def again() -> None:
            if self.can_send:
                self.deadlines.set(name, seconds, again)
                if not self.is_held_up and not self.frame_left:
                    action()

        self.deadlines.set(name, seconds, again)

    # -- stalls and ends ------------------------------------------------------------------------------------------

    def _stall_if_due(self) -> None:
        time = self.given.of(TimeParameters)
        if time.stall == "no" or self._taken != time.stall_after or not self.can_send:
            return
        if time.stall in ("read", "both"):
            self.pause_reading(STALLED)
        if time.stall in ("write", "both") and self._pace is not None:
            self._pace.stop()
        self._hold()

    def _hold(self) -> None:
        """Keep the connection as it is, but not for ever."""
        for name in ("ping", "pong", "message", "stall"):
            self.deadlines.cancel(name)
        self.deadlines.set("hold", self.bounds.max_wait, self._held_long_enough)

    def _held_long_enough(self) -> None:
        self._cause = "held for as long as is allowed, as asked for"
        super()._end(abort_connection)

    def _is_to_close(self) -> bool:
        return (self.closes or closing.is_wanted(self.given)) and self.given.of(CloseParameters).how != "never"

    def _end_as_asked(self) -> None:
        wanted = self.given.of(CloseParameters)
        if not self.can_send:
            return
        self.deadlines.cancel("end")
        self._cause = f"{wanted.how}, as asked for"
        if wanted.how == "rst":
            super()._end(abort_connection)
        elif wanted.how == "half":
            self.deadlines.set("close", self.bounds.max_wait, self._close_expired)
            self._end(finish_sending)
        elif wanted.how != "close" or self.frame_left:
            self.write(b"" if self.frame_left or wanted.how == "fin" else closing.HALF_FRAME)
            self._end(lose_connection)
        else:
            frame = closing.close_frame(wanted)
            self.trace("sends", Opcode.CLOSE, len(frame) - 2, True)
            self._count(frame)
            self.write(frame)
            self.localCloseCode = None if wanted.code < 0 else wanted.code  # type: ignore[assignment]  # as Autobahn does
            self._close_is_sent()

    def _close_is_sent(self) -> None:
        """Go on as after any Close of ours: the client's ends the connection."""
        self.state = self.STATE_CLOSING
        self.closedByMe = True
        self._start_closing()

    def _start_closing(self) -> None:
        super()._start_closing()
        if self.number:
            self._delay.clear()  # it would come behind the Close
            self._balance()
            self.resume_reading(LATER)

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        """Answer the client's Close, but for where the URL asks for none."""
        if self.given.of(CloseParameters).how != "never" or self.state != self.STATE_OPEN:
            return super().onCloseFrame(code, reasonRaw)
        self.remoteCloseCode = code
        self._deaf = True
        self._hold()
        return None

    def _end(self, how: Callable[[Transport], None]) -> None:
        """End once all that goes out at a pace is out; the close timeout bounds that."""
        self.deadlines.cancel("handshake")
        if self._pace is None or not self._pace.held or how is abort_connection:
            super()._end(how)
        elif not self._ends:
            self._ends = True
            self._start_closing()
            self._pace.then(partial(super()._end, how))

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, but wait for no answer that would not be read."""
        super().close(code, reason)
        if self._deaf or self.read_paused & STALLED:
            super()._end(lose_connection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self.hub.answering.discard(self)
        self.hub.backlog -= self._counted
        self._counted = 0
        super().connectionLost(reason)
