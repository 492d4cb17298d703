"""Each row of Jetty's table on the wire, frame by frame: one table, run in memory and over a real socket."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.wire import BINARY, CONTINUATION, PING, PONG, TEXT, Frame, close

LIMIT = 64 << 10
BIG = bytes(range(256)) * 1024  # 256 KiB


@dataclass(frozen=True)
class Scenario:
    """A client offers `name`, sends these frames, and must get exactly those."""

    title: str
    name: str
    sends: list[Frame] = field(default_factory=list)
    gets: list[Frame] = field(default_factory=list)

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


def _echo_scenarios(name: str) -> list[Scenario]:
    return [
        Scenario("a text comes back", name, [Frame(TEXT, b"hello")], [Frame(TEXT, b"hello")]),
        Scenario("binary stays binary", name, [Frame(BINARY, b"\0\xff")], [Frame(BINARY, b"\0\xff")]),
        Scenario("an empty frame comes back empty", name, [Frame(TEXT)], [Frame(TEXT)]),
        Scenario("each fragment comes back as it came", name, _FRAGMENTS, _FRAGMENTS),
        Scenario(
            "a ping between fragments is answered, not echoed",
            name,
            _BETWEEN,
            [_FRAGMENTS[0], Frame(PONG, b"!"), *_FRAGMENTS[1:]],
        ),
        Scenario("a pong is not echoed", name, [Frame(PONG, b"x"), Frame(TEXT, b"y")], [Frame(TEXT, b"y")]),
        Scenario(
            "empty fragments come back empty",
            name,
            [Frame(BINARY, fin=False), Frame(CONTINUATION, fin=False), Frame(CONTINUATION)],
            [Frame(BINARY, fin=False), Frame(CONTINUATION, fin=False), Frame(CONTINUATION)],
        ),
        Scenario("a large frame stays one frame", name, [Frame(BINARY, BIG)], [Frame(BINARY, BIG)]),
        Scenario(
            "large fragments keep their borders",
            name,
            [Frame(BINARY, BIG, fin=False), Frame(CONTINUATION, b"x", fin=False), Frame(CONTINUATION, BIG)],
            [Frame(BINARY, BIG, fin=False), Frame(CONTINUATION, b"x", fin=False), Frame(CONTINUATION, BIG)],
        ),
        Scenario(
            "a text cut inside a character comes back so",
            name,
            [Frame(TEXT, _CAFE[:-1], fin=False), Frame(CONTINUATION, _CAFE[-1:])],
            [Frame(TEXT, _CAFE[:-1], fin=False), Frame(CONTINUATION, _CAFE[-1:])],
        ),
    ]


def _broadcast_scenarios(name: str) -> list[Scenario]:
    return [
        Scenario("the sender hears itself", name, [Frame(TEXT, b"ann:hi")], [Frame(TEXT, b"ann:hi")]),
        Scenario("binary stays binary", name, [Frame(BINARY, b"\0")], [Frame(BINARY, b"\0")]),
        Scenario("fragments become a message of one frame", name, _FRAGMENTS, [Frame(TEXT, b"one two three")]),
        Scenario("an empty message is sent on", name, [Frame(TEXT)], [Frame(TEXT)]),
        Scenario("the largest message passes", name, [Frame(BINARY, BIG[:LIMIT])], [Frame(BINARY, BIG[:LIMIT])]),
        Scenario("one byte more is too big", name, [Frame(BINARY, BIG[: LIMIT + 1])], [_TOO_BIG]),
    ]


_TOO_BIG = close(1009, f"message over {LIMIT} bytes")


def _assemble_scenarios(name: str) -> list[Scenario]:
    return [
        Scenario("a text comes back in one frame", name, [Frame(TEXT, b"hello")], [Frame(TEXT, b"hello")]),
        Scenario("fragments come back as one frame", name, _FRAGMENTS, [Frame(TEXT, b"one two three")]),
        Scenario("so they do around a ping", name, _BETWEEN, [Frame(PONG, b"!"), Frame(TEXT, b"one two three")]),
        Scenario("an empty message comes back", name, [Frame(BINARY)], [Frame(BINARY)]),
        Scenario("the largest text passes", name, [Frame(TEXT, b"x" * LIMIT)], [Frame(TEXT, b"x" * LIMIT)]),
        Scenario("a larger text is too big", name, [Frame(TEXT, b"x" * (LIMIT + 1))], [_TOO_BIG]),
        Scenario("a larger binary is too big", name, [Frame(BINARY, BIG[: LIMIT + 1])], [_TOO_BIG]),
        Scenario(
            "so it is in fragments",
            name,
            [Frame(TEXT, b"x" * LIMIT, fin=False), Frame(CONTINUATION, b"x")],
            [_TOO_BIG],
        ),
    ]


def _fragment_scenarios(name: str) -> list[Scenario]:
    def halves(opcode: int, first: bytes, rest: bytes) -> list[Frame]:
        return [Frame(opcode, first, fin=False), Frame(CONTINUATION, rest)]

    return [
        Scenario("two frames, the first n // 2", name, [Frame(TEXT, b"hello")], halves(TEXT, b"he", b"llo")),
        Scenario("binary too", name, [Frame(BINARY, b"\0\1\2\3")], halves(BINARY, b"\0\1", b"\2\3")),
        Scenario("n = 0 gives two empty frames", name, [Frame(TEXT)], halves(TEXT, b"", b"")),
        Scenario("n = 1 gives an empty first frame", name, [Frame(TEXT, b"x")], halves(TEXT, b"", b"x")),
        Scenario("a character may be cut", name, [Frame(TEXT, b"\xc3\xa9")], halves(TEXT, b"\xc3", b"\xa9")),
        Scenario("fragments come back as two", name, _FRAGMENTS, halves(TEXT, b"one tw", b"o three")),
        Scenario(
            "the largest passes",
            name,
            [Frame(BINARY, BIG[:LIMIT])],
            halves(BINARY, BIG[: LIMIT // 2], BIG[LIMIT // 2 : LIMIT]),
        ),
        Scenario("a larger one is too big", name, [Frame(TEXT, b"x" * (LIMIT + 1))], [_TOO_BIG]),
    ]


def _common_scenarios(name: str) -> list[Scenario]:
    return [
        Scenario("a ping is answered", name, [Frame(PING, b"are you there")], [Frame(PONG, b"are you there")]),
        Scenario("an empty ping too", name, [Frame(PING)], [Frame(PONG)]),
        Scenario("a close is answered with its code", name, [close(1000, "bye")], [close(1000, "bye")]),
        Scenario("so is one with a private code", name, [close(4321)], [close(4321)]),
        Scenario("so is one without a code", name, [Frame(8)], [Frame(8)]),
        Scenario("a wrong code is a violation", name, [close(1005)], [close(1002, "invalid close code 1005")]),
        Scenario(
            "invalid UTF-8 in a text",
            name,
            [Frame(TEXT, b"\xff")],
            [close(1007, "encountered invalid UTF-8 while processing text message at payload octet index 0")],
        ),
        Scenario(
            "a reserved opcode",
            name,
            [Frame(3, b"x")],
            [close(1002, "data frame using reserved opcode 3")],
        ),
        Scenario(
            "a reserved bit", name, [Frame(TEXT, b"x", rsv=2)], [close(1002, "RSV = 2 and no extension negotiated")]
        ),
    ]


_log_scenarios = [
    Scenario("nothing is sent back", "log", [Frame(TEXT, b"hello"), *_FRAGMENTS, Frame(PING)], [Frame(PONG)]),
    Scenario("not even for large messages", "log", [Frame(BINARY, BIG), Frame(PING)], [Frame(PONG)]),
]

SCENARIOS = [
    *(scenario for name in ALL_NAMES["echo"] for scenario in _echo_scenarios(name)),
    *(scenario for name in ALL_NAMES["echo-broadcast"] for scenario in _broadcast_scenarios(name)),
    *_broadcast_scenarios("echo-broadcast-ping"),
    *(scenario for name in ALL_NAMES["echo-assemble"] for scenario in _assemble_scenarios(name)),
    *(scenario for name in ALL_NAMES["echo-fragment"] for scenario in _fragment_scenarios(name)),
    *_log_scenarios,
    *(scenario for name in ALL_NAMES for scenario in _common_scenarios(name)),
]
