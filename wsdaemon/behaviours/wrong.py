"""Frames that break RFC 6455, by name, and frames given as JSON: bytes only, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from wsdaemon.behaviours.rawframes import MASKING_KEY, MOST_FRAMES, raw_frame
from wsdaemon.options import Kind, quote
from wsdaemon.websocket.codes import Opcode

_TEXT, _BINARY, _MORE = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
_CLOSE, _PING, _PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG
_EURO = "€".encode()


class Wrong(NamedTuple):
    """Frames that no server may send: what they are, the section that says so, and their bytes."""

    what: str
    rfc: str
    data: bytes


WRONG: Mapping[str, Wrong] = MappingProxyType(
    {
        "masked": Wrong("a masked text", "5.1", raw_frame(_TEXT, b"masked", masking_key=MASKING_KEY)),
        "rsv1": Wrong("RSV1 without compression", "5.2", raw_frame(_TEXT, b"\x07rsv1", rsv=4)),
        "rsv2": Wrong("RSV2", "5.2", raw_frame(_TEXT, b"rsv2", rsv=2)),
        "rsv3": Wrong("RSV3", "5.2", raw_frame(_TEXT, b"rsv3", rsv=1)),
        "opcode3": Wrong("a reserved data opcode", "5.2", raw_frame(3, b"opcode 3")),
        "opcode11": Wrong("a reserved control opcode", "5.2", raw_frame(11, b"opcode 11")),
        "length16": Wrong("a length of 5 in 16 bits", "5.2", raw_frame(_TEXT, b"short", length="16")),
        "length64": Wrong("a length of 5 in 64 bits", "5.2", raw_frame(_TEXT, b"short", length="64")),
        "length-high-bit": Wrong(
            "a length with its highest bit set", "5.2", raw_frame(_BINARY, b"huge", claimed=(1 << 63) + 4)
        ),
        "huge": Wrong("the header of a frame of 2**62 bytes, and the first ten", "5.2",
                      raw_frame(_BINARY, bytes(10), claimed=1 << 62)),
        "long-ping": Wrong("a ping of 126 bytes", "5.5", raw_frame(_PING, bytes(126))),
        "long-pong": Wrong("a pong of 126 bytes", "5.5", raw_frame(_PONG, bytes(126))),
        "long-close": Wrong("a Close of 126 bytes", "5.5", raw_frame(_CLOSE, b"\x03\xe8" + b"x" * 124)),
        "fragmented-ping": Wrong(
            "a ping in two frames", "5.5", raw_frame(_PING, b"pi", fin=False) + raw_frame(_MORE, b"ng")
        ),
        "close-one-byte": Wrong("a Close of one byte", "5.5.1", raw_frame(_CLOSE, b"\x03")),
        "close-utf8": Wrong("a Close whose reason is not UTF-8", "5.5.1", raw_frame(_CLOSE, b"\x03\xe8\xff")),
        "close-1005": Wrong("a Close with 1005, which means no code", "7.4.1", raw_frame(_CLOSE, b"\x03\xed")),
        "close-1006": Wrong("a Close with 1006, which means a lost connection", "7.4.1",
                            raw_frame(_CLOSE, b"\x03\xee")),
        "close-999": Wrong("a Close with 999, which is no code", "7.4.2", raw_frame(_CLOSE, b"\x03\xe7")),
        "close-then-text": Wrong("a text after a Close", "5.5.1",
                                 raw_frame(_CLOSE, b"\x03\xe8") + raw_frame(_TEXT, b"after the end")),
        "lone-continuation": Wrong("a continuation without a message", "5.4", raw_frame(_MORE, b"of what?")),
        "interleaved": Wrong("a text that begins inside another", "5.4",
                             raw_frame(_TEXT, b"one", fin=False) + raw_frame(_TEXT, b"two")),
        "utf8": Wrong("a text with a byte that UTF-8 never has", "8.1", raw_frame(_TEXT, b"bad \xff")),
        "utf8-cut": Wrong("a text that ends inside a character", "8.1", raw_frame(_TEXT, b"cut " + _EURO[:2])),
        "utf8-surrogate": Wrong("a text with half a surrogate pair", "8.1", raw_frame(_TEXT, b"half \xed\xa0\x80")),
        "utf8-overlong": Wrong("a text with an overlong slash", "8.1", raw_frame(_TEXT, b"long \xc0\xaf")),
        "utf8-late": Wrong("a text in two frames, the second of them not UTF-8", "8.1",
                           raw_frame(_TEXT, b"right", fin=False) + raw_frame(_MORE, b"\xff")),
    }
)  # fmt: skip
"""A client must fail the connection for each (RFC 6455 section 7.1.7), except `huge`, which is only large."""

_KEYS = {"opcode", "fin", "rsv", "text", "hex", "size", "mask", "length", "claim", "repeat"}
_OPCODES = {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


@dataclass(frozen=True)
class Frames(Kind):
    """A JSON list of frames, of at most `high` bytes in all."""

    name: ClassVar[str] = "json"
    form: ClassVar[str] = (
        'a JSON list of frames, as [{{"opcode": "text", "fin": false, "text": "a"}}, {{"opcode": 0, "hex": "62"}}], '
        "of at most {high} bytes"
    )
    high: int

    def parse(self, text: str, base: Path) -> bytes:
        """Return the frames' bytes."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{quote(text)} is not JSON; write {self.what}") from None
        if not isinstance(given, list):
            raise ValueError(f"{quote(text)} is not a list; write {self.what}")
        parts, left, count = [], self.high, 0
        for number, each in enumerate(given, 1):
            try:
                frame, repeat = self._frame(each, left)
            except ValueError as error:
                raise ValueError(f"frame {number}: {error}") from None
            count += repeat
            if count > MOST_FRAMES:
                raise ValueError(f"frame {number}: makes more than {MOST_FRAMES} frames in all")
            parts.append(frame * repeat)
            left -= len(frame) * repeat
        return b"".join(parts)

    def show(self, value: bytes) -> str:
        """Return an empty text: bytes are not shown as JSON."""
        return ""

    def _frame(self, given: object, most: int) -> tuple[bytes, int]:
        if not isinstance(given, dict):
            raise ValueError("is not an object")
        unknown = sorted(map(str, given.keys() - _KEYS))
        if unknown:
            raise ValueError(f"has no {quote(unknown[0])}; known are {', '.join(sorted(_KEYS))}")
        opcode = given.get("opcode", "text")
        opcode = _OPCODES.get(opcode, opcode) if isinstance(opcode, str) else opcode
        payload = _payload(given, most)
        mask = given.get("mask", False)
        length = given.get("length", "shortest")
        if str(length) not in ("shortest", "16", "64"):
            raise ValueError("length: write shortest, 16 or 64")
        if not isinstance(mask, bool):
            raise ValueError("mask: write true or false")
        if not isinstance(given.get("fin", True), bool):
            raise ValueError("fin: write true or false")
        if str(length) == "16" and len(payload) > 0xFFFF:
            raise ValueError("length: 16 bits are too few for the payload")
        frame = raw_frame(
            _whole(opcode, "opcode", 15), payload,
            fin=given.get("fin", True), rsv=_whole(given.get("rsv", 0), "rsv", 7),
            length=str(length), masking_key=MASKING_KEY if mask else b"",
            claimed=_whole(given["claim"], "claim", (1 << 64) - 1) if "claim" in given else None,
        )  # fmt: skip
        repeat = _whole(given.get("repeat", 1), "repeat", MOST_FRAMES)
        if len(frame) * repeat > most:
            raise ValueError(f"makes more than {self.high} bytes in all")
        return frame, repeat


def _payload(given: Mapping[str, Any], most: int) -> bytes:
    kinds = [key for key in ("text", "hex", "size") if key in given]
    if len(kinds) > 1:
        raise ValueError(f"has {kinds[0]} and {kinds[1]}; write one of them")
    if "size" in given:
        return b"x" * _whole(given["size"], "size", max(0, most))
    text = given.get(kinds[0], "") if kinds else ""
    if not isinstance(text, str):
        raise ValueError(f"{kinds[0]}: is not a text")
    if "hex" in given:
        try:
            return bytes.fromhex(text.replace(":", " "))
        except ValueError:
            raise ValueError(f"hex: {quote(text)} is not hex") from None
    return text.encode("utf-8", "surrogatepass")


def _whole(value: object, name: str, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= high:
        raise ValueError(f"{name}: write a whole number from 0 to {high}")
    return value
