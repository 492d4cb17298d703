"""Each row of Jetty's table on the wire, frame by frame: one table, run in memory and over a real socket."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.wire import BINARY, CONTINUATION, PING, PONG, TEXT, Frame, close

LIMIT = 64 << 10
BIG = bytes(range(256)) * 1024  # 256 KiB


@dataclass(frozen=True)
class Scenario:
    """A client offers `name`, sends these frames, and must get exactly those."""

    title: str
    sends: list[Frame]
    gets: list[Frame]
    name: str

    def __str__(self) -> str:
        return f"{self.name}: {self.title}"


def _names(*names: str) -> dict[str, tuple[str, ...]]:
    return {names[-1]: names}


ALL_NAMES: dict[str, tuple[str, ...]] = {
    **_names("org.ietf.websocket.test-echo", "lws-mirror-protocol", "echo"),
    **_names("org.ietf.websocket.test-echo-broadcast", "echo-broadcast"),
    **_names("echo-broadcast-ping"),
    **_names("org.ietf.websocket.test-echo-assemble", "echo-assemble"),
    **_names("org.ietf.websocket.test-echo-fragment", "echo-fragment"),
    **_names("log"),
}

_FRAGMENTS = [Frame(TEXT, b"one ", fin=False), Frame(CONTINUATION, b"two ", fin=False), Frame(CONTINUATION, b"three")]
_BETWEEN = [_FRAGMENTS[0], Frame(PING, b"!"), *_FRAGMENTS[1:]]
_CAFE = "café".encode()
_TOO_BIG = [close(1009, f"message over {LIMIT} bytes")]


def _halves(opcode: int, first: bytes, rest: bytes) -> list[Frame]:
    return [Frame(opcode, first, fin=False), Frame(CONTINUATION, rest)]


_UNCHANGED = {
    "a text comes back": [Frame(TEXT, b"hello")],
    "binary stays binary": [Frame(BINARY, b"\0\xff")],
    "an empty frame comes back empty": [Frame(TEXT)],
    "each fragment comes back as it came": _FRAGMENTS,
    "empty fragments come back empty": [Frame(BINARY, fin=False), Frame(CONTINUATION, fin=False), Frame(CONTINUATION)],
    "a large frame stays one frame": [Frame(BINARY, BIG)],
    "large fragments keep their borders": [
        Frame(BINARY, BIG, fin=False), Frame(CONTINUATION, b"x", fin=False), Frame(CONTINUATION, BIG),
    ],
    "a text cut inside a character comes back so": _halves(TEXT, _CAFE[:-1], _CAFE[-1:]),
}  # fmt: skip
Row = tuple[str, list[Frame], list[Frame]]
_ECHO: list[Row] = [
    *((title, frames, frames) for title, frames in _UNCHANGED.items()),
    ("a ping between fragments is answered, not echoed", _BETWEEN,
     [_FRAGMENTS[0], Frame(PONG, b"!"), *_FRAGMENTS[1:]]),
    ("a pong is not echoed", [Frame(PONG, b"x"), Frame(TEXT, b"y")], [Frame(TEXT, b"y")]),
]  # fmt: skip
_BROADCAST: list[Row] = [
    ("the sender hears itself", [Frame(TEXT, b"ann:hi")], [Frame(TEXT, b"ann:hi")]),
    ("binary stays binary", [Frame(BINARY, b"\0")], [Frame(BINARY, b"\0")]),
    ("fragments become a message of one frame", _FRAGMENTS, [Frame(TEXT, b"one two three")]),
    ("an empty message is sent on", [Frame(TEXT)], [Frame(TEXT)]),
    ("the largest message passes", [Frame(BINARY, BIG[:LIMIT])], [Frame(BINARY, BIG[:LIMIT])]),
    ("one byte more is too big", [Frame(BINARY, BIG[: LIMIT + 1])], _TOO_BIG),
]
_ASSEMBLE: list[Row] = [
    ("a text comes back in one frame", [Frame(TEXT, b"hello")], [Frame(TEXT, b"hello")]),
    ("fragments come back as one frame", _FRAGMENTS, [Frame(TEXT, b"one two three")]),
    ("so they do around a ping", _BETWEEN, [Frame(PONG, b"!"), Frame(TEXT, b"one two three")]),
    ("an empty message comes back", [Frame(BINARY)], [Frame(BINARY)]),
    ("the largest text passes", [Frame(TEXT, b"x" * LIMIT)], [Frame(TEXT, b"x" * LIMIT)]),
    ("a larger text is too big", [Frame(TEXT, b"x" * (LIMIT + 1))], _TOO_BIG),
    ("a larger binary is too big", [Frame(BINARY, BIG[: LIMIT + 1])], _TOO_BIG),
    ("so it is in fragments", _halves(TEXT, b"x" * LIMIT, b"x"), _TOO_BIG),
]
_FRAGMENT: list[Row] = [
    ("two frames, the first n // 2", [Frame(TEXT, b"hello")], _halves(TEXT, b"he", b"llo")),
    ("binary too", [Frame(BINARY, b"\0\1\2\3")], _halves(BINARY, b"\0\1", b"\2\3")),
    ("n = 0 gives two empty frames", [Frame(TEXT)], _halves(TEXT, b"", b"")),
    ("n = 1 gives an empty first frame", [Frame(TEXT, b"x")], _halves(TEXT, b"", b"x")),
    ("a character may be cut", [Frame(TEXT, b"\xc3\xa9")], _halves(TEXT, b"\xc3", b"\xa9")),
    ("fragments come back as two", _FRAGMENTS, _halves(TEXT, b"one tw", b"o three")),
    ("the largest passes", [Frame(BINARY, BIG[:LIMIT])], _halves(BINARY, BIG[: LIMIT // 2], BIG[LIMIT // 2 : LIMIT])),
    ("a larger one is too big", [Frame(TEXT, b"x" * (LIMIT + 1))], _TOO_BIG),
]
_LOG: list[Row] = [
    ("nothing is sent back", [Frame(TEXT, b"hello"), *_FRAGMENTS, Frame(PING)], [Frame(PONG)]),
    ("not even for large messages", [Frame(BINARY, BIG), Frame(PING)], [Frame(PONG)]),
]
_COMMON: list[Row] = [
    ("a ping is answered", [Frame(PING, b"are you there")], [Frame(PONG, b"are you there")]),
    ("an empty ping too", [Frame(PING)], [Frame(PONG)]),
    ("a close is answered with its code", [close(1000, "bye")], [close(1000, "bye")]),
    ("so is one with a private code", [close(4321)], [close(4321)]),
    ("so is one without a code", [Frame(8)], [Frame(8)]),
    ("a wrong code is a violation", [close(1005)], [close(1002, "invalid close code 1005")]),
    ("invalid UTF-8 in a text", [Frame(TEXT, b"\xff")],
     [close(1007, "encountered invalid UTF-8 while processing text message at payload octet index 0")]),
    ("a reserved opcode", [Frame(3, b"x")], [close(1002, "data frame using reserved opcode 3")]),
    ("a reserved bit", [Frame(TEXT, b"x", rsv=2)], [close(1002, "RSV = 2 and no extension negotiated")]),
]  # fmt: skip
_OWN = {
    "echo": _ECHO, "echo-broadcast": _BROADCAST, "echo-assemble": _ASSEMBLE, "echo-fragment": _FRAGMENT, "log": _LOG,
    "echo-broadcast-ping": _BROADCAST,
}  # fmt: skip

SCENARIOS = [
    *(Scenario(*row, name) for short, rows in _OWN.items() for name in ALL_NAMES[short] for row in rows),
    *(Scenario(*row, short) for short in ALL_NAMES for row in _COMMON),
]
