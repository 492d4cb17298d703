"""Late, slow, in drops or not at all: what goes out when, to the byte, and how much waits meanwhile. On a Clock."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.memory import MemorySite, Peer, Transport, pass_time
from tests.support.wire import BINARY, PING, PONG, TEXT, Frame, close, take_frames

QUIET = "[websocket]\nping_interval = 0\n"
KEEP_ALIVE = "[websocket]\nping_interval = 1\nping_timeout = 1\n"
OVERHEAD = 1000
"""What a reply that waits may count for beside its bytes."""


def arrivals(peer: Peer, seconds: float, step: float = 0.001, *, first: int = 1) -> list[tuple[int, bytes]]:
    """Let time pass; return what came, each with the number of the step in which it did."""
    came = []
    for number in range(first, first + round(seconds / step)):
        pass_time(peer.site.clock, number * step + step / 2 - peer.site.clock.seconds())
        if sent := peer.take():
            came.append((number, sent))
    return came


# -- delay and jitter -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [1, 30, 200])
def test_delay(delay: int) -> None:
    """Each reply comes its own `delay` behind its message, as it was; a ping does not wait."""
    peer = MemorySite().open(f"/echo?delay={delay}")
    peer.send(Frame(TEXT, b"1"))
    pass_time(peer.site.clock, 0.0005)
    peer.send(Frame(PING, b"p"))
    assert peer.take() == b"\x8a\x01p"
    peer.send(Frame(BINARY, b"").masked() + Frame(TEXT, "ü".encode()).masked())
    pass_time(peer.site.clock, delay / 1000 - 0.0006)
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.0003)
    assert peer.take() == b"\x81\x011"
    pass_time(peer.site.clock, 0.0004)
    assert peer.take() == b"\x82\x00\x81\x02\xc3\xbc"


def test_no_delay() -> None:
    """delay=0 is none: the reply is there in the same turn."""
    peer = MemorySite().open("/echo?delay=0&jitter=0")
    peer.send(Frame(TEXT, b"1"))
    assert peer.take() == b"\x81\x011"


@pytest.mark.parametrize("path", ["/burst?count=2&size=0", "/frames?on=message&hex=8100"])
def test_delay_of_others(path: str) -> None:
    """Replies of any behaviour are delayed; raw bytes are not, they go out as they are."""
    peer = MemorySite().open(path + "&delay=100")
    peer.send(Frame(TEXT, b""))
    raw = path.startswith("/frames")
    assert peer.take() == (b"\x81\x00" if raw else b"")
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == (b"" if raw else b"\x81\x00" * 3)


def jittered(query: str, count: int = 20) -> list[tuple[int, bytes]]:
    """Return when the replies to messages came that were sent 5 ms apart."""
    peer = MemorySite().open("/echo?" + query)
    came = []
    for number in range(200):
        if number < count * 5 and number % 5 == 0:
            peer.send(Frame(TEXT, b"%02d" % (number // 5)))
        pass_time(peer.site.clock, (number + 1) * 0.001 - peer.site.clock.seconds())
        came += [(number, frame.payload) for frame in peer.frames()]
    return came


@pytest.mark.parametrize("delay", [0, 20])
@pytest.mark.parametrize("seed", ["", "&seed=0", "&seed=42"])
def test_jitter(delay: int, seed: str) -> None:
    """With jitter a reply comes from `delay` to `delay + jitter` late, or right behind the one before it, in order."""
    came = jittered(f"delay={delay}&jitter=40{seed}")
    assert [payload for _, payload in came] == [b"%02d" % number for number in range(20)]
    waits = [when - 5 * number for number, (when, _) in enumerate(came)]
    assert min(waits) >= delay - 1
    assert max(waits) <= delay + 41
    assert len(set(waits)) > 3, "by chance"


def test_jitter_repeats() -> None:
    """The same seed gives the same times, another one others; no seed is seed 0."""
    query = "delay=5&jitter=60"
    assert jittered(query + "&seed=7") == jittered(query + "&seed=7")
    assert jittered(query + "&seed=7") != jittered(query + "&seed=8")
    assert jittered(query) == jittered(query + "&seed=0")


def test_closed_while_replies_wait() -> None:
    """The client's Close is answered at once, and no delayed reply comes behind it."""
    peer = MemorySite().open("/echo?delay=100")
    peer.send(Frame(TEXT, b"1").masked() + close(1000).masked())
    assert peer.take() == b"\x88\x02\x03\xe8"
    assert peer.is_ended()
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    assert peer.site.hub.queued == 0


# -- throttle and drip ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 7, 49, 50, 51, 70, 99, 100, 120, 149, 1000, 1150, 4999, 10_000, 123_457])
def test_throttle(rate: int) -> None:
    """So many bytes go out in each second, within what goes out at once, and never more; none is lost."""
    peer = MemorySite(QUIET).open(f"/burst?count=100000&size=1000&throttle={rate}")
    sent = peer.take()
    at_once = rate * 0.02 + 1
    for second in range(1, 11):
        pass_time(peer.site.clock, 0.5)
        sent += peer.take()
        assert len(sent) <= rate * (second - 0.5) + 2 * at_once
        pass_time(peer.site.clock, 0.5)
        sent += peer.take()
        assert abs(len(sent) - rate * second) <= 2 * at_once
    frames, rest = take_frames(sent)
    for number, frame in enumerate(frames):
        assert frame.payload == (b"%d " % number).ljust(1000, b".")
    assert len(rest) < 1004


def test_throttle_counts_everything() -> None:
    """Pongs and replies share one rate, and come in the order in which they were asked for."""
    peer = MemorySite().open("/echo?throttle=100")
    peer.send(Frame(TEXT, b"one").masked() + Frame(PING, b"two").masked() + Frame(TEXT, b"three").masked())
    came = arrivals(peer, 0.3)
    assert b"".join(sent for _, sent in came) == b"\x81\x03one\x8a\x03two\x81\x05three"
    assert all(len(sent) <= 2 for _, sent in came)
    assert came[-1][0] >= 140


def test_throttle_saves_nothing_up() -> None:
    """A second without traffic does not make the next one faster."""
    peer = MemorySite(QUIET).open("/echo?throttle=1k")
    pass_time(peer.site.clock, 60)
    peer.send(Frame(BINARY, bytes(5000)))
    pass_time(peer.site.clock, 1)
    assert 1000 <= len(peer.take()) <= 1024 + 21


@pytest.mark.parametrize("drip", [1, 10, 250])
def test_drip(drip: int) -> None:
    """Frames of every kind go out a byte at a time, so many milliseconds apart; the handshake does not."""
    peer = MemorySite(QUIET).open(f"/echo?drip={drip}")
    peer.send(Frame(TEXT, b"hi").masked() + Frame(PING, b"p").masked() + Frame(BINARY, b"").masked())
    whole = b"\x81\x02hi\x8a\x01p\x82\x00"
    first = peer.take()
    came = [(0, first), *arrivals(peer, drip / 1000 * len(whole))]
    assert [sent for _, sent in came] == [bytes((byte,)) for byte in whole]
    assert [when for when, _ in came] == [number * drip for number in range(len(whole))]


def test_drip_goes_on_from_the_last() -> None:
    """Where all was out, the next frame's first byte keeps its distance from the last byte too."""
    peer = MemorySite(QUIET).open("/echo?drip=20")
    peer.send(Frame(TEXT, b""))
    came = [(0, peer.take()), *arrivals(peer, 0.025)]
    peer.send(Frame(BINARY, b""))
    assert peer.take() == b""
    came += arrivals(peer, 0.045, first=26)
    assert came == [(0, b"\x81"), (20, b"\0"), (40, b"\x82"), (60, b"\0")]


def test_drip_pings() -> None:
    """The keep-alive's pings drip too, and a pong to them counts."""
    peer = MemorySite(KEEP_ALIVE).open("/echo?drip=10")
    came = arrivals(peer, 1.2)
    assert [len(sent) for _, sent in came] == [1] * 10
    (ping,), _ = take_frames(b"".join(sent for _, sent in came))
    peer.send(Frame(PONG, ping.payload))
    pass_time(peer.site.clock, 0.9)
    assert not peer.is_ended()


def test_drip_close() -> None:
    """Our own Close drips out too, and the connection waits for the client's."""
    peer = MemorySite().open("/close?drip=100&reason=slow")
    pass_time(peer.site.clock, 0.65)
    assert peer.take() == b"\x88\x06\x03\xe8slo"
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == b"w"
    assert not peer.is_ended()
    peer.send(close(1000))
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)


@pytest.mark.parametrize(
    ("query", "milliseconds"),
    [
        ("drip=10&throttle=1k", 10),
        ("drip=10&throttle=50", 20),
        ("drip=5&throttle=10", 100),
        ("drip=100&throttle=5", 200),
    ],
)
def test_drip_and_throttle(query: str, milliseconds: int) -> None:
    """With both, the slower of them counts."""
    peer = MemorySite(QUIET).open("/echo?" + query)
    peer.send(Frame(TEXT, b"12345678"))
    came = [(0, peer.take()), *arrivals(peer, milliseconds * 0.01)]
    assert b"".join(sent for _, sent in came) == b"\x81\x0812345678"
    assert [when for when, _ in came] == [number * milliseconds for number in range(10)]


@pytest.mark.parametrize("query", ["throttle=50", "drip=20"])
@pytest.mark.parametrize("answer", [close(1000), close(4000, "bye")])
def test_close_is_not_lost(query: str, answer: Frame) -> None:
    """The stream ends once everything is out: the last replies, and the answer to the client's Close."""
    peer = MemorySite().open("/echo?" + query)
    peer.send(Frame(TEXT, b"1234").masked() + Frame(PING, b"5").masked() + answer.masked())
    assert not peer.is_ended()
    pass_time(peer.site.clock, 2)
    assert peer.is_ended()
    sent = peer.take()
    assert sent.startswith(b"\x81\x041234\x8a\x015\x88")
    assert len(take_frames(sent)[0]) == 3
    assert take_frames(sent)[1] == b""
    assert not peer.is_aborted()


def test_slow_end_is_bounded() -> None:
    """What takes longer than `close_timeout` to drip out behind the end is cut."""
    peer = MemorySite("[websocket]\nclose_timeout = 3").open("/echo?drip=100")
    peer.send(Frame(TEXT, b"x" * 100).masked() + close(1000).masked())
    pass_time(peer.site.clock, 2.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.site.hub.queued == 0


# -- stalls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stall", "replies"), [("no", True), ("read", False), ("write", False), ("both", False)])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_stall(stall: str, replies: bool, after: int) -> None:
    """After so many messages, which are answered, nothing is read or written any more, be it a ping."""
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
    """It makes no difference whether messages come in one chunk."""
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
    """A pong that is still on its way when it stalls makes no keep-alive that would cut it early."""
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
    """A server that shuts down does not wait for a Close that it would not read."""
    peer = MemorySite().open(f"/echo?stall={stall}")
    peer.site.hub.drain(1001, "bye")
    assert peer.take() == (b"\x88\x05\x03\xe9bye" if stall == "read" else b"")
    assert peer.is_ended()


def test_stalled_reader_still_writes() -> None:
    """stall=read stops one direction only: what comes unasked goes on."""
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
    """stall=write still reads: the client's Close gets no answer, and the connection is cut in time."""
    peer = MemorySite("[websocket]\nclose_timeout = 5").open("/echo?stall=write")
    peer.send(close(1000))
    pass_time(peer.site.clock, 5.1)
    assert peer.take() == b""
    assert peer.is_aborted()


# -- pongs and pings --------------------------------------------------------------------------------------------------

PAYLOADS = [b"", b"?", b"!", b"x", b"??", b"?" * 125, b"x" * 125, bytes(124), b"\xff" * 8]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_pong(payload: bytes) -> None:
    """pong=yes answers with the payload, wrong with another one of no more than 125 bytes, never not at all."""
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
    """Each pong waits so long, in the order of the pings; messages do not."""
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
    """A flood of pings does not make as many waiting pongs, and once they are out pings are answered again."""
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
    """No pong comes behind a Close."""
    peer = MemorySite().open("/close?pong_delay=100&after=50")
    peer.send(Frame(PING, b"1"))
    pass_time(peer.site.clock, 1)
    assert peer.take() == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("every", [1, 100, 2500])
def test_pongs(every: int) -> None:
    """Pongs that nobody asked for come so often, with `unasked` in them, until the end."""
    peer = MemorySite(QUIET).open(f"/echo?pongs={every}")
    came = arrivals(peer, every / 1000 * 3, every / 1000)
    assert came == [(number, b"\x8a\x07unasked") for number in (1, 2, 3)]
    peer.send(close(1000))
    peer.take()
    pass_time(peer.site.clock, 10)
    assert peer.take() == b""


@pytest.mark.parametrize("rate", [1, 3, 30, 49, 51, 70, 75, 99, 100, 125, 333, 999, 1000])
def test_ping_rate(rate: int) -> None:
    """So many pings come in a second, within what comes at once, and never more."""
    peer = MemorySite(QUIET).open(f"/echo?ping_rate={rate}")
    count = 0
    for second in range(1, 6):
        pass_time(peer.site.clock, 1)
        frames = peer.frames()
        assert all(frame == Frame(PING, b"flood") for frame in frames)
        count += len(frames)
        assert -rate * 0.02 - 1 <= count - rate * second <= 0.02 * rate


def test_flood_and_keep_alive() -> None:
    """Answers to the flood are no answer to the keep-alive's own ping, nor is a flooded peer cut that answers it."""
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
    """Who does not read is not flooded: nothing piles up."""
    peer = MemorySite(QUIET).open("/echo?" + query)
    peer.take()
    peer.transport.fill()
    pass_time(peer.site.clock, 20)
    assert len(peer.take()) < 200
    peer.transport.drain()
    pass_time(peer.site.clock, 0.1)
    assert len(peer.take()) > 200


def test_flood_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pings that go out together, none is sent behind one that the client does not take."""

    def write(transport: Transport, data: bytes) -> None:
        transport.io.write(data)
        transport.fill()

    monkeypatch.setattr(Transport, "write", write)
    peer = MemorySite(QUIET).open("/echo?ping_rate=1000")
    for _ in range(5):
        pass_time(peer.site.clock, 1)
        assert peer.frames() == [Frame(PING, b"flood")]
        peer.transport.drain()


# -- how much waits ---------------------------------------------------------------------------------------------------

BOUND = 10 << 10
SMALL = QUIET + "[limits]\nread_ahead = 10k\n"


@pytest.mark.parametrize("query", ["delay=1000", "jitter=2000", "throttle=2k", "drip=1", "delay=500&throttle=20k"])
@pytest.mark.parametrize("together", [False, True])
def test_reading_pauses(query: str, together: bool) -> None:
    """Beyond `read_ahead` nothing more is read; once less waits it goes on, and every reply comes, in order."""
    peer = MemorySite(SMALL).open("/echo?" + query)
    messages = [Frame(BINARY, b"%02d" % number + bytes(998)) for number in range(40)]
    if together:
        peer.send(b"".join(message.masked() for message in messages))
        messages = []
    received: list[Frame] = []
    paused = 0
    for _ in range(4000):
        while messages and peer.transport.producerState == "producing":
            peer.send(messages.pop(0))
            assert peer.site.hub.queued <= BOUND + 1000 + OVERHEAD
        paused += peer.transport.producerState == "paused"
        assert peer.site.hub.queued <= BOUND + 1000 + OVERHEAD
        pass_time(peer.site.clock, 0.02)
        received += peer.frames()
        if len(received) == 40:
            break
    assert [frame.payload[:2] for frame in received] == [b"%02d" % number for number in range(40)]
    assert paused > 5
    pass_time(peer.site.clock, 0.1)
    assert peer.site.hub.queued == 0
    assert peer.transport.producerState == "producing"


AMPLIFIED = [
    ("/frames?on=message&json=" + quote('[{"size":1000}]'), 1004),
    ("/echo?fragment=100&pings", 1091),
    ("/echo?sizes=1,1,1,1,1&empty=100", 1012),
    ("/echo?double=1&fragment=50&pings", 1082),
    ("/inspect?", 1000),
]


@pytest.mark.parametrize(("path", "most"), AMPLIFIED)
@pytest.mark.parametrize("slow", ["", "&throttle=100k", "&stall=write"])
def test_one_chunk_asks_for_much(path: str, most: int, slow: str) -> None:
    """Little input that makes much output is worked on only as far as the output is taken; nothing of it is lost."""
    peer = MemorySite(SMALL).open(path + slow)
    peer.take()
    if not slow:
        peer.transport.fill()
    peer.send(Frame(BINARY, b"").masked() * 200)
    pass_time(peer.site.clock, 0)
    assert peer.site.hub.queued <= BOUND + most + OVERHEAD
    assert len(peer.transport.value()) <= BOUND + most + OVERHEAD
    if slow.endswith("write"):
        return
    peer.transport.drain()
    pass_time(peer.site.clock, 5)
    frames = peer.frames()
    whole = sum(frame.fin for frame in frames if frame.opcode != PING)
    assert whole == 200 * (2 if "double" in path else 1)


def test_all_together_are_bounded() -> None:
    """What waits on all connections counts: beyond `read_ahead_all`, each that has something waiting is not read."""
    site = MemorySite(QUIET + "[limits]\nread_ahead = 1m\nread_ahead_all = 10k\n")
    peers = [site.open("/echo?delay=1000") for _ in range(6)]
    for peer in peers:
        peer.send(Frame(BINARY, bytes(3000)))
    assert [peer.transport.producerState for peer in peers] == ["producing"] * 3 + ["paused"] * 3
    pass_time(site.clock, 1.1)
    assert site.hub.queued == 0
    assert [peer.transport.producerState for peer in peers] == ["producing"] * 6
    assert [len(peer.take()) for peer in peers] == [3004] * 6


@pytest.mark.parametrize("path", ["/burst?count=100000&size=1000", "/bytes?size=100m", "/bytes?size=100m&frame=0"])
@pytest.mark.parametrize("slow", ["throttle=1k", "drip=5", "delay=1000"])
def test_producers_wait(path: str, slow: str) -> None:
    """What produces much produces only as fast as it goes out."""
    peer = MemorySite(SMALL).open(path + ("" if "bytes" in path and "delay" in slow else f"&{slow}"))
    if "bytes" in path and "delay" in slow:
        peer.transport.fill()
    peer.take()
    for _ in range(20):
        pass_time(peer.site.clock, 0.5)
        assert peer.site.hub.queued <= BOUND + (64 << 10) + OVERHEAD
        if not peer.transport.full:
            peer.take()
    peer.hang_up()
    assert peer.site.hub.queued == 0
    assert peer.site.clock.getDelayedCalls() == []


def test_slow_rate_holds_little() -> None:
    """No more waits than can go out within `max_wait`, where the rate is that low."""
    peer = MemorySite(QUIET + "[behaviours]\nmax_wait = 2").open("/echo?throttle=2k")
    peer.send(Frame(BINARY, bytes(3000)))
    assert peer.transport.producerState == "producing"
    peer.send(Frame(BINARY, bytes(3000)))
    assert peer.transport.producerState == "paused"
    pass_time(peer.site.clock, 2.5)
    assert peer.transport.producerState == "producing"


@pytest.mark.parametrize("query", ["delay=60000", "throttle=1", "drip=10000"])
def test_shutdown_while_much_waits(query: str) -> None:
    """A server that closes reads the client's Close, however much waited before: the end is a clean one."""
    peer = MemorySite(SMALL + "[behaviours]\nmax_wait = 86400\n").open("/echo?" + query)
    while peer.transport.producerState == "producing":
        peer.send(Frame(BINARY, bytes(1000)))
    peer.take()
    peer.site.hub.drain(1001, "bye")
    if query.startswith("delay"):
        assert peer.take() == b"\x88\x05\x03\xe9bye"
        assert peer.transport.producerState == "producing"
        peer.send(close(1001))
        assert (peer.is_ended(), peer.is_aborted()) == (True, False)
    pass_time(peer.site.clock, 10.1)
    peer.hang_up()
    assert (peer.site.hub.queued, peer.site.clock.getDelayedCalls()) == (0, [])


EVERY = [
    "delay=1000", "delay=10&jitter=1000", "throttle=1", "throttle=1m", "drip=1", "stall=read", "stall=write",
    "stall=both",
    "stall=write&stall_after=3", "pong_delay=1000", "pongs=1", "ping_rate=1000", "double=1&delay=100", "swap=1",
    "delay=5&throttle=100&pong_delay=5&pongs=7&ping_rate=9&fragment=3&pings&code=1000&after=60000",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/echo?", "/ticker?interval=1&", "/burst?count=1000&", "/status?", "/inspect?"])
@pytest.mark.parametrize("query", EVERY)
@pytest.mark.parametrize("seconds", [0, 0.05, 3])
def test_nothing_is_left(path: str, query: str, seconds: float) -> None:
    """Once a connection is gone, nothing of it is counted, nothing waits, and nothing is sent."""
    peer = MemorySite().open(path + query)
    for number in range(5):
        peer.send(Frame(TEXT, b"%d" % number * 50).masked() + Frame(PING, b"p").masked())
    pass_time(peer.site.clock, seconds)
    peer.hang_up()
    peer.take()
    hub = peer.site.hub
    assert (hub.queued, list(hub.connections), list(hub.watchers)) == (0, [], [])
    assert [call for call in peer.site.clock.getDelayedCalls() if call.getTime() > peer.site.clock.seconds()] == []
    pass_time(peer.site.clock, 10)
    assert peer.take() == b""
    assert hub.queued == 0


def test_what_is_due_waits_for_a_peer_that_does_not_read() -> None:
    """Replies that are due together are not all written at once to one that takes nothing: each may be large."""
    site = MemorySite()
    peer = site.open("/echo?delay=100")
    peer.transport.full = True
    for _ in range(100):
        peer.send(Frame(BINARY, bytes(1000)))
    peer.transport.fill()
    pass_time(site.clock, 5)
    assert len(peer.take()) < 5000
    peer.transport.drain()
    pass_time(site.clock, 1)
    assert len(peer.frames()) == 100


@pytest.mark.parametrize("query", ["drip=100", "throttle=100"])
def test_our_own_pace_is_no_dead_peer(query: str) -> None:
    """While bytes wait for their turn, no ping is sent that would wait behind them, and no pong is missed."""
    site = MemorySite("[websocket]\nping_interval = 1\nping_timeout = 2\n")
    peer = site.open(f"/echo?{query}")
    peer.send(Frame(BINARY, bytes(1000 if "drip" not in query else 80)))
    pass_time(site.clock, 7)
    assert not peer.is_aborted()
