"""/ticker, /burst and /sink: messages unasked, and messages that are only counted. In memory, on a Clock."""

from __future__ import annotations

import json
import zlib

import pytest

from tests.support.behaviours import DEFLATE, TAIL, deflated, inflated, read_all, told
from tests.support.memory import MemorySite, Peer, pass_time, refusal
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, close, close_code

COUNTED_UP = b"\x88\x0c\x03\xe8counted up"


def numbers(peer: Peer) -> str:
    """Return the text messages received, joined by spaces."""
    return " ".join(frame.payload.decode() for frame in peer.frames() if frame.opcode == TEXT)


# -- /ticker -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "interval"), [("", 50), ("?interval=1", 1), ("?interval=200", 200)])
def test_ticker(query: str, interval: int) -> None:
    """It counts from 0, one number per interval, the first after one interval."""
    peer = MemorySite().open("/ticker" + query)
    assert peer.take() == b""
    for number in range(12):
        pass_time(peer.site.clock, interval / 1000)
        assert peer.take() == b"\x81" + bytes((len(str(number)),)) + str(number).encode()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\0", b"\n\0"])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_ticker_commands(end: bytes, opcode: int) -> None:
    """`reset` starts from 0 again, `closeme` closes with 1000; lws' line feed is optional."""
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
    """After `count` numbers it closes with 1000, once all are sent, however late."""
    peer = MemorySite().open(f"/ticker?interval=10&{query}{late}")
    pass_time(peer.site.clock, 3)
    taken = peer.take()
    assert taken == b"".join(b"\x81\x01" + number.encode() for number in sent.split()) + COUNTED_UP
    assert not peer.is_ended()


def test_ticker_count_and_reset() -> None:
    """`count` counts messages, whatever their numbers."""
    peer = MemorySite().open("/ticker?interval=10&count=4")
    pass_time(peer.site.clock, 0.025)
    peer.send(Frame(TEXT, b"reset"))
    pass_time(peer.site.clock, 1)
    assert numbers(peer) == "0 1 0 1"


def test_ticker_is_bounded() -> None:
    """`max_count` is the maximum, and the default."""
    ini = "[behaviours]\nmax_count = 3\n"
    assert "count: 4 is out of range" in refusal("/ticker?count=4", ini)
    peer = MemorySite(ini).open("/ticker?interval=10")
    pass_time(peer.site.clock, 1)
    assert peer.take() == b"\x81\x010\x81\x011\x81\x012" + COUNTED_UP


@pytest.mark.usefixtures("slow")
def test_ticker_waits() -> None:
    """A slow client misses no number: counting waits for it."""
    peer = MemorySite().open("/ticker?interval=10")
    peer.transport.drain()
    seen = []
    for _ in range(5):
        pass_time(peer.site.clock, 0.5)
        seen.append(numbers(peer))
        peer.transport.drain()
    assert seen == ["0", "1", "2", "3", "4"]


# -- /burst ------------------------------------------------------------------------------------------------------------


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
    """`count` messages, each its number padded with dots to `size`; then an echo."""
    peer = MemorySite().open("/burst?" + query)
    assert peer.take() == sent
    peer.send(Frame(BINARY, b""))
    assert peer.take()[0] & 15 == BINARY


@pytest.mark.usefixtures("slow")
def test_burst_waits() -> None:
    """It is as fast as the client reads; no message is lost."""
    peer = MemorySite().open("/burst?count=50&size=10")
    peer.received = read_all(peer, 12)
    assert [int(frame.payload.split()[0]) for frame in peer.frames()] == list(range(50))


def test_burst_compressed() -> None:
    """Its messages are compressed as every reply is."""
    peer = MemorySite().open("/burst?count=3&size=1000", extensions=DEFLATE)
    engine = zlib.decompressobj(-15)
    texts = [engine.decompress(frame.payload + TAIL) for frame in peer.frames()]
    assert texts == [(b"%d " % number).ljust(1000, b".") for number in range(3)]


# -- /sink -------------------------------------------------------------------------------------------------------------


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
    """Only reports come back, and only with news: totals since the first message, rates since the last report."""
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
    """The client's Close is preceded by a last report, even if nothing was received."""
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
    """Data frames are counted one by one, a message once it is complete; control frames are not counted."""
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
    """Bytes are counted after inflating."""
    payload = deflated(bytes(100_000))
    peer = MemorySite().open("/sink?every=100", extensions=DEFLATE)
    peer.send(Frame(BINARY, payload, rsv=4), piece=piece)
    pass_time(peer.site.clock, 0.1)
    peer.send(close(1000))
    frame, *_ = peer.frames()
    shown = json.loads(inflated(frame.payload) if frame.rsv else frame.payload)
    assert (shown["messages"], shown["bytes"]) == (1, 100_000)


def test_sink_takes_any_size() -> None:
    """A message of any size is counted, and nothing of it is kept."""
    peer = MemorySite().open("/sink?every=1000")
    peer.send(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
    for _ in range(64):
        peer.send(bytes(1 << 16))
    pass_time(peer.site.clock, 1)
    (each,) = told(peer)
    assert (each["messages"], each["frames"], each["bytes"]) == (0, 1, 4 << 20)
    (connection,) = peer.site.hub.connections
    assert len(getattr(connection, "message", b"")) < 1 << 17
