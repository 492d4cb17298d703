"""/close without a Close frame: TCP ends, within a frame too, or nothing happens; and at a pace. On a Clock."""

from __future__ import annotations

import pytest

from tests.support.behaviours import KEEP_ALIVE
from tests.support.memory import MemorySite, Peer, Transport, pass_time
from tests.support.wire import PING, TEXT, Frame, close

HALF_FRAME = b"\x81\x64only the start"


def until_end(peer: Peer, seconds: float = 5.0) -> bytes:
    """Return what was sent until the stream ended."""
    pass_time(peer.site.clock, seconds)
    assert peer.is_ended(), peer.take()
    return peer.take()


def half_closes(monkeypatch: pytest.MonkeyPatch) -> list[Transport]:
    """Have transports support half-close, as TCP does; returns those that were half-closed."""
    told: list[Transport] = []

    def end(transport: Transport) -> None:
        told.append(transport)

    monkeypatch.setattr(Transport, "loseWriteConnection", end, raising=False)
    return told


# -- without a Close ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "sent", "is_cut"), [("fin", b"", False), ("rst", b"", True), ("midframe", HALF_FRAME, False)]
)
@pytest.mark.parametrize("when", ["", "&after=200", "&messages=2"])
def test_no_close(how: str, sent: bytes, is_cut: bool, when: str) -> None:
    """fin: TCP ends; rst: it is reset; midframe: it ends inside a frame of 100 bytes. None sends a Close frame."""
    peer = MemorySite().open(f"/close?how={how}{when}")
    expected = sent
    if "messages" in when:
        peer.send(Frame(TEXT, b"1").masked() + Frame(TEXT, b"2").masked() + Frame(TEXT, b"3").masked())
        expected = b"\x81\x011\x81\x012" + sent
    elif when:
        assert (peer.take(), peer.is_ended()) == (b"", False)
        pass_time(peer.site.clock, 0.21)
    assert peer.take() == expected
    assert peer.is_ended()
    assert peer.is_aborted() == is_cut
    if not is_cut:
        peer.send(Frame(TEXT, b"late"))
        peer.send(close(1000))
        assert peer.take() == b""
        peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []


def test_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """half: the server ends its side without a Close, and reads until the client ends its side too."""
    told = half_closes(monkeypatch)
    peer = MemorySite().open("/close?how=half")
    assert told == [peer.transport]
    assert not peer.is_ended(), "only one side is to end"
    assert peer.transport.producerState == "producing"
    peer.send(Frame(TEXT, b"are you there?"))
    pass_time(peer.site.clock, 50)
    assert peer.take() == b""
    assert not peer.is_ended()
    peer.transport.protocol.readConnectionLost()
    assert (peer.is_ended(), peer.is_aborted()) == (True, False)


def test_half_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-closed connection is cut after `max_wait`, and not after the shorter `close_timeout`."""
    half_closes(monkeypatch)
    peer = MemorySite("[behaviours]\nmax_wait = 30").open("/close?how=half")
    pass_time(peer.site.clock, 29.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.site.clock.getDelayedCalls() == []


@pytest.mark.usefixtures("slow")
def test_no_close_within_a_frame() -> None:
    """No Close is written into the payload of a half-sent frame: TCP ends without one."""
    peer = MemorySite().open("/bytes?size=200k&frame=0&after=10")
    pass_time(peer.site.clock, 0.02)
    sent = peer.take()
    assert sent[:10] == b"\x82\x7f" + (200 << 10).to_bytes(8, "big")
    assert sent[10:] == (bytes(range(256)) * 800)[: len(sent) - 10]
    assert len(sent) < 200 << 10
    assert peer.is_ended()


# -- never -------------------------------------------------------------------------------------------------------------


def test_never_answers() -> None:
    """never: an echo until the client's Close; then nothing is sent, and the connection is aborted after `max_wait`."""
    peer = MemorySite(KEEP_ALIVE + "[behaviours]\nmax_wait = 30").open("/close?how=never")
    peer.send(Frame(TEXT, b"hi"))
    peer.send(Frame(PING, b"p"))
    assert peer.take() == b"\x81\x02hi\x8a\x01p"
    peer.send(close(1000))
    for late in (Frame(TEXT, b"late").masked(), Frame(PING, b"late").masked(), close(1000).masked(), b"\xff" * 20):
        peer.send(late)
    pass_time(peer.site.clock, 29.9)
    assert peer.take() == b""
    assert not peer.is_ended(), "neither the keep-alive nor the close timeout may cut it"
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.take() == b""
    assert peer.site.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "late", [Frame(PING, b"late").masked(), Frame(TEXT, b"late").masked(), close(1000).masked(), b"\xff" * 20]
)
def test_never_answers_what_came_with_the_close(late: bytes) -> None:
    """Frames after the client's Close, in the same chunk, get no answer either."""
    peer = MemorySite().open("/close?how=never")
    peer.send(close(1000).masked() + late)
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    assert not peer.is_ended()


def test_never_ends_with_the_client() -> None:
    """When the client ends TCP after its unanswered Close, the server does too, still without a Close."""
    peer = MemorySite().open("/close?how=never")
    peer.send(close(1000))
    peer.transport.protocol.readConnectionLost()
    assert (peer.take(), peer.is_ended()) == (b"", True)
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []


def test_shutdown_is_told_all_the_same() -> None:
    """A server that shuts down sends 1001 here too, and the client's Close ends the connection."""
    peer = MemorySite().open("/close?how=never")
    drained = peer.site.hub.drain(1001, "bye")
    assert peer.take() == b"\x88\x05\x03\xe9bye"
    peer.send(close(1001))
    assert (peer.is_ended(), peer.is_aborted()) == (True, False)
    peer.hang_up()
    assert drained.called


def test_shutdown_holds_nobody() -> None:
    """A shutdown waits no longer than `close_timeout` for a client whose Close is left unanswered."""
    peer = MemorySite("[websocket]\nclose_timeout = 2").open("/close?how=never")
    peer.send(close(1000))
    drained = peer.site.hub.drain(1001, "bye")
    pass_time(peer.site.clock, 2.1)
    assert peer.is_aborted()
    assert drained.called


# -- at a pace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", ["drip=10", "throttle=100", "throttle=1000"])
@pytest.mark.parametrize(
    ("how", "sent"),
    [("fin", b""), ("midframe", HALF_FRAME), ("close&code=1013&reason=slow", b"\x88\x06\x03\xf5slow")],
)
def test_slowly(pace: str, how: str, sent: bytes) -> None:
    """Paced output is sent completely before TCP ends: the last reply and the Close, or half a frame."""
    peer = MemorySite().open(f"/close?messages=1&how={how}&{pace}")
    peer.send(Frame(TEXT, b"reply"))
    if how.startswith("close"):
        pass_time(peer.site.clock, 1)
        assert (peer.take(), peer.is_ended()) == (b"\x81\x05reply" + sent, False)
        peer.send(close(1013))
        assert peer.is_ended()
    else:
        assert until_end(peer) == b"\x81\x05reply" + sent


def test_nothing_behind_half_a_frame() -> None:
    """While half a frame drips out, nothing is sent after it, and nothing delays the end."""
    peer = MemorySite().open("/close?how=midframe&after=10&drip=10&pongs=20&ping_rate=50")
    for _ in range(10):
        pass_time(peer.site.clock, 0.011)
        peer.send(Frame(TEXT, b"more").masked() + Frame(PING, b"and more").masked())
    sent = until_end(peer)
    assert sent.endswith(HALF_FRAME)
    assert sent.count(HALF_FRAME) == 1
