"""The broadcast room: who hears whom, in what order, and what becomes of those who do not keep up."""

from __future__ import annotations

import itertools
import zlib

import pytest

from tests.support.memory import MemorySite, Peer, pass_time
from tests.support.wire import BINARY, PING, PONG, TEXT, Frame, close, close_code

ROOM = ["echo-broadcast", "echo-broadcast-ping"]


def room(site: MemorySite, count: int = 3) -> list[Peer]:
    return [site.open(f"/{ROOM[number % 2]}") for number in range(count)]


def test_everyone_hears_everyone() -> None:
    """Text and binary go to all, the sender included; both broadcast subprotocols share the room."""
    peers = room(MemorySite())
    for number, sender in enumerate(peers):
        sender.send(Frame(TEXT, b"text %d" % number))
        sender.send(Frame(BINARY, b"binary %d" % number))
        for peer in peers:
            assert peer.frames() == [Frame(TEXT, b"text %d" % number), Frame(BINARY, b"binary %d" % number)]


def test_others_do_not() -> None:
    """Connections of other subprotocols hear nothing of the room."""
    site = MemorySite()
    outside = [site.open(f"/{name}") for name in ("echo", "echo-assemble", "log")]
    room(site)[0].send(Frame(TEXT, b"hello"))
    assert [peer.frames() for peer in outside] == [[], [], []]


@pytest.mark.parametrize("leave", [Peer.hang_up, lambda peer: peer.send(close(1000)), lambda peer: peer.send(Frame(3))])
def test_who_left_is_not_written_to(leave: object) -> None:
    """A member that hung up, closed, or was closed is in the room no more; the others go on."""
    first, leaver, other = room(MemorySite())
    assert callable(leave)
    leave(leaver)
    leaver.take()
    first.send(Frame(TEXT, b"hello"))
    assert leaver.take() == b""
    assert other.frames() == [Frame(TEXT, b"hello")]


def test_slow_member_gets_all_in_order() -> None:
    """What is sent while a member does not read waits for it, in order, and reaches the others at once."""
    sender, slow, fast = room(MemorySite())
    slow.transport.fill()
    sent = [Frame(TEXT, b"%d" % number) for number in range(100)]
    for frame in sent:
        sender.send(frame)
    assert fast.frames() == sent
    assert slow.frames() == []
    slow.transport.drain()
    assert slow.frames() == sent


def test_member_that_does_not_keep_up() -> None:
    """Beyond queue_limit the member leaves with 1013, holds nothing more, and is gone within close_timeout."""
    site = MemorySite("[subprotocol:echo-broadcast]\nqueue_limit = 10k")
    slow, sender = site.open("/echo-broadcast"), site.open("/echo-broadcast")
    slow.transport.fill()
    for _ in range(11):
        sender.send(Frame(BINARY, bytes(1000)))
    assert [close_code(frame) for frame in slow.frames()] == [1013]
    assert len(sender.frames()) == 11
    sender.send(Frame(BINARY, b"without the slow one"))
    assert slow.frames() == []
    site.clock.advance(10.1)
    assert slow.is_aborted()
    assert not sender.is_ended()


def test_jetty_pings() -> None:
    """echo-broadcast-ping pings with 01 02 03 every 10 s, and goes on after each pong; echo-broadcast does not."""
    site = MemorySite("[websocket]\nping_interval = 0")
    plain, pinged = room(site, 2)
    for _ in range(3):
        site.clock.advance(9.9)
        assert pinged.frames() == []
        site.clock.advance(0.2)
        assert pinged.frames() == [Frame(PING, b"\1\2\3")]
        pinged.send(Frame(PONG, b"\1\2\3"))
    assert plain.frames() == []


def test_jetty_pings_by_ini() -> None:
    """How often is an option of that subprotocol."""
    site = MemorySite("[subprotocol:echo-broadcast-ping]\nevery = 0.5")
    peer = site.open("/echo-broadcast-ping")
    site.clock.advance(0.6)
    assert peer.frames() == [Frame(PING, b"\1\2\3")]


def test_no_ping_after_close() -> None:
    """A member that left is pinged no more."""
    site = MemorySite("[websocket]\nping_interval = 0")
    peer = site.open("/echo-broadcast-ping")
    peer.send(close(1000))
    peer.take()
    site.clock.advance(9)
    assert peer.take() == b""


def test_a_sender_waits_for_most() -> None:
    """While most of the room does not keep up its sender is not read, for at most a moment; for one it never waits."""
    site = MemorySite()
    sender, *others = [site.open("/echo-broadcast") for _ in range(5)]
    others[0].transport.fill()
    sender.send(Frame(TEXT, b"one"))
    assert sender.transport.producerState == "producing"
    for other in others:
        other.transport.fill()
    sender.send(Frame(TEXT, b"two"))
    assert sender.transport.producerState == "paused"
    for other in others:
        other.transport.drain()
    pass_time(site.clock, 0.01)
    assert sender.transport.producerState == "producing"
    for other in others:
        other.transport.fill()
    sender.send(Frame(TEXT, b"three"))
    pass_time(site.clock, 0.05)
    assert sender.transport.producerState == "paused"
    pass_time(site.clock, 0.1)
    assert sender.transport.producerState == "producing", "it waited long enough"
    for other in others:
        other.transport.drain()
        assert [frame.payload for frame in other.frames()] == [b"one", b"two", b"three"]


@pytest.mark.parametrize(("reads", "seconds"), [(True, 0.5), (False, 0.1)], ids=["reads on", "stands still"])
def test_a_sender_waits_a_moment_for_one_who_catches_up(
    monkeypatch: pytest.MonkeyPatch, reads: bool, seconds: float
) -> None:
    """A member whose queue is half full has half a second if it reads on, else a tenth; once, until it keeps up."""
    taken = itertools.count() if reads else itertools.repeat(7)
    monkeypatch.setattr("wsdaemon.subprotocols.broadcast.acknowledged", lambda _: next(taken))
    site = MemorySite("[subprotocol:echo-broadcast]\nqueue_limit = 10k\n")
    site.clock.advance(1)
    sender, slow, *_ = [site.open("/echo-broadcast") for _ in range(5)]
    for _ in range(2):
        slow.transport.fill()
        sender.send(Frame(TEXT, b"x"))
        sender.send(Frame(TEXT, b"x" * 4000))
        assert sender.transport.producerState == "producing"
        sender.send(Frame(TEXT, b"x" * 2000))
        assert sender.transport.producerState == "paused"
        pass_time(site.clock, seconds - 0.02)
        assert sender.transport.producerState == "paused"
        pass_time(site.clock, 0.04)
        assert sender.transport.producerState == "producing"
        sender.send(Frame(TEXT, b"y"))
        assert sender.transport.producerState == "producing", "it had its moment"
        slow.transport.drain()
    assert [len(frame.payload) for frame in slow.frames()] == [1, 4000, 2000, 1] * 2


def test_framed_once_for_all_alike() -> None:
    """A message is compressed once for all members that agreed on the same, and all of them get it right."""
    site = MemorySite()
    extensions = ["permessage-deflate", "permessage-deflate", "permessage-deflate; server_max_window_bits=9", ""]
    peers = [site.open("/echo-broadcast", extensions=each) for each in extensions]
    inflaters = [zlib.decompressobj(wbits=-15), zlib.decompressobj(wbits=-15), zlib.decompressobj(wbits=-9)]
    for number in range(3):
        message = b"to all of you, %d; " % number * 50
        peers[3].send(Frame(TEXT, message))
        frames = [peer.frames()[0] for peer in peers]
        assert frames[0] == frames[1]
        assert [frame.rsv for frame in frames] == [4, 4, 4, 0]
        for frame, inflater in zip(frames[:3], inflaters, strict=True):
            assert inflater.decompress(frame.payload + b"\0\0\xff\xff") == message
        assert frames[3].payload == message
    peers[3].send(Frame(TEXT, b"hm"))
    assert [peer.frames() for peer in peers] == [[Frame(TEXT, b"hm")]] * 4, "too short to become shorter"


@pytest.mark.parametrize("ending", [Frame(3, b"bad"), close(1000)], ids=["1002", "its own Close"])
def test_what_a_leaving_member_still_sends_is_nobodys(ending: Frame) -> None:
    """Once a Close went out to it, nothing that it sends reaches the room, not in the same chunk nor in a later one."""
    site = MemorySite()
    leaving, staying = site.open("/echo-broadcast"), site.open("/echo-broadcast")
    leaving.send(ending.masked() + Frame(TEXT, b"with it").masked())
    leaving.send(Frame(TEXT, b"after it").masked())
    assert staying.frames() == []
    staying.send(Frame(TEXT, b"still here"))
    assert staying.frames() == [Frame(TEXT, b"still here")]
