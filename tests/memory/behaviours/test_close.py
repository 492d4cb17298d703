"""/close: the bytes of the server's Close, when it is sent, and what follows it. In memory, on a Clock."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.behaviours import KEEP_ALIVE
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import CLOSE, PING, PONG, TEXT, Frame, close, close_code

NORMAL = b"\x88\x02\x03\xe8"


# -- the Close frame ---------------------------------------------------------------------------------------------------


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
        # Any 16-bit number, reserved ones included.
        *[
            (f"?code={code}", f"8802 {code:04x}")
            for code in (0, 1, 255, 256, 999, 1000, 1001, 1004, 1005, 1006, 1013, 1015, 2999, 3000, 4999, 5000, 65535)
        ],
    ],
)
def test_frame(query: str, sent: str) -> None:
    """The Close frame, byte for byte: the code and the reason in UTF-8, or half a code."""
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
    """A reason is never truncated: over 123 bytes the frame has a 16-bit length, which no Close may have."""
    sent = MemorySite().open(f"/close?code=4000&reason={quote(reason)}").take()
    assert sent == bytes.fromhex(header) + b"\x0f\xa0" + reason.encode()


@pytest.mark.parametrize("after", [1, 50, 500, 60000])
def test_after(after: int) -> None:
    """The Close comes exactly that many milliseconds after the handshake, and once; until then it is an echo."""
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
    """The Close follows the Nth reply directly; later messages get no reply, whether in the same chunk or not."""
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
    """With both `after` and `messages`, whichever comes first closes, and the other has no effect."""
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
    """`messages` counts replies, not messages: the Close follows a delayed reply."""
    peer = MemorySite().open("/echo?delay=100&messages=2")
    peer.send(Frame(TEXT, b"1"))
    peer.send(Frame(TEXT, b"2"))
    peer.send(Frame(TEXT, b"3"))
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == b"\x81\x011\x81\x012" + NORMAL


# -- what follows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?code=none", "?code=1005", "?half_code", "?reason=" + "x" * 200])
@pytest.mark.parametrize("answer", [close(1000), Frame(CLOSE), close(4999, "later")])
def test_answered(query: str, answer: Frame) -> None:
    """The client's Close ends the connection cleanly, whatever was wrong with ours; messages and pings get no reply."""
    peer = MemorySite().open("/close" + query)
    assert peer.take()[0] == 0x88
    peer.send(Frame(TEXT, b"late"))
    peer.send(Frame(PING, b"late"))
    assert peer.take() == b""
    assert not peer.is_ended(), "the client has to have the time to answer"
    peer.send(answer)
    assert peer.take() == b""
    assert peer.is_ended()
    assert not peer.is_aborted()
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []


def test_unanswered() -> None:
    """A client that does not answer is disconnected after `close_timeout`; nothing more is sent."""
    peer = MemorySite("[websocket]\nclose_timeout = 3").open("/close")
    assert peer.take() == NORMAL
    pass_time(peer.site.clock, 2.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert peer.take() == b""
    assert peer.site.clock.getDelayedCalls() == []


def test_keep_alive_goes_on_until_the_close() -> None:
    """Keep-alive pings are sent until the Close, and none after it."""
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
    """A client that closes first gets the usual answer, and the Close that was scheduled is not sent."""
    peer = MemorySite().open("/close?code=1013&after=1000&reason=late")
    peer.send(close(4000, "first"))
    (frame,) = peer.frames()
    assert close_code(frame) in (1000, 4000)
    assert peer.is_ended()
    pass_time(peer.site.clock, 2)
    assert peer.take() == b""


@pytest.mark.parametrize("how", ["fin", "rst", "midframe", "close", "never"])
def test_gone_before_its_time(how: str) -> None:
    """A client that disconnects first leaves no timer and no connection behind."""
    peer = MemorySite().open(f"/close?how={how}&after=1000")
    peer.hang_up()
    assert peer.site.clock.getDelayedCalls() == []
    assert list(peer.site.hub.connections) == []
    assert peer.take() == b""
