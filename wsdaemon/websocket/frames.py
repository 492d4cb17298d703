"""The frame header (RFC 6455 section 5.2): pure bytes, no I/O."""

from __future__ import annotations

_FIN, _RSV1, _MASK = 0x80, 0x40, 0x80


def frame_header(opcode: int, length: int, *, fin: bool = True, rsv1: bool = False, masking_key: bytes = b"") -> bytes:
    """Return the header of a frame with `length` bytes of payload; with a masking key (4 bytes), that follows it."""
    first = opcode | (_FIN if fin else 0) | (_RSV1 if rsv1 else 0)
    mask = _MASK if masking_key else 0
    if length < 126:
        return bytes((first, mask | length)) + masking_key
    if length < 1 << 16:
        return bytes((first, mask | 126)) + length.to_bytes(2, "big") + masking_key
    return bytes((first, mask | 127)) + length.to_bytes(8, "big") + masking_key
