"""The batch codec: a chunk's whole frames taken in one walk, without I/O. What is not plainly right is left alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

_WHOLE_TEXT, _WHOLE_BINARY, _MASK = 0x81, 0x82, 0x80


def _xor_mask(data: bytes, mask: bytes) -> bytes:
    """Mask by one long number: what is left to do where the `websockets` package is not installed."""
    length = len(data)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


apply_mask: Callable[[bytes, bytes], bytes] = _xor_mask
"""Returns the data (first) masked or unmasked with a key of 4 bytes (RFC 6455 section 5.3)."""

with contextlib.suppress(ImportError):
    from websockets.speedups import apply_mask as _fast_mask

    apply_mask = _fast_mask


def take_whole_frames(data: bytes, *, masked: bool, limit: int) -> tuple[list[tuple[int, bytes]], int]:
    """Return the whole messages at the start of `data`, and how many bytes they take up.

    A message is taken, as its opcode and its unmasked payload, where it is one frame of text or binary that is all
    there: FIN set, no reserved bit, masked or not as `masked` says, its length written in the shortest way and at most
    `limit` (0: any). The walk ends at the first byte of a frame that is anything else. Whether a text is UTF-8 is not
    looked at.
    """
    frames = []
    at, end = 0, len(data)
    mask_bit = _MASK if masked else 0
    while at + 2 <= end:
        first = data[at]
        if first != _WHOLE_TEXT and first != _WHOLE_BINARY:  # faster than `not in`
            break
        length = data[at + 1] ^ mask_bit
        start = at + 2
        if length > 125:
            length, start = _long_length(data, start, length)
            if length < 0:
                break
        if limit and length > limit:
            break
        if masked:
            start += 4
            stop = start + length
            if stop > end:
                break
            payload = apply_mask(data[start:stop], data[start - 4 : start]) if length else b""
        else:
            stop = start + length
            if stop > end:
                break
            payload = data[start:stop]
        frames.append((first & 15, payload))
        at = stop
    return frames, at


def is_begun(data: bytes, *, masked: bool, limit: int) -> bool:
    """Say whether `data`, at least one byte, may become a frame for `take_whole_frames` of at most `limit` bytes."""
    if data[0] not in (_WHOLE_TEXT, _WHOLE_BINARY):
        return False
    if len(data) < 2:
        return True
    length = data[1] ^ (_MASK if masked else 0)
    if length in (126, 127):
        if len(data) < (4 if length == 126 else 10):
            return True
        length, _ = _long_length(data, 2, length)
    elif length > 127:
        return False
    return 0 <= length <= limit


def _long_length(data: bytes, start: int, code: int) -> tuple[int, int]:
    """Return a length of 16 or 64 bits and where it ends; a length of -1 where it is not right or not all there."""
    if code == 126:
        stop = start + 2
        length = int.from_bytes(data[start:stop], "big")
        return (length, stop) if stop <= len(data) and length > 125 else (-1, stop)
    if code == 127:
        stop = start + 8
        length = int.from_bytes(data[start:stop], "big")
        return (length, stop) if stop <= len(data) and 1 << 16 <= length < 1 << 63 else (-1, stop)
    return -1, start  # the mask bit is not as it has to be
