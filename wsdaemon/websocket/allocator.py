"""What is asked of the C library's allocator, where that is glibc's; elsewhere nothing happens."""

from __future__ import annotations

import ctypes
from typing import Any

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameters, see malloc.h
KEPT = 2 << 20
"""How much freed memory, in bytes, is kept for the next message rather than given back to the system."""
MAPPED = 1 << 20
"""From how many bytes on a block is mapped by itself, and given back as soon as it is freed."""


def _glibc(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return lambda *_: 0


_mallopt, _malloc_trim = _glibc("mallopt"), _glibc("malloc_trim")


def keep_blocks() -> None:
    """Keep blocks of the size that is read and sent at once: else each is mapped anew, and cleared page by page.

    Large messages are echoed a third faster by it.
    """
    _mallopt(_TRIM_THRESHOLD, KEPT)
    _mallopt(_TOP_PAD, KEPT // 4)
    _mallopt(_MMAP_THRESHOLD, MAPPED)


def give_back() -> None:
    """Give all freed memory back to the system, as far as that goes."""
    _malloc_trim(0)
