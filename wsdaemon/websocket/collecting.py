"""Collecting a message that arrives in pieces, up to a limit; for the server and the client."""

from __future__ import annotations


class Collected:
    """A message that is arriving. `limit` is its largest size in bytes, 0 for any."""

    __slots__ = ("_limit", "_pieces", "frames", "is_binary")

    def __init__(self, is_binary: bool, limit: int) -> None:
        self.is_binary = is_binary
        self.frames = 0
        """How many frames it has so far."""
        self._limit = limit
        self._pieces = bytearray()

    def begin_frame(self, length: int, *, is_compressed: bool = False) -> bool:
        """Take a frame's header; False where the message would grow over the limit, before anything is held."""
        self.frames += 1
        # Deflate makes what can't be compressed a little larger: five bytes for each 16 KiB, and the like.
        allowance = self._limit // 512 + 1024 if is_compressed else 0
        return not self._limit or len(self._pieces) + length <= self._limit + allowance

    def add(self, piece: bytes) -> bool:
        """Take a piece of payload, inflated; False, and nothing is taken, where the message grows over the limit."""
        if 0 < self._limit < len(self._pieces) + len(piece):
            return False
        self._pieces += piece
        return True

    def take(self) -> bytes:
        """Return what is collected, and hold it no more."""
        pieces, self._pieces = self._pieces, bytearray()
        return bytes(pieces)

    def __len__(self) -> int:
        return len(self._pieces)
