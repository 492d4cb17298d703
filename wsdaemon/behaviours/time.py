"""Replies and control frames that are late, slow, wrong or missing, and stalls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from wsdaemon.behaviours.behaviour import Behaviour, Part
from wsdaemon.behaviours.kinds import Milliseconds
from wsdaemon.behaviours.order import OrderParameters
from wsdaemon.behaviours.pacing import TICK
from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Choice, Number, Size
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.outbox import STALLED

PONGS = 64
"""How many pongs may wait at once."""

PING_LENGTH = 10
"""The size of a keep-alive ping, with its header."""

_LONG = 86_400_000


@dataclass(frozen=True, kw_only=True)
class TimeParameters:
    """When replies and pongs are sent, how fast, and what is never sent or read."""

    family: ClassVar = Family(4, "time", "late, slow or stalled output, and pings and pongs that are wrong")

    delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each reply waits; the order is kept.", example="200", cap="max_wait"
    )
    jitter: int = parameter(
        Milliseconds(0, _LONG), 0, "How much longer it may wait, at random (see seed).", example="50", cap="max_wait"
    )
    throttle: int = parameter(
        Size(0, 1 << 30), 0, "How many bytes are sent per second, frames of all kinds together. 0: no limit.",
        example="10k",
    )  # fmt: skip
    drip: int = parameter(
        Milliseconds(0, 10_000), 0, "Frames are sent one byte at a time, with this time between two bytes. 0: whole.",
        example="10", rfc="5.2",
    )  # fmt: skip
    stall: str = parameter(
        Choice(("no", "read", "write", "both")), "no",
        "What stops for good: reading from the client, writing to it, or both.", example="both",
    )  # fmt: skip
    stall_after: int = parameter(
        Number(0, 1_000_000), 0, "After how many messages from the client it stops.", example="3"
    )
    pong: str = parameter(
        Choice(("yes", "never", "wrong")), "yes", "Whether pings are answered; wrong: with another payload.",
        example="never", rfc="5.5.3",
    )  # fmt: skip
    pong_delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each pong waits.", example="3000", cap="max_wait", rfc="5.5.3"
    )
    pongs: int = parameter(
        Milliseconds(0, 3_600_000), 0, "How often an unsolicited pong is sent. 0: never.", example="1000", rfc="5.5.3"
    )
    ping_rate: int = parameter(
        Number(0, 1_000_000), 0, "How many pings are sent per second. 0: only the keep-alive's.", example="100",
        cap="max_rate", rfc="5.5.2",
    )  # fmt: skip


class Timing(Part):
    """Delay and pace of the output, stalls, and wrong pings and pongs."""

    parameters = TimeParameters
    shapes_replies = False
    wanted: TimeParameters

    def __init__(self, connection: Behaviour, wanted: TimeParameters) -> None:
        super().__init__(connection, wanted)
        self._taken = 0
        self._pings = self._late_pongs = 0
        outbox = connection.outbox
        if wanted.delay or wanted.jitter:
            outbox.delayed.begin(wanted.delay, wanted.jitter, connection.given.of(OrderParameters).seed)
        outbox.pace.begin(wanted.throttle, wanted.drip)
        connection.ping_takes = outbox.pace.time_for(PING_LENGTH)

    def opened(self) -> None:
        """Begin to send unsolicited pings and pongs, or stall."""
        wanted, connection = self.wanted, self.connection
        if wanted.pongs:
            connection.every("pongs", wanted.pongs / 1000, partial(connection.send_frame, Opcode.PONG, b"unasked"))
        if wanted.ping_rate:
            at_once = max(1, int(wanted.ping_rate * TICK))
            connection.every("ping_rate", at_once / wanted.ping_rate, partial(self._flood, at_once))
        self._stall_if_due()

    def taken(self) -> None:
        """Count a message; the connection may stall after it."""
        self._taken += 1
        self._stall_if_due()

    def ping(self, payload: bytes) -> bool:
        """Answer a ping as the URL asks: late, wrongly or never."""
        wanted = self.wanted
        if wanted.pong == "never":
            return True
        if wanted.pong == "wrong":
            payload = bytes((payload[0] ^ 1,)) + payload[1:] if payload else b"?"
        answer = partial(self.connection.send_pong, payload)
        if not wanted.pong_delay:
            answer()
        elif self._late_pongs < PONGS:  # of several pings, one may be answered for all (RFC 6455 section 5.5.3)
            self._late_pongs += 1
            self._pings += 1
            late = partial(self._late_pong, answer)
            self.connection.deadlines.set(f"pong {self._pings}", wanted.pong_delay / 1000, late)
        return True

    def _late_pong(self, answer: Callable[[], None]) -> None:
        self._late_pongs -= 1
        answer()

    def _flood(self, count: int) -> None:
        for _ in range(count):
            if not self.connection.outbox.is_held_up:
                self.connection.send_ping(b"flood")

    def _stall_if_due(self) -> None:
        stall, connection = self.wanted.stall, self.connection
        if stall == "no" or self._taken != self.wanted.stall_after or not connection.can_send:
            return
        if stall in ("read", "both"):
            connection.outbox.pause_reading(STALLED)
        if stall in ("write", "both"):
            connection.outbox.pace.stop()
        connection.hold()


class AwkwardEcho(Behaviour):
    """Unlike the echo without parameters, it collects each message, up to `message_limit` bytes."""

    names = ("echo-awkward",)
    path = "echo"
    family = TimeParameters.family
    summary = "Every message comes back, changed by all the parameters together."
    example = "/echo?delay=200&jitter=50&throttle=10k"
    rfc = "RFC 6455 section 5"
