"""permessage-deflate as the URL says: what is agreed on, how replies are compressed, and /bomb. In memory."""

from __future__ import annotations

import zlib

import pytest

from tests.support.behaviours import DEFLATE, TAIL, deflated, inflated
from tests.support.memory import MemorySite, Peer
from tests.support.oracle import Oracle
from tests.support.wire import BINARY, TEXT, Frame, close, close_code

BROWSER = "permessage-deflate; client_max_window_bits"
NO_CONTEXT = "; server_no_context_takeover"
TEXTS = [
    b"the first message of many, " * 9,
    b"",
    b"x",
    b"the second of many, and not the first message, " * 9,
    b"x" * 5000,
]


def answered(peer: Peer) -> str:
    """Return the Sec-WebSocket-Extensions header of the response; empty if there is none."""
    lines = peer.handshake.decode().split("\r\n")
    found = [line.partition(": ")[2] for line in lines if line.startswith("Sec-WebSocket-Extensions: ")]
    assert len(found) <= 1
    return found[0] if found else ""


def one_reply(peer: Peer, message: bytes, opcode: int = TEXT) -> Frame:
    """Send a message; return the one frame that comes back."""
    peer.send(Frame(opcode, message))
    (frame,) = peer.frames()
    return frame


# -- what is agreed on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "offered", "header"),
    [
        ("compression=agree", "", ""),
        ("compression=agree", DEFLATE, DEFLATE),
        ("compression=decline", DEFLATE, ""),
        ("compression=decline", BROWSER, ""),
        ("compression=decline&server_no_context_takeover=yes", DEFLATE, ""),
        ("compression=force", "", DEFLATE),
        ("compression=force", "x-other", DEFLATE),
        ("compression=force", DEFLATE, DEFLATE),
        ("compression=force&server_max_window_bits=9", "", DEFLATE + "; server_max_window_bits=9"),
        ("server_no_context_takeover=yes", "", ""),
        ("server_no_context_takeover=yes", DEFLATE, DEFLATE + "; server_no_context_takeover"),
        ("server_no_context_takeover=no", DEFLATE + "; server_no_context_takeover", DEFLATE),
        (
            "server_no_context_takeover=agreed&stream=bad", DEFLATE + "; server_no_context_takeover",
            DEFLATE + "; server_no_context_takeover",
        ),
        ("client_no_context_takeover=yes", DEFLATE, DEFLATE + "; client_no_context_takeover"),
        ("client_no_context_takeover=no", DEFLATE + "; client_no_context_takeover", DEFLATE),
        *[
            (f"{side}_max_window_bits={bits}", DEFLATE, f"{DEFLATE}; {side}_max_window_bits={bits}")
            for bits in range(8, 16)
            for side in ("server", "client")
        ],
        ("client_max_window_bits=9", BROWSER, DEFLATE + "; client_max_window_bits=9"),
        ("stream=stored", DEFLATE + "; server_max_window_bits=10", DEFLATE + "; server_max_window_bits=10"),
        (
            "server_max_window_bits=15", DEFLATE + "; server_max_window_bits=10",
            DEFLATE + "; server_max_window_bits=15",
        ),
        ("stream=stored", DEFLATE + "; nonsense=1", ""),
        ("stream=stored", f"{DEFLATE}; nonsense=1, {DEFLATE}", DEFLATE),
        ("stream=stored", "x-other, " + DEFLATE, DEFLATE),
        (
            "compression=force&server_no_context_takeover=yes&client_no_context_takeover=yes&server_max_window_bits=12"
            "&client_max_window_bits=11", "",
            DEFLATE + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
            "client_max_window_bits=11",
        ),
    ],
)  # fmt: skip
def test_agreed(query: str, offered: str, header: str) -> None:
    """The response says what the URL asks for, whatever was offered; the rest is as offered."""
    peer = MemorySite().open("/echo?" + query, extensions=offered)
    assert answered(peer) == header
    frame = one_reply(peer, TEXTS[0])
    assert frame.rsv == (4 if header else 0)
    if not header:
        assert frame.payload == TEXTS[0]


@pytest.mark.parametrize("query", ["compression=force", "compression=agree", "stream=bad", "server_max_window_bits=9"])
def test_switched_off(query: str) -> None:
    """With `compression = no`, no URL turns compression on."""
    peer = MemorySite("[websocket]\ncompression = no").open("/echo?" + query, extensions=DEFLATE)
    assert answered(peer) == ""
    assert one_reply(peer, TEXTS[0]) == Frame(TEXT, TEXTS[0])


@pytest.mark.parametrize("offered", ["", DEFLATE, BROWSER, DEFLATE + "; server_max_window_bits=10"])
def test_agree_is_the_default(offered: str) -> None:
    """compression=agree is what every echo does."""
    plain = MemorySite().open("/echo", extensions=offered)
    assert answered(MemorySite().open("/echo?compression=agree", extensions=offered)) == answered(plain)
    assert answered(MemorySite().open("/echo?delay=0", extensions=offered)) == answered(plain)


# -- right replies, with what was agreed on ---------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(9, 16))
def test_server_window(bits: int) -> None:
    """A reply keeps to the window of the response, so that an inflater with this window can read it."""
    far = bytes(range(256)) * 2 + b"#" * (1 << bits) + bytes(range(256)) * 2  # refers further back than the window is
    peer = MemorySite().open(f"/echo?server_max_window_bits={bits}", extensions=DEFLATE)
    frame = one_reply(peer, far, BINARY)
    assert (frame.opcode, frame.rsv, frame.fin) == (BINARY, 4, True)
    assert inflated(frame.payload, bits) == far


@pytest.mark.parametrize(("takeover", "alone"), [("yes", True), ("no", False)])
def test_server_context(takeover: str, alone: bool) -> None:
    """Without context takeover each reply can be inflated alone; with it, the second refers to the first."""
    peer = MemorySite().open(f"/echo?server_no_context_takeover={takeover}", extensions=DEFLATE)
    first, second = one_reply(peer, TEXTS[0]), one_reply(peer, TEXTS[0])
    assert inflated(first.payload) == TEXTS[0]
    assert (first == second) == alone
    both = zlib.decompressobj(-15)
    assert both.decompress(first.payload + TAIL) == TEXTS[0]
    assert both.decompress(second.payload + TAIL) == TEXTS[0]


@pytest.mark.parametrize(
    "query",
    ["client_no_context_takeover=yes", "client_max_window_bits=9", "client_max_window_bits=8", "compression=force"],
)
def test_client_is_understood(query: str) -> None:
    """A client that ignores the parameters of the response is understood all the same."""
    peer = MemorySite().open("/echo?" + query, extensions=BROWSER)
    for message in (bytes(range(256)) * 200, b"short"):
        peer.send(Frame(BINARY, deflated(message), rsv=4))
        (frame,) = peer.frames()
        assert (inflated(frame.payload) if frame.rsv else frame.payload) == message


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        ("compression=force", DEFLATE),
        ("server_no_context_takeover=yes", DEFLATE),
        ("server_max_window_bits=9", DEFLATE),
        *[(f"stream={kind}", DEFLATE + more) for kind in ("bfinal", "stored") for more in ("", NO_CONTEXT)],
    ],
)
@pytest.mark.parametrize("fragment", [1, 3, 4])
def test_right_stream(query: str, offered: str, fragment: int) -> None:
    """wsproto reads all replies one after the other, in one frame or several, with a shared context or without."""
    peer = MemorySite().open(f"/echo?{query}&fragment={fragment}", extensions=offered)
    oracle = Oracle(client=True, extensions=answered(peer))
    for text in TEXTS * 2:
        peer.send(Frame(TEXT, text))
        oracle.feed(peer.take())
    assert oracle.events == [("text", text) for text in TEXTS * 2]


@pytest.mark.parametrize("spoil", [("invalid", b"\xff"), ("cut", b"\xe2\x82")])
def test_spoiled_text(spoil: tuple[str, bytes]) -> None:
    """Wrong UTF-8 is the same in a compressed text."""
    peer = MemorySite().open(f"/echo?utf8={spoil[0]}", extensions=BROWSER)
    frame = one_reply(peer, TEXTS[0])
    assert frame.rsv == 4
    assert inflated(frame.payload) == TEXTS[0] + spoil[1]


# -- wrong replies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["bad", "cut", "bfinal", "stored", "flagged"])
def test_needs_deflate(stream: str) -> None:
    """Without deflate, replies are sent as they are."""
    assert one_reply(MemorySite().open(f"/echo?stream={stream}"), b"hello") == Frame(TEXT, b"hello")
    peer = MemorySite().open(f"/echo?stream={stream}&compression=decline", extensions=DEFLATE)
    assert one_reply(peer, b"hello") == Frame(TEXT, b"hello")


@pytest.mark.parametrize("message", TEXTS)
@pytest.mark.parametrize("stream", ["bad", "cut", "flagged", "bfinal", "stored"])
def test_even_a_short_one(stream: str, message: bytes) -> None:
    """Every reply has RSV1 set, however short."""
    frame = one_reply(MemorySite().open(f"/echo?stream={stream}", extensions=DEFLATE), message)
    assert (frame.opcode, frame.rsv, frame.fin) == (TEXT, 4, True)


@pytest.mark.parametrize("message", TEXTS)
def test_flagged(message: bytes) -> None:
    """flagged: RSV1 on the message as it is."""
    assert one_reply(MemorySite().open("/echo?stream=flagged", extensions=DEFLATE), message).payload == message


@pytest.mark.parametrize("message", TEXTS)
def test_bad(message: bytes) -> None:
    """bad: it does not inflate; the first block has the reserved type (RFC 1951 section 3.2.3)."""
    frame = one_reply(MemorySite().open("/echo?stream=bad", extensions=DEFLATE), message)
    assert frame.payload[0] & 0x06 == 0x06
    with pytest.raises(zlib.error):
        inflated(frame.payload)
    assert len(frame.payload) <= 65


@pytest.mark.parametrize("message", [TEXTS[0], TEXTS[3], bytes(range(128)) * 20])
def test_cut(message: bytes) -> None:
    """cut: the first half of the right bytes, which does not inflate to the message."""
    right = one_reply(MemorySite().open("/echo?compression=force", extensions=DEFLATE), message).payload
    frame = one_reply(MemorySite().open("/echo?stream=cut", extensions=DEFLATE), message)
    assert frame.payload == right[: len(right) // 2]
    assert inflated(right) == message
    with pytest.raises((zlib.error, AssertionError)):
        assert inflated(frame.payload) == message


@pytest.mark.parametrize("message", TEXTS)
def test_bfinal(message: bytes) -> None:
    """bfinal: right, in a stream that ends (RFC 7692 section 7.2.3.4): the last block's bit is set, and 00 follows."""
    frame = one_reply(MemorySite().open("/echo?stream=bfinal", extensions=DEFLATE), message)
    engine = zlib.decompressobj(-15)
    assert engine.decompress(frame.payload) == message
    assert engine.eof
    assert engine.unused_data == b"\0"


@pytest.mark.parametrize("message", TEXTS)
def test_stored(message: bytes) -> None:
    """stored: right, but no smaller: blocks without compression (RFC 1951 section 3.2.4), the last one left out."""
    frame = one_reply(MemorySite().open("/echo?stream=stored", extensions=DEFLATE), message)
    size = len(message).to_bytes(2, "little")
    block = b"\0" + size + bytes(0xFF ^ byte for byte in size) + message
    assert frame.payload == (block + b"\0" if message else b"\0")
    assert inflated(frame.payload) == message


# -- /bomb ------------------------------------------------------------------------------------------------------------


SIZES = [0, 1, 1000, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 12345]


@pytest.mark.parametrize("offered", [DEFLATE, BROWSER, DEFLATE + "; server_max_window_bits=9"])
@pytest.mark.parametrize(("query", "size"), [*((f"?size={size}", size) for size in SIZES), ("", 16 << 20)])
def test_bomb(query: str, size: int, offered: str) -> None:
    """One binary message in one compressed frame, nearly a thousandth as long: that many zeros, 16 MiB by default."""
    peer = MemorySite().open(f"/bomb{query}", extensions=offered)
    (frame,) = peer.frames()
    assert (frame.opcode, frame.rsv, frame.fin) == (BINARY, 4, True)
    message = inflated(frame.payload, 9 if "=9" in offered else 15)
    assert len(message) == size
    assert not any(message)
    assert frame.payload == b"\0" or size, "an empty message is this one byte (RFC 7692 section 7.2.3.6)"
    assert len(frame.payload) < size / 900 + 20


@pytest.mark.parametrize("offered", ["", "x-other", DEFLATE + "; nonsense=1"])
def test_no_bomb_without_deflate(offered: str) -> None:
    """Without deflate there is none: a Close with 1008 says why."""
    peer = MemorySite().open("/bomb", extensions=offered)
    (frame,) = peer.frames()
    assert close_code(frame) == 1008
    assert b"permessage-deflate" in frame.payload
    peer.send(close(1008))
    assert peer.is_ended()


@pytest.mark.parametrize("offered", [DEFLATE, DEFLATE + "; server_no_context_takeover"])
def test_echo_behind_the_bomb(offered: str) -> None:
    """After it the connection is an echo, and its compression context is right."""
    peer = MemorySite().open("/bomb?size=2m", extensions=offered)
    oracle = Oracle(client=True, extensions=answered(peer))
    oracle.feed(peer.take())
    assert oracle.events == [("binary", bytes(2 << 20))]
    for text in TEXTS:
        peer.send(Frame(TEXT, text))
        oracle.feed(peer.take())
    assert oracle.events[1:] == [("text", text) for text in TEXTS]


def test_bomb_then_close() -> None:
    """It counts as a reply for `messages`."""
    peer = MemorySite().open("/bomb?size=1&messages=1&code=4000", extensions=DEFLATE)
    bomb, end = peer.frames()
    assert (bomb.opcode, end) == (BINARY, close(4000))
