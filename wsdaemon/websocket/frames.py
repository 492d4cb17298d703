"""Frames (RFC 6455 section 5.2): pure bytes, no I/O.

`take_whole_frames` is the fast way through a chunk of input: every frame that is plainly right, taken in one pass.
Plainly right is a whole, final text or binary frame with no reserved bit, masked as it has to be, with the shortest
length, within the limit, and valid UTF-8 if it is a text. Whatever else comes is left where it stands, for Autobahn to
look at: so what is right and what is wrong is Autobahn's to say, and this can only be fast.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from wsdaemon.websocket.utf8 import is_text, may_be_text

RSV1 = 0x40
_FIN, _MASK = 0x80, 0x80
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82


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


def frame_header(opcode: int, length: int, *, fin: bool = True, rsv1: bool = False, masking_key: bytes = b"") -> bytes:
    """Return the header of a frame with `length` bytes of payload; with a masking key (4 bytes), that follows it."""
    first = opcode | (_FIN if fin else 0) | (RSV1 if rsv1 else 0)
    mask = _MASK if masking_key else 0
    if length < 126:
        return bytes((first, mask | length)) + masking_key
    if length < 1 << 16:
        return bytes((first, mask | 126)) + length.to_bytes(2, "big") + masking_key
    return bytes((first, mask | 127)) + length.to_bytes(8, "big") + masking_key


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

    `masked` says whether the peer has to mask, so whether it is a client; `limit` is the largest payload in bytes, 0
    for any. Returns each frame's opcode and unmasked payload, and where the first byte stands that was not taken.
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
    extent = frame_extent(data, at)
    end = at + extent
    if data[at] & ~0x03 != _FIN | RSV1 or not extent or end > len(data) or not data[at + 1] & _MASK:
        return None
    opcode, code = data[at] & 0x03, data[at + 1] & 0x7F
    length = extent - (6 if code < 126 else 8 if code == 126 else 14)
    if opcode not in (1, 2) or length > limit or (code == 126 and length < 126) or (code == 127 and length < 1 << 16):
        return None
    start = end - length
    return opcode, apply_mask(data[start:end], data[start - 4 : start]), end


def is_begun(data: bytes, *, masked: bool, limit: int) -> bool:
    """Say whether `data`, at least one byte, may become a frame for `take_whole_frames` of at most `limit` bytes.

    A whole frame is none that is begun, nor is a text that is wrong already.
    """
    if data[0] != _WHOLE_TEXT and data[0] != _WHOLE_BINARY:
        return False
    if len(data) < 2:
        return True
    length = data[1] ^ (_MASK if masked else 0)
    header = 6 if masked else 2
    if length > 127:
        return False  # masked where it must not be, or the reverse
    if length > 125:
        if len(data) < (4 if length == 126 else 10):
            return True
        length, more = _long_length(data, 2, length)
        header += more
    if not 0 <= length <= limit or len(data) >= header + length:
        return False
    start = data[header:]
    if data[0] == _WHOLE_BINARY or not start:
        return True
    return may_be_text(apply_mask(start, data[header - 4 : header]) if masked else start)


def frame_extent(data: bytes, start: int) -> int:
    """Return how many bytes the frame at `start` takes, header and payload; 0 where its header is not whole yet."""
    have = len(data) - start
    if have < 2:
        return 0
    length = data[start + 1] & 0x7F
    header = 2 + (4 if data[start + 1] & _MASK else 0)
    if length == 126:
        header += 2
        length = int.from_bytes(data[start + 2 : start + 4], "big")
    elif length == 127:
        header += 8
        length = int.from_bytes(data[start + 2 : start + 10], "big")
    return header + length if have >= header else 0


def _long_length(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Return a length of 16 or 64 bits and its own length; a length of -1 where it is not right or not all there."""
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
    while at < len(frames):
        length, header = frames[at + 1], 2
        if length > 125:
            length, more = _long_length(frames, at + 2, length)
            header += more
        sizes.append(length)
        at += header + length
    return sizes
