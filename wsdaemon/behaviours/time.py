"""Time: late, slow, byte by byte or not at all: when replies and pongs go out, how fast, and when all stops."""

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
"""How many pongs may wait."""

PING_LENGTH = 10
"""How long a keep-alive's ping is, with its header."""

_LONG = 86_400_000


@dataclass(frozen=True, kw_only=True)
class TimeParameters:
    """When replies and pongs go out, how fast, and what is never sent or read."""

    family: ClassVar = Family(4, "time", "late, slow, stalled, and pongs as they should not be")

    delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each reply waits; the order is kept.", example="200", cap="max_wait"
    )
    jitter: int = parameter(
        Milliseconds(0, _LONG), 0, "How much longer it may wait, by chance (see seed).", example="50", cap="max_wait"
    )
    throttle: int = parameter(
        Size(0, 1 << 30), 0, "How many bytes a second are sent, in all. 0: any.", example="10k"
    )  # fmt: skip
    drip: int = parameter(
        Milliseconds(0, 10_000), 0, "All frames go out a byte at a time, with so long between two. 0: they do not.",
        example="10", rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    stall: str = parameter(
        Choice(("no", "read", "write", "both")), "no",
        "What stops for good: reading from the client, writing to it, or both.", example="both",
    )  # fmt: skip
    stall_after: int = parameter(
        Number(0, 1_000_000), 0, "After how many messages from the client that is.", example="3"
    )
    pong: str = parameter(
        Choice(("yes", "never", "wrong")), "yes", "Whether pings are answered; wrong: with another payload.",
        example="never", rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    pong_delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each pong waits.", example="3000", cap="max_wait",
        rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    pongs: int = parameter(
        Milliseconds(0, 3_600_000), 0, "How often a pong is sent that nobody asked for. 0: never.", example="1000",
        rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    ping_rate: int = parameter(
        Number(0, 1_000_000), 0, "How many pings a second are sent. 0: none but those that keep the connection alive.",
        example="100", cap="max_rate", rfc="RFC 6455 section 5.5.2",
    )  # fmt: skip


class Timing(Part):
    """Delay and pace of what goes out, stalls, and pings and pongs as they should not be."""

    parameters = TimeParameters
    shapes_replies = False
    wanted: TimeParameters

    def __init__(self, connection: Behaviour, wanted: TimeParameters) -> None:
        super().__init__(connection, wanted)
        self._taken = 0
        self._pings = self._late_pongs = 0
        outbox = connection.outbox
        if wanted.delay or wanted.jitter:
            outbox.delay(wanted.delay, wanted.jitter, connection.given.of(OrderParameters).seed)
        if wanted.throttle or wanted.drip:
            outbox.pace(wanted.throttle, wanted.drip)
            connection.ping_takes = outbox.time_for(PING_LENGTH)

    def opened(self) -> None:
        """Begin to send the pings and pongs that need no message, or to stall."""
        wanted, connection = self.wanted, self.connection
        if wanted.pongs:
            connection.every("pongs", wanted.pongs / 1000, partial(connection.send_frame, Opcode.PONG, b"unasked"))
        if wanted.ping_rate:
            at_once = max(1, int(wanted.ping_rate * TICK))
            connection.every("ping_rate", at_once / wanted.ping_rate, partial(self._flood, at_once))
        self._stall_if_due()

    def taken(self) -> None:
        """Count a message, after which the connection may stall."""
        self._taken += 1
        self._stall_if_due()

    def ping(self, payload: bytes) -> bool:
        """Answer a ping: late, wrongly or never, where the URL asks for it."""
        wanted = self.wanted
        if wanted.pong == "never":
            return True
        if wanted.pong == "wrong":
            payload = bytes((payload[0] ^ 1,)) + payload[1:] if payload else b"?"
        answer = partial(self.connection.send_pong, payload)
        if not wanted.pong_delay:
            answer()
        elif self._late_pongs < PONGS:  # of more pings, only some need an answer (RFC 6455 section 5.5.3)
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
            connection.outbox.stop()
        connection.hold()


class AwkwardEcho(Behaviour):
    """`/echo?delay=200&fragment=3`: unlike echo's frames, messages are collected, up to `message_limit`."""

    names = ("echo-awkward",)
    path = "echo"
    family = TimeParameters.family
    summary = "Every message comes back, as all the parameters together say."
    example = "/echo?delay=200&jitter=50&throttle=10k"
    rfc = "RFC 6455 section 5"
