"""Delay, jitter, throttle and drip: what is sent when, to the byte. In memory, on a Clock."""

from __future__ import annotations

import pytest

from tests.support.behaviours import KEEP_ALIVE, QUIET, arrivals
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import BINARY, PING, PONG, TEXT, Frame, close, take_frames

# -- delay and jitter --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [1, 30, 200])
def test_delay(delay: int) -> None:
    """Each reply comes `delay` after its message, unchanged; pongs are not delayed."""
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
    """delay=0 is no delay: the reply is sent in the same turn."""
    peer = MemorySite().open("/echo?delay=0&jitter=0")
    peer.send(Frame(TEXT, b"1"))
    assert peer.take() == b"\x81\x011"


@pytest.mark.parametrize("path", ["/burst?count=2&size=0", "/frames?on=message&hex=8100"])
def test_delay_of_others(path: str) -> None:
    """Replies of any behaviour are delayed; raw bytes are not."""
    peer = MemorySite().open(path + "&delay=100")
    peer.send(Frame(TEXT, b""))
    raw = path.startswith("/frames")
    assert peer.take() == (b"\x81\x00" if raw else b"")
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == (b"" if raw else b"\x81\x00" * 3)


def jittered(query: str, count: int = 20) -> list[tuple[int, bytes]]:
    """Send messages 5 ms apart; return when each reply came."""
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
    """Replies come `delay` to `delay + jitter` late, in order."""
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
    """The client's Close is answered at once, and no delayed reply follows."""
    peer = MemorySite().open("/echo?delay=100")
    peer.send(Frame(TEXT, b"1").masked() + close(1000).masked())
    assert peer.take() == b"\x88\x02\x03\xe8"
    assert peer.is_ended()
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    assert peer.site.hub.queued == 0


# -- throttle and drip -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 7, 49, 50, 51, 70, 99, 100, 120, 149, 1000, 1150, 4999, 10_000, 123_457])
def test_throttle(rate: int) -> None:
    """In each second `throttle` bytes are sent, within the size of one write; none is lost."""
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
    """Pongs and replies share one rate and keep their order."""
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
    """Frames of every kind, the Close too, are sent a byte at a time, at that interval; the handshake is not."""
    peer = MemorySite(QUIET).open(f"/echo?drip={drip}&messages=2")
    peer.send(Frame(TEXT, b"hi").masked() + Frame(PING, b"p").masked() + Frame(BINARY, b"").masked())
    whole = b"\x81\x02hi\x8a\x01p\x82\x00\x88\x02\x03\xe8"
    first = peer.take()
    came = [(0, first), *arrivals(peer, drip / 1000 * len(whole))]
    assert [sent for _, sent in came] == [bytes((byte,)) for byte in whole]
    assert [when for when, _ in came] == [number * drip for number in range(len(whole))]


def test_drip_goes_on_from_the_last() -> None:
    """After an idle time, the next frame's first byte keeps the interval too."""
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
    """With both, the slower one applies."""
    peer = MemorySite(QUIET).open("/echo?" + query)
    peer.send(Frame(TEXT, b"12345678"))
    came = [(0, peer.take()), *arrivals(peer, milliseconds * 0.01)]
    assert b"".join(sent for _, sent in came) == b"\x81\x0812345678"
    assert [when for when, _ in came] == [number * milliseconds for number in range(10)]


@pytest.mark.parametrize("query", ["throttle=50", "drip=10", "drip=20"])
@pytest.mark.parametrize("answer", [close(1000), close(4000, "bye")])
def test_close_is_not_lost(query: str, answer: Frame) -> None:
    """The stream ends once everything is out: the last replies, and the answer to the client's Close."""
    peer = MemorySite().open("/echo?" + query)
    peer.send(Frame(TEXT, b"1234").masked() + Frame(PING, b"5").masked() + answer.masked())
    assert not peer.is_ended()
    pass_time(peer.site.clock, 2)
    assert peer.is_ended()
    frames, rest = take_frames(peer.take())
    assert (frames, rest) == ([Frame(TEXT, b"1234"), Frame(PONG, b"5"), answer], b"")
    assert not peer.is_aborted()


def test_slow_end_is_bounded() -> None:
    """Output that takes longer than `close_timeout` to drip out is aborted."""
    peer = MemorySite("[websocket]\nclose_timeout = 3").open("/echo?drip=100")
    peer.send(Frame(TEXT, b"x" * 100).masked() + close(1000).masked())
    pass_time(peer.site.clock, 2.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.site.hub.queued == 0
