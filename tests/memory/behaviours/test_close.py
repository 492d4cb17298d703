"""How a connection ends where its URL says so: the very bytes, and when. In memory, on a Clock."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.memory import MemorySite, Peer, Transport, pass_time, refusal
from tests.support.wire import CLOSE, PING, PONG, TEXT, Frame, close, close_code

NORMAL = b"\x88\x02\x03\xe8"
HALF_FRAME = b"\x81\x64only the start"
KEEP_ALIVE = "[websocket]\nping_interval = 1\nping_timeout = 1\n"


def until_end(peer: Peer, seconds: float = 5.0) -> bytes:
    """Return what was sent until the stream ended."""
    pass_time(peer.site.clock, seconds)
    assert peer.is_ended(), peer.take()
    return peer.take()


def half_closes(monkeypatch: pytest.MonkeyPatch) -> list[Transport]:
    """Let transports end one side alone, as TCP does; returns those that were told to."""
    told: list[Transport] = []

    def end(transport: Transport) -> None:
        told.append(transport)

    monkeypatch.setattr(Transport, "loseWriteConnection", end, raising=False)
    return told


# -- the Close frame --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [0, 1, 255, 256, 999, 1000, 1001, 1004, 1005, 1006, 1013, 1015, 2999, 3000, 4999, 5000, 65535]
)
def test_code(code: int) -> None:
    """Any two bytes can be the code, also one that no frame may have; there is nothing else in the frame."""
    assert MemorySite().open(f"/close?code={code}").take() == b"\x88\x02" + code.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("", "8802 03e8"),
        ("?how=close", "8802 03e8"),
        ("?code=none", "8800"),
        ("?code=NONE", "8800"),
        ("?code=none&reason=x", "8800"),  # a reason stands behind a code only
        ("?code=1013&reason=try+again", "880b 03f5 747279 20 616761696e"),
        ("?reason=a%20b%2Bc", "8807 03e8 612062 2b 63"),
        ("?reason=%E2%82%AC", "8805 03e8 e282ac"),
        ("?reason=", "8802 03e8"),
        ("?reason=%00", "8803 03e8 00"),
        ("?half_code", "8801 03"),
        ("?half_code=yes&code=4000", "8801 0f"),
        ("?half_code=yes&code=none", "8801 03"),
        ("?half_code=yes&reason=never+seen", "8801 03"),
        ("?half_code=no", "8802 03e8"),
    ],
)
def test_frame(query: str, sent: str) -> None:
    """The Close frame has the code, the reason as UTF-8 or one byte of a code, byte for byte."""
    assert MemorySite().open("/close" + query).take() == bytes.fromhex(sent)


@pytest.mark.parametrize(
    ("reason", "header"),
    [
        ("x" * 123, "887d"),  # 125 bytes are the most for a control frame (RFC 6455 section 5.5)
        ("x" * 124, "887e 007e"),
        ("ü" * 61 + "x", "887d"),  # bytes count, not characters
        ("ü" * 62, "887e 007e"),
        ("x" * 254, "887e 0100"),
        ("x" * 2000, "887e 07d2"),
        ("€" * 666, "887e 07d0"),
    ],
)
def test_long_reason(reason: str, header: str) -> None:
    """A reason is never cut: over 123 bytes the frame has a length of 16 bits, which no Close may have."""
    sent = MemorySite().open(f"/close?code=4000&reason={quote(reason)}").take()
    assert sent == bytes.fromhex(header) + b"\x0f\xa0" + reason.encode()


def test_after_is_bounded_by_max_wait() -> None:
    """`max_wait` is how long `after` may be, to the millisecond."""
    ini = "[behaviours]\nmax_wait = 1.5"
    assert "from 0 to 1500" in refusal("/close?after=1501", ini)
    peer = MemorySite(ini).open("/close?after=1500")
    pass_time(peer.site.clock, 1.51)
    assert peer.take() == NORMAL


# -- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 50, 500, 60000])
def test_after(after: int) -> None:
    """The Close comes so many milliseconds behind the handshake, not before, and once; until then it is an echo."""
    peer = MemorySite("[websocket]\nping_interval = 0").open(f"/close?code=1001&after={after}")
    peer.send(Frame(TEXT, b"hi"))
    assert peer.take() == b"\x81\x02hi"
    pass_time(peer.site.clock, after / 1000 - 0.0005)
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.001)
    assert peer.take() == b"\x88\x02\x03\xe9"
    pass_time(peer.site.clock, 5)
    assert peer.take() == b""


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_messages(count: int, together: bool) -> None:
    """The Close is right behind the Nth reply, and the next message gets none, in the same chunk or another."""
    peer = MemorySite().open(f"/close?code=4001&messages={count}")
    assert peer.take() == b""
    sent = [Frame(TEXT, b"%d" % number).masked() for number in range(count + 2)]
    for chunk in [b"".join(sent)] if together else sent:
        peer.send(chunk)
    replies = b"".join(b"\x81\x01%d" % number for number in range(count))
    assert peer.take() == replies + b"\x88\x02\x0f\xa1"


def test_messages_in_fragments_count_once() -> None:
    """A message of several frames is one message, and gets one reply."""
    peer = MemorySite().open("/close?messages=2")
    for _ in range(2):
        peer.send(Frame(TEXT, b"a", fin=False))
        peer.send(Frame(PING, b"p"))
        peer.send(Frame(0, b"b"))
    assert peer.take() == b"\x8a\x01p\x81\x02ab" * 2 + NORMAL


@pytest.mark.parametrize(("messages", "closes_at"), [(1, 0.1), (3, 0.25)])
def test_whichever_comes_first(messages: int, closes_at: float) -> None:
    """With `after` and `messages` the first of both counts, and the other does nothing any more."""
    peer = MemorySite().open(f"/close?after=250&messages={messages}")
    pass_time(peer.site.clock, 0.1)
    peer.send(Frame(TEXT, b"1"))
    before = b"\x81\x011" + (NORMAL if closes_at == 0.1 else b"")
    assert peer.take() == before
    pass_time(peer.site.clock, 1)
    assert peer.take() == (b"" if closes_at == 0.1 else NORMAL)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/echo?code=4000", "8802 0fa0"),
        ("/echo?reason=r", "8803 03e8 72"),
        ("/echo?half_code=no", "8802 03e8"),
        ("/echo?after=0", "8802 03e8"),
        ("/echo?messages=0", "8802 03e8"),
        ("/echo?how=close", "8802 03e8"),
        ("/handshake?code=4000", "8802 0fa0"),
        ("/burst?count=5&size=0&messages=3", "8100 8100 8100 8802 03e8"),
        ("/burst?count=2&size=2&messages=2", "8102 3020 8102 3120 8802 03e8"),
        ("/burst?count=9&size=0&double=1&messages=3", "8100 8100 8100 8802 03e8"),
        ("/frames?hex=8101+61&messages=1", "8101 61 8802 03e8"),
        ("/bytes?size=1&code=none", "8800"),
        ("/echo?how=never", ""),
        ("/echo?how=never&code=1000&after=0&messages=0", ""),
        ("/echo?delay=0", ""),
    ],
)
def test_every_behaviour_can_end_so(path: str, sent: str) -> None:
    """Any of the parameters but `how=never` makes any behaviour end; without them none does."""
    assert MemorySite().open(path).take() == bytes.fromhex(sent)


def test_delayed_replies_count_when_they_are_sent() -> None:
    """`messages` counts replies, not messages: the Close is behind a delayed reply."""
    peer = MemorySite().open("/echo?delay=100&messages=2")
    peer.send(Frame(TEXT, b"1"))
    peer.send(Frame(TEXT, b"2"))
    peer.send(Frame(TEXT, b"3"))
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == b"\x81\x011\x81\x012" + NORMAL


# -- what follows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?code=none", "?code=1005", "?half_code", "?reason=" + "x" * 200])
@pytest.mark.parametrize("answer", [close(1000), Frame(CLOSE), close(4999, "later")])
def test_answered(query: str, answer: Frame) -> None:
    """The client's Close ends it in good order, whatever was wrong with ours: no second Close, and no cut."""
    peer = MemorySite().open("/close" + query)
    assert peer.take()[0] == 0x88
    assert not peer.is_ended(), "the client has to have the time to answer"
    peer.send(answer)
    assert peer.take() == b""
    assert peer.is_ended()
    assert not peer.is_aborted()
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []


def test_nothing_behind_the_close() -> None:
    """Behind the Close, messages and pings get no answer, and the client's own Close is found behind them."""
    peer = MemorySite().open("/close")
    assert peer.take() == NORMAL
    peer.send(Frame(TEXT, b"late"))
    peer.send(Frame(PING, b"late"))
    assert peer.take() == b""
    assert not peer.is_ended()
    peer.send(close(1000))
    assert (peer.take(), peer.is_ended(), peer.is_aborted()) == (b"", True, False)


def test_unanswered() -> None:
    """Who does not answer is cut after `close_timeout`, without a word."""
    peer = MemorySite("[websocket]\nclose_timeout = 3").open("/close")
    assert peer.take() == NORMAL
    pass_time(peer.site.clock, 2.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.take() == b""
    assert peer.site.clock.getDelayedCalls() == []


def test_keep_alive_goes_on_until_the_close() -> None:
    """Before the Close the keep-alive is as ever; behind it no ping comes."""
    peer = MemorySite(KEEP_ALIVE + "close_timeout = 30").open("/close?after=2500")
    for _ in range(2):
        pass_time(peer.site.clock, 1)
        (ping,) = peer.frames()
        assert (ping.opcode, len(ping.payload)) == (PING, 8)
        peer.send(Frame(PONG, ping.payload))
    pass_time(peer.site.clock, 0.6)
    assert peer.take() == NORMAL
    pass_time(peer.site.clock, 10)
    assert peer.take() == b""
    assert not peer.is_ended()


def test_client_is_faster() -> None:
    """A client that closes first gets the usual answer, and what was to come later never does."""
    peer = MemorySite().open("/close?code=1013&after=1000&reason=late")
    peer.send(close(4000, "first"))
    (frame,) = peer.frames()
    assert close_code(frame) in (1000, 4000)
    assert peer.is_ended()
    pass_time(peer.site.clock, 2)
    assert peer.take() == b""


@pytest.mark.parametrize("how", ["fin", "rst", "midframe", "close", "never"])
def test_gone_before_its_time(how: str) -> None:
    """A client that goes before leaves nothing behind."""
    peer = MemorySite().open(f"/close?how={how}&after=1000")
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []
    assert list(peer.site.hub.connections) == []
    assert peer.take() == b""


# -- without a Close --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "sent", "is_cut"), [("fin", b"", False), ("rst", b"", True), ("midframe", HALF_FRAME, False)]
)
@pytest.mark.parametrize("when", ["", "&after=200", "&messages=2"])
def test_no_close(how: str, sent: bytes, is_cut: bool, when: str) -> None:
    """fin: TCP ends; rst: it is cut; midframe: it ends within a frame of 100 bytes. No Close frame in any of them."""
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
    """half: our side ends without a Close and the other is read on, until the client ends it too."""
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


def test_no_close_within_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a frame is half sent, no Close gets into its payload: the stream ends without one."""

    def write(transport: Transport, data: bytes) -> None:
        transport.io.write(data)
        transport.fill()

    monkeypatch.setattr(Transport, "write", write)
    peer = MemorySite().open("/bytes?size=200k&frame=0&after=10")
    pass_time(peer.site.clock, 0.02)
    sent = peer.take()
    assert sent[:10] == b"\x82\x7f" + (200 << 10).to_bytes(8, "big")
    assert sent[10:] == (bytes(range(256)) * 800)[: len(sent) - 10]
    assert len(sent) < 200 << 10
    assert peer.is_ended()


# -- never ------------------------------------------------------------------------------------------------------------


def test_never_answers() -> None:
    """never: an echo, until the client's Close; then not a byte more, whatever comes, and a cut after `max_wait`."""
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
    """What comes in the same chunk behind the client's Close gets no answer either."""
    peer = MemorySite().open("/close?how=never")
    peer.send(close(1000).masked() + late)
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    assert not peer.is_ended()


def test_never_ends_with_the_client() -> None:
    """A client that ends the stream after its unanswered Close has it ended, still without a Close."""
    peer = MemorySite().open("/close?how=never")
    peer.send(close(1000))
    peer.transport.protocol.readConnectionLost()
    assert (peer.take(), peer.is_ended()) == (b"", True)
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []


def test_shutdown_is_told_all_the_same() -> None:
    """Where the server shuts down, it says so with 1001, and the client's Close ends it as everywhere."""
    peer = MemorySite().open("/close?how=never")
    drained = peer.site.hub.drain(1001, "bye")
    assert peer.take() == b"\x88\x05\x03\xe9bye"
    peer.send(close(1001))
    assert (peer.is_ended(), peer.is_aborted()) == (True, False)
    peer.hang_up()
    assert drained.called


def test_shutdown_holds_nobody() -> None:
    """Nor does it wait longer than `close_timeout` for one that is held, its Close unanswered."""
    peer = MemorySite("[websocket]\nclose_timeout = 2").open("/close?how=never")
    peer.send(close(1000))
    drained = peer.site.hub.drain(1001, "bye")
    pass_time(peer.site.clock, 2.1)
    assert peer.is_aborted()
    assert drained.called


# -- at a pace --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", ["drip=10", "throttle=100", "throttle=1000"])
@pytest.mark.parametrize(
    ("how", "sent"),
    [("fin", b""), ("midframe", HALF_FRAME), ("close&code=1013&reason=slow", b"\x88\x06\x03\xf5slow")],
)
def test_slowly(pace: str, how: str, sent: bytes) -> None:
    """What goes out at a pace is all out before the stream ends: the last reply and the Close, or half a frame."""
    peer = MemorySite().open(f"/close?messages=1&how={how}&{pace}")
    peer.send(Frame(TEXT, b"reply"))
    if how.startswith("close"):
        pass_time(peer.site.clock, 1)
        assert peer.take() == b"\x81\x05reply" + sent
        peer.send(close(1013))
        assert peer.is_ended()
    else:
        assert until_end(peer) == b"\x81\x05reply" + sent


def test_nothing_behind_half_a_frame() -> None:
    """While half a frame drips out, nothing else is put behind it, and nothing puts the end off."""
    peer = MemorySite().open("/close?how=midframe&after=10&drip=10&pongs=20&ping_rate=50")
    for _ in range(10):
        pass_time(peer.site.clock, 0.011)
        peer.send(Frame(TEXT, b"more").masked() + Frame(PING, b"and more").masked())
    sent = until_end(peer)
    assert sent.endswith(HALF_FRAME)
    assert sent.count(HALF_FRAME) == 1


def test_client_close_at_a_pace() -> None:
    """The answer to a client's Close drips out whole before the stream ends, behind what was still to come."""
    peer = MemorySite().open("/echo?drip=10")
    peer.send(Frame(TEXT, b"last").masked() + close(1000).masked())
    assert until_end(peer) == b"\x81\x04last\x88\x02\x03\xe8"
    assert not peer.is_aborted()
