"""Pings and pongs as they should not be: late, wrong, unasked for, too many, or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wsdaemon.behaviours.paced import Paced
from wsdaemon.behaviours.timing import TICK, TimeParameters
from wsdaemon.websocket.codes import Opcode

_PONGS = 64
"""How many pongs may wait."""


class Controls(Paced):
    """A connection that answers pings as its URL says."""

    _pings = _late_pongs = 0
    _pong_waits: bytes | None = None

    def begin_controls(self) -> None:
        """Begin to send the pings and pongs that need no message."""
        time = self.given.of(TimeParameters)
        if time.pongs:
            self._every("pongs", time.pongs / 1000, partial(self.send_frame, Opcode.PONG, b"unasked"))
        if time.ping_rate:
            at_once = max(1, int(time.ping_rate * TICK))
            self._every("ping_rate", at_once / time.ping_rate, partial(self._flood, at_once))

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
            self._pings += 1
            self.deadlines.set(f"pong {self._pings}", time.pong_delay / 1000, partial(self._late_pong, answer))

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
