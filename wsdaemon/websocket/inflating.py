"""Inflating messages (RFC 7692 section 7.2.2), for the server and the client, in pieces of bounded size.

Between messages, only the last bytes of output are kept, as many as the window holds: the next message may refer to
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autobahn.exception import PayloadCorruptError

from wsdaemon.websocket.zlibs import errors, new_decompressor

PIECE = 1 << 16
TAIL = b"\x00\x00\xff\xff"
"""The lengths of an empty stored block, which the sender of a message leaves out."""
_LAST_BLOCK = b"\x03\x00"  # an empty last block of a stream: it can only be read where another block has ended


class Inflater:
    """Decompressor of one peer's messages; `window` is in bits."""

    __slots__ = ("_engine", "_history", "_keeps", "_window")

    def __init__(self, window: int, *, keeps_context: bool) -> None:
        self._window = window
        self._keeps = keeps_context
        self._history = b""
        self._engine: Any = None

    def whole(self, data: bytes, most: int) -> bytes | None:
        """Return a whole message, inflated; None where that is over `most` bytes, or not plainly right.

        It changes nothing until `remember` is called: the message can still be inflated in pieces.
        """
        engine = new_decompressor(self._window, self._history, len(data))
        try:
            message: bytes = engine.decompress(data, most + 1)
            if len(message) > most or engine.eof or engine.unconsumed_tail:
                return None
            rest = engine.decompress(TAIL + _LAST_BLOCK, PIECE)
        except errors:
            return None
        return message if engine.eof and not rest and not engine.unused_data else None

    def begin(self) -> None:
        """Begin a message; it may refer to those before it, unless its sender resets the context with each."""
        self._engine = new_decompressor(self._window, self._history)

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """Yield `data` inflated, in pieces of at most `PIECE` bytes; raises `PayloadCorruptError`.

        A deflate stream that ends (BFINAL = 1, RFC 7692 section 7.2.3.4) is followed by a new one, in the same message
        or the next.
        """
        try:
            while data:
                if self._engine.eof:
                    self._history = b""
                    self._engine = new_decompressor(self._window, b"")
                piece = self._engine.decompress(data, PIECE)
                if piece:
                    yield self.remember(piece)
                while len(piece) == PIECE and not self._engine.unconsumed_tail and not self._engine.eof:
                    piece = self._engine.decompress(b"", PIECE)  # all is read, but not all is out
                    if piece:
                        yield self.remember(piece)
                data = self._engine.unused_data or self._engine.unconsumed_tail
        except errors as error:
            raise PayloadCorruptError(f"invalid permessage-deflate data: {error}") from error

    def end(self) -> None:
        """End a message; raises `PayloadCorruptError` where its end is missing."""
        engine, self._engine = self._engine, None
        if engine.eof:
            self._history = b""
            return
        try:
            rest = engine.decompress(TAIL, PIECE) + engine.decompress(_LAST_BLOCK, PIECE)
        except errors as error:
            raise PayloadCorruptError(f"invalid permessage-deflate data: {error}") from error
        if rest or not engine.eof:
            raise PayloadCorruptError("invalid permessage-deflate data: the message does not end where a block does")

    def remember(self, piece: bytes) -> bytes:
        """Keep the bytes that the next message may refer to; returns `piece`."""
        if self._keeps:
            size = 1 << self._window
            self._history = piece[-size:] if len(piece) >= size else (self._history + piece)[-size:]
        return piece
