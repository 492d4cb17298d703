"""The end of a connection: a Close with any code or none, an end without a Close, or no end at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wsdaemon.behaviours.behaviour import Behaviour, Part
from wsdaemon.behaviours.kinds import CloseCodeOrNone, Milliseconds, ShortText
from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Choice, Number, Switch
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import frame_header
from wsdaemon.websocket.transport import abort_connection, finish_sending, lose_connection

HALF_FRAME = frame_header(Opcode.TEXT, 100) + b"only the start"
"""The header of a frame of 100 bytes, and the first 14 of them."""


@dataclass(frozen=True, kw_only=True)
class CloseParameters:
    """How and when the server ends the connection. Each of these parameters makes it do so, except `how=never`."""

    family: ClassVar = Family(2, "close", "how a connection ends")

    code: int = parameter(
        CloseCodeOrNone(), 1000, "The close code, reserved codes included; none: a Close without a body.",
        example="1013", rfc="7.4",
    )  # fmt: skip
    reason: str = parameter(
        ShortText(2000), "", "The reason. Above 123 bytes, the Close is longer than a control frame may be.",
        example="try again later", rfc="5.5.1",
    )  # fmt: skip
    half_code: bool = parameter(
        Switch(), False, "Whether the body of the Close is one byte: half a code.", example="yes", rfc="5.5.1"
    )
    after: int = parameter(
        Milliseconds(0, 86_400_000), 0, "How long after the handshake the connection ends.", example="500",
        cap="max_wait", rfc="7.1.1",
    )  # fmt: skip
    messages: int = parameter(
        Number(0, 1_000_000), 0, "After how many replies it ends. With after as well, whichever comes first.",
        example="3", rfc="7.1.1",
    )  # fmt: skip
    how: str = parameter(
        Choice(("close", "fin", "rst", "half", "midframe", "never")), "close",
        "close: with a Close; the others send none. fin: TCP ends; rst: TCP is reset; half: the server ends its side "
        "and goes on reading; midframe: TCP ends inside a frame; never: the connection does not end, and the client's "
        "Close gets no answer.", example="rst", rfc="7.1",
    )  # fmt: skip


class EndScript(Part):
    """When and how the connection ends."""

    parameters = CloseParameters
    shapes_replies = False
    wanted: CloseParameters
    _replied = 0

    def opened(self) -> None:
        """Start the timer of the end."""
        if self.wanted.how != "never" and ("after" in self.connection.given.names or not self.wanted.messages):
            self.connection.deadlines.set("end", self.wanted.after / 1000, self._end)

    def replied(self) -> None:
        """Count a reply; the connection may end after it."""
        self._replied += 1
        if self.wanted.how != "never" and self._replied == self.wanted.messages:
            self._end()

    def close_received(self, code: int | None) -> bool:
        """Leave the client's Close unanswered if the URL asks for that."""
        connection = self.connection
        if self.wanted.how != "never" or not connection.closing.is_open:
            return False
        connection.closing.received = code
        connection.outbox.is_deaf = True
        connection.hold()
        return True

    def _end(self) -> None:
        """End the connection as the URL asks: after all queued output, except for a reset."""
        wanted, connection = self.wanted, self.connection
        closing, outbox = connection.closing, connection.outbox
        if not connection.can_send:
            return
        connection.deadlines.cancel("end")
        closing.cause = f"{wanted.how}, as asked for"
        if wanted.how == "rst":
            closing.end(abort_connection)
        elif wanted.how == "half":
            closing.within(connection.bounds.max_wait)
            closing.end(finish_sending)
        elif wanted.how != "close" or outbox.frame_left:
            if wanted.how == "midframe" and not outbox.frame_left:
                outbox.write(HALF_FRAME)
            closing.end(lose_connection)
        else:
            body = b"" if wanted.code < 0 else wanted.code.to_bytes(2, "big") + wanted.reason.encode()
            if wanted.half_code:
                body = (body or b"\x03")[:1]
            connection.note_sent(Opcode.CLOSE, len(body), True)
            outbox.write(frame_header(Opcode.CLOSE, len(body)) + body)
            closing.close_sent(None if wanted.code < 0 else wanted.code)


class Close(Behaviour):
    """Echo, until the connection ends: at once, after a time, or after some replies."""

    names = ("close",)
    family = CloseParameters.family
    needs = (EndScript,)
    summary = "The server ends the connection: with any code or none, without a Close, inside a frame, or never."
    example = "/close?code=1013&reason=try+again+later&after=500"
    rfc = "RFC 6455 section 7"
