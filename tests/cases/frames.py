"""/frames, and replies cut into frames: which frames are right, and what is wrong with the others."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.cases import faults
from tests.cases.faults import bad_code, bad_opcode, not_utf8
from tests.cases.vocabulary import (
    GREETING,
    HERE,
    LONG,
    Case,
    Outcome,
    closed,
    fails,
    in_vain,
    lost,
    replies,
)

KEY = "37fa213d"
"""The masking key of RFC 6455's examples."""

_MISSED: dict[str, Any] = {"websockets": replies("short", HERE), "ws": replies("short", HERE)}
WRONG: dict[str, tuple[str, Outcome, dict[str, Any]]] = {
    "masked": (f"8186 {KEY} 5a9b5256529e", fails(faults.MASKED), {}),
    "rsv1": ("c105 07 72737631", fails(faults.RSV1), {}),
    "rsv2": ("a104 72737632", fails(faults.RSV2), {}),
    "rsv3": ("9104 72737633", fails(faults.RSV3), {}),
    "opcode3": ("8308 6f70636f64652033", fails(bad_opcode(3)), {}),
    "opcode11": ("8b09 6f70636f6465203131", fails(bad_opcode(11)), {}),
    "length16": ("817e 0005 73686f7274", fails(faults.NOT_SHORTEST), _MISSED),
    "length64": ("817f 0000000000000005 73686f7274", fails(faults.NOT_SHORTEST), _MISSED),
    "length-high-bit": ("827f 8000000000000004 68756765", fails(faults.HIGH_BIT), {}),
    # Chromium ends the connection without a word and without a Close.
    "huge": ("827f 4000000000000000" + "00" * 10, fails(faults.HUGE), {"chromium": lost()}),
    "long-ping": ("897e 007e" + "00" * 126, fails(faults.CONTROL_LONG), {}),
    "long-pong": ("8a7e 007e" + "00" * 126, fails(faults.CONTROL_LONG), {}),
    "long-close": ("887e 007e 03e8" + "78" * 124, fails(faults.CONTROL_LONG), {}),
    "fragmented-ping": ("0902 7069 8002 6e67", fails(faults.CONTROL_FRAGMENT), {}),
    "close-one-byte": ("8801 03", fails(faults.CLOSE_SHORT), {}),
    "close-utf8": ("8803 03e8 ff", fails(faults.CLOSE_UTF8), {}),
    "close-1005": ("8802 03ed", fails(bad_code(1005)), {}),
    "close-1006": ("8802 03ee", fails(bad_code(1006)), {}),
    "close-999": ("8802 03e7", fails(bad_code(999)), {"chromium": closed(999)}),  # as in close.py
    "close-then-text": (
        "8802 03e8 810d 61667465722074686520656e64", closed(1000), {"chromium": fails(faults.BEHIND_CLOSE)},
    ),
    "lone-continuation": ("8008 6f6620776861743f", fails(faults.LONE), {}),
    "interleaved": ("0103 6f6e65 8103 74776f", fails(faults.INTERLEAVED), {}),
    "utf8": ("8105 62616420ff", fails(not_utf8("invalid start byte at position 4")), {}),
    "utf8-cut": ("8106 63757420e282", fails(not_utf8("unexpected end of data at position 4")), {}),
    "utf8-surrogate": ("8108 68616c6620eda080", fails(not_utf8("invalid continuation byte at position 5")), {}),
    "utf8-overlong": ("8107 6c6f6e6720c0af", fails(not_utf8("invalid start byte at position 5")), {}),
    "utf8-late": ("0105 7269676874 8001 ff", fails(not_utf8("invalid start byte at position 5")), {}),
}  # fmt: skip
"""Wrong frames by name: the bytes, the outcome, and the clients with another outcome."""

_RIGHT = [{"text": "a", "fin": False}, {"opcode": "ping", "text": "p"}, {"opcode": 0, "hex": "62"}]
_TEXTS = (HERE, GREETING * 50, b"\0\xff" * 500, "", LONG)

CASES = [
    # Without compression, so that no extension gives RSV1 a meaning.
    *(Case(f"/frames?wrong={name}&compression=decline", outcome, max_size=1 << 20, **own)
      for name, (_, outcome, own) in WRONG.items()),
    # With compression agreed on, RSV1 has a meaning, but the payload does not inflate.
    Case("/frames?wrong=rsv1", fails(faults.not_inflated("invalid block type")), deflate=True),
    Case("/frames?wrong=masked&on=message", fails(faults.MASKED)),
    Case(f"/frames?json={quote(json.dumps(_RIGHT))}", replies("ab", HERE, pings=["p"])),
    Case(f"/frames?hex=810568656c6c6f&json={quote(json.dumps(_RIGHT))}", replies("ab", "hello", HERE)),
    Case("/frames?hex=8103616263&on=message", replies("abc", "abc"), sends=("1", "2")),
    Case("/frames?hex=8101%2041&on=message", replies("A", "A"), sends=("1", "2")),
    # A reply cut into frames, also inside a character, with pings and empty frames between them.
    *(Case(f"/echo?{query}", replies(*_TEXTS, pings=["between"] * pings), sends=_TEXTS, deflate=deflate)
      for query, pings in (("fragment=7", 0), ("sizes=1,0,5", 0), ("pings=yes&fragment=4", 15),
                           ("sizes=1,0,5&pings=yes", 15), ("empty=2&fragment=2", 0),
                           ("empty=2&fragment=2&pings=yes", 15), ("empty=3", 0))
      for deflate in (False, True)),
    Case("/echo?fragment=5&pings=yes", replies(LONG, pings=["between"] * 4), sends=(LONG,), deflate=True),
    # A message that never ends is not wrong; another one that begins inside it is.
    Case("/echo?endless=yes", in_vain()),
    Case("/echo?endless=yes", fails(faults.INTERLEAVED), sends=(HERE, HERE)),
    # A reply that is wrong.
    Case("/echo?mask=yes", fails(faults.MASKED)),
    Case("/echo?rsv=1", fails(faults.RSV3)),
    Case("/echo?rsv=2", fails(faults.RSV2)),
    Case("/echo?rsv=4&compression=decline", fails(faults.RSV1)),
    Case("/echo?rsv=7&compression=decline", fails(faults.RSV123)),
    # RSV1 where the reply is not compressed; and RSV1 in a continuation.
    Case("/echo?rsv=4", fails(faults.not_inflated("invalid stored block lengths")), deflate=True),
    Case("/echo?rsv=4&fragment=2", fails(faults.RSV1_CONTINUED), sends=(LONG,), deflate=True),
    Case("/echo?opcode=0", fails(faults.LONE)),
    Case("/echo?opcode=2", replies(HERE.encode())),
    *(Case(f"/echo?opcode={opcode}", fails(bad_opcode(opcode))) for opcode in (3, 11)),
    Case("/echo?opcode=9&fragment=2", fails(faults.CONTROL_FRAGMENT)),
    Case("/echo?opcode=8", fails(bad_code(24946)), chromium=closed(24946, HERE[2:])),  # of the text's first two bytes
    Case("/echo?opcode=9", in_vain(pings=[HERE])),
    Case("/echo?opcode=10", in_vain(pongs=[HERE])),
    *(Case(f"/echo?length={bits}", fails(faults.NOT_SHORTEST), websockets=replies(HERE), ws=replies(HERE))
      for bits in (16, 64)),
    Case("/echo?utf8=invalid", fails(not_utf8("invalid start byte at position 13"))),
    Case("/echo?utf8=cut", fails(not_utf8("unexpected end of data at position 13"))),
    *(Case(f"/echo?utf8={how}", fails(not_utf8("…")), sends=(LONG,), deflate=True) for how in ("invalid", "cut")),
]  # fmt: skip
