"""/bytes: a message of any size in frames of any size, with bounded memory use. In memory, on a Clock."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.support.behaviours import read_all
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, request

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
    """A message of any size in frames of any size, the last one shorter; then a report: size, frames, SHA-256."""
    sent = MemorySite().open(f"/bytes?size={size}&frame={frame}").take()
    counter = bytes(range(256)) * (size // 256 + 1)
    assert check_bytes(sent, size, frame) == counter[:size]


@pytest.mark.parametrize("size", [0, 1, 94, 95, 96, 65535, 65537, 200_000])
@pytest.mark.parametrize("frame", [0, 64, 70_000])
def test_bytes_as_text(size: int, frame: int) -> None:
    """As a text, the byte at place i is 32 + i mod 95."""
    sent = MemorySite().open(f"/bytes?type=text&size={size}&frame={frame}").take()
    assert check_bytes(sent, size, frame, is_text=True) == (PRINTABLE * (size // 95 + 1))[:size]


@pytest.mark.parametrize("kind", ["binary", "text"])
def test_bytes_random(kind: str) -> None:
    """pattern=random: bytes by the seed, the same in every run; in a text, printable ASCII."""

    def run(seed: str) -> bytes:
        sent = MemorySite().open(f"/bytes?type={kind}&size=70000&frame=64k&pattern=random{seed}").take()
        return check_bytes(sent, 70_000, 65536, is_text=kind == "text")

    assert run("&seed=1") == run("&seed=1")
    assert run("&seed=1") != run("&seed=2")
    assert run("") == run("&seed=0")
    assert set(run("")) == (set(PRINTABLE) if kind == "text" else set(range(256)))


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("frame", ["0", "64k", "1000", "100k"])
def test_bytes_in_constant_memory(frame: str) -> None:
    """Data is produced only as the client reads: 64 KiB at a time."""
    peer = MemorySite().open(f"/bytes?size=1m&frame={frame}")
    sent = read_all(peer, (64 << 10) + 14 + 200)
    check_bytes(sent, 1 << 20, {"0": 0, "64k": 65536, "1000": 1000, "100k": 102_400}[frame])


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("frame", ["0", "150k", "64k"])
@pytest.mark.parametrize("query", ["", "&pong_delay=3", "&pongs=3", "&ping_rate=300", "&code=4000&messages=1"])
def test_nothing_within_a_frame(frame: str, query: str) -> None:
    """Nothing is sent inside a frame, and no other message inside this one."""
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
    """Pings during a frame are answered after it: at least the last one, and each at most once."""
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
    """Unasked pings and pongs are not sent inside a frame that takes several turns of the loop."""
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
    """A Close sent between two frames can be answered, though a message still waits for its echo."""
    peer = MemorySite().open("/bytes?size=1m&frame=64k&after=100&code=4000")
    peer.send(Frame(TEXT, b"waits"))
    pass_time(peer.site.clock, 0.2)
    assert peer.take().endswith(b"\x88\x02\x0f\xa0")
    peer.transport.drain()
    assert peer.transport.producerState == "producing"
    peer.send(close(4000))
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)
