"""Stalls, missing or wrong pongs, and pings and pongs unasked. In memory, on a Clock."""

from __future__ import annotations

import pytest

from tests.support.behaviours import KEEP_ALIVE, OVERHEAD, QUIET, arrivals
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import PING, PONG, TEXT, Frame, close

# -- stalls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stall", "replies"), [("no", True), ("read", False), ("write", False), ("both", False)])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_stall(stall: str, replies: bool, after: int) -> None:
    """After `stall_after` answered messages, nothing is read or written, control frames included."""
    peer = MemorySite(QUIET).open(f"/echo?stall={stall}&stall_after={after}")
    for number in range(after):
        peer.send(Frame(TEXT, b"%d" % number))
    assert peer.take() == b"".join(b"\x81\x01%d" % number for number in range(after))
    assert peer.transport.producerState == ("paused" if stall in ("read", "both") else "producing")
    peer.send(Frame(TEXT, b"more").masked() + Frame(PING, b"p").masked())
    pass_time(peer.site.clock, 30)
    assert peer.take() == (b"\x81\x04more\x8a\x01p" if replies else b"")
    assert not peer.is_ended()


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_stall_in_one_chunk(stall: str) -> None:
    """Messages in one chunk make no difference."""
    peer = MemorySite(QUIET).open(f"/echo?stall={stall}&stall_after=2")
    frames = [Frame(TEXT, b"1"), Frame(TEXT, b"2"), Frame(TEXT, b"3"), Frame(PING, b"p"), close(1000)]
    peer.send(b"".join(frame.masked() for frame in frames))
    pass_time(peer.site.clock, 5)
    assert peer.take() == b"\x81\x011\x81\x012"


@pytest.mark.parametrize("stall", ["read", "write", "both"])
@pytest.mark.parametrize("after", [0, 2])
def test_stall_is_bounded(stall: str, after: int) -> None:
    """A stalled connection is held for `max_wait`, whatever the keep-alive says, and then cut."""
    peer = MemorySite(KEEP_ALIVE + "[behaviours]\nmax_wait = 20").open(f"/echo?stall={stall}&stall_after={after}")
    for _ in range(after):
        peer.send(Frame(TEXT, b"1"))
    peer.take()
    pass_time(peer.site.clock, 19.9)
    assert not peer.is_ended()
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.take() == b""
    assert (peer.site.hub.queued, peer.site.clock.getDelayedCalls()) == (0, [])


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_stalled_and_a_late_pong(stall: str) -> None:
    """A pong that arrives after the stall began does not restart the keep-alive, which would end it early."""
    peer = MemorySite(KEEP_ALIVE + "[behaviours]\nmax_wait = 20").open(f"/echo?stall={stall}&stall_after=1")
    pass_time(peer.site.clock, 1)
    (ping,) = peer.frames()
    peer.send(Frame(TEXT, b"1").masked() + Frame(PONG, ping.payload).masked())
    pass_time(peer.site.clock, 19.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()


@pytest.mark.parametrize("stall", ["read", "both"])
def test_shutdown_does_not_wait_for_the_stalled(stall: str) -> None:
    """A shutdown does not wait for a Close that would not be read."""
    peer = MemorySite().open(f"/echo?stall={stall}")
    peer.site.hub.drain(1001, "bye")
    assert peer.take() == (b"\x88\x05\x03\xe9bye" if stall == "read" else b"")
    assert peer.is_ended()


def test_stalled_reader_still_writes() -> None:
    """stall=read stops input only: unasked messages go on."""
    peer = MemorySite().open("/ticker?interval=100&stall=read")
    pass_time(peer.site.clock, 0.35)
    assert peer.take() == b"\x81\x010\x81\x011\x81\x012"


@pytest.mark.parametrize(
    "path",
    [
        "/ticker?interval=1", "/burst?count=1000&size=1000", "/bytes?size=1m", "/echo?ping_rate=1000", "/echo?pongs=1",
        "/status?", "/inspect?", "/bomb?size=1m",
    ],
)  # fmt: skip
def test_stalled_writer_writes_nothing(path: str) -> None:
    """stall=write holds back everything, and holds no more than `read_ahead` and a piece of it."""
    peer = MemorySite(QUIET + "[limits]\nread_ahead = 10k").open(
        path + "&stall=write", extensions="permessage-deflate" if "bomb" in path else ""
    )
    pass_time(peer.site.clock, 20)
    assert peer.take() == b""
    assert peer.site.hub.queued <= (10 << 10) + (64 << 10) + OVERHEAD
    peer.hang_up()
    assert peer.site.hub.queued == 0


def test_stalled_writer_reads_a_close() -> None:
    """stall=write still reads: the client's Close gets no answer, and the connection is aborted in time."""
    peer = MemorySite("[websocket]\nclose_timeout = 5").open("/echo?stall=write")
    peer.send(close(1000))
    pass_time(peer.site.clock, 5.1)
    assert peer.take() == b""
    assert peer.is_aborted()


# -- pongs and pings ---------------------------------------------------------------------------------------------------

PAYLOADS = [b"", b"?", b"!", b"x", b"??", b"?" * 125, b"x" * 125, bytes(124), b"\xff" * 8]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_pong(payload: bytes) -> None:
    """pong=yes answers with the payload, wrong with another of at most 125 bytes, never with nothing."""
    for how in ("yes", "wrong", "never"):
        peer = MemorySite().open(f"/echo?pong={how}")
        peer.send(Frame(PING, payload))
        pongs = peer.frames()
        assert [frame.opcode for frame in pongs] == ([] if how == "never" else [PONG])
        if pongs:
            assert (pongs[0].payload == payload) == (how == "yes")
            assert len(pongs[0].payload) <= 125
        peer.send(Frame(TEXT, b"hi"))
        assert peer.take() == b"\x81\x02hi"


@pytest.mark.parametrize("delay", [5, 50, 3000])
def test_pong_delay(delay: int) -> None:
    """Each pong is delayed, in the order of the pings; messages are not."""
    peer = MemorySite(QUIET).open(f"/echo?pong_delay={delay}")
    peer.send(Frame(PING, b"1").masked() + Frame(PING, b"2").masked() + Frame(TEXT, b"hi").masked())
    assert peer.take() == b"\x81\x02hi"
    pass_time(peer.site.clock, delay / 1000 - 0.0005)
    assert peer.take() == b""
    peer.send(Frame(PING, b"3"))
    pass_time(peer.site.clock, 0.001)
    assert peer.take() == b"\x8a\x011\x8a\x012"
    pass_time(peer.site.clock, delay / 1000)
    assert peer.take() == b"\x8a\x013"


def test_late_pongs_are_bounded() -> None:
    """A flood of pings queues a bounded number of pongs; once they are sent, pings are answered again."""
    peer = MemorySite(QUIET).open("/echo?pong_delay=1000")
    for _ in range(3):
        for number in range(500):
            peer.send(Frame(PING, b"%d" % number))
        assert len(peer.site.clock.getDelayedCalls()) <= 100
        pass_time(peer.site.clock, 1)
        pongs = peer.frames()
        assert 1 <= len(pongs) <= 100
        assert {frame.opcode for frame in pongs} == {PONG}
    peer.send(Frame(PING, b"last"))
    pass_time(peer.site.clock, 1)
    assert peer.take() == b"\x8a\x04last"


def test_late_pong_behind_the_close() -> None:
    """No pong is sent after a Close."""
    peer = MemorySite().open("/close?pong_delay=100&after=50")
    peer.send(Frame(PING, b"1"))
    pass_time(peer.site.clock, 1)
    assert peer.take() == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("every", [1, 100, 2500])
def test_pongs(every: int) -> None:
    """Unasked pongs come at that interval, with the payload `unasked`, until the end."""
    peer = MemorySite(QUIET).open(f"/echo?pongs={every}")
    came = arrivals(peer, every / 1000 * 3, every / 1000)
    assert came == [(number, b"\x8a\x07unasked") for number in (1, 2, 3)]
    peer.send(close(1000))
    peer.take()
    pass_time(peer.site.clock, 10)
    assert peer.take() == b""


@pytest.mark.parametrize("rate", [1, 3, 30, 49, 51, 70, 75, 99, 100, 125, 333, 999, 1000])
def test_ping_rate(rate: int) -> None:
    """`ping_rate` pings come in a second, within the size of one batch."""
    peer = MemorySite(QUIET).open(f"/echo?ping_rate={rate}")
    count = 0
    for second in range(1, 6):
        pass_time(peer.site.clock, 1)
        frames = peer.frames()
        assert all(frame == Frame(PING, b"flood") for frame in frames)
        count += len(frames)
        assert -rate * 0.02 - 1 <= count - rate * second <= 0.02 * rate


def test_flood_and_keep_alive() -> None:
    """Pongs to the flood do not count for the keep-alive, and a flooded peer that answers its ping is kept."""
    for answers in (True, False):
        peer = MemorySite(KEEP_ALIVE).open("/echo?ping_rate=50")
        for _ in range(60):
            pass_time(peer.site.clock, 0.1)
            for ping in peer.frames():
                if (ping.payload == b"flood" or answers) and not peer.is_ended():
                    peer.send(Frame(PONG, ping.payload))
        assert peer.is_aborted() == (not answers)


@pytest.mark.parametrize("query", ["ping_rate=1000", "pongs=1"])
def test_no_flood_for_who_does_not_read(query: str) -> None:
    """A client that does not read is not flooded: nothing piles up."""
    peer = MemorySite(QUIET).open("/echo?" + query)
    peer.take()
    peer.transport.fill()
    pass_time(peer.site.clock, 20)
    assert len(peer.take()) < 200
    peer.transport.drain()
    pass_time(peer.site.clock, 0.1)
    assert len(peer.take()) > 200


@pytest.mark.usefixtures("slow")
def test_flood_stops_at_once() -> None:
    """A batch of pings stops at the first that the client does not read."""
    peer = MemorySite(QUIET).open("/echo?ping_rate=1000")
    for _ in range(5):
        pass_time(peer.site.clock, 1)
        assert peer.frames() == [Frame(PING, b"flood")]
        peer.transport.drain()
