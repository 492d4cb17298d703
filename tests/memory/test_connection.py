"""What holds for every WebSocket connection: limits, deadlines, flow control, closing. In memory, on a Clock."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from tests.support.memory import MemorySite
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, close_code, request
from wsdaemon.subprotocols.assemble import EchoAssemble
from wsdaemon.subprotocols.echo import Echo
from wsdaemon.subprotocols.logging import Logging
from wsdaemon.websocket import input as input_
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.zlibs import new_compressor

DEFLATE = "permessage-deflate; client_max_window_bits"
COLLECTING = ["echo-assemble", "echo-fragment", "echo-broadcast", "echo-broadcast-ping"]


def deflated(message: bytes, *, final: bool = False) -> bytes:
    """Return a compressed payload: sync-flushed without its tail, or ending its stream (BFINAL = 1) and 00."""
    engine = zlib.compressobj(wbits=-15)
    data = engine.compress(message)
    return data + engine.flush() + b"\0" if final else data + engine.flush(zlib.Z_SYNC_FLUSH)[:-4]


@contextlib.contextmanager
def capture(events: list[object]) -> Iterator[None]:
    """Keep the failures that are logged."""

    def observe(event: Any) -> None:
        if event.get("log_failure") is not None:
            events.append(event)

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]  # any callable will do
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]  # any callable will do


def inflated(frames: list[Frame]) -> bytes:
    """Return what a compressed message's frames hold."""
    assert [frame.rsv for frame in frames] == [4] + [0] * (len(frames) - 1)
    return zlib.decompressobj(wbits=-15).decompress(b"".join(frame.payload for frame in frames) + b"\0\0\xff\xff")


class TestLimits:
    """What is too large is refused before it is held."""

    @pytest.mark.parametrize("name", COLLECTING)
    def test_header_alone(self, name: str) -> None:
        """A header that announces more than the limit is answered with 1009 at once."""
        peer = MemorySite().open(f"/{name}")
        peer.send(Frame(BINARY, bytes(65537)).masked()[:14])
        assert [close_code(frame) for frame in peer.frames()] == [1009]

    @pytest.mark.parametrize("name", COLLECTING)
    def test_limit_from_ini(self, name: str) -> None:
        """The limit of one subprotocol is its own."""
        site = MemorySite(f"[subprotocol:{name}]\nmessage_limit = 10")
        peer = site.open(f"/{name}")
        peer.send(Frame(TEXT, b"x" * 10))
        assert peer.frames()
        peer.send(Frame(TEXT, b"x" * 11))
        assert [close_code(frame) for frame in peer.frames()] == [1009]

    def test_deflate_bomb(self) -> None:
        """A small frame that inflates beyond the limit is 1009."""
        peer = MemorySite().open("/echo-assemble", extensions=DEFLATE)
        peer.send(Frame(BINARY, deflated(bytes(10_000_000)), rsv=4))
        assert [close_code(frame) for frame in peer.frames()] == [1009]

    def test_deflate_bomb_in_echo(self) -> None:
        """Where messages have no limit, one that inflates a thousandfold is 1009 too, once it is large."""
        peer = MemorySite().open("/echo", extensions=DEFLATE)
        peer.send(Frame(BINARY, deflated(bytes(100 << 20)), rsv=4), piece=65536)
        *echoed, closing = peer.frames()
        assert close_code(closing) == 1009
        assert sum(len(frame.payload) for frame in echoed) < 1 << 20

    def test_large_zeros_in_echo(self) -> None:
        """Ten million zeros are no bomb."""
        peer = MemorySite().open("/echo", extensions=DEFLATE)
        peer.send(Frame(BINARY, deflated(bytes(10_000_000)), rsv=4))
        assert inflated(peer.frames()) == bytes(10_000_000)

    def test_what_cannot_be_compressed_may_grow(self) -> None:
        """A message at the limit passes though its compressed form is larger than the limit."""
        peer = MemorySite().open("/echo-assemble", extensions=DEFLATE)
        stored = zlib.compressobj(0, wbits=-15)
        message = bytes(range(256)) * 256
        payload = stored.compress(message) + stored.flush(zlib.Z_SYNC_FLUSH)[:-4]
        assert len(payload) > len(message)
        peer.send(Frame(BINARY, payload, rsv=4))
        assert inflated(peer.frames()) == message

    def test_fragments_cost_their_bytes(self) -> None:
        """Twenty thousand empty fragments are taken, however they are cut, and add nothing."""
        site = MemorySite()
        peer = site.open("/echo-assemble")
        peer.send(Frame(TEXT, b"a", fin=False))
        peer.send(Frame(CONTINUATION, fin=False).masked() * 20_000, piece=4096)
        peer.send(Frame(CONTINUATION, b"b"))
        assert peer.frames() == [Frame(TEXT, b"ab")]


class TestCompression:
    """permessage-deflate (RFC 7692)."""

    @pytest.mark.parametrize("name", ["echo", "echo-assemble", "echo-broadcast"])
    def test_round_trip(self, name: str) -> None:
        """A compressed message comes back compressed, one after the other."""
        peer = MemorySite().open(f"/{name}", extensions=DEFLATE)
        for message in (b"hello hello hello", b"", b"x" * 60_000):
            peer.send(Frame(TEXT, deflated(message), rsv=4))
            frames = peer.frames()
            assert frames[0].opcode == TEXT
            assert frames[-1].fin

    def test_fragments_keep_their_content(self) -> None:
        """echo-fragment halves the message, not its compressed form: each frame can be inflated as it comes."""
        peer = MemorySite().open("/echo-fragment", extensions=DEFLATE)
        peer.send(Frame(TEXT, deflated(b"hello"), rsv=4))
        first, rest = peer.frames()
        engine = zlib.decompressobj(wbits=-15)
        assert (first.fin, rest.fin, first.rsv, rest.rsv) == (False, True, 4, 0)
        assert engine.decompress(first.payload) == b"he"
        assert engine.decompress(rest.payload + b"\0\0\xff\xff") == b"llo"

    def test_echo_of_fragments(self) -> None:
        """echo sends a compressed message's fragments back one by one."""
        peer = MemorySite().open("/echo", extensions=DEFLATE)
        payload = deflated(b"hello, world")
        peer.send(Frame(TEXT, payload[:5], fin=False, rsv=4))
        first = peer.frames()
        peer.send(Frame(CONTINUATION, payload[5:]))
        rest = peer.frames()
        assert len(first) == len(rest) == 1
        assert inflated([*first, *rest]) == b"hello, world"

    def test_echo_keeps_plain_messages_plain(self) -> None:
        """A message that came uncompressed goes back so."""
        peer = MemorySite().open("/echo", extensions=DEFLATE)
        peer.send(Frame(TEXT, b"hello"))
        assert peer.frames() == [Frame(TEXT, b"hello")]

    @pytest.mark.parametrize("name", ["echo", "echo-assemble"])
    def test_final_block(self, name: str) -> None:
        """A message that ends its deflate stream (BFINAL = 1) and the ones after it come back right."""
        peer = MemorySite("[websocket]\ncompression_threshold = 0").open(f"/{name}", extensions=DEFLATE)
        received = []
        engine = zlib.decompressobj(wbits=-15)
        messages = [(b"first first", True), (b"second", True), (b"", True), (b"third", False), (b"x" * 65536, True)]
        for message, final in [*messages, *messages]:
            peer.send(Frame(TEXT, deflated(message, final=final), rsv=4))
            frames = peer.frames()
            assert frames[-1].fin
            received.append(engine.decompress(b"".join(frame.payload for frame in frames) + b"\0\0\xff\xff"))
            if not final:
                break
        assert received == [message for message, _ in messages[:4]]

    @pytest.mark.parametrize("name", ["echo", "echo-assemble"])
    def test_context_takeover(self, name: str) -> None:
        """A client may keep its context: the second of two equal messages is a reference to the first."""
        peer = MemorySite().open(f"/{name}", extensions=DEFLATE)
        sender, receiver = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        message = bytes(range(256))
        sizes = []
        for _ in range(3):
            payload = (sender.compress(message) + sender.flush(zlib.Z_SYNC_FLUSH))[:-4]
            sizes.append(len(payload))
            peer.send(Frame(BINARY, payload, rsv=4))
            (frame,) = peer.frames()
            assert receiver.decompress(frame.payload + b"\0\0\xff\xff") == message
        assert sizes[1] < sizes[0] // 4

    @pytest.mark.parametrize("size", [65535, 65536, 65537, 131072, 200_000])
    def test_pieces(self, size: int) -> None:
        """Whatever a message inflates to is all there, also where it ends with a piece."""
        peer = MemorySite("[websocket]\nmessage_limit = 1m").open("/echo-assemble", extensions=DEFLATE)
        message = bytes(size)
        peer.send(Frame(BINARY, deflated(message), rsv=4))
        assert inflated(peer.frames()) == message

    @pytest.mark.parametrize("payload", [b"\xff\xff\xff\xff", deflated(b"fine, then \xff")])
    @pytest.mark.parametrize("name", ["echo", "echo-assemble"])
    def test_broken_stream(self, name: str, payload: bytes) -> None:
        """What cannot be inflated is 1007, and so is invalid UTF-8 inside a compressed text."""
        peer = MemorySite().open(f"/{name}", extensions=DEFLATE)
        peer.send(Frame(TEXT, payload, rsv=4))
        assert [close_code(frame) for frame in peer.frames()] == [1007]

    def test_switched_off(self) -> None:
        """With compression = no the offer is declined, and RSV1 is a violation."""
        peer = MemorySite("[websocket]\ncompression = no").open("/echo", extensions=DEFLATE)
        assert b"Sec-WebSocket-Extensions" not in peer.handshake
        peer.send(Frame(TEXT, deflated(b"x"), rsv=4))
        assert [close_code(frame) for frame in peer.frames()] == [1002]

    @pytest.mark.parametrize("level", [1, 3, 4, 9])
    def test_level(self, level: int) -> None:
        """The configured level is the one that is used."""
        message = b"".join(b"%d," % (number * number) for number in range(8000))[:60_000]
        peer = MemorySite(f"[websocket]\ncompression_level = {level}").open("/echo-assemble", extensions=DEFLATE)
        peer.send(Frame(TEXT, deflated(message), rsv=4))
        (frame,) = peer.frames()
        reference = new_compressor(level, 15, 8)
        assert len(frame.payload) == len(reference.compress(message) + reference.flush(zlib.Z_SYNC_FLUSH)) - 4

    @pytest.mark.parametrize("name", ["echo", "echo-assemble", "echo-broadcast"])
    def test_threshold(self, name: str) -> None:
        """A message under the threshold is sent as it is, one of as many bytes compressed; so is one in fragments."""
        ini = "[websocket]\ncompression_threshold = 100\nallowed_origins = *"
        peer = MemorySite(ini).open(f"/{name}", extensions=DEFLATE)
        for length in (0, 99, 100):
            peer.send(Frame(TEXT, deflated(b"x" * length), rsv=4))
        assert [frame.rsv for frame in peer.frames()] == [0, 0, 4]
        payload = deflated(b"short")
        peer.send(Frame(TEXT, payload[:3], fin=False, rsv=4))
        peer.send(Frame(CONTINUATION, payload[3:]))
        assert peer.frames()[0].rsv == (4 if name == "echo" else 0)

    def test_window(self) -> None:
        """The configured window is kept: what is sent can be inflated with no more than that."""
        peer = MemorySite("[websocket]\ncompression_window = 9").open("/echo-assemble", extensions=DEFLATE)
        message = bytes(range(256)) * 200
        peer.send(Frame(BINARY, deflated(message), rsv=4))
        (frame,) = peer.frames()
        assert zlib.decompressobj(wbits=-9).decompress(frame.payload + b"\0\0\xff\xff") == message


class TestOthersCode:
    """A subprotocol that somebody else wrote."""

    def test_hooks_see_every_message(self) -> None:
        """A class that has Autobahn's hooks gets whole messages by them too; one that has `messages_in` by that."""

        class Hooked(Connection):
            names = ("hooked",)

            def onMessageEnd(self) -> None:
                """See it."""

        class Both(Hooked):
            names = ("both",)

            def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
                """Take it."""

        class Plain(Connection):
            names = ("plain",)

        takes = [each.takes_whole_messages for each in (Hooked, Both, Plain, Echo, Logging, EchoAssemble)]
        assert takes == [False, True, True, True, True, True]

    def test_exception_in_a_later_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a subprotocol raises ends its connection with 1011, also in a later turn of the loop."""
        ticks = iter(range(1_000_000))
        monkeypatch.setattr(input_, "perf_counter", lambda: float(next(ticks)))
        site = MemorySite()
        peer = site.open("/echo-assemble")
        (connection,) = site.hub.connections

        def fail(*_: object) -> None:
            raise ValueError("as a mistake would")

        peer.transport.protocol.dataReceived(Frame(PING).masked() * 2 + Frame(TEXT, b"x").masked())
        monkeypatch.setattr(connection, "message_received", fail)
        events: list[object] = []
        with capture(events):
            peer.settle()
        assert [close_code(frame) for frame in peer.frames() if frame.opcode == CLOSE] == [1011]
        assert peer.is_ended()
        peer.hang_up()
        assert not site.hub.connections
        assert len(events) == 1


def test_messages_do_not_wait_for_each_other() -> None:
    """TCP is told to send each message at once: else one would wait until the peer's system has confirmed the last."""
    peer = MemorySite().connect()
    told: list[bool] = []
    peer.transport.setTcpNoDelay = told.append  # type: ignore[attr-defined]
    peer.send(request("/echo"))
    assert told == [True]
