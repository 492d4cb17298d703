"""Wrong parameters are refused with 400, the parameter's name and what to write instead."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.behaviours import status
from tests.support.memory import MemorySite, refusal

BY_NAME = {
    "/close": "code= reason=%ff half_code=maybe messages=1000001 how=softly code=1000&code=1001 cod=1000",
    "/echo": (
        "fragment=0 fragment=2001 fragment=x sizes=1,x sizes=-1 sizes=1048577 sizes=1;2 empty=1001 empty=-1 "
        "pings=perhaps rsv=8 rsv=-1 opcode=16 opcode=text length=8 utf8=no fragment=1000&empty=2 fragment=3&empty=666 "
        "sizes=1,2&empty=666 fragment=2000&empty=1 sizes=" + "1," * 100 + "1 sizes=" + "1," * 99 + "1&empty=19 "
        # order
        "drop=-1 drop=1000001 drop=x double= swap=1.5 corrupt=all seed=-1 seed=4294967296 "
        # time
        "delay=60001 delay=-1 delay=1.5 delay jitter=60001 pong_delay=60001 throttle=-1 throttle=2g throttle=k "
        "drip=10001 stall=maybe stall_after=-1 pong=no pongs=3600001 ping_rate=x delay=1&delay=1 "
        # compression
        "compression=maybe compression=yes server_no_context_takeover=maybe client_no_context_takeover= "
        "server_max_window_bits=7 server_max_window_bits=16 client_max_window_bits=7 client_max_window_bits=16 "
        "client_max_window_bits= stream=wrong"
    ),
    "/frames": "wrong=nothing hex=zz hex=8%201 hex=F on=close jsn=[] hex=" + "0" * 14001,
    "/handshake": (
        "extra=8 extra=zz pad=1048577 pad=-1 accept=maybe wait=60001 wait=-1 wait=1.5 dribble=10001 dribble=x "
        "status=101&status=101 statu=101 wait status=100 status=102 status=199 status=600 status=-1 status=0 status= "
        "status=ok extra=" + "00" * 1025
    ),
    "/bytes": (
        "size=5g size=-1 frame=x type=json pattern=ones seed=4294967296 "
        "fragment=2 drop=2 compression=force"  # these are for replies only
    ),
    "/burst": "count=0 count=100001 size=1048577 type=json",
    "/sink": "every=9 every=3600001 per=-1 fragment=2 double=1",
}


@pytest.mark.parametrize(
    ("path", "query"), [(path, query) for path, queries in BY_NAME.items() for query in queries.split()]
)
def test_by_its_name(path: str, query: str) -> None:
    """The 400 begins with the name of the wrong parameter; of several, that is the last."""
    name = query.rpartition("&")[2].partition("=")[0]
    assert refusal(f"{path}?{query}").startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["subprotocol", "extension"])
@pytest.mark.parametrize("value", ["x" * 257, "a%0d%0aX:+y", "a%00", "%C3%A9"])
def test_what_no_header_holds(name: str, value: str) -> None:
    """A value that no header can hold, or that is too long."""
    assert f"{name}: " in refusal(f"/handshake?{name}={value}")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/close?code=65536", "code: 65536 is out of range"),
        ("/close?code=-1", "code: -1 is out of range"),
        ("/close?code", "code: has no value"),
        ("/close?code=nothing", "code: 'nothing'"),
        ("/close?code=1e3", "code: '1e3'"),
        ("/close?reason=" + "x" * 2001, "reason: is 2001 bytes long"),
        ("/close?reason=" + "%C3%BC" * 1001, "reason: is 2002 bytes long"),
        ("/close?reason=%ff", "reason: is not UTF-8"),
        ("/close?after=60001", "after: 60001 is out of range"),
        ("/close?after=-1", "after: -1 is out of range"),
        ("/close?after=0.5", "after: '0.5'"),
        ("/close?messages=-1", "messages: -1 is out of range"),
        ("/close?code=1000&code=1001", "code: is given twice"),
        ("/close?cod=1000", "did you mean code?"),
        ("/handshake?status=503&body=" + "%C3%A9" * 2049, "body: is 4098 bytes long"),
        ("/echo?ping_rate=1001", "from 0 to 1000"),
        ("/bomb?size=257m", "size: "),
    ],
)
def test_with_a_reason(target: str, words: str) -> None:
    assert words in refusal(target)


@pytest.mark.parametrize(
    ("option", "value", "target", "complaint"),
    [
        ("max_bytes", "1m", "/bytes?size=2m", "size: 2m is out of range; write bytes from 0 to 1m"),
        ("max_bytes", "1k", "/bytes?size=1025", "size: 1025 is out of range"),
        ("max_bomb", "1m", "/bomb?size=2m", "size: 2m is out of range; write bytes from 0 to 1m"),
        ("max_bomb", "1m", "/bomb?size=1048577", "size: 1048577 is out of range"),
        ("max_count", "10", "/burst?count=11", "count: 11 is out of range; write a whole number from 1 to 10"),
        ("max_count", "10", "/ticker?count=11", "count: 11 is out of range; write a whole number from 0 to 10"),
        ("max_rate", "10", "/echo?ping_rate=11", "ping_rate: 11 is out of range; write a whole number from 0 to 10"),
        ("max_wait", "1.5", "/echo?delay=1501", "delay: 1501 is out of range; write milliseconds, a whole number from"),
        ("max_wait", "1.5", "/close?after=1501", "after: 1501 is out of range; write milliseconds"),
    ],
)  # fmt: skip
def test_caps_hold_and_can_be_raised(option: str, value: str, target: str, complaint: str) -> None:
    """The INI file sets the limits, and the 400 names them."""
    assert refusal(target, f"[behaviours]\n{option} = {value}\n").startswith(complaint)
    assert status(MemorySite(f"[behaviours]\n{option} = {value[0]}00{value[1:].strip('.5')}\n"), target)[0] == 101


def test_max_wait_is_meant_to_the_millisecond() -> None:
    """In the words of the refusal, for each that waits."""
    ini = "[behaviours]\nmax_wait = 0.5"
    for name in ("delay", "jitter", "pong_delay", "after", "wait"):
        assert "from 0 to 500" in refusal(f"/echo?{name}=501", ini)
        assert status(MemorySite(ini), f"/echo?{name}=500")[0] in (0, 101)


# -- frames as JSON ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[", "", "[{]", "[" * 3000])
def test_what_is_no_json(text: str) -> None:
    body = refusal(f"/frames?json={quote(text)}")
    assert body.startswith("json: ")
    assert "is not JSON" in body


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "is not a list"), (1, "is not a list"), (None, "is not a list"), ([1], "frame 1: is not an object"),
        ([{}, []], "frame 2: is not an object"), ([{"opcod": 1}], "frame 1: has no 'opcod'; known are"),
        ([{"opcode": 16}], "frame 1: opcode: "), ([{}, {}, {"opcode": -1}], "frame 3: opcode: "),
        *[([{key: value}], f"{key}: ") for key, values in {
            "opcode": (1.5, True, "texts", None, "\ud800"), "fin": (1, "no"), "rsv": (8, True), "mask": ("yes",),
            "length": (8, "32", True), "claim": (1 << 64, -1, None), "repeat": (-1, 1_000_001),
            "size": (-1, 1e3, "1k", 1_048_577), "text": (5,), "hex": (5, "zz", "0"),
        }.items() for value in values],
        ([{"text": 5}], "text: is not a text"), ([{"hex": 5}], "hex: is not a text"),
        ([{"hex": "zz"}], "'zz' is not hex"), ([{"hex": "0"}], "is not hex"),
        ([{"text": "", "hex": ""}], "has text and hex"), ([{"size": 1, "text": "a"}], "has text and size"),
        ([{"size": 65536, "length": 16}], "16 bits are too few"),
        ([{"size": 1_048_567}], "makes more than 1048576 bytes"), ([{"size": 600_000}, {"size": 600_000}], "frame 2: "),
        ([{"size": 1000, "repeat": 1100}], "makes more than"), ([{"\ud800": 1}], "has no "),
        ([{"repeat": 1500}, {"repeat": 501}], "frame 2: makes more than 2000 frames in all\n"),
    ],
)  # fmt: skip
def test_json(given: Any, reason: str) -> None:
    """The 400 says what is wrong with the JSON, with the frame's number."""
    body = refusal(f"/frames?json={quote(json.dumps(given))}")
    assert body.startswith("json: ")
    assert reason in body
