"""Frames that come in pieces: unmasked and checked as if they had come whole, and as Autobahn does it."""

from __future__ import annotations

from autobahn.nvx import Utf8Validator
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.wire import BINARY, MASK, Frame
from wsdaemon.websocket.frames import Masker
from wsdaemon.websocket.utf8 import Utf8Check


def _encode(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")


PIECES = st.lists(st.binary(max_size=40), max_size=8)
TEXT_BYTES = st.sampled_from([b"a", b"\xc2", b"\x80", b"\xe0", b"\xa0", b"\xed", b"\x9f", b"\xf0", b"\x90", b"\xf4"])
TEXT_PIECES = st.lists(st.lists(TEXT_BYTES | st.characters().map(_encode), max_size=4).map(b"".join), max_size=8)


@given(PIECES)
def test_unmasking_in_pieces(pieces: list[bytes]) -> None:
    """Whatever the pieces' lengths, the payload is that of the whole frame."""
    masker = Masker(MASK)
    payload = b"".join(map(masker.process, pieces))
    assert Frame(BINARY, payload).masked().endswith(b"".join(pieces))
    assert masker.pointer() == len(payload)


@given(TEXT_PIECES)
@example([b"\xed", b"\xa0"])
@example([b"\xf4", b"\x90"])
@example([b"\xe2\x82", b"", b"\xac"])
def test_a_text_is_judged_as_autobahn_judges_it(pieces: list[bytes]) -> None:
    """After each piece: whether it is UTF-8 so far, said at the first byte that is not, and whether it may end here."""
    ours, autobahns = Utf8Check(), Utf8Validator()
    for _ in range(2):
        ours.reset()
        autobahns.reset()
        for piece in pieces:
            verdict = ours.validate(piece)
            expected = autobahns.validate(piece)
            assert verdict[0] == expected[0]
            if not verdict[0]:
                break
            assert verdict[1] == expected[1]
