"""The connection of every behaviour: a reply goes through the parts that the URL asks for, in this order.

    reply ─▶ ordering (drop, double, swap, corrupt) ─▶ delay ─▶ compression ─▶ frames ─▶ pace ─▶ transport

What else it does is in the classes below this one: `opening` (the handshake), `ending` (stalls and ends), `controls`
(pings and pongs), `paced` (what waits, and its bounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from wsdaemon.behaviours.answering import HandshakeParameters
from wsdaemon.behaviours.closing import CloseParameters
from wsdaemon.behaviours.compressing import CompressionParameters, compressed
from wsdaemon.behaviours.framing import FrameParameters, frames_of, spoiled
from wsdaemon.behaviours.opening import Opening
from wsdaemon.behaviours.ordering import Order, OrderParameters, Reply
from wsdaemon.behaviours.parameters import Family
from wsdaemon.behaviours.timing import Delay, Pace, TimeParameters
from wsdaemon.options import Size, option
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.codes import Opcode

REPLIES: tuple[type[Any], ...] = (
    HandshakeParameters, CloseParameters, TimeParameters, FrameParameters, OrderParameters, CompressionParameters,
)  # fmt: skip
"""The parts that a behaviour which sends replies takes."""
STREAMS: tuple[type[Any], ...] = (HandshakeParameters, CloseParameters, TimeParameters)
"""The parts that one which sends bytes as they come takes."""


@dataclass(frozen=True, kw_only=True)
class BehavingSettings(WebSocketSettings):
    """A behaviour that collects messages."""

    message_limit: int = option(
        Size(0, 1 << 32), 1 << 20, "The largest message, after inflating; a larger one closes the connection with 1009."
    )


PING_LENGTH = 10
"""How long a keep-alive's ping is, with its header."""
AS_USUAL = FrameParameters()


class Behaving(Opening):
    """A subprotocol that URLs choose, with parameters. A subclass says what it is, and what it answers."""

    family: ClassVar[Family]
    path: ClassVar[str] = ""
    """The first segment of its URLs; its short name where this is empty."""
    summary: ClassVar[str] = ""
    example: ClassVar[str] = ""
    rfc: ClassVar[str] = ""
    own: ClassVar[tuple[type[Any], ...]] = ()
    """The parameters of its own."""
    parts: ClassVar[tuple[type[Any], ...]] = REPLIES
    """The parts that it takes; each part's parameters are named in the same query."""

    settings_class: ClassVar[type[WebSocketSettings]] = BehavingSettings

    # -- what a behaviour may override or call --------------------------------------------------------------------

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a message; here it comes back."""
        self.reply(message, is_binary)

    def reply(self, message: bytes, is_binary: bool = False) -> None:
        """Send a message by way of all parts; nothing happens unless open."""
        for each in self._order.apply(message, is_binary):
            self._delay.add(each)
        self._balance()

    def opened(self) -> None:
        """Begin what needs no message."""
        self.begin_controls()
        self.begin_ending()

    # -- the way of a message -------------------------------------------------------------------------------------

    def accepted(self) -> None:
        """Put together what replies go through."""
        time, order = self.given.of(TimeParameters), self.given.of(OrderParameters)
        now = self.hub.clock.seconds
        self._order = Order(order)
        self._delay = Delay(time, order.seed, self.deadlines, now, self._send_reply, self.is_blocked, self.in_turn)
        if time.is_paced or time.stall in ("write", "both"):
            self._pace = Pace(time, self.deadlines, now, self._write_on)
            self.ping_takes = self._pace.time_for(PING_LENGTH)
        super().accepted()

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
        if frames == AS_USUAL:
            self.hub.traffic.gave_frame(opcode, len(payload), True)
        else:
            self._count(data)
        self.write(data)
        if frames.opcode == Opcode.CLOSE:
            self._close_is_sent()
        self.replied()
        self._balance()
