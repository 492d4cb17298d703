"""Replies cut into frames, right or wrong; and /frames, which sends the frames that the URL gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from wsdaemon.behaviours.behaviour import Behaviour, Part
from wsdaemon.behaviours.kinds import Hex, Sizes
from wsdaemon.behaviours.parameters import Family, ParameterError, parameter
from wsdaemon.behaviours.rawframes import MASKING_KEY, MOST_FRAMES, raw_frame, summary
from wsdaemon.behaviours.wrong import WRONG, Frames
from wsdaemon.options import Choice, Number, Switch
from wsdaemon.websocket.codes import Opcode

PING_BETWEEN = b"between"
MOST_KEPT = 64 << 10
_LIST = "; ".join(f"{name}: {each.what} (section {each.rfc})" for name, each in WRONG.items())


@dataclass(frozen=True, kw_only=True)
class FrameParameters:
    """How each reply is cut into frames, and what is wrong with them."""

    family: ClassVar = Family(6, "frames", "how messages are cut into frames, and frames that are wrong")

    fragment: int = parameter(
        Number(1, MOST_FRAMES), 1,
        "How many frames of about the same size each reply has; a text may be cut inside a character.", example="3",
        rfc="5.4",
    )  # fmt: skip
    sizes: tuple[int, ...] = parameter(
        Sizes(100, 1 << 20), (), "The payload sizes of the first frames; one more frame has the rest.", example="1,0,5",
        rfc="5.4",
    )  # fmt: skip
    pings: bool = parameter(
        Switch(), False, "Whether a ping is sent between two frames of a message.", example="yes", rfc="5.5.2"
    )
    empty: int = parameter(
        Number(0, 1000), 0, "How many empty frames follow each frame but the last.", example="2", rfc="5.4"
    )
    endless: bool = parameter(
        Switch(), False, "Whether the last frame lacks the FIN bit, so that the message never ends.", example="yes",
        rfc="5.4",
    )  # fmt: skip
    mask: bool = parameter(
        Switch(), False, "Whether frames are masked, as a server's must not be.", example="yes", rfc="5.1"
    )
    rsv: int = parameter(
        Number(0, 7), 0, "The reserved bits that are set in every frame: 4 is RSV1, 2 RSV2, 1 RSV3.", example="2",
        rfc="5.2",
    )  # fmt: skip
    opcode: int | None = parameter(
        Number(0, 15), None, "The opcode of a reply's first frame, in place of the right one.", example="3", rfc="5.2"
    )
    length: str = parameter(
        Choice(("shortest", "16", "64")), "shortest",
        "How many bits the payload length takes; any form but the shortest is wrong.", example="64", rfc="5.2",
    )  # fmt: skip
    utf8: str = parameter(
        Choice(("right", "invalid", "cut")), "right",
        "How a text ends. invalid: with a byte that UTF-8 never has; cut: with two bytes of a three-byte character.",
        example="invalid", rfc="8.1",
    )  # fmt: skip

    def check(self) -> None:
        """Raise `ParameterError` if a message would have too many frames."""
        frames = max(self.fragment, len(self.sizes) + 1) * (1 + self.empty)
        if frames > MOST_FRAMES:
            raise ParameterError("empty", f"makes {frames} frames of a message; write less: {MOST_FRAMES} in all")


class Cutting(Part):
    """Replies cut into frames, right or wrong."""

    parameters = FrameParameters
    wanted: FrameParameters

    def text(self, text: bytes) -> bytes:
        """Return a reply's text, with the wrong UTF-8 that the URL asks for."""
        return text + {"right": b"", "invalid": b"\xff", "cut": "€".encode()[:2]}[self.wanted.utf8]

    def cut(self, opcode: int, payload: bytes, *, rsv1: bool) -> bytes:
        """Return a reply's frames; with `rsv1` the first says that the payload is compressed (RFC 7692)."""
        wanted = self.wanted
        pieces = list(_pieces(wanted, payload))
        key = MASKING_KEY if wanted.mask else b""
        first_opcode = opcode if wanted.opcode is None else wanted.opcode
        ping = raw_frame(Opcode.PING, PING_BETWEEN, masking_key=key) if wanted.pings else b""
        frames = []
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            frames.append(
                raw_frame(
                    Opcode.CONTINUATION if number else first_opcode, piece, fin=last and not wanted.endless,
                    rsv=wanted.rsv | (4 if rsv1 and not number else 0), length=wanted.length, masking_key=key,
                )
            )  # fmt: skip
            if not last:
                frames.append(ping)
        return b"".join(frames)


def _pieces(how: FrameParameters, payload: bytes) -> Iterator[bytes]:
    """Yield the payloads of a message's frames, empty frames included."""
    if how.sizes:
        pieces, at = [], 0
        for size in how.sizes:
            pieces.append(payload[at : at + size])
            at += size
        pieces.append(payload[at:])
    else:
        size, over = divmod(len(payload), how.fragment)
        ends = [number * size + min(number, over) for number in range(how.fragment + 1)]
        pieces = [payload[start:end] for start, end in pairwise(ends)]
    for number, piece in enumerate(pieces):
        yield piece
        if number < len(pieces) - 1 or (how.empty and len(pieces) == 1):
            yield from [b""] * how.empty


@dataclass(frozen=True, kw_only=True)
class RawFramesParameters:
    """What is sent, and when. If several are given, they are sent in this order."""

    wrong: str = parameter(
        Choice(("none", *WRONG)), "none", f"Frames that no server may send. {_LIST}.", example="masked", rfc="5"
    )
    json: bytes = parameter(
        Frames(1 << 20), b"",
        "A list of frames. Each has an opcode (a number or its name) and text, hex or size (that many x), and may have "
        "fin, rsv (0 to 7), mask, length (16 or 64), claim (the payload length that its header claims) and repeat.",
        example='[{"opcode":"text","fin":false,"text":"a"},{"opcode":"ping"},{"opcode":0,"text":"b"}]', rfc="5.2",
    )  # fmt: skip
    hex: bytes = parameter(Hex(1 << 16), b"", "These bytes.", example="810568656c6c6f", rfc="5.2")
    on: str = parameter(
        Choice(("open", "message")), "open", "When: once at the start, or as the reply to each message.",
        example="message",
    )  # fmt: skip

    def check(self) -> None:
        """Raise `ParameterError` if much would be kept for each connection."""
        if self.on == "message" and len(self.json) > MOST_KEPT:
            raise ParameterError("json", f"makes {len(self.json)} bytes; with on=message write at most {MOST_KEPT}")


class RawFrames(Behaviour):
    """Frames sent once at the start, before an echo; or sent as the reply to each message."""

    names = ("frames",)
    family = FrameParameters.family
    summary = "The frames that the URL gives, right or wrong: by name, as JSON, or in hex."
    example = "/frames?wrong=masked"
    rfc = "RFC 6455 section 5"
    own = (RawFramesParameters,)

    def opened(self) -> None:
        """Send the frames, unless they are for each message."""
        wanted = self.given.of(RawFramesParameters)
        self._data = (WRONG[wanted.wrong].data if wanted.wrong != "none" else b"") + wanted.json + wanted.hex
        self._summary = summary(self._data)
        super().opened()
        if wanted.on == "open":
            self._send_raw()
            self._data = b""
        self.given.forget(RawFramesParameters)  # may be a megabyte, and not needed any more
        self._on_message = wanted.on == "message"

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Answer a message."""
        if self._on_message:
            self._send_raw()
        else:
            self.reply(message, is_binary)

    def _send_raw(self) -> None:
        if self._data:
            self.send_raw(self._data, self._summary)
