"""A sink: counts what the client sends, and reports how much and how fast."""

from __future__ import annotations

import json
from dataclasses import dataclass

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.kinds import Milliseconds
from wsdaemon.behaviours.parameters import parameter
from wsdaemon.behaviours.producing import STREAM
from wsdaemon.options import Number
from wsdaemon.settings import StreamingSettings
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.collecting import Collected


@dataclass(frozen=True, kw_only=True)
class SinkParameters:
    """When it reports."""

    every: int = parameter(
        Milliseconds(10, 3_600_000), 1000, "How often it reports, while messages arrive.", example="500"
    )
    per: int = parameter(
        Number(0, 1_000_000_000), 0, "After how many messages it reports as well; 0: never.", example="100"
    )


class Sink(Behaviour):
    """Reports have the messages, frames and bytes in total, the seconds since the first, and the rates since the last.

    When the client closes, a final report is sent before the server's Close.
    """

    names = ("sink",)
    family = STREAM
    settings_class = StreamingSettings
    summary = "Echoes nothing; reports messages, frames, bytes and rates as JSON, now and then and at the end."
    example = "/sink?every=500"
    rfc = "RFC 6455 section 5.6"
    own = (SinkParameters,)
    streams = True
    messages = frames = octets = 0
    _since: float | None = None
    _reported_at = 0.0
    _reported = (0, 0, 0)

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Count whole messages."""
        for opcode, payload in frames:
            self.frames += 1
            self.octets += len(payload)
            self.take_message(payload, opcode == Opcode.BINARY)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin a message that arrives in pieces."""
        self.message = Collected(isBinary, 0)

    def onMessageFrameBegin(self, length: int) -> None:
        """Count a frame."""
        self.frames += 1
        self._begin_to_count()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Count the bytes of a piece, after inflating."""
        self.octets += len(payload)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Count a whole message."""
        self.messages += 1
        self._begin_to_count()
        per = self.given.of(SinkParameters).per
        if per and self.messages % per == 0:
            self._report()

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> None:
        """Report a last time before the server's Close."""
        if self.can_send:
            self._begin_to_count()
            self._report(last=True)
        super().onCloseFrame(code, reasonRaw)

    def _begin_to_count(self) -> None:
        if self._since is None:
            self._since = self._reported_at = self.hub.clock.seconds()
            self.every("sink", self.given.of(SinkParameters).every / 1000, self._report_news)

    def _report_news(self) -> None:
        if self._reported != (self.messages, self.frames, self.octets):
            self._report()

    def _report(self, *, last: bool = False) -> None:
        now = self.hub.clock.seconds()
        seconds = now - self._reported_at
        before, self._reported = self._reported, (self.messages, self.frames, self.octets)
        self._reported_at = now

        def rate(new: int, old: int) -> float:
            return round((new - old) / seconds, 1) if seconds > 0 else 0.0

        told = {
            "messages": self.messages, "frames": self.frames, "bytes": self.octets,
            "seconds": round(now - (now if self._since is None else self._since), 6),
            "messages_per_second": rate(self.messages, before[0]), "bytes_per_second": rate(self.octets, before[2]),
            "last": last,
        }  # fmt: skip
        self.reply(json.dumps(told).encode())
