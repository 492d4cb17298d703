"""Frames, right and wrong, byte for byte; and how the client `wsproto` reads them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases.frames import KEY, WRONG
from tests.support.behaviours import DEFLATE
from tests.support.memory import MemorySite
from tests.support.oracle import Oracle
from tests.support.wire import BINARY, TEXT, Frame, close

PING = "8907 6265747765656e"
"""A ping of `between`."""
SITE = MemorySite()


# -- how a reply is cut into frames -----------------------------------------------------------------------------------

CUT = [
    ("fragment=1", b"abcdef", "8106 616263646566"),
    ("fragment=2", b"abcdef", "0103 616263 8003 646566"),
    ("fragment=3", b"abcdef", "0102 6162 0002 6364 8002 6566"),
    ("fragment=4", b"abcdef", "0102 6162 0002 6364 0001 65 8001 66"),
    ("fragment=6", b"abc", "0101 61 0001 62 0001 63 0000 0000 8000"),
    ("fragment=3", b"", "0100 0000 8000"),
    ("fragment=2", "€".encode(), "0102 e282 8001 ac"),
    ("sizes=1,0,2", b"abcdef", "0101 61 0000 0002 6263 8003 646566"),
    ("sizes=6", b"abcdef", "0106 616263646566 8000"),
    ("sizes=9,9", b"abc", "0103 616263 0000 8000"),
    ("sizes=0", b"abc", "0100 8003 616263"),
    ("sizes=1&fragment=3", b"abc", "0101 61 8002 6263"),
    ("pings=yes", b"abc", "8103 616263"),
    ("pings=yes&fragment=2", b"ab", f"0101 61 {PING} 8001 62"),
    ("pings=yes&sizes=1,1", b"abc", f"0101 61 {PING} 0001 62 {PING} 8001 63"),
    ("pings=no&fragment=2", b"ab", "0101 61 8001 62"),
    ("empty=1&fragment=2", b"ab", "0101 61 0000 8001 62"),
    ("empty=2&fragment=3", b"abc", "0101 61 0000 0000 0001 62 0000 0000 8001 63"),
    ("empty=2", b"abc", "0103 616263 0000 8000"),
    ("empty=1", b"", "0100 8000"),
    ("empty=1&fragment=2&pings=yes", b"ab", f"0101 61 {PING} 0000 {PING} 8001 62"),
    ("endless=yes", b"abc", "0103 616263"),
    ("endless=yes&fragment=3", b"abc", "0101 61 0001 62 0001 63"),
    ("endless=yes&empty=1", b"a", "0101 61 0000"),
    ("mask=yes", b"abc", f"8183 {KEY} 569842"),
    ("mask=yes", b"", f"8180 {KEY}"),
    ("mask=yes&fragment=2", b"abc", f"0182 {KEY} 5698 8081 {KEY} 54"),
    ("mask=yes&pings=yes&fragment=2", b"ab", f"0181 {KEY} 56 8987 {KEY} 559f554a529f4f 8081 {KEY} 55"),
    ("rsv=1", b"a", "9101 61"),
    ("rsv=2", b"a", "a101 61"),
    ("rsv=4", b"a", "c101 61"),
    ("rsv=7", b"a", "f101 61"),
    ("rsv=2&fragment=3&pings=yes", b"abc", f"2101 61 {PING} 2001 62 {PING} a001 63"),
    ("opcode=0", b"a", "8001 61"),
    ("opcode=2", b"a", "8201 61"),
    ("opcode=3", b"a", "8301 61"),
    ("opcode=9", b"a", "8901 61"),
    ("opcode=15", b"a", "8f01 61"),
    ("opcode=7&fragment=2", b"ab", "0701 61 8001 62"),
    ("length=16", b"abc", "817e 0003 616263"),
    ("length=64", b"abc", "817f 0000000000000003 616263"),
    ("length=64", b"", "817f 0000000000000000"),
    ("length=16&mask=yes", b"abc", f"81fe 0003 {KEY} 569842"),
    ("length=64&mask=yes", b"abc", f"81ff 0000000000000003 {KEY} 569842"),
    ("length=16&fragment=2", b"ab", "017e 0001 61 807e 0001 62"),
    ("utf8=invalid", b"abc", "8104 616263ff"),
    ("utf8=cut", b"abc", "8105 616263e282"),
    ("utf8=cut", b"", "8102 e282"),
    ("utf8=invalid&fragment=2", b"abc", "0102 6162 8002 63ff"),
    ("utf8=cut&sizes=4", b"abc", "0104 616263e2 8001 82"),
    ("endless=yes&mask=yes&rsv=1&opcode=11&length=16", b"abc", f"1bfe 0003 {KEY} 569842"),
]


@pytest.mark.parametrize(("query", "message", "sent"), CUT)
def test_cut(query: str, message: bytes, sent: str) -> None:
    """A reply's frames, byte for byte."""
    peer = MemorySite().open(f"/echo?{query}")
    peer.send(Frame(TEXT, message))
    assert peer.take() == bytes.fromhex(sent)


def test_each_reply_is_cut() -> None:
    """Every reply is fragmented by itself; a binary one keeps its opcode, and its bytes stay as they are."""
    peer = MemorySite().open("/echo?fragment=2&utf8=invalid")
    for opcode in (TEXT, BINARY, TEXT):
        peer.send(Frame(opcode, b"ab"))
    text = "0102 6162 8001 ff"
    assert peer.take() == bytes.fromhex(f"{text} 0201 61 8001 62 {text}")


@pytest.mark.parametrize(
    ("size", "length", "header"),
    [
        (125, "shortest", "827d"), (126, "shortest", "827e 007e"), (65535, "shortest", "827e ffff"),
        (65536, "shortest", "827f 0000000000010000"), (125, "16", "827e 007d"), (65535, "16", "827e ffff"),
        (65536, "16", "827f 0000000000010000"), (65536, "64", "827f 0000000000010000"),
        (200, "64", "827f 00000000000000c8"),
    ],
)  # fmt: skip
def test_lengths(size: int, length: str, header: str) -> None:
    """The length field has the given number of bits, or more if the length needs them."""
    peer = MemorySite().open(f"/echo?length={length}")
    peer.send(Frame(BINARY, bytes(size)))
    assert peer.take() == bytes.fromhex(header) + bytes(size)


@pytest.mark.parametrize("rsv", [0, 2])
def test_compressed_in_fragments(rsv: int) -> None:
    """Only the first frame of a compressed message has RSV1 (RFC 7692 section 6), beside what is asked for."""
    peer = MemorySite().open(f"/echo?fragment=2&rsv={rsv}", extensions=DEFLATE)
    peer.send(Frame(TEXT, b"a message that is worth it, " * 9))
    assert [(frame.rsv, frame.fin) for frame in peer.frames()] == [(4 | rsv, False), (rsv, True)]


@given(
    message=st.binary(max_size=300),
    fragment=st.integers(1, 20),
    sizes=st.lists(st.integers(0, 100), max_size=5),
    pings=st.sampled_from(["yes", "no"]),
    empty=st.integers(0, 3),
    is_text=st.booleans(),
)
def test_legal_fragments(
    message: bytes, fragment: int, sizes: list[int], pings: str, empty: int, is_text: bool
) -> None:
    """Whatever the sizes, wsproto gets the one message out of the frames, and the pings between them."""
    if is_text:
        message = message.decode("latin-1").encode()
    given_sizes = f"&sizes={','.join(map(str, sizes))}" if sizes else ""
    peer = SITE.open(f"/echo?fragment={fragment}{given_sizes}&pings={pings}&empty={empty}")
    peer.send(Frame(TEXT if is_text else BINARY, message))
    oracle = Oracle(client=True)
    oracle.feed(peer.take())
    peer.hang_up()
    assert oracle.events[-1] == ("text" if is_text else "binary", message)
    assert all(event == ("ping", b"between") for event in oracle.events[:-1])
    assert bool(oracle.events[:-1]) == (pings == "yes" and (fragment > 1 or empty > 0 or sizes != []))


@pytest.mark.parametrize(
    ("query", "frames"),
    [("fragment=2000", 2000), ("fragment=1000&empty=1", 1999), ("empty=999", 1000), ("sizes=1,2&empty=665", 1333)],
)
def test_most_frames(query: str, frames: int) -> None:
    """Up to 2000 frames can be asked for."""
    peer = MemorySite().open("/echo?" + query)
    peer.send(Frame(BINARY, b"abc"))
    assert len(peer.frames()) == frames


# -- frames that are wrong, by name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    """The frame is sent directly after the handshake; then comes an echo, unless the frame was a Close."""
    peer = MemorySite().open(f"/frames?wrong={name}")
    assert peer.take() == bytes.fromhex(WRONG[name][0])
    peer.send(Frame(TEXT, b"more"))
    if "close" in name:
        assert peer.take() == b"", "a Close is the last that is sent"
        peer.send(close(1000))
        assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)
    else:
        assert peer.take() == b"\x81\x04more"


@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"huge", "close-then-text"}))
def test_in_single_bytes(name: str) -> None:
    """wsproto fails the connection for each also if it arrives byte by byte (in one piece: tests/cases)."""
    octets, outcome, _ = WRONG[name]
    oracle = Oracle(client=True)
    for octet in bytes.fromhex(octets):
        oracle.feed(bytes((octet,)))
    assert outcome.fault is not None
    assert oracle.ended == ("fail", int(outcome.fault.wsproto))


def test_huge_is_only_much() -> None:
    """A client without a limit waits for the rest."""
    oracle = Oracle(client=True, limit=1 << 63)
    oracle.feed(bytes.fromhex(WRONG["huge"][0]))
    assert oracle.events == []


# -- frames as JSON, and as bytes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "sent"),
    [
        ([], ""),
        ([{}], "8100"),
        *[([{"opcode": number}], f"8{number:x}00") for number in range(16)],
        *[
            ([{"opcode": name}], f"8{number:x}00")
            for name, number in {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}.items()
        ],
        ([{"fin": False}], "0100"),
        ([{"fin": True}], "8100"),
        *[([{"rsv": rsv}], f"{0x81 | rsv << 4:02x}00") for rsv in range(8)],
        ([{"text": "a€"}], "8104 61e282ac"),
        ([{"text": "+ &="}], "8104 2b20263d"),
        ([{"text": "\ud800"}], "8103 eda080"),
        ([{"hex": "00ff"}], "8102 00ff"),
        ([{"hex": "00:FF 1a"}], "8103 00ff1a"),
        ([{"hex": ""}], "8100"),
        ([{"size": 0}], "8100"),
        ([{"size": 3}], "8103 787878"),
        ([{"size": 126}], "817e 007e" + "78" * 126),
        ([{"mask": True, "text": "abc"}], f"8183 {KEY} 569842"),
        ([{"mask": False, "text": "abc"}], "8103 616263"),
        ([{"length": 16}], "817e 0000"),
        ([{"length": "16", "text": "a"}], "817e 0001 61"),
        ([{"length": 64, "text": "a"}], "817f 0000000000000001 61"),
        ([{"length": "shortest", "text": "a"}], "8101 61"),
        ([{"claim": 10, "text": "ab"}], "810a 6162"),
        ([{"claim": 0, "text": "ab"}], "8100 6162"),
        ([{"claim": 126}], "817e 007e"),
        ([{"claim": 65536}], "817f 0000000000010000"),
        ([{"claim": 2**64 - 1}], "817f ffffffffffffffff"),
        ([{"claim": 5, "length": "64", "mask": True}], f"81ff 0000000000000005 {KEY}"),
        ([{"repeat": 3, "text": "a"}], "8101 61" * 3),
        ([{"repeat": 0, "text": "a"}, {}], "8100"),
        ([{"text": "a", "fin": False}, {"opcode": "ping"}, {"opcode": 0, "hex": "62"}], "0101 61 8900 8001 62"),
    ],
)
def test_json(frames: list[Any], sent: str) -> None:
    """Each key of a frame in JSON says what goes out; what is left out is a final, empty, unmasked text."""
    assert MemorySite().open(f"/frames?json={quote(json.dumps(frames))}").take() == bytes.fromhex(sent)


def test_most_bytes_and_frames() -> None:
    """A list of frames can have up to 1 MiB and 2,000 frames."""
    sent = MemorySite().open("/frames?json=" + quote('[{"opcode":2,"size":1048566}]')).take()
    assert len(sent) == 1 << 20
    sent = MemorySite().open("/frames?json=" + quote('[{"repeat":1500},{"repeat":500}]')).take()
    assert sent == b"\x81\x00" * 2000


ECHO = "8102 6869 8202 6869"
IN_TURN = "hex=8101+63&wrong=rsv2&json=" + quote('[{"text":"b"}]')


@pytest.mark.parametrize(
    ("query", "sent", "reply"),
    [
        ("hex=8100", "8100", ECHO),
        ("hex=81:02:68:69", "8102 6869", ECHO),  # spaces and colons may stand between bytes
        ("hex=81+02+6869", "8102 6869", ECHO),
        (IN_TURN, WRONG["rsv2"][0] + "8101 62 8101 63", ECHO),  # wrong, json, hex
        ("", "", ECHO),
        ("on=message&hex=8101+61", "", "8101 61 8101 61"),
        ("on=message", "", ""),
    ],
)
def test_order_and_echo(query: str, sent: str, reply: str) -> None:
    """The frames go out at the start, before an echo; with on=message they are the reply to each message."""
    peer = MemorySite().open(f"/frames?{query}")
    assert peer.take() == bytes.fromhex(sent)
    peer.send(Frame(TEXT, b"hi").masked() + Frame(BINARY, b"hi").masked())
    assert peer.take() == bytes.fromhex(reply)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/echo?opcode=8", b"\x88\x05\x03\xe8bye"),  # a reply with the opcode of a Close is one
        ("/frames?hex=8800", b"\x88\0"),
        ("/frames?hex=8101+61+8802+0fa0", b"\x81\x01a\x88\x02\x0f\xa0"),
        ("/frames?hex=898237fa213d0000+8800", b"\x89\x82\x37\xfa\x21\x3d\0\0\x88\0"),
        ("/frames?hex=817e0001+61+8800", b"\x81\x7e\0\x01a\x88\0"),
        ("/frames?hex=817f0000000000000001+61+8800", b"\x81\x7f" + b"\0" * 7 + b"\x01a\x88\0"),
    ],
)
def test_raw_close(path: str, sent: bytes) -> None:
    """A Close among raw frames counts as ours: the client's Close ends the connection without a second one."""
    peer = MemorySite().open(path)
    if path.startswith("/echo"):
        peer.send(Frame(BINARY, b"\x03\xe8bye"))
    assert peer.take() == sent
    peer.send(Frame(TEXT, b"late").masked() + close(1000).masked())
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)


def test_no_raw_close() -> None:
    """Bytes in a payload that look like a Close are not one."""
    peer = MemorySite().open("/frames?hex=8202+8800")
    assert peer.take() == b"\x82\x02\x88\x00"
    peer.send(close(1000))
    assert peer.take() == b"\x88\x02\x03\xe8"
