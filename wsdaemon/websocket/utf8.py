"""The check of texts that come in pieces (RFC 6455 section 8.1): wrong at the first byte that no other can mend."""

from __future__ import annotations

import codecs


class Utf8Check:
    """Checks one text after the other; stands in for Autobahn's own, which takes 20 times as long."""

    __slots__ = ("_decoder", "_pending")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._pending = b""  # the start of a character

    def reset(self) -> None:
        """Begin a new text."""
        self._decoder.reset()
        self._pending = b""

    def validate(self, data: bytes) -> tuple[bool, bool, int, int]:
        """Take the next piece; returns whether the text is right so far, and whether it ends with a whole character.

        Two numbers follow, for Autobahn: where in the piece and in the text it is wrong, which is not looked for.
        """
        if not self._pending and data.isascii():
            return True, True, 0, 0
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            return False, False, 0, 0
        pending = self._pending = self._decoder.getstate()[0]
        # Python waits for the third byte before it says that this is a surrogate, which no byte can mend.
        return pending[:1] != b"\xed" or pending[1:] < b"\xa0", not pending, 0, 0


def may_be_text(start: bytes) -> bool:
    """Say whether a text may begin with these bytes."""
    return start.isascii() or Utf8Check().validate(start)[0]


def is_text(whole: bytes) -> bool:
    """Say whether these bytes are a text."""
    if whole.isascii():
        return True
    try:
        whole.decode()
    except UnicodeDecodeError:
        return False
    return True
