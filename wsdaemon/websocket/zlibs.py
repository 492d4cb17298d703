"""Engines of permessage-deflate: isal where it is installed (the extra `speed`), else Python's zlib.

isal (Intel's igzip) compresses JSON four times as fast as zlib's fastest level, to the same size, and inflates twice as
fast. zlib-ng, the other candidate, is faster with messages of a kilobyte, where neither is what takes the time, but
half as fast with large ones. isal has no slow levels, so a level over 3 is zlib's.
"""

from __future__ import annotations

import contextlib
import zlib
from typing import Any

_isal: Any = None
with contextlib.suppress(ImportError):
    from isal import isal_zlib

    _isal = isal_zlib

ISAL_LEVELS = 3
SHORT = 1 << 10
SYNC_FLUSH = zlib.Z_SYNC_FLUSH
errors: tuple[type[Exception], ...] = (zlib.error,) if _isal is None else (zlib.error, _isal.error)
"""Exceptions for data that cannot be inflated."""


def new_compressor(level: int, window: int, memory: int) -> Any:
    """Return a raw deflate stream with a window of `window` bits; `memory` is zlib's memLevel."""
    if _isal is not None and level <= ISAL_LEVELS:
        return _isal.compressobj(level, zlib.DEFLATED, -window, memory)
    return zlib.compressobj(level, zlib.DEFLATED, -window, memory)


def new_decompressor(window: int, history: bytes, length: int = 1 << 30) -> Any:
    """Return a decompressor of a raw deflate stream that goes on behind `history`, the last bytes of its output.

    `length` is how much is to be inflated: up to a kilobyte, zlib is faster than isal.
    """
    engine = zlib if _isal is None or length <= SHORT else _isal
    return engine.decompressobj(-window, zdict=history) if history else engine.decompressobj(-window)
