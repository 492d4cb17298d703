"""What comes without being asked for, what only goes in, and what is looked at: ticker, bytes, burst, sink, inspect,
status. In memory, on a Clock."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from datetime import datetime
from typing import Any

import pytest

from tests.support.memory import MemorySite, Peer, Transport, pass_time, refusal
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, close_code, request

DEFLATE = "permessage-deflate"
COUNTED_UP = b"\x88\x0c\x03\xe8counted up"


def told(peer: Peer) -> list[dict[str, Any]]:
    """Return the JSON messages that came."""
    frames = peer.frames()
    assert all(frame.opcode == TEXT and frame.fin for frame in frames), frames
    return [json.loads(frame.payload) for frame in frames]


def numbers(peer: Peer) -> str:
    """Return the text messages that came, with spaces between."""
    return " ".join(frame.payload.decode() for frame in peer.frames() if frame.opcode == TEXT)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every write fill the transport, until it is told to drain."""

    def write(transport: Transport, data: bytes) -> None:
        transport.io.write(data)
        transport.fill()

    monkeypatch.setattr(Transport, "write", write)


def read_all(peer: Peer, most: int = 1 << 62) -> bytes:
    """Return all that comes from a slow transport, at most so many bytes at a time."""
    sent = b""
    while piece := peer.take():
        assert len(piece) <= most
        sent += piece
        peer.transport.drain()
        pass_time(peer.site.clock, 0.001)
    return sent


# -- /ticker ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "interval"), [("", 50), ("?interval=1", 1), ("?interval=200", 200)])
def test_ticker(query: str, interval: int) -> None:
    """It counts from 0, a number in each interval and none at the start."""
    peer = MemorySite().open("/ticker" + query)
    assert peer.take() == b""
    for number in range(12):
        pass_time(peer.site.clock, interval / 1000)
        assert peer.take() == b"\x81" + bytes((len(str(number)),)) + str(number).encode()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\0", b"\n\0"])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_ticker_commands(end: bytes, opcode: int) -> None:
    """`reset` begins at 0 again, `closeme` ends with 1000, with lws' line feed or without."""
    peer = MemorySite().open("/ticker?interval=10")
    pass_time(peer.site.clock, 0.035)
    assert numbers(peer) == "0 1 2"
    peer.send(Frame(opcode, b"reset" + end))
    pass_time(peer.site.clock, 0.02)
    assert numbers(peer) == "0 1"
    peer.send(Frame(opcode, b"closeme" + end))
    assert peer.take() == b"\x88\x02\x03\xe8"
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    peer.send(close(1000))
    assert (peer.is_ended(), peer.is_aborted()) == (True, False)


@pytest.mark.parametrize("message", [b"", b"RESET", b" reset", b"reset now", b"close", b"hello", b"\nreset"])
def test_ticker_ignores(message: bytes) -> None:
    """Anything else is ignored, and not echoed."""
    peer = MemorySite().open("/ticker?interval=10")
    pass_time(peer.site.clock, 0.015)
    peer.send(Frame(TEXT, message))
    pass_time(peer.site.clock, 0.01)
    assert numbers(peer) == "0 1"


@pytest.mark.parametrize(
    ("query", "sent"),
    [("count=1", "0"), ("count=3", "0 1 2"), ("count=3&double=1", "0 0 1 1 2 2"), ("count=3&drop=3", "0 1")],
)
@pytest.mark.parametrize("late", ["", "&delay=200", "&jitter=300", "&throttle=50", "&delay=50&drip=5"])
def test_ticker_count(query: str, sent: str, late: str) -> None:
    """After so many it ends with 1000, once all are sent, however late they are."""
    peer = MemorySite().open(f"/ticker?interval=10&{query}{late}")
    pass_time(peer.site.clock, 3)
    taken = peer.take()
    assert taken == b"".join(b"\x81\x01" + number.encode() for number in sent.split()) + COUNTED_UP
    assert not peer.is_ended()


def test_ticker_count_and_reset() -> None:
    """The count is of messages, not what they say."""
    peer = MemorySite().open("/ticker?interval=10&count=4")
    pass_time(peer.site.clock, 0.025)
    peer.send(Frame(TEXT, b"reset"))
    pass_time(peer.site.clock, 1)
    assert numbers(peer) == "0 1 0 1"


def test_ticker_is_bounded() -> None:
    """`max_count` is the most, also where no count is given."""
    ini = "[behaviours]\nmax_count = 3\n"
    assert "count: 4 is out of range" in refusal("/ticker?count=4", ini)
    peer = MemorySite(ini).open("/ticker?interval=10")
    pass_time(peer.site.clock, 1)
    assert peer.take() == b"\x81\x010\x81\x011\x81\x012" + COUNTED_UP


@pytest.mark.usefixtures("slow")
def test_ticker_waits() -> None:
    """A client that does not keep up misses no number: counting waits for it."""
    peer = MemorySite().open("/ticker?interval=10")
    peer.transport.drain()
    seen = []
    for _ in range(5):
        pass_time(peer.site.clock, 0.5)
        seen.append(numbers(peer))
        peer.transport.drain()
    assert seen == ["0", "1", "2", "3", "4"]


# -- /bytes -----------------------------------------------------------------------------------------------------------

PRINTABLE = bytes(range(32, 127))


def check_bytes(sent: bytes, size: int, frame: int, *, is_text: bool = False) -> bytes:
    """Check the frames of a message of /bytes and the report behind it; return the message."""
    peer = MemorySite().connect()
    peer.received = sent
    *frames, last = peer.frames()
    length = min(frame or size, size) or 1
    lengths = [min(length, size - start) for start in range(0, size, length)] or [0]
    assert [len(each.payload) for each in frames] == lengths
    assert [each.opcode for each in frames] == [TEXT if is_text else BINARY] + [CONTINUATION] * (len(lengths) - 1)
    assert [each.fin for each in frames] == [False] * (len(lengths) - 1) + [True]
    assert not any(each.rsv for each in frames)
    message = b"".join(each.payload for each in frames)
    assert (last.opcode, last.fin) == (TEXT, True)
    digest = hashlib.sha256(message).hexdigest()
    assert last.payload.decode() == f'{{"size": {size}, "frames": {len(lengths)}, "sha256": "{digest}"}}'
    assert peer.received == b""
    return message


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537, 131073, 200_000])
@pytest.mark.parametrize("frame", [0, 100, 125, 126, 65535, 65536, 65537, 150_000, 1 << 40])
def test_bytes(size: int, frame: int) -> None:
    """A message of any size in frames of any size, the last one shorter; then its size, frames and SHA-256."""
    sent = MemorySite().open(f"/bytes?size={size}&frame={frame}").take()
    counter = bytes(range(256)) * (size // 256 + 1)
    assert check_bytes(sent, size, frame) == counter[:size]


@pytest.mark.parametrize("size", [0, 1, 94, 95, 96, 65535, 65537, 200_000])
@pytest.mark.parametrize("frame", [0, 64, 70_000])
def test_bytes_as_text(size: int, frame: int) -> None:
    """As a text, the byte at place i is 32 + i mod 95."""
    sent = MemorySite().open(f"/bytes?type=text&size={size}&frame={frame}").take()
    assert check_bytes(sent, size, frame, is_text=True) == (PRINTABLE * (size // 95 + 1))[:size]


@pytest.mark.parametrize(("kind", "zero"), [("binary", b"\0"), ("text", b"0")])
def test_bytes_zeros(kind: str, zero: bytes) -> None:
    """pattern=zeros: all 0, in a text the letter."""
    sent = MemorySite().open(f"/bytes?type={kind}&size=70000&frame=1000&pattern=zeros").take()
    assert check_bytes(sent, 70_000, 1000, is_text=kind == "text") == zero * 70_000


@pytest.mark.parametrize("kind", ["binary", "text"])
def test_bytes_random(kind: str) -> None:
    """pattern=random: what the seed says, the same in every run; in a text, letters that can be printed."""

    def run(seed: str) -> bytes:
        sent = MemorySite().open(f"/bytes?type={kind}&size=70000&frame=64k&pattern=random{seed}").take()
        return check_bytes(sent, 70_000, 65536, is_text=kind == "text")

    assert run("&seed=1") == run("&seed=1")
    assert run("&seed=1") != run("&seed=2")
    assert run("") == run("&seed=0")
    assert set(run("")) == (set(PRINTABLE) if kind == "text" else set(range(256)))


def test_bytes_default() -> None:
    """As it stands, it is 1 MiB in frames of 64 KiB; then it is an echo."""
    peer = MemorySite().open("/bytes")
    pass_time(peer.site.clock, 0.1)
    check_bytes(peer.take(), 1 << 20, 1 << 16)
    peer.send(Frame(TEXT, b"hi"))
    assert peer.take() == b"\x81\x02hi"


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("frame", ["0", "64k", "1000", "100k"])
def test_bytes_in_constant_memory(frame: str) -> None:
    """As much is produced as is taken: a piece of 64 KiB at a time."""
    peer = MemorySite().open(f"/bytes?size=1m&frame={frame}")
    sent = read_all(peer, (64 << 10) + 14 + 200)
    check_bytes(sent, 1 << 20, {"0": 0, "64k": 65536, "1000": 1000, "100k": 102_400}[frame])


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("frame", ["0", "150k", "64k"])
@pytest.mark.parametrize("query", ["", "&pong_delay=3", "&pongs=3", "&ping_rate=300", "&code=4000&messages=1"])
def test_nothing_within_a_frame(frame: str, query: str) -> None:
    """Nothing that is sent meanwhile breaks into a frame, and no text into the message."""
    peer = MemorySite().open(f"/bytes?size=400k&frame={frame}{query}")
    sent = b""
    for number in range(30):
        if number < 3:
            peer.send(Frame(PING, b"%d" % number).masked() + Frame(TEXT, b"text %d" % number).masked())
        sent += peer.take()
        peer.transport.drain()
        pass_time(peer.site.clock, 0.002)
    peer.received = sent
    frames = peer.frames()
    assert peer.received == b"", "a frame that is not whole"
    data = [each for each in frames if each.opcode < CLOSE]
    message = [each for each in data[:-1] if not each.payload.startswith((b"{", b"text "))]
    assert b"".join(each.payload for each in message) == bytes(range(256)) * 1600
    assert data[: len(message)] == message
    assert json.loads(data[len(message)].payload)["size"] == 400 << 10
    if "messages" in query:
        assert frames[-1] == close(4000)
    else:
        assert [each.payload for each in data[len(message) + 1 :]] == [b"text 0", b"text 1", b"text 2"]
        assert any(each.opcode == PONG for each in frames)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("frame", ["0", "64k"])
def test_pong_behind_the_frame(frame: str) -> None:
    """Pings that come within a frame are answered behind it, the last of them at least, and once."""
    peer = MemorySite().open(f"/bytes?size=150k&frame={frame}")
    peer.send(Frame(PING, b"1").masked() + Frame(PING, b"2").masked())
    sent = read_all(peer)
    if frame == "0":
        assert sent[: 10 + (150 << 10)] == b"\x82\x7f" + (150 << 10).to_bytes(8, "big") + bytes(range(256)) * 600
    peer.received = sent
    frames = peer.frames()
    pongs = [each.payload for each in frames if each.opcode == PONG]
    assert pongs[-1:] == [b"2"]
    assert len(pongs) <= 2
    assert frames[-1].payload.startswith(b"{")


def test_nothing_within_a_frame_between_turns() -> None:
    """Nor does what comes by itself break into a frame that takes more than a turn of the loop."""
    peer = MemorySite("[limits]\nturn_budget = 0.0001").connect()
    peer.transport.protocol.dataReceived(request("/bytes?size=1m&frame=0&pattern=random&pongs=3&ping_rate=300"))
    for _ in range(200):
        peer.site.clock.advance(0.005)
    peer.received = peer.take().partition(b"\r\n\r\n")[2]
    first, second, *_ = peer.frames()
    assert len(first.payload) == 1 << 20
    assert (first.opcode, second.opcode) == (BINARY, TEXT)
    assert hashlib.sha256(first.payload).hexdigest() == json.loads(second.payload)["sha256"]


@pytest.mark.usefixtures("slow")
def test_closed_between_frames() -> None:
    """A Close of ours between two frames can be answered, though a message waits for its echo."""
    peer = MemorySite().open("/bytes?size=1m&frame=64k&after=100&code=4000")
    peer.send(Frame(TEXT, b"waits"))
    pass_time(peer.site.clock, 0.2)
    assert peer.take().endswith(b"\x88\x02\x0f\xa0")
    peer.transport.drain()
    assert peer.transport.producerState == "producing"
    peer.send(close(4000))
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)


# -- /burst -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("count=1", b"\x81\x40" + b"0 ".ljust(64, b".")),
        ("count=3&size=0", b"\x81\0\x81\0\x81\0"),
        ("count=3&size=1", b"\x81\x010\x81\x011\x81\x012"),
        ("count=3&size=4", b"\x81\x040 ..\x81\x041 ..\x81\x042 .."),
        ("count=2&size=4&type=binary", b"\x82\x040 ..\x82\x041 .."),
        ("count=1&size=200", b"\x81\x7e\0\xc8" + b"0 ".ljust(200, b".")),
        ("count=11&size=2", b"".join(b"\x81\x02%d " % n for n in range(10)) + b"\x81\x0210"),
        ("count=12&size=1", b"".join(b"\x81\x01%d" % n for n in range(10)) + b"\x81\x011\x81\x011"),
        ("count=2&size=2&fragment=2", b"\x01\x010\x80\x01 \x01\x011\x80\x01 "),
    ],
)
def test_burst(query: str, sent: bytes) -> None:
    """So many messages, each its number and dots, cut to the size; then an echo."""
    peer = MemorySite().open("/burst?" + query)
    assert peer.take() == sent
    peer.send(Frame(BINARY, b""))
    assert peer.take()[0] & 15 == BINARY


def test_burst_default() -> None:
    """As it stands, 100 messages of 64 bytes."""
    peer = MemorySite().open("/burst")
    pass_time(peer.site.clock, 0.1)
    assert peer.frames() == [Frame(TEXT, (b"%d " % number).ljust(64, b".")) for number in range(100)]


@pytest.mark.usefixtures("slow")
def test_burst_waits() -> None:
    """It is as fast as the client takes it, and no faster; no message is missed."""
    peer = MemorySite().open("/burst?count=50&size=10")
    peer.received = read_all(peer, 12)
    assert [int(frame.payload.split()[0]) for frame in peer.frames()] == list(range(50))


def test_burst_compressed() -> None:
    """Its messages are compressed as every reply is."""
    peer = MemorySite().open("/burst?count=3&size=1000", extensions=DEFLATE)
    engine = zlib.decompressobj(-15)
    texts = [engine.decompress(frame.payload + b"\0\0\xff\xff") for frame in peer.frames()]
    assert texts == [(b"%d " % number).ljust(1000, b".") for number in range(3)]


# -- /sink ------------------------------------------------------------------------------------------------------------


def report(
    messages: int, frames: int, octets: int, seconds: float, *, rates: tuple[float, float], last: bool = False
) -> str:
    """Return a report as it should be."""
    return json.dumps(
        {
            "messages": messages, "frames": frames, "bytes": octets, "seconds": seconds,
            "messages_per_second": rates[0], "bytes_per_second": rates[1], "last": last,
        }
    )  # fmt: skip


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("piece", [0, 1])
def test_sink(start: float, piece: int) -> None:
    """Nothing comes back but reports, and no report without news: all since the first message, rates since the last."""
    peer = MemorySite().open("/sink?every=500")
    pass_time(peer.site.clock, start)
    assert peer.take() == b""
    peer.send(Frame(TEXT, b"abc").masked() + Frame(BINARY, bytes(97)).masked(), piece=piece)
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.5)
    assert numbers(peer) == report(2, 2, 100, 0.5, rates=(4.0, 200.0))
    pass_time(peer.site.clock, 3)
    assert peer.take() == b""
    peer.send(Frame(TEXT, b"x" * 10), piece=piece)
    pass_time(peer.site.clock, 0.5)
    assert numbers(peer) == report(3, 3, 110, 4.0, rates=(round(1 / 3.5, 1), round(10 / 3.5, 1)))


def test_sink_last_report() -> None:
    """With the client's Close comes a last report, before the answer; also where nothing was sent."""
    peer = MemorySite().open("/sink")
    peer.send(close(1000))
    first, last = peer.frames()
    assert first.payload.decode() == report(0, 0, 0, 0.0, rates=(0.0, 0.0), last=True)
    assert close_code(last) == 1000
    peer = MemorySite().open("/sink")
    peer.send(Frame(TEXT, b"abc"))
    pass_time(peer.site.clock, 0.25)
    peer.send(close(4000))
    first, last = peer.frames()
    assert first.payload.decode() == report(1, 1, 3, 0.25, rates=(4.0, 12.0), last=True)
    assert last.opcode == CLOSE
    assert peer.is_ended()


@pytest.mark.parametrize("together", [False, True])
def test_sink_per(together: bool) -> None:
    """per=N reports after every Nth message too."""
    peer = MemorySite().open("/sink?per=3")
    sent = [Frame(TEXT, b"%d" % number).masked() for number in range(8)]
    for chunk in [b"".join(sent)] if together else sent:
        peer.send(chunk)
    assert [each["messages"] for each in told(peer)] == [3, 6]


def test_sink_fragments() -> None:
    """Frames are counted one by one, control frames not, and a message once it is whole."""
    peer = MemorySite().open("/sink?every=100")
    peer.send(Frame(TEXT, b"abc", fin=False))
    peer.send(Frame(PING, b"ping"))
    assert peer.take() == b"\x8a\x04ping"
    pass_time(peer.site.clock, 0.1)
    assert numbers(peer) == report(0, 1, 3, 0.1, rates=(0.0, 30.0))
    peer.send(Frame(CONTINUATION, b"", fin=False).masked() + Frame(CONTINUATION, b"d").masked())
    pass_time(peer.site.clock, 0.1)
    assert numbers(peer) == report(1, 3, 4, 0.2, rates=(10.0, 10.0))


@pytest.mark.parametrize("piece", [0, 100])
def test_sink_compressed(piece: int) -> None:
    """Bytes are counted as they are once inflated."""
    engine = zlib.compressobj(wbits=-15)
    payload = (engine.compress(bytes(100_000)) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
    peer = MemorySite().open("/sink?every=100", extensions=DEFLATE)
    peer.send(Frame(BINARY, payload, rsv=4), piece=piece)
    pass_time(peer.site.clock, 0.1)
    peer.send(close(1000))
    frames = peer.frames()
    engine_in = zlib.decompressobj(-15)
    text = engine_in.decompress(frames[0].payload + b"\0\0\xff\xff") if frames[0].rsv else frames[0].payload
    assert (json.loads(text)["messages"], json.loads(text)["bytes"]) == (1, 100_000)


def test_sink_takes_any_size() -> None:
    """A message larger than any other subprotocol collects is swallowed, and nothing of it is kept."""
    peer = MemorySite().open("/sink?every=1000")
    peer.send(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
    for _ in range(64):
        peer.send(bytes(1 << 16))
    pass_time(peer.site.clock, 1)
    (each,) = told(peer)
    assert (each["messages"], each["frames"], each["bytes"]) == (0, 1, 4 << 20)
    (connection,) = peer.site.hub.connections
    assert len(getattr(connection, "message", b"")) < 1 << 17


# -- /inspect ---------------------------------------------------------------------------------------------------------


def inspecting(path: str = "/inspect", **more: str) -> Peer:
    """Return a connection to /inspect that was told of its handshake."""
    peer = MemorySite().open(path, **more)
    assert len(peer.frames()) == 1
    return peer


@pytest.mark.parametrize(
    ("query", "offered", "extensions", "subprotocol", "agreed"),
    [
        ("", "", "", None, None),
        ("", "mqtt, chat", "x-other", "mqtt", None),
        ("?subprotocol=chat", "mqtt", "", "chat", None),
        ("?subprotocol=", "mqtt", "", None, None),
        ("?extension=x-other", "", DEFLATE, None, "x-other"),
        ("?extension=", "", DEFLATE, None, None),
        ("?compression=decline", "", DEFLATE, None, None),
        ("?server_no_context_takeover=yes", "", DEFLATE, None, DEFLATE + "; server_no_context_takeover"),
    ],
)
def test_inspect_handshake(
    query: str, offered: str, extensions: str, subprotocol: str | None, agreed: str | None
) -> None:
    """First comes what the handshake was, and what was answered."""
    peer = MemorySite().open("/inspect" + query, subprotocols=offered, extensions=extensions)
    (frame,) = peer.frames()
    data = zlib.decompressobj(-15).decompress(frame.payload + b"\0\0\xff\xff") if frame.rsv else frame.payload
    shown = json.loads(data)
    assert abs(time.time() - _seconds(shown.pop("time"))) < 60
    headers = dict(shown.pop("headers"))
    assert headers["Host"] == "localhost"
    assert headers.get("Sec-WebSocket-Protocol", "") == offered
    assert headers.get("Sec-WebSocket-Extensions", "") == extensions
    assert shown == {
        "method": "GET", "target": "/inspect" + query, "http_version": "HTTP/1.1", "peer": "127.0.0.1:40001",
        "tls": None, "subprotocol": subprotocol, "extensions": agreed,
    }  # fmt: skip


def _seconds(text: str) -> float:
    when = datetime.fromisoformat(text)
    assert when.tzinfo is not None
    return when.timestamp()


@pytest.mark.parametrize("payload", [b"", b"hello", "für 日本".encode(), b"x" * 126, b"x" * 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("piece", [0, 1000])
def test_inspect_message(payload: bytes, opcode: int, piece: int) -> None:
    """Each message comes back as JSON: its number, type, size, its one frame, and what is in it."""
    peer = inspecting()
    for number in (1, 2):
        peer.send(Frame(opcode, payload), piece=piece)
        (shown,) = told(peer)
        content = {"text": payload.decode()} if opcode == TEXT else {"base64": base64.b64encode(payload).decode()}
        frame = {"opcode": opcode, "fin": True, "rsv": 0, "length": len(payload), "masking_key": "37fa213d"}
        assert shown == {
            "message": number, "opcode": opcode, "type": "text" if opcode == TEXT else "binary", "size": len(payload),
            "compressed": False, "frame_count": 1, "payload_size": len(payload), "frames": [frame], **content,
        }  # fmt: skip


def masked_with(key: bytes, frame: Frame) -> bytes:
    """Return a frame of less than 126 bytes, masked with a key of its own."""
    header = frame.masked()[:2]
    return header + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(frame.payload))


@pytest.mark.parametrize("piece", [0, 1])
def test_inspect_frames(piece: int) -> None:
    """A message's frames are listed with their masking keys; control frames between them are none of it."""
    peer = inspecting()
    keys = [bytes(4), b"\xff\x00\x01\x02", b"abcd"]
    frames = [Frame(TEXT, b"one ", fin=False), Frame(CONTINUATION, b"", fin=False), Frame(CONTINUATION, b"three")]
    sent = b"".join(
        masked_with(key, frame) + Frame(PING, b"p").masked() for key, frame in zip(keys, frames, strict=True)
    )
    peer.send(sent, piece=piece)
    came = peer.frames()
    assert [frame for frame in came if frame.opcode == PONG] == [Frame(PONG, b"p")] * 3
    (shown,) = [json.loads(frame.payload) for frame in came if frame.opcode == TEXT]
    assert shown["frames"] == [
        {"opcode": frame.opcode, "fin": frame.fin, "rsv": 0, "length": len(frame.payload), "masking_key": key.hex()}
        for key, frame in zip(keys, frames, strict=True)
    ]
    assert (shown["frame_count"], shown["payload_size"], shown["size"], shown["text"]) == (3, 9, 9, "one three")


def test_inspect_many_frames() -> None:
    """Of many frames the first 100 are listed, and all are counted; the next message begins anew."""
    peer = inspecting()
    peer.send(Frame(BINARY, b"0", fin=False).masked() + Frame(CONTINUATION, b"1", fin=False).masked() * 148)
    peer.send(Frame(CONTINUATION, b"2").masked() + Frame(TEXT, b"next").masked())
    first, second = told(peer)
    assert (len(first["frames"]), first["frame_count"], first["payload_size"], first["size"]) == (100, 150, 150, 150)
    assert [frame["opcode"] for frame in first["frames"]] == [BINARY] + [CONTINUATION] * 99
    assert (len(second["frames"]), second["frame_count"], second["payload_size"]) == (1, 1, 4)


@pytest.mark.parametrize("piece", [0, 1])
def test_inspect_compressed(piece: int) -> None:
    """A compressed message is shown inflated, with what its frames had on the wire."""
    peer = inspecting("/inspect?server_no_context_takeover=yes", extensions=DEFLATE)
    engine = zlib.compressobj(wbits=-15)
    payload = (engine.compress(b"ab" * 500) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
    peer.send(
        Frame(TEXT, payload[:5], rsv=4, fin=False).masked() + Frame(CONTINUATION, payload[5:]).masked(), piece=piece
    )
    (frame,) = peer.frames()
    shown = json.loads(zlib.decompressobj(-15).decompress(frame.payload + b"\0\0\xff\xff"))
    assert (shown["compressed"], shown["size"], shown["payload_size"]) == (True, 1000, len(payload))
    assert [(each["rsv"], each["length"]) for each in shown["frames"]] == [(4, 5), (0, len(payload) - 5)]
    assert shown["text"] == "ab" * 500


def test_inspect_wrong_frames() -> None:
    """What a client may not send ends the connection as everywhere."""
    peer = inspecting()
    peer.send(b"\x81\x02hi")
    assert close_code(peer.frames()[0]) == 1002
    peer = inspecting()
    peer.send(Frame(TEXT, b"\xff"))
    assert close_code(peer.frames()[0]) == 1007


# -- /status ----------------------------------------------------------------------------------------------------------


def test_status() -> None:
    """It tells at once who is connected, the newest first, and addresses only where that is configured."""
    for ini, shows in (("", False), ("[behaviours]\nshow_addresses = yes", True)):
        site = MemorySite("[websocket]\nping_interval = 0\n" + ini)
        site.open("/echo?delay=1")
        site.open("/", subprotocols="echo")
        pass_time(site.clock, 50)
        site.open("/ticker?interval=3600000")
        peer = site.open("/status")
        (shown,) = told(peer)
        whens = [each.pop("time") for each in shown["conns"]]
        assert shown == {
            "you": 4,
            "version": "wsdaemon",
            "count": 4,
            "conns": [
                {"number": number, "peer": f"127.0.0.1:{40000 + number}" if shows else "hidden", "subprotocol": name}
                for number, name in ((4, "status"), (3, "ticker"), (2, "echo"), (1, "echo-awkward"))
            ],
        }  # fmt: skip
        assert all(
            abs(when - ago) < 10 for when, ago in zip(whens, [time.time()] * 2 + [time.time() - 50] * 2, strict=True)
        )


def test_status_on_change() -> None:
    """Who comes and goes is told within a moment, several at once in one message, and nothing where nothing changed."""
    site = MemorySite("[websocket]\nping_interval = 0")
    peer = site.open("/status")
    assert [each["count"] for each in told(peer)] == [1]
    pass_time(site.clock, 60)
    assert peer.take() == b""
    others = [site.open("/echo") for _ in range(3)]
    pass_time(site.clock, 0.1)
    assert [each["count"] for each in told(peer)] == [4]
    others[0].hang_up()
    pass_time(site.clock, 0.1)
    assert [each["count"] for each in told(peer)] == [3]
    refused_peer = site.connect()
    refused_peer.send(request("/handshake?status=503"))
    late = site.connect()
    late.send(request("/handshake?wait=500"))
    pass_time(site.clock, 0.4)
    assert peer.take() == b"", "who has no WebSocket is not connected"
    pass_time(site.clock, 0.3)
    assert [each["count"] for each in told(peer)] == [4]


def test_status_goes_on_telling() -> None:
    """Changes that never end do not put it off."""
    site = MemorySite("[websocket]\nping_interval = 0")
    peer = site.open("/status")
    peer.take()
    for _ in range(20):
        site.open("/echo")
        pass_time(site.clock, 0.05)
    counts = [each["count"] for each in told(peer)]
    assert 9 <= len(counts) <= 11
    assert counts == sorted(counts)


def test_status_ignores() -> None:
    """What the client sends is ignored, and its end is not told to itself."""
    peer = MemorySite().open("/status")
    peer.take()
    peer.send(Frame(TEXT, b"hi").masked() + Frame(BINARY, b"").masked())
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    peer.send(close(1000))
    (frame,) = peer.frames()
    assert frame.opcode == CLOSE
    peer.hang_up()
    assert list(peer.site.hub.watchers) == []


def test_status_lists_200() -> None:
    """Of more than 200 connections the newest 200 are listed, and all are counted."""
    site = MemorySite()
    for _ in range(205):
        site.open("/echo")
    (shown,) = told(site.open("/status"))
    assert (shown["count"], len(shown["conns"])) == (206, 200)
    assert [each["number"] for each in shown["conns"]] == list(range(206, 6, -1))


@pytest.mark.usefixtures("slow")
def test_status_for_the_slow() -> None:
    """Who does not read is told what is so by then, once."""
    site = MemorySite("[websocket]\nping_interval = 0\nstall_timeout = 3600")
    peer = site.open("/status")
    peer.take()
    for _ in range(4):
        site.open("/echo")
        pass_time(site.clock, 1)
    assert peer.take() == b""
    peer.transport.drain()
    pass_time(site.clock, 0.2)
    assert [each["count"] for each in told(peer)] == [5]


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost", b"101"), ("http://evil.example", b"403"), ("null", b"403")]
)
@pytest.mark.parametrize("path", ["/status", "/lws-status"])
def test_status_is_for_our_pages(origin: str, status: bytes, path: str) -> None:
    """Pages from elsewhere are not told who is connected."""
    peer = MemorySite().connect()
    peer.send(request(path, more=f"Origin: {origin}\r\n"))
    assert peer.take().split(b" ")[1] == status
