"""Every WebSocket connection in time: deadlines, flow control, closing. In memory, on a Clock."""

from __future__ import annotations

import zlib

import pytest

from tests.support.memory import MemorySite, Peer, pass_time
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, close_code, request
from wsdaemon.settings import LimitSettings

READ_AHEAD = LimitSettings().read_ahead
DEFLATE = "permessage-deflate; client_max_window_bits"
COLLECTING = ["echo-assemble", "echo-fragment", "echo-broadcast", "echo-broadcast-ping"]
ALL = [*COLLECTING, "echo", "log"]


def deflated(message: bytes, *, final: bool = False) -> bytes:
    """Return a compressed payload: sync-flushed without its tail, or ending its stream (BFINAL = 1) and 00."""
    engine = zlib.compressobj(wbits=-15)
    data = engine.compress(message)
    return data + engine.flush() + b"\0" if final else data + engine.flush(zlib.Z_SYNC_FLUSH)[:-4]


class TestDeadlines:
    """Every state ends."""

    def test_silent_peer(self) -> None:
        """A peer that answers no ping is dropped after ping_interval + ping_timeout."""
        site = MemorySite()
        peer = site.open("/log")
        site.clock.advance(30)
        (ping,) = peer.frames()
        assert ping.opcode == PING
        site.clock.advance(19)
        assert not peer.is_aborted()
        site.clock.advance(1.1)
        assert peer.is_aborted()
        assert not site.hub.connections

    def test_peer_that_sends_but_never_pongs(self) -> None:
        """Data is no substitute for the pong."""
        site = MemorySite()
        peer = site.open("/log")
        for _ in range(51):
            if not peer.is_aborted():
                peer.send(Frame(TEXT, b"still here"))
            site.clock.advance(1)
        assert peer.is_aborted()

    def test_pong_behind_a_long_frame(self) -> None:
        """A peer in the middle of a frame cannot pong: as long as that frame comes in, the peer is not dead."""
        site = MemorySite()
        peer = site.open("/log")
        octets = Frame(BINARY, bytes(100_000)).masked()
        peer.send(octets[:1000])
        for second in range(100):
            peer.send(octets[1000 + second * 100 : 1100 + second * 100])
            site.clock.advance(1)
        assert not peer.is_ended()
        pass_time(site.clock, 40)
        assert peer.is_aborted(), "nothing came in any more"

    def test_half_a_frame_and_nothing_more(self) -> None:
        """A peer that falls silent in the middle of a frame which is echoed while it comes in is found dead too."""
        site = MemorySite()
        peer = site.open("/echo")
        peer.send(Frame(BINARY, bytes(100_000)).masked()[:1000])
        pass_time(site.clock, 60)
        assert peer.is_aborted()

    def test_frame_after_frame_is_no_pong(self) -> None:
        """One that begins a new frame where its pong could have been is."""
        site = MemorySite()
        peer = site.open("/log")
        octets = Frame(BINARY, bytes(1000)).masked()
        stream = octets * 60
        for second in range(60):
            if not peer.is_aborted():
                peer.send(stream[second * 900 : second * 900 + 900])
            site.clock.advance(1)
        assert peer.is_aborted()

    def test_peer_that_pongs(self) -> None:
        """A peer that answers its pings stays."""
        site = MemorySite()
        peer = site.open("/log")
        for _ in range(10):
            site.clock.advance(30)
            (ping,) = peer.frames()
            peer.send(Frame(PONG, ping.payload))
        assert not peer.is_ended()

    def test_a_ping_that_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It ends its own connection, with 1011; the pings of others are sent."""
        site = MemorySite()
        wrong, right, other = (site.open("/log") for _ in range(3))
        monkeypatch.setattr(wrong.transport.protocol, "send_ping", lambda payload: 1 / 0)
        site.clock.advance(30)
        assert close_code(wrong.frames()[-1]) == 1011
        assert [frame.opcode for peer in (right, other) for frame in peer.frames()] == [PING, PING]

    def test_no_pings_when_switched_off(self) -> None:
        """ping_interval = 0 sends none and drops nobody."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open("/log")
        site.clock.advance(100_000)
        assert peer.frames() == []
        assert not peer.is_ended()

    @pytest.mark.parametrize("name", ALL)
    def test_peer_that_never_closes(self, name: str) -> None:
        """After our Close and an end, the stream is cut within close_timeout, whatever the peer does."""
        site = MemorySite()
        peer = site.open(f"/{name}")
        peer.send(Frame(11))
        assert [close_code(frame) for frame in peer.frames()] == [1002]
        for _ in range(9):
            peer.send(Frame(TEXT, b"I go on"))
            site.clock.advance(1)
        assert not peer.is_aborted()
        site.clock.advance(1.1)
        assert peer.is_aborted()

    @pytest.mark.parametrize("name", COLLECTING)
    def test_unfinished_message(self, name: str) -> None:
        """A collected message that stays unfinished is 1008, even when fragments trickle in."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open(f"/{name}")
        peer.send(Frame(TEXT, b"to be", fin=False))
        for _ in range(59):
            site.clock.advance(1)
            peer.send(Frame(CONTINUATION, fin=False))
        assert [frame for frame in peer.frames() if frame.opcode != PING] == []
        site.clock.advance(1.1)
        assert [close_code(frame) for frame in peer.frames() if frame.opcode != PING] == [1008]

    def test_finished_messages_start_anew(self) -> None:
        """The deadline is for one message: a connection may send them for ever."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open("/echo-assemble")
        for _ in range(5):
            peer.send(Frame(TEXT, b"a", fin=False))
            site.clock.advance(50)
            peer.send(Frame(CONTINUATION, b"b"))
            assert peer.frames() == [Frame(TEXT, b"ab")]

    def test_always_one_unfinished(self) -> None:
        """A connection may be in the middle of a message whenever one looks, as long as it is not the same one."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open("/echo-assemble")
        peer.send(Frame(TEXT, b"a", fin=False))
        for _ in range(20):
            site.clock.advance(30)
            peer.send(Frame(CONTINUATION, b"b").masked() + Frame(TEXT, b"a", fin=False).masked())
            assert peer.frames() == [Frame(TEXT, b"ab")]

    def test_endless_echo(self) -> None:
        """An echoed message may take as long as it likes."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open("/echo")
        peer.send(Frame(TEXT, b"a", fin=False))
        site.clock.advance(100_000)
        peer.send(Frame(CONTINUATION, b"b"))
        assert peer.frames() == [Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b")]

    def test_nothing_is_left(self) -> None:
        """Once a connection is gone, no timer of its is."""
        site = MemorySite()
        for name in ALL:
            peer = site.open(f"/{name}")
            peer.send(Frame(TEXT, b"x", fin=False))
            peer.hang_up()
        assert site.clock.getDelayedCalls() == []
        assert not site.hub.connections
        assert not site.hub.room("echo-broadcast")


class TestFlowControl:
    """Who does not read is not read from, and not for ever."""

    def flood(self, peer: Peer, frame: Frame) -> int:
        """Send until the server stops reading; return how much it took."""
        peer.transport.fill()
        taken = 0
        while peer.transport.producerState == "producing" and taken < 10 * READ_AHEAD:
            peer.send(frame)
            taken += len(frame.payload)
        return taken

    @pytest.mark.parametrize(
        "frame", [Frame(BINARY, bytes(60_000)), Frame(BINARY, bytes(1 << 20)), Frame(PING, b"x" * 125)]
    )
    def test_flood(self, frame: Frame) -> None:
        """A client that floods and never reads is stopped after READ_AHEAD bytes, and dropped after stall_timeout."""
        site = MemorySite()
        peer = site.open("/echo")
        assert self.flood(peer, frame) <= READ_AHEAD + 2 * len(frame.payload)
        pass_time(site.clock, 29)
        assert not peer.is_aborted()
        pass_time(site.clock, 1.1)
        assert peer.is_aborted()
        assert site.hub.queued == 0

    def test_goes_on_when_read(self) -> None:
        """When the peer has read everything, it is served again, and nothing was lost."""
        site = MemorySite("[websocket]\nping_interval = 0")
        peer = site.open("/echo")
        self.flood(peer, Frame(BINARY, b"\1" * 60_000))
        pass_time(site.clock, 29)
        peer.transport.drain()
        assert peer.transport.producerState == "producing"
        assert site.hub.queued == 0
        pass_time(site.clock, 29)
        assert not peer.is_aborted()
        peer.send(Frame(TEXT, b"last"))
        assert peer.frames()[-1] == Frame(TEXT, b"last")

    def test_a_whole_message_before_reading(self) -> None:
        """A client that begins to read only when its message is sent gets it back, up to READ_AHEAD."""
        peer = MemorySite().open("/echo")
        peer.transport.fill()
        message = Frame(BINARY, bytes(READ_AHEAD - 100))
        peer.send(message, piece=65536)
        assert peer.transport.producerState == "producing"
        assert peer.frames() == [message]

    def test_no_ping_into_half_a_frame(self) -> None:
        """While a large frame is half sent, no ping breaks into it."""
        site = MemorySite()
        peer = site.open("/echo")
        message = Frame(BINARY, b"\2" * 200_000)
        octets = message.masked()
        peer.send(octets[:100_000])
        site.clock.advance(31)
        peer.send(octets[100_000:])
        assert peer.frames() == [message]

    def test_close_after_half_a_frame(self) -> None:
        """A text that turns out invalid in the middle of a large frame is 1007 all the same: the frame is filled up."""
        peer = MemorySite().open("/echo")
        peer.send(Frame(TEXT, b"x" * 100_000 + b"\xff" + b"x" * 99_999).masked()[:150_000], piece=50_000)
        frame, closing = peer.frames()[:2]
        assert (frame.opcode, len(frame.payload)) == (TEXT, 200_000)
        assert frame.payload.strip(b" ") == b"x" * 99_986  # what came in whole chunks before the invalid one
        assert close_code(closing) == 1007

    def test_endless_frame_is_cut(self) -> None:
        """Where the rest of the frame is too large to be filled up, the connection is cut."""
        peer = MemorySite().open("/echo")
        peer.send(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4) + b"x" * 70_000 + b"\xff")
        assert peer.is_aborted()


class TestClosing:
    """The closing handshake."""

    def test_going_away(self) -> None:
        """drain() closes every connection with 1001 and fires when the last is gone."""
        site = MemorySite()
        peers = [site.open(f"/{name}") for name in ALL]
        drained = site.hub.drain(1001, "bye")
        for peer in peers:
            assert peer.frames() == [close(1001, "bye")]
            assert not drained.called
            peer.send(close(1001))
            assert peer.is_ended()
            peer.hang_up()
        assert drained.called

    def test_going_away_with_a_mute_peer(self) -> None:
        """A peer that does not answer holds the end up by no more than close_timeout."""
        site = MemorySite()
        site.open("/log")
        drained = site.hub.drain(1001, "bye")
        site.clock.advance(10.1)
        assert drained.called

    def test_nobody_there(self) -> None:
        """Without connections the daemon ends at once."""
        assert MemorySite().hub.drain(1001, "bye").called

    @pytest.mark.parametrize("name", ALL)
    def test_nothing_after_close(self, name: str) -> None:
        """After the peer's Close nothing more is sent or answered."""
        peer = MemorySite().open(f"/{name}")
        peer.send(close(1000).masked() + Frame(PING, b"x").masked() + Frame(TEXT, b"y").masked())
        assert [frame.opcode for frame in peer.frames()] == [CLOSE]

    def test_unmasked(self) -> None:
        """An unmasked frame is a violation."""
        peer = MemorySite().open("/echo")
        peer.send(b"\x81\x02hi")
        assert [close_code(frame) for frame in peer.frames()] == [1002]

    @pytest.mark.parametrize("name", ALL)
    def test_close_behind_compressed_frames(self, name: str) -> None:
        """While closing, the peer's Close is found behind whatever else it had sent already."""
        site = MemorySite()
        peer = site.open(f"/{name}", extensions=DEFLATE)
        drained = site.hub.drain(1001, "bye")
        assert close_code(peer.frames()[-1]) == 1001
        peer.send(
            Frame(TEXT, deflated(b"x" * 100_000), rsv=4).masked() + Frame(TEXT, b"y").masked() + close(1001).masked()
        )
        assert peer.is_ended()
        assert not peer.is_aborted()
        peer.hang_up()
        assert drained.called

    def test_nothing_is_made_up(self) -> None:
        """A frame that is half sent back when the daemon ends is cut, not filled up: what was sent is what came."""
        site = MemorySite()
        peer = site.open("/echo")
        peer.send(Frame(BINARY, b"\2" * 200_000).masked()[:100_000])
        site.hub.drain(1001, "bye")
        assert peer.is_aborted()
        assert b" " not in peer.take()

    def test_an_upgrade_while_draining(self) -> None:
        """A connection that asks for an upgrade while the daemon ends is not refused, but told at once."""
        site = MemorySite()
        site.open("/echo")
        late = site.connect()
        site.hub.drain(1001, "bye")
        late.send(request("/echo"))
        head, _, rest = late.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert rest == b"\x88\x05\x03\xe9bye"
