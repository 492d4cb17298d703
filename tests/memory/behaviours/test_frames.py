"""Frames, right and wrong: byte for byte, and what `wsproto`, another implementation, makes of them as a client."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import ANY
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory import MemorySite, Peer
from tests.support.oracle import Oracle
from tests.support.wire import BINARY, TEXT, Frame, close, request
from wsdaemon.behaviours.frames import Cutting, FrameParameters
from wsdaemon.behaviours.wrong import WRONG

PING = "8907 6265747765656e"
"""A ping of `between`."""
KEY = "37fa213d"
"""The masking key of RFC 6455's examples."""


def ask(path: str, **more: str) -> Peer:
    """Return the client's end of a connection on which a handshake was sent."""
    peer = MemorySite().connect()
    peer.send(request(path, **more))
    return peer


def why(path: str) -> str:
    """Return the body of the 400 that a request is answered with."""
    head, _, body = ask(path).take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), head
    return body.decode()


def query_of(parameters: dict[str, Any]) -> str:
    """Return parameters as they stand in a URL."""
    return "&".join(f"{name}={_shown(value)}" for name, value in parameters.items())


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


# -- how a reply is cut into frames -----------------------------------------------------------------------------------

CUT: list[tuple[dict[str, Any], bytes, str]] = [
    ({"fragment": 1}, b"abcdef", "8106 616263646566"),
    ({"fragment": 2}, b"abcdef", "0103 616263 8003 646566"),
    ({"fragment": 3}, b"abcdef", "0102 6162 0002 6364 8002 6566"),
    ({"fragment": 4}, b"abcdef", "0102 6162 0002 6364 0001 65 8001 66"),
    ({"fragment": 6}, b"abc", "0101 61 0001 62 0001 63 0000 0000 8000"),
    ({"fragment": 3}, b"", "0100 0000 8000"),
    ({"fragment": 2}, "€".encode(), "0102 e282 8001 ac"),
    ({"sizes": (1, 0, 2)}, b"abcdef", "0101 61 0000 0002 6263 8003 646566"),
    ({"sizes": (6,)}, b"abcdef", "0106 616263646566 8000"),
    ({"sizes": (9, 9)}, b"abc", "0103 616263 0000 8000"),
    ({"sizes": (0,)}, b"abc", "0100 8003 616263"),
    ({"sizes": (1,), "fragment": 3}, b"abc", "0101 61 8002 6263"),
    ({"pings": True}, b"abc", "8103 616263"),
    ({"pings": True, "fragment": 2}, b"ab", f"0101 61 {PING} 8001 62"),
    ({"pings": True, "sizes": (1, 1)}, b"abc", f"0101 61 {PING} 0001 62 {PING} 8001 63"),
    ({"pings": False, "fragment": 2}, b"ab", "0101 61 8001 62"),
    ({"empty": 1, "fragment": 2}, b"ab", "0101 61 0000 8001 62"),
    ({"empty": 2, "fragment": 3}, b"abc", "0101 61 0000 0000 0001 62 0000 0000 8001 63"),
    ({"empty": 2}, b"abc", "0103 616263 0000 8000"),
    ({"empty": 1}, b"", "0100 8000"),
    ({"empty": 1, "fragment": 2, "pings": True}, b"ab", f"0101 61 {PING} 0000 {PING} 8001 62"),
    ({"endless": True}, b"abc", "0103 616263"),
    ({"endless": True, "fragment": 3}, b"abc", "0101 61 0001 62 0001 63"),
    ({"endless": True, "empty": 1}, b"a", "0101 61 0000"),
    ({"mask": True}, b"abc", f"8183 {KEY} 569842"),
    ({"mask": True}, b"", f"8180 {KEY}"),
    ({"mask": True, "fragment": 2}, b"abc", f"0182 {KEY} 5698 8081 {KEY} 54"),
    ({"mask": True, "pings": True, "fragment": 2}, b"ab", f"0181 {KEY} 56 8987 {KEY} 559f554a529f4f 8081 {KEY} 55"),
    ({"rsv": 1}, b"a", "9101 61"),
    ({"rsv": 2}, b"a", "a101 61"),
    ({"rsv": 4}, b"a", "c101 61"),
    ({"rsv": 7}, b"a", "f101 61"),
    ({"rsv": 2, "fragment": 3, "pings": True}, b"abc", f"2101 61 {PING} 2001 62 {PING} a001 63"),
    ({"opcode": 0}, b"a", "8001 61"),
    ({"opcode": 2}, b"a", "8201 61"),
    ({"opcode": 3}, b"a", "8301 61"),
    ({"opcode": 9}, b"a", "8901 61"),
    ({"opcode": 15}, b"a", "8f01 61"),
    ({"opcode": 7, "fragment": 2}, b"ab", "0701 61 8001 62"),
    ({"length": "16"}, b"abc", "817e 0003 616263"),
    ({"length": "64"}, b"abc", "817f 0000000000000003 616263"),
    ({"length": "64"}, b"", "817f 0000000000000000"),
    ({"length": "16", "mask": True}, b"abc", f"81fe 0003 {KEY} 569842"),
    ({"length": "64", "mask": True}, b"abc", f"81ff 0000000000000003 {KEY} 569842"),
    ({"length": "16", "fragment": 2}, b"ab", "017e 0001 61 807e 0001 62"),
    ({"utf8": "invalid"}, b"abc", "8104 616263ff"),
    ({"utf8": "cut"}, b"abc", "8105 616263e282"),
    ({"utf8": "cut"}, b"", "8102 e282"),
    ({"utf8": "invalid", "fragment": 2}, b"abc", "0102 6162 8002 63ff"),
    ({"utf8": "cut", "sizes": (4,)}, b"abc", "0104 616263e2 8001 82"),
    ({"endless": True, "mask": True, "rsv": 1, "opcode": 11, "length": "16"}, b"abc", f"1bfe 0003 {KEY} 569842"),
]


@pytest.mark.parametrize(("parameters", "message", "sent"), CUT)
def test_cut(parameters: dict[str, Any], message: bytes, sent: str) -> None:
    """A reply's frames are what its parameters say: as a pure function, and by way of /echo."""
    how = FrameParameters(**parameters)
    cutting = Cutting(ANY, how)
    assert cutting.cut(TEXT, cutting.text(message), rsv1=False) == bytes.fromhex(sent)
    peer = MemorySite().open("/echo?" + query_of(parameters))
    peer.send(Frame(TEXT, message))
    assert peer.take() == bytes.fromhex(sent)


def test_each_reply_is_cut() -> None:
    """Every reply is cut anew, a binary one keeps its opcode, and its bytes are not spoiled."""
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
    """The field of the length has as many bits as is asked for, or more where the length needs them."""
    peer = MemorySite().open(f"/echo?length={length}")
    peer.send(Frame(BINARY, bytes(size)))
    assert peer.take() == bytes.fromhex(header) + bytes(size)


@pytest.mark.parametrize("rsv", [0, 2])
def test_compressed_in_fragments(rsv: int) -> None:
    """Only the first frame of a compressed message has RSV1 (RFC 7692 section 6), beside what is asked for."""
    frames = Cutting(ANY, FrameParameters(fragment=2, rsv=rsv)).cut(TEXT, b"ab", rsv1=True)
    assert frames == bytes((0x41 | rsv << 4, 1, 0x61, 0x80 | rsv << 4, 1, 0x62))


@given(
    message=st.binary(max_size=300),
    fragment=st.integers(1, 20),
    sizes=st.lists(st.integers(0, 100), max_size=5).map(tuple),
    pings=st.booleans(),
    empty=st.integers(0, 3),
    is_text=st.booleans(),
)
def test_legal_fragments(
    message: bytes, fragment: int, sizes: tuple[int, ...], pings: bool, empty: int, is_text: bool
) -> None:
    """Whatever the sizes, another implementation gets the one message out of the frames, and pings in between."""
    if is_text:
        message = message.decode("latin-1").encode()
    how = FrameParameters(fragment=fragment, sizes=sizes, pings=pings, empty=empty)
    oracle = Oracle(client=True)
    oracle.feed(Cutting(ANY, how).cut(TEXT if is_text else BINARY, message, rsv1=False))
    assert oracle.events[-1] == ("text" if is_text else "binary", message)
    assert all(event == ("ping", b"between") for event in oracle.events[:-1])
    assert bool(oracle.events[:-1]) == (pings and (fragment > 1 or empty > 0 or sizes != ()))


@pytest.mark.parametrize(
    "query", ["mask", "rsv=1", "rsv=2", "rsv=4", "opcode=3", "opcode=11", "length=16", "length=64", "utf8=invalid",
              "utf8=cut", "opcode=0", "fragment=2&opcode=9"],
)  # fmt: skip
def test_illegal_frames(query: str) -> None:
    """What is called wrong is wrong: another implementation fails the connection."""
    peer = MemorySite().open("/echo?" + query)
    peer.send(Frame(TEXT, b"message"))
    oracle = Oracle(client=True)
    oracle.feed(peer.take())
    assert oracle.ended is not None
    assert oracle.ended[0] == "fail"


def test_endless() -> None:
    """A message that never ends is not wrong, it only never ends; the next one breaks into it."""
    peer = MemorySite().open("/echo?endless")
    oracle = Oracle(client=True)
    peer.send(Frame(TEXT, b"message"))
    oracle.feed(peer.take())
    assert oracle.events == []
    peer.send(Frame(TEXT, b"message"))
    oracle.feed(peer.take())
    assert oracle.events == [("fail", 1002)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("fragment=0", "fragment"), ("fragment=2001", "fragment"), ("fragment=x", "fragment"), ("sizes=1,x", "sizes"),
        ("sizes=-1", "sizes"), ("sizes=1048577", "sizes"), ("sizes=" + "1," * 100 + "1", "sizes"),
        ("sizes=1;2", "sizes"),
        ("empty=1001", "empty"), ("empty=-1", "empty"), ("pings=perhaps", "pings"), ("rsv=8", "rsv"), ("rsv=-1", "rsv"),
        ("opcode=16", "opcode"), ("opcode=text", "opcode"), ("length=8", "length"), ("utf8=no", "utf8"),
        ("fragment=1000&empty=2", "empty"), ("fragment=3&empty=666", "empty"),
        ("sizes=1,2&empty=666", "empty"), ("fragment=2000&empty=1", "empty"),
        ("sizes=" + ",".join("1" * 100) + "&empty=19", "empty"),
    ],
)  # fmt: skip
def test_refused(query: str, names: str) -> None:
    """What cannot be, and what would make too many frames of a message, is refused by its name."""
    assert why("/echo?" + query).startswith(f"{names}: ")


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

BY_NAME = {
    "masked": f"8186 {KEY} 5a9b5256529e",
    "rsv1": "c105 07 72737631",
    "rsv2": "a104 72737632",
    "rsv3": "9104 72737633",
    "opcode3": "8308 6f70636f64652033",
    "opcode11": "8b09 6f70636f6465203131",
    "length16": "817e 0005 73686f7274",
    "length64": "817f 0000000000000005 73686f7274",
    "length-high-bit": "827f 8000000000000004 68756765",
    "huge": "827f 4000000000000000" + "00" * 10,
    "long-ping": "897e 007e" + "00" * 126,
    "long-pong": "8a7e 007e" + "00" * 126,
    "long-close": "887e 007e 03e8" + "78" * 124,
    "fragmented-ping": "0902 7069 8002 6e67",
    "close-one-byte": "8801 03",
    "close-utf8": "8803 03e8 ff",
    "close-1005": "8802 03ed",
    "close-1006": "8802 03ee",
    "close-999": "8802 03e7",
    "close-then-text": "8802 03e8 810d 61667465722074686520656e64",
    "lone-continuation": "8008 6f6620776861743f",
    "interleaved": "0103 6f6e65 8103 74776f",
    "utf8": "8105 62616420ff",
    "utf8-cut": "8106 63757420e282",
    "utf8-surrogate": "8108 68616c6620eda080",
    "utf8-overlong": "8107 6c6f6e6720c0af",
    "utf8-late": "0105 7269676874 8001 ff",
}
FAILS_WITH = dict.fromkeys(BY_NAME, 1002) | dict.fromkeys(
    ["close-utf8", "utf8", "utf8-cut", "utf8-surrogate", "utf8-overlong", "utf8-late"], 1007
)
"""The code that RFC 6455 section 7.4.1 has for it; of the Close ones, some say 1002 and some 1007."""


def test_all_are_here() -> None:
    """Every name has its bytes in the table above."""
    assert BY_NAME.keys() == WRONG.keys()


@pytest.mark.parametrize("name", BY_NAME)
def test_wrong(name: str) -> None:
    """These are the bytes behind a name, at once after the handshake; then it is an echo, but behind a Close."""
    peer = MemorySite().open(f"/frames?wrong={name}")
    assert peer.take() == bytes.fromhex(BY_NAME[name])
    peer.send(Frame(TEXT, b"more"))
    if "close" in name:
        assert peer.take() == b"", "a Close is the last that is sent"
        peer.send(close(1000))
        assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)
    else:
        assert peer.take() == b"\x81\x04more"


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"huge", "close-then-text"}))
@pytest.mark.parametrize("piece", [1, 1000])
def test_oracle(name: str, piece: int) -> None:
    """Another implementation fails the connection for each, and does so whether it comes whole or in bytes."""
    data = bytes.fromhex(BY_NAME[name])
    oracle = Oracle(client=True)
    for start in range(0, len(data), piece):
        oracle.feed(data[start : start + piece])
    assert oracle.ended == ("fail", FAILS_WITH[name])


def test_oracle_and_rsv1_with_deflate() -> None:
    """Where deflate was agreed on, `rsv1` is no compressed message either."""
    oracle = Oracle(client=True, extensions="permessage-deflate")
    oracle.feed(bytes.fromhex(BY_NAME["rsv1"]))
    assert oracle.ended is not None
    assert oracle.ended[0] == "fail"


def test_oracle_and_the_others() -> None:
    """`huge` is only much; behind the Close of `close-then-text` nothing counts any more."""
    oracle = Oracle(client=True, limit=1 << 63)
    oracle.feed(bytes.fromhex(BY_NAME["huge"]))
    assert oracle.events == []
    oracle = Oracle(client=True)
    oracle.feed(bytes.fromhex(BY_NAME["close-then-text"]))
    assert oracle.events == [("close", 1000)]


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "is not JSON"), ("", "is not JSON"), ("[{]", "is not JSON"), ("[" * 3000, "is not JSON"),
        ("{}", "is no list"),
        ("1", "is no list"), ("null", "is no list"), ("[1]", "frame 1: is no object"),
        ("[{},[]]", "frame 2: is no object"),
        ('[{"opcod":1}]', "frame 1: has no 'opcod'; known are"), ('[{"opcode":16}]', "frame 1: opcode: "),
        ('[{},{},{"opcode":-1}]', "frame 3: opcode: "), ('[{"opcode":1.5}]', "opcode: "),
        ('[{"opcode":true}]', "opcode: "),
        ('[{"opcode":"texts"}]', "opcode: "), ('[{"opcode":null}]', "opcode: "), ('[{"fin":1}]', "fin: "),
        ('[{"fin":"no"}]', "fin: "), ('[{"rsv":8}]', "rsv: "), ('[{"rsv":true}]', "rsv: "),
        ('[{"mask":"yes"}]', "mask: "),
        ('[{"length":8}]', "length: "), ('[{"length":"32"}]', "length: "), ('[{"length":true}]', "length: "),
        ('[{"claim":18446744073709551616}]', "claim: "), ('[{"claim":-1}]', "claim: "), ('[{"claim":null}]', "claim: "),
        ('[{"repeat":-1}]', "repeat: "), ('[{"repeat":1000001}]', "repeat: "), ('[{"size":-1}]', "size: "),
        ('[{"size":1e3}]', "size: "), ('[{"size":"1k"}]', "size: "), ('[{"text":5}]', "text: is no text"),
        ('[{"hex":5}]', "hex: is no text"), ('[{"hex":"zz"}]', "hex: 'zz' is not hex"), ('[{"hex":"0"}]', "is not hex"),
        ('[{"text":"","hex":""}]', "has text and hex"), ('[{"size":1,"text":"a"}]', "has text and size"),
        ('[{"size":65536,"length":16}]', "16 bits do not hold it"), ('[{"size":1048577}]', "size: "),
        ('[{"size":1048567}]', "makes more than 1048576 bytes"), ('[{"size":600000},{"size":600000}]', "frame 2: "),
        ('[{"size":1000,"repeat":1100}]', "makes more than"), ('[{"\\ud800":1}]', "has no "),
        ('[{"opcode":"\\ud800"}]', "opcode: "),
    ],
)  # fmt: skip
def test_json_refused(text: str, reason: str) -> None:
    """What is wrong with the JSON is said, with the frame's number."""
    body = why(f"/frames?json={quote(text)}")
    assert body.startswith("json: ")
    assert reason in body


def test_most_bytes_and_frames() -> None:
    """A list of frames makes 1 MiB and 2,000 frames at most, and so much it can be: to count them takes time."""
    sent = MemorySite().open("/frames?json=" + quote('[{"opcode":2,"size":1048566}]')).take()
    assert len(sent) == 1 << 20
    sent = MemorySite().open("/frames?json=" + quote('[{"repeat":1500},{"repeat":500}]')).take()
    assert sent == b"\x81\x00" * 2000
    peer = MemorySite().connect()
    peer.send(request("/frames?json=" + quote('[{"repeat":1500},{"repeat":501}]')))
    assert peer.take().endswith(b"json: frame 2: is one of more than 2000 in all\n")


@pytest.mark.parametrize(
    ("given_hex", "sent"),
    [("8100", b"\x81\0"), ("81:02:68:69", b"\x81\x02hi"), ("8 1", None), ("81 02 6869", b"\x81\x02hi"), ("F", None)],
)
def test_hex(given_hex: str, sent: bytes | None) -> None:
    """Bytes in hex go out as they are; spaces and colons may stand between them."""
    path = f"/frames?hex={quote(given_hex)}"
    if sent is None:
        assert why(path).startswith("hex: ")
    else:
        assert MemorySite().open(path).take() == sent


@pytest.mark.parametrize("query", ["wrong=nothing", "hex=zz", "hex=" + "0" * 14001, "on=close", "jsn=[]"])
def test_frames_refused(query: str) -> None:
    """What /frames does not know is refused by its name."""
    assert why("/frames?" + query).startswith(query.partition("=")[0] + ": ")


def test_order_and_echo() -> None:
    """What is given goes out as wrong, json, hex; then messages come back."""
    query = "hex=8101+63&wrong=rsv2&json=" + quote('[{"text":"b"}]')
    peer = MemorySite().open("/frames?" + query)
    assert peer.take() == bytes.fromhex(BY_NAME["rsv2"]) + b"\x81\x01b\x81\x01c"
    peer.send(Frame(TEXT, b"hi"))
    assert peer.take() == b"\x81\x02hi"


def test_on_message() -> None:
    """With on=message nothing comes at the start, and each message is answered with the frames in place of itself."""
    peer = MemorySite().open("/frames?on=message&hex=8101+61")
    assert peer.take() == b""
    peer.send(Frame(TEXT, b"1").masked() + Frame(BINARY, b"2").masked())
    assert peer.take() == b"\x81\x01a\x81\x01a"


def test_on_message_nothing() -> None:
    """Where there is nothing to send, nothing is sent."""
    peer = MemorySite().open("/frames?on=message")
    peer.send(Frame(TEXT, b"1"))
    assert peer.take() == b""
    peer = MemorySite().open("/frames")
    assert peer.take() == b""
    peer.send(Frame(TEXT, b"1"))
    assert peer.take() == b"\x81\x011"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/frames?hex=8800", b"\x88\0"),
        ("/frames?hex=8101+61+8802+0fa0", b"\x81\x01a\x88\x02\x0f\xa0"),
        ("/frames?hex=898237fa213d0000+8800", b"\x89\x82\x37\xfa\x21\x3d\0\0\x88\0"),
        ("/frames?hex=817e0001+61+8800", b"\x81\x7e\0\x01a\x88\0"),
        ("/frames?hex=817f0000000000000001+61+8800", b"\x81\x7f" + b"\0" * 7 + b"\x01a\x88\0"),
    ],
)
def test_raw_close(path: str, sent: bytes) -> None:
    """A Close among raw frames is our Close: the client's ends the connection, and gets no second one."""
    peer = MemorySite().open(path)
    assert peer.take() == sent
    peer.send(Frame(TEXT, b"late").masked() + close(1000).masked())
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)


def test_no_raw_close() -> None:
    """What only looks like a Close within another frame's payload is none."""
    peer = MemorySite().open("/frames?hex=8202+8800")
    assert peer.take() == b"\x82\x02\x88\x00"
    peer.send(close(1000))
    assert peer.take() == b"\x88\x02\x03\xe8"


def test_reply_as_a_close() -> None:
    """A reply with the opcode of a Close is one, so that what follows is not answered."""
    peer = MemorySite().open("/echo?opcode=8")
    peer.send(Frame(BINARY, b"\x03\xe8bye"))
    assert peer.take() == b"\x88\x05\x03\xe8bye"
    peer.send(Frame(TEXT, b"late").masked() + close(1000).masked())
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)
