"""How a reply is cut into frames, and what is wrong with them. Pure bytes, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple

from wsdaemon.behaviours.kinds import Sizes
from wsdaemon.behaviours.parameters import Family, ParameterError, parameter
from wsdaemon.options import Choice, Number, Switch
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import apply_mask

PING_BETWEEN = b"between"
MASKING_KEY = bytes((0x37, 0xFA, 0x21, 0x3D))  # that of RFC 6455's examples, section 5.7
MOST_FRAMES = 2000
"""Into how many frames a message may be cut: more would take long."""
_FIN, _MASK = 0x80, 0x80


@dataclass(frozen=True, kw_only=True)
class FrameParameters:
    """How each reply is cut into frames, and what is wrong with them."""

    family: ClassVar = Family(6, "frames", "how messages are cut into frames, and frames that are wrong")

    fragment: int = parameter(
        Number(1, MOST_FRAMES), 1, "Into how many frames of about the same size; a text may be cut within a character.",
        example="3", rfc="RFC 6455 section 5.4",
    )  # fmt: skip
    sizes: tuple[int, ...] = parameter(
        Sizes(100, 1 << 20), (), "The first frames' payload sizes; one more frame takes the rest.", example="1,0,5",
        rfc="RFC 6455 section 5.4",
    )  # fmt: skip
    pings: bool = parameter(
        Switch(), False, "Whether a ping stands between two frames of a message.", example="yes",
        rfc="RFC 6455 section 5.5.2",
    )  # fmt: skip
    empty: int = parameter(
        Number(0, 1000), 0, "How many empty frames follow each but the last.", example="2", rfc="RFC 6455 section 5.4"
    )
    endless: bool = parameter(
        Switch(), False, "Whether the last frame says that more is to come, which it never does.", example="yes",
        rfc="RFC 6455 section 5.4",
    )  # fmt: skip
    mask: bool = parameter(
        Switch(), False, "Whether frames are masked, which a server's must not be.", example="yes",
        rfc="RFC 6455 section 5.1",
    )  # fmt: skip
    rsv: int = parameter(
        Number(0, 7), 0, "The reserved bits that are set in every frame: 4 is RSV1, 2 RSV2, 1 RSV3.", example="2",
        rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    opcode: int | None = parameter(
        Number(0, 15), None, "The opcode of a reply's first frame, in place of the right one.", example="3",
        rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    length: str = parameter(
        Choice(("shortest", "16", "64")), "shortest",
        "How long the field of the payload's length is, in bits: it must be the shortest that holds it.", example="64",
        rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    utf8: str = parameter(
        Choice(("right", "invalid", "cut")), "right",
        "What a text ends with: a byte that stands nowhere in UTF-8, or the first two bytes of a character of three.",
        example="invalid", rfc="RFC 6455 section 8.1",
    )  # fmt: skip

    def check(self) -> None:
        """Raise `ParameterError` where a message would be cut into more frames than are sent at once."""
        frames = max(self.fragment, len(self.sizes) + 1) * (1 + self.empty)
        if frames > MOST_FRAMES:
            raise ParameterError("empty", f"makes {frames} frames of a message; write less: {MOST_FRAMES} in all")


def raw_frame(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, length: str = "shortest", masking_key: bytes = b"",
    claimed: int | None = None,
) -> bytes:  # fmt: skip
    """Return one frame, also a wrong one; `claimed` is what its header says its payload's length is."""
    size = len(payload) if claimed is None else claimed
    first = (_FIN if fin else 0) | rsv << 4 | opcode
    mask = _MASK if masking_key else 0
    if length == "64" or size > 0xFFFF:
        header = bytes((first, mask | 127)) + size.to_bytes(8, "big")
    elif length == "16" or size > 125:
        header = bytes((first, mask | 126)) + size.to_bytes(2, "big")
    else:
        header = bytes((first, mask | size))
    return header + masking_key + (apply_mask(payload, masking_key) if masking_key else payload)


def spoiled(how: FrameParameters, text: bytes) -> bytes:
    """Return a text with what is to be wrong with its UTF-8."""
    return text + {"right": b"", "invalid": b"\xff", "cut": "€".encode()[:2]}[how.utf8]


class Summary(NamedTuple):
    """What is in some raw frames: so often each kind, opcode, FIN bit and length; and whether a Close is among them."""

    kinds: tuple[tuple[tuple[int, bool, int], int], ...]
    has_close: bool


def summary(data: bytes) -> Summary:
    """Return what is in raw frames."""
    kinds = Counter(frames_in(data))
    return Summary(tuple(kinds.items()), any(opcode == Opcode.CLOSE for opcode, _, _ in kinds))


def frames_in(data: bytes) -> Iterator[tuple[int, bool, int]]:
    """Yield the opcode, FIN bit and length of payload of each of some raw frames; of the last, what is there of it."""
    at = 0
    while at + 2 <= len(data):
        length, more = data[at + 1] & 0x7F, 2
        if length > 125:
            more = 4 if length == 126 else 10
            length = int.from_bytes(data[at + 2 : at + more], "big")
        start = at + more + (4 if data[at + 1] & _MASK else 0)
        yield data[at] & 0x0F, bool(data[at] & _FIN), max(0, min(length, len(data) - start))
        at = start + length


def frames_of(how: FrameParameters, opcode: int, payload: bytes, *, rsv1: bool = False) -> Iterator[bytes]:
    """Yield the frames of a message; with `rsv1` its first says that the payload is compressed (RFC 7692)."""
    pieces = list(_pieces(how, payload))
    key = MASKING_KEY if how.mask else b""
    first_opcode = opcode if how.opcode is None else how.opcode
    for number, piece in enumerate(pieces):
        rsv = how.rsv | (4 if rsv1 and not number else 0)
        last = number == len(pieces) - 1
        yield raw_frame(
            Opcode.CONTINUATION if number else first_opcode, piece,
            fin=last and not how.endless, rsv=rsv, length=how.length, masking_key=key,
        )  # fmt: skip
        if how.pings and not last:
            yield raw_frame(Opcode.PING, PING_BETWEEN, masking_key=key)


def _pieces(how: FrameParameters, payload: bytes) -> Iterator[bytes]:
    """Yield the payloads of a message's frames, the empty ones included."""
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
