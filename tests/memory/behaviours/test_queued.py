"""The output queue is bounded, whatever a URL asks for. In memory, on a Clock."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.behaviours import OVERHEAD, QUIET
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import BINARY, PING, TEXT, Frame, close

BOUND = 10 << 10
SMALL = QUIET + "[limits]\nread_ahead = 10k\n"


@pytest.mark.parametrize("query", ["delay=1000", "jitter=2000", "throttle=2k", "drip=1", "delay=500&throttle=20k"])
@pytest.mark.parametrize("together", [False, True])
def test_reading_pauses(query: str, together: bool) -> None:
    """Above `read_ahead` queued bytes reading pauses, and resumes below; every reply comes, in order."""
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
    """Input that makes much output is processed only as fast as the output is read; nothing is lost."""
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
    """Above `read_ahead_all` queued bytes in total, every connection with queued output is paused."""
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
    """Producers produce only as fast as their output is sent."""
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
    """At a low rate, no more is queued than can be sent within `max_wait`."""
    peer = MemorySite(QUIET + "[behaviours]\nmax_wait = 2").open("/echo?throttle=2k")
    peer.send(Frame(BINARY, bytes(3000)))
    assert peer.transport.producerState == "producing"
    peer.send(Frame(BINARY, bytes(3000)))
    assert peer.transport.producerState == "paused"
    pass_time(peer.site.clock, 2.5)
    assert peer.transport.producerState == "producing"


@pytest.mark.parametrize("query", ["delay=60000", "throttle=1", "drip=10000"])
def test_shutdown_while_much_waits(query: str) -> None:
    """A shutdown reads the client's Close, however much is queued: the close is clean."""
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
    """Once a connection is gone, nothing of it is counted, queued or sent."""
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
    """Replies due together are not all written at once to a client that does not read: each may be large."""
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
    """While paced bytes are queued, no keep-alive ping is sent after them, and no pong is missed."""
    site = MemorySite("[websocket]\nping_interval = 1\nping_timeout = 2\n")
    peer = site.open(f"/echo?{query}")
    peer.send(Frame(BINARY, bytes(1000 if "drip" not in query else 80)))
    pass_time(site.clock, 7)
    assert not peer.is_aborted()
