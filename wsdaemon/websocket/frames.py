"""Frames (RFC 6455 section 5.2): pure bytes, no I/O.

`take_whole_frames` is the fast way through a chunk of input: every frame that is plainly right, taken in one pass.
Plainly right is a whole, final text or binary frame with no reserved bit, masked as it has to be, with the shortest
length, within the limit, and valid UTF-8 if it is a text. Whatever else comes is left where it stands, for Autobahn to
parse: Autobahn alone decides what is right and what is wrong, and this code is only faster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from wsdaemon.websocket.utf8 import is_text, may_be_text

RSV1 = 0x40
_FIN, _MASK = 0x80, 0x80
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82


def _xor_mask(data: bytes, mask: bytes) -> bytes:
    """Mask by one long number; for when the `websockets` package is not installed."""
    length = len(data)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


apply_mask: Callable[[bytes, bytes], bytes] = _xor_mask
"""Returns the data (first) masked or unmasked with a key of 4 bytes (RFC 6455 section 5.3)."""

with contextlib.suppress(ImportError):
    from websockets.speedups import apply_mask as _fast_mask

    apply_mask = _fast_mask


def frame_header(
    opcode: int, length: int, *, fin: bool = True, rsv: int = 0, masking_key: bytes = b"", bits: int = 0
) -> bytes:
    """Return the header of a frame with `length` bytes of payload.

    `rsv` are the reserved bits, 4 for RSV1; a masking key (4 bytes) follows the length; `bits` (16 or 64) is the least
    width of the length's field, where it is not to be the shortest.
    """
    first = opcode | (_FIN if fin else 0) | rsv << 4
    mask = _MASK if masking_key else 0
    if length < 126 and not bits:
        return bytes((first, mask | length)) + masking_key
    if length < 1 << 16 and bits < 64:
        return bytes((first, mask | 126)) + length.to_bytes(2, "big") + masking_key
    return bytes((first, mask | 127)) + length.to_bytes(8, "big") + masking_key


class Header(NamedTuple):
    """The header of a frame, right or wrong, as it is on the wire."""

    first: int
    is_masked: bool
    length: int
    """Of the payload, in bytes."""
    size: int
    """Of the header itself, the masking key included."""
    is_shortest: bool
    """Whether the length's field is the shortest that holds it."""

    @classmethod
    def read(cls, data: bytes, at: int = 0) -> Header | None:
        """Return the header at `at`, whose masking key may be missing still; None where its length is not whole yet."""
        if len(data) - at < 2:
            return None
        second = data[at + 1]
        length, size, least = second & 0x7F, 2, 0
        if length > 125:
            size, least = (4, 126) if length == 126 else (10, 1 << 16)
            length = int.from_bytes(data[at + 2 : at + size], "big")
        if len(data) - at < size:
            return None
        is_masked = bool(second & _MASK)
        found = data[at], is_masked, length, size + 4 * is_masked, least <= length < 1 << 63
        return tuple.__new__(cls, found)  # in half the time of cls(*found)

    @property
    def opcode(self) -> int:
        """What the frame is."""
        return self.first & 0x0F

    @property
    def fin(self) -> bool:
        """Whether it is the last frame of its message."""
        return bool(self.first & _FIN)


_SHORT = {opcode: [bytes((_FIN | opcode, length)) for length in range(126)] for opcode in (1, 2)}


def join_frames(frames: list[tuple[int, bytes]]) -> bytes:
    """Return messages of one unmasked frame each (opcode text or binary, payload) as one string of bytes."""
    parts = []
    for opcode, payload in frames:
        length = len(payload)
        parts.append(_SHORT[opcode][length] if length < 126 else frame_header(opcode, length))
        parts.append(payload)
    return b"".join(parts)


def take_whole_frames(
    data: bytes, start: int = 0, *, masked: bool, limit: int, count: int = 1 << 62
) -> tuple[list[tuple[int, bytes]], int]:
    """Take the plainly right frames that `data` holds from `start` on, at most `count` of them.

    `masked` says whether the peer has to mask, as a client does; `limit` is the largest payload in bytes, 0 for any.
    Returns each frame's opcode and unmasked payload, and the position of the first byte that was not taken.
    """
    frames: list[tuple[int, bytes]] = []
    at, end = start, len(data)
    mask_bit, header = (_MASK, 6) if masked else (0, 2)
    while end - at >= header and len(frames) < count:
        first = data[at]
        length = data[at + 1] ^ mask_bit
        if (first != _WHOLE_TEXT and first != _WHOLE_BINARY) or length > 127:  # faster than `not in`
            break
        payload_at = at + header
        if length > 125:
            length, more = _long_length(data, at + 2, length)
            if length < 0:
                break
            payload_at += more
        payload_end = payload_at + length
        if payload_end > end or 0 < limit < length:
            break
        payload = data[payload_at:payload_end]
        if masked and length:
            payload = apply_mask(payload, data[payload_at - 4 : payload_at])
        if first == _WHOLE_TEXT and not payload.isascii() and not is_text(payload):
            break
        frames.append((first & 0x0F, payload))
        at = payload_end
    return frames, at


def take_compressed_frame(data: bytes, at: int, *, limit: int) -> tuple[int, bytes, int] | None:
    """Take the frame at `at` if it is a whole compressed message: as the others, but with the first reserved bit set.

    Returns its opcode, its unmasked and still compressed payload of at most `limit` bytes, and where the frame ends.
    """
    if data[at] & ~0x03 != _FIN | RSV1 or data[at] & 0x03 not in (1, 2):
        return None
    header = Header.read(data, at)
    if header is None or not header.is_masked or not header.is_shortest or header.length > limit:
        return None
    start = at + header.size
    end = start + header.length
    return (data[at] & 0x0F, apply_mask(data[start:end], data[start - 4 : start]), end) if end <= len(data) else None


def is_begun(data: bytes, *, masked: bool, limit: int) -> bool:
    """Say whether `data`, at least one byte, may become a frame for `take_whole_frames` of at most `limit` bytes.

    It is False for a frame that is whole, and for a text that is invalid already.
    """
    if data[0] != _WHOLE_TEXT and data[0] != _WHOLE_BINARY:
        return False
    if len(data) > 1 and bool(data[1] & _MASK) != masked:
        return False
    header = Header.read(data)
    if header is None:
        return True
    if not header.is_shortest or header.length > limit or len(data) >= header.size + header.length:
        return False
    if data[0] == _WHOLE_BINARY or len(data) <= header.size:
        return True
    start = data[header.size :]
    return may_be_text(apply_mask(start, data[header.size - 4 : header.size]) if masked else start)


def frame_extent(data: bytes, start: int) -> int:
    """Return the length of the frame at `start`, header and payload; 0 where its header is not whole yet."""
    if len(data) - start >= 6 and 0 <= (short := data[start + 1] - _MASK) < 126:  # as most are; a `Header` takes long
        return 6 + short
    header = Header.read(data, start)
    return 0 if header is None or len(data) - start < header.size else header.size + header.length


def _long_length(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Return a length of 16 or 64 bits, and how many bytes it takes; a length of -1 where it is wrong or not whole."""
    if code == 126:
        stop = at + 2
        length = int.from_bytes(data[at:stop], "big")
        return (length, 2) if stop <= len(data) and length > 125 else (-1, 2)
    stop = at + 8
    length = int.from_bytes(data[at:stop], "big")
    return (length, 8) if stop <= len(data) and 1 << 16 <= length < 1 << 63 else (-1, 8)


def payload_sizes(frames: bytes) -> list[int]:
    """Return the length of the payload of each of some whole unmasked frames."""
    sizes, at = [], 0
    while (header := Header.read(frames, at)) is not None:
        sizes.append(header.length)
        at += header.size + header.length
    return sizes


class Masker:
    """Unmasking of one frame that arrives in pieces (RFC 6455 section 5.3), 20 times as fast as Autobahn's."""

    __slots__ = ("_key", "_taken")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._taken = 0

    def pointer(self) -> int:
        """Return how many bytes were unmasked."""
        return self._taken

    def process(self, data: bytes) -> bytes:
        """Return the next piece, unmasked."""
        turned = self._taken & 3
        self._taken += len(data)
        return apply_mask(data, self._key[turned:] + self._key[:turned]) if data else data
