"""A ticker that counts: lws' dumb-increment-protocol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.kinds import Milliseconds
from wsdaemon.behaviours.parameters import parameter
from wsdaemon.behaviours.producing import STREAM
from wsdaemon.options import Number
from wsdaemon.websocket.codes import CloseCode


@dataclass(frozen=True, kw_only=True)
class TickerParameters:
    """How fast it counts, and how far."""

    interval: int = parameter(Milliseconds(1, 3_600_000), 50, "The time between two numbers.", example="1000")
    count: int = parameter(
        Number(0, 1_000_000_000), 0, "After how many numbers it closes with 1000; 0: as many as the server allows.",
        example="10", cap="max_count",
    )  # fmt: skip


class Ticker(Behaviour):
    """Counter from 0. Messages other than `reset` and `closeme` are ignored.

    lws' test client sends both with a line feed, which is optional here. A slow client misses no number: counting waits
    for it.
    """

    names = ("dumb-increment-protocol", "ticker")
    family = STREAM
    summary = "A counter as text messages; the message `reset` sets it to 0, and `closeme` closes the connection."
    example = "/ticker?interval=1000&count=10"
    rfc = "RFC 6455 section 5.6"
    own = (TickerParameters,)
    _next = _sent = 0

    def opened(self) -> None:
        """Begin to count."""
        super().opened()
        self.every("ticker", self.given.of(TickerParameters).interval / 1000, self._tick)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a command."""
        command = message.rstrip(b"\r\n\0")
        if command == b"reset":
            self._next = 0
        elif command == b"closeme":
            self.close(CloseCode.NORMAL)

    def _tick(self) -> None:
        number, self._next = self._next, self._next + 1
        self._sent += 1
        self.reply(b"%d" % number)
        if self._sent == (self.given.of(TickerParameters).count or self.bounds.max_count):
            self.deadlines.cancel("ticker")
            self.outbox.delayed.then(partial(self.close, CloseCode.NORMAL, "counted up"))
