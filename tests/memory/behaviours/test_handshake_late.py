"""/handshake: a response that is late, or sent a byte at a time. In memory, on a Clock."""

from __future__ import annotations

import pytest

from tests.support.behaviours import ECHOED, HELLO, RIGHT, accepted, ask, is_over, refused
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import BINARY, PING, TEXT, Frame, close, request

KEPT = 1 << 16
"""How many bytes of input are kept until the response is sent."""


@pytest.mark.parametrize("wait", [1, 200, 60000])
@pytest.mark.parametrize("query", ["", "&status=503", "&location=/x"])
def test_wait(wait: int, query: str) -> None:
    """The response is exactly that many milliseconds late; `handshake_timeout` bounds the client's part only."""
    peer = ask(f"/handshake?wait={wait}{query}")
    pass_time(peer.site.clock, wait / 1000 - 0.0005)
    assert peer.take() == b""
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.001)
    answers = {
        "": accepted(),
        "&status=503": refused("503 Service Unavailable"),
        "&location=/x": refused("302 Found", location="/x"),
    }
    assert peer.take() == answers[query]


@pytest.mark.parametrize("late", ["wait=500", "dribble=5", "wait=100&dribble=2"])
@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize(
    ("more", "sent"), [(HELLO, ECHOED), (close(1000), b"\x88\x02\x03\xe8")], ids=["a message", "a Close"]
)
def test_what_comes_before_the_answer(late: str, piece: int, more: Frame, sent: bytes) -> None:
    """Input before a late response is kept, and answered after it in order."""
    early = HELLO.masked() + Frame(PING, b"p").masked() + Frame(TEXT, b"to").masked()
    peer = ask("/handshake?" + late)
    peer.send(early + more.masked(), piece=piece)
    pass_time(peer.site.clock, 2)
    assert peer.take() == accepted() + ECHOED + b"\x8a\x01p\x81\x02to" + sent
    assert peer.is_ended() == (more == close(1000))
    if not peer.is_ended():
        peer.send(HELLO)
        assert peer.take() == ECHOED


def test_what_comes_with_the_request() -> None:
    """Input in the request's own chunk is kept too, also half a frame."""
    peer = MemorySite().connect()
    peer.send(request("/handshake?wait=100") + HELLO.masked()[:7])
    peer.send(HELLO.masked()[7:])
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == accepted() + ECHOED


@pytest.mark.parametrize("late", ["wait=500", "dribble=20"])
@pytest.mark.parametrize("more", [0, 1])
def test_how_much_is_kept(late: str, more: int) -> None:
    """64 KiB are kept; with one byte more the connection is aborted."""
    frame = Frame(BINARY, bytes(KEPT - 8 + more)).masked()
    assert len(frame) == KEPT + more
    peer = ask("/handshake?" + late)
    peer.send(frame[:100])
    peer.send(frame[100:])
    assert peer.is_aborted() == bool(more)
    pass_time(peer.site.clock, 10)
    if more:
        assert b"\r\n\r\n" not in peer.take()
        assert is_over(peer)
    else:
        assert peer.take() == accepted() + b"\x82\x7e\xff\xf8" + bytes(KEPT - 8)


@pytest.mark.parametrize("late", ["wait=500", "dribble=20", "wait=500&status=503", "dribble=20&status=503"])
def test_gone_before_the_answer(late: str) -> None:
    """A client that disconnects before the response leaves nothing behind, and nothing more is done for it."""
    peer = ask("/handshake?" + late)
    pass_time(peer.site.clock, 0.05)
    sent = peer.take()
    peer.hang_up()
    assert is_over(peer)
    pass_time(peer.site.clock, 5)
    assert peer.take() == b""
    assert sent == (b"" if "wait" in late else (accepted() if "status" not in late else refused("503"))[: len(sent)])


@pytest.mark.parametrize("late", ["wait=500", "dribble=20", "wait=500&status=503"])
def test_half_gone_before_the_answer(late: str) -> None:
    """When the client ends its side before the response, the server does too, and no connection opens later."""
    peer = ask("/handshake?" + late)
    peer.transport.protocol.readConnectionLost()
    assert peer.is_ended()
    pass_time(peer.site.clock, 5)
    assert list(peer.site.hub.connections) == []
    assert b"\r\n\r\n" not in peer.take()
    peer.hang_up()
    assert is_over(peer)


@pytest.mark.parametrize("late", ["wait=500", "dribble=20"])
def test_shutdown_before_the_answer(late: str) -> None:
    """A server that shuts down accepts no handshake whose response is still to come."""
    peer = ask("/handshake?" + late)
    drained = peer.site.hub.drain(1001, "bye")
    pass_time(peer.site.clock, 20)
    assert not peer.take().startswith(accepted())
    assert list(peer.site.hub.connections) == []
    assert peer.is_ended()
    assert drained.called


@pytest.mark.parametrize("query", ["", "&status=503&body=late"])
def test_dribble(query: str) -> None:
    """The response is sent a byte at a time, at the given interval."""
    whole = refused("503 Service Unavailable", "late") if query else accepted()
    peer = ask("/handshake?dribble=10" + query)
    clock = peer.site.clock
    assert peer.take() == whole[:1]
    for number in range(1, len(whole)):
        pass_time(clock, number * 0.01 - 0.001 - clock.seconds())
        assert (peer.take(), peer.is_ended()) == (b"", False)
        pass_time(clock, 0.0015)
        assert peer.take() == whole[number : number + 1]
    assert peer.is_ended() == bool(query)
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    if not query:
        peer.send(HELLO)
        assert peer.take() == ECHOED, "the echo has no such pace"


def test_dribble_is_bounded() -> None:
    """A response that takes longer than `max_wait` is aborted."""
    peer = ask("/handshake?dribble=1000", "[behaviours]\nmax_wait = 20")
    pass_time(peer.site.clock, 19.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert len(peer.take()) in (20, 21)
    assert is_over(peer)


def test_dribble_is_over() -> None:
    """Once the response is sent, the bound on it no longer applies."""
    peer = MemorySite("[websocket]\nping_interval = 0\n[behaviours]\nmax_wait = 20").open("/handshake")
    late = peer.site.connect()
    late.send(request("/handshake?dribble=1&wait=1"))
    pass_time(peer.site.clock, 100)
    late.take()
    late.send(HELLO)
    assert late.take() == ECHOED
    assert not late.is_ended()


def test_all_together() -> None:
    """All faults of a response can be combined."""
    peer = ask(
        "/handshake?wait=50&dribble=1&accept=double&subprotocol=x&extension=y&pad=3&extra=8100", subprotocols="a, b"
    )
    pass_time(peer.site.clock, 2)
    assert peer.take() == accepted("x", RIGHT * 2, "y", "X-Padding: xxx\r\n") + b"\x81\x00"
