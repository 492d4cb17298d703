"""Frames as bytes, right or wrong: how to build one, and a summary of several. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import Header, apply_mask, frame_header

MASKING_KEY = bytes((0x37, 0xFA, 0x21, 0x3D))  # from the examples of RFC 6455 section 5.7
MOST_FRAMES = 2000
"""The most frames of one message: more would take long."""


def raw_frame(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, length: str = "shortest", masking_key: bytes = b"",
    claimed: int | None = None,
) -> bytes:  # fmt: skip
    """Return one frame, right or wrong; `claimed` is the payload length in its header, if not the right one."""
    size = len(payload) if claimed is None else claimed
    bits = 0 if length == "shortest" else int(length)
    header = frame_header(opcode, size, fin=fin, rsv=rsv, masking_key=masking_key, bits=bits)
    return header + (apply_mask(payload, masking_key) if masking_key else payload)


class Summary(NamedTuple):
    """Summary of raw frames: how often each kind (opcode, FIN bit, length) occurs, and whether one is a Close."""

    kinds: tuple[tuple[tuple[int, bool, int], int], ...]
    has_close: bool


def summary(data: bytes) -> Summary:
    """Return the summary of raw frames."""
    kinds = Counter(_frames_in(data))
    return Summary(tuple(kinds.items()), any(opcode == Opcode.CLOSE for opcode, _, _ in kinds))


def _frames_in(data: bytes) -> Iterator[tuple[int, bool, int]]:
    """Yield the opcode, FIN bit and payload length of each frame; of a cut one, the length that is there."""
    at = 0
    while (header := Header.read(data, at)) is not None:
        start = at + header.size
        yield header.opcode, header.fin, max(0, min(header.length, len(data) - start))
        at = start + header.length
    if at + 2 <= len(data):  # not even its length is whole
        yield data[at] & 0x0F, bool(data[at] & 0x80), 0
