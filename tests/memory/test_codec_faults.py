"""Promise 16: each fault by its name, cut at every byte: the code that RFC 6455 asks for, and `wsproto` agrees."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.codec_pair import BAD_CODES, LOOKALIKE, ClientSide, Pair, ServerSide, Split, octets
from tests.support.oracle import Event
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

pytestmark = pytest.mark.no_cover  # it would double the time, and the cuts reach no other line

Write = Callable[..., bytes]
"""Makes a frame as one side's other end sends it: opcode, payload and what `octets` takes."""


def one(opcode: int, payload: bytes, **form: Any) -> Callable[[Write], bytes]:
    """Return what makes one frame."""
    return lambda f: f(opcode, payload, **form)


FAULTS: dict[str, tuple[int, Callable[[Write], bytes]]] = {
    **{f"opcode {opcode}": (1002, one(opcode, b"ab")) for opcode in (3, 7, 11, 15)},
    **{f"rsv {rsv}": (1002, one(TEXT, b"ab", rsv=rsv)) for rsv in (1, 2, 4, 6)},
    "rsv of a control frame": (1002, one(PING, b"ab", rsv=4)),
    "2 bytes for a length of 0": (1002, one(BINARY, b"", form=2)),
    "2 bytes for a length of 125": (1002, one(BINARY, bytes(125), form=2)),
    "8 bytes for a length of 1": (1002, one(TEXT, b"a", form=8)),
    "8 bytes for a length of 126": (1002, one(TEXT, bytes(126), form=8)),
    "a control frame of 126 bytes": (1002, one(PONG, bytes(126))),
    "a control frame with 8 bytes of length": (1002, one(PING, b"ab", form=8)),
    "a fragmented ping": (1002, one(PING, b"ab", fin=False)),
    "a fragmented close": (1002, one(CLOSE, b"\x03\xe8", fin=False)),
    "a masking that must not be, or none": (1002, one(TEXT, b"", wrong_masking=True)),
    "the same with a payload": (1002, one(BINARY, bytes(20), wrong_masking=True)),
    "a close of 1 byte": (1002, one(CLOSE, b"\x03")),
    **{f"close {code}": (1002, one(CLOSE, code.to_bytes(2, "big"))) for code in BAD_CODES},
    "a close with a reason cut off": (1007, one(CLOSE, b"\x03\xe8\xe2\x82")),
    "a bad code and a bad reason": (1002, one(CLOSE, b"\x03\xed\xff")),
    "a continuation of nothing": (1002, one(CONTINUATION, b"ab")),
    "an empty continuation of nothing": (1002, one(CONTINUATION, b"")),
    "a message in a message": (1002, lambda f: f(TEXT, b"ab", fin=False) + f(PONG, b"") + f(BINARY, b"")),
    "a text that is not UTF-8": (1007, one(TEXT, b"a\xff")),
    "a text that is cut off": (1007, one(TEXT, b"a\xe2\x82")),
    "a text that ends in nothing": (1007, lambda f: f(TEXT, b"\xe2\x82", fin=False) + f(CONTINUATION, b"")),
    "a text wrong over a border": (
        1007, lambda f: f(TEXT, b"\xe2\x82", fin=False) + f(PING, b"\xac") + f(CONTINUATION, b"\x41", fin=False)
    ),
    "a surrogate over a border": (1007, lambda f: f(TEXT, b"\xed", fin=False) + f(CONTINUATION, b"\xa0", fin=False)),
    "one byte too many": (1009, lambda f: f(BINARY, bytes(300), fin=False) + f(CONTINUATION, b"a")),
    "a frame over the limit": (1009, one(TEXT, b"a" * 301)),
}  # fmt: skip
COMPRESSED_FAULTS: dict[str, tuple[int, Callable[[Write], bytes]]] = {
    "a reserved kind of block": (1007, one(BINARY, b"\x07", rsv=4)),
    "a stored block with wrong lengths": (1007, one(BINARY, b"\x00\x01\x00\x00\x00a", rsv=4)),
    "a stored block cut off": (1007, one(BINARY, b"\x00\x04\x00\xfb\xff", rsv=4)),
    "a distance too far": (1007, one(BINARY, b"\x02\x00\x01", rsv=4)),
    "rsv 1 on a continuation": (1002, lambda f: f(BINARY, b"", fin=False, rsv=4) + f(CONTINUATION, b"a", rsv=4)),
    "rsv 1 on a ping": (1002, one(PING, b"", rsv=4)),
    "rsv 3": (1002, one(BINARY, b"a", rsv=1)),
    "a text that inflates to no UTF-8": (1007, one(TEXT, b"\x00\x01\x00\xfe\xff\xff\x00", rsv=4)),
}


def writer(side: type[ServerSide | ClientSide]) -> Write:
    """Return what makes the frames that this side receives."""

    def write(opcode: int, payload: bytes, *, wrong_masking: bool = False, **form: Any) -> bytes:
        return octets(opcode, payload, None if side.is_client != wrong_masking else LOOKALIKE, **form)

    return write


@pytest.mark.parametrize("side", [ServerSide, ClientSide])
@pytest.mark.parametrize(
    ("fault", "offer"), [(fault, 0) for fault in FAULTS] + [(fault, 1) for fault in COMPRESSED_FAULTS]
)
def test_each_fault_cut_at_each_byte(side: type[ServerSide | ClientSide], fault: str, offer: int) -> None:
    """Behind whole frames and a fragmented message, in every two pieces and byte by byte: the right code, once."""
    code, build = (COMPRESSED_FAULTS if offer else FAULTS)[fault]

    write = writer(side)
    right = [write(TEXT, b"1"), write(BINARY, b"2"), write(PING, b"3")]
    right += [write(TEXT, b"\xe2", fin=False), write(PONG, b"4"), write(CONTINUATION, b"\x82\xac"), write(TEXT, b"5")]
    before, wrong = b"".join(right), build(write)
    stream = before + wrong + write(TEXT, b"6") + write(CLOSE, b"\x03\xe8")
    for place in {0, *range(len(before), min(len(before) + len(wrong), len(before) + 60))}:
        pair = Pair(side, limit=300, offer=offer)
        pair.deliver(stream, Split([place / len(stream)], not place, 0, True))
        pair.finish()
        assert pair.ours.seen()[:5] == [
            ("text", b"1"),
            ("binary", b"2"),
            ("ping", b"3"),
            ("pong", b"4"),
            ("text", "€".encode()),
        ]
        assert pair.ours.seen()[-1] == ("fail", code) == pair.oracle.ended


@pytest.mark.parametrize("side", [ServerSide, ClientSide])
@pytest.mark.parametrize("offer", [0, 1])
def test_who_closes_finds_the_others_close_behind_any_data(side: type[ServerSide | ClientSide], offer: int) -> None:
    """Within a message as between two, also a compressed one: the frames' borders are kept, and Close ends it."""
    write = writer(side)
    data = zlib.compress("€ 12345 €".encode() * 20, 9, wbits=-15) + b"\0" if offer else "€".encode() * 20
    begun = write(TEXT, data[:7], fin=False, rsv=4 if offer else 0)
    rest = write(PING, write(CLOSE, b"")) + write(CONTINUATION, data[7:]) + write(BINARY, write(CLOSE, b"")) * 2
    rest += write(PONG, b"") + write(CLOSE, b"\x0f\xa0")
    for place in range(len(rest)):
        pair = Pair(side, offer=offer)
        pair.deliver(begun, Split([], False, 0, True))
        pair.close(1001)
        pair.deliver(rest, Split([place / len(rest)], not place, 0, True))
        assert pair.ours.seen()[-1] == ("close", 4000) == pair.oracle.ended


@pytest.mark.parametrize("side", [ServerSide, ClientSide])
@pytest.mark.parametrize("offer", [0, 1])
def test_what_is_right_cut_at_each_byte(side: type[ServerSide | ClientSide], offer: int) -> None:
    """All there is in one stream: fast and slow by turns, and payloads that look like frames."""
    write = writer(side)
    frames = octets(TEXT, b"", bytes(4)) * 4 + octets(TEXT, b"", None) * 4
    masked = octets(BINARY, frames, LOOKALIKE)[6:]
    parts = [
        write(TEXT, "€".encode()), write(BINARY, masked), write(PING, bytes(125)), write(TEXT, b"a"),
        write(TEXT, b"\xe2", fin=False), write(PONG, frames), write(CONTINUATION, b"", fin=False), write(PING, masked),
        write(CONTINUATION, b"\x82\xac"), write(BINARY, frames, fin=False), write(CONTINUATION, masked * 4),
        write(BINARY, bytes(126)), write(BINARY, b""), write(TEXT, b""),
    ]  # fmt: skip
    events: list[Event] = [
        ("text", "€".encode()), ("binary", masked), ("ping", bytes(125)), ("text", b"a"), ("pong", frames),
        ("ping", masked), ("text", "€".encode()), ("binary", frames + masked * 4), ("binary", bytes(126)),
        ("binary", b""), ("text", b""),
    ]  # fmt: skip
    context = zlib.compressobj(wbits=-15)
    for text in [b"Hello Hello Hello", b"", b"Hello Hello"] * offer:
        last = zlib.compress(text, wbits=-15) + b"\0"  # BFINAL is set, RFC 7692 section 7.2.3.4
        data = (context.compress(text) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]
        parts += [
            write(TEXT, data[:3], fin=False, rsv=4),
            write(PING, b"in it"),
            write(CONTINUATION, data[3:]),
        ]
        parts += [write(TEXT, last, rsv=4), write(BINARY, text)]
        events += [("ping", b"in it"), ("text", text), ("text", text), ("binary", text)]
        context = zlib.compressobj(wbits=-15)
    stream = b"".join([*parts, write(CLOSE, b"\x0f\xa0bye")])
    for place in range(len(stream)):
        pair = Pair(side, offer=offer)
        pair.deliver(stream, Split([place / len(stream)], not place, 0, True))
        assert pair.ours.seen() == [*events, ("close", 4000)]
