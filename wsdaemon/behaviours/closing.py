"""Ways to end a connection: any close code, none, no Close at all, or never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wsdaemon.behaviours.kinds import CloseCodeOrNone, Milliseconds, ShortText
from wsdaemon.behaviours.parameters import Family, Given, parameter
from wsdaemon.options import Choice, Number, Switch
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import frame_header

HALF_FRAME = frame_header(Opcode.TEXT, 100) + b"only the start"
"""The header of a frame of 100 bytes, and 14 of them."""


@dataclass(frozen=True, kw_only=True)
class CloseParameters:
    """How and when the server ends the connection. Any of these but `how=never` makes it do so."""

    family: ClassVar = Family(2, "close", "how a connection ends")

    code: int = parameter(
        CloseCodeOrNone(), 1000, "The close code, also a reserved one; none for a Close with an empty body.",
        example="1013", rfc="RFC 6455 section 7.4",
    )  # fmt: skip
    reason: str = parameter(
        ShortText(2000), "", "The reason; over 123 bytes, the Close is longer than a control frame may be.",
        example="try again later", rfc="RFC 6455 section 5.5.1",
    )  # fmt: skip
    half_code: bool = parameter(
        Switch(), False, "Whether the Close has a body of one byte, which is half a code.", example="yes",
        rfc="RFC 6455 section 5.5.1",
    )  # fmt: skip
    after: int = parameter(
        Milliseconds(0, 86_400_000), 0, "How long after the handshake.", example="500", cap="max_wait",
        rfc="RFC 6455 section 7.1.1",
    )  # fmt: skip
    messages: int = parameter(
        Number(0, 1_000_000), 0, "After how many replies, instead of a time; with both, whichever comes first.",
        example="3", rfc="RFC 6455 section 7.1.1",
    )  # fmt: skip
    how: str = parameter(
        Choice(("close", "fin", "rst", "half", "midframe", "never")), "close",
        "close: a Close frame. Without one: fin: TCP ends; rst: it is reset; half: our side ends, the other is read "
        "on; midframe: it ends within a frame. never: nothing, and the client's Close is not answered either.",
        example="rst", rfc="RFC 6455 section 7.1",
    )  # fmt: skip


def is_wanted(given: Given) -> bool:
    """Say whether the query asks for an end."""
    return not given.names.isdisjoint(("code", "reason", "half_code", "after", "messages", "how"))


def close_frame(wanted: CloseParameters) -> bytes:
    """Return the Close frame, right or wrong."""
    body = b"" if wanted.code < 0 else wanted.code.to_bytes(2, "big") + wanted.reason.encode()
    if wanted.half_code:
        body = (body or b"\x03")[:1]
    return frame_header(Opcode.CLOSE, len(body)) + body
