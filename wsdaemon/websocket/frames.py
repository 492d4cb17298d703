"""Frames (RFC 6455 section 5.2): pure bytes, no I/O.

`take_whole_frames` is the fast way through a chunk of input: every frame that is plainly right, taken in one pass.
Plainly right is a whole, final, masked text or binary frame with no reserved bit, with the shortest length, within the
limit, and valid UTF-8 if it is a text. Whatever else comes is left where it stands, for Autobahn to look at: so what is
right and what is wrong is Autobahn's to say, and this can only be fast.
"""

from __future__ import annotations

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this platform
    from websockets.utils import apply_mask

RSV1 = 0x40
_FIN, _MASK = 0x80, 0x80


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


def take_whole_frames(data: bytes, start: int, *, limit: int, count: int) -> tuple[list[tuple[int, bytes]], int]:
    """Take the plainly right frames of a client that `data` holds from `start` on, at most `count` of them.

    `limit` is the largest payload in bytes, 0 for any. Returns each frame's opcode and unmasked payload, and where the
    first byte stands that was not taken.
    """
    frames: list[tuple[int, bytes]] = []
    at, end = start, len(data)
    while end - at >= 6 and len(frames) < count:
        first = data[at]
        length = data[at + 1] ^ _MASK
        if (first != _FIN | 1 and first != _FIN | 2) or length > 127:
            break
        payload_at = at + 6
        if length > 125:
            if length == 126:
                payload_at += 2
                length = data[at + 2] << 8 | data[at + 3]
                if length < 126:
                    break
            else:
                payload_at += 8
                length = int.from_bytes(data[at + 2 : at + 10], "big")
                if length < 1 << 16:
                    break
        payload_end = payload_at + length
        if payload_end > end or 0 < limit < length:
            break
        payload = apply_mask(data[payload_at:payload_end], data[payload_at - 4 : payload_at])
        if first == _FIN | 1 and not payload.isascii() and not _is_utf8(payload):
            break
        frames.append((first & 0x0F, payload))
        at = payload_end
    return frames, at


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


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
