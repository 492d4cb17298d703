"""The client's connection in memory: what it sends and receives, compression, and every way to close."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from tests.support.client_memory import Recorder, Server, opened
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close


class TestSending:
    """What goes out is framed and masked as RFC 6455 says."""

    @pytest.mark.parametrize(
        ("length", "fragment", "lengths"),
        [(0, 16, [0]), (5, 0, [5]), (16, 16, [16]), (17, 16, [16, 1]), (64, 16, [16] * 4), (70000, 0, [70000])],
    )
    def test_fragments(self, length: int, fragment: int, lengths: list[int]) -> None:
        """A message goes out in frames of at most the size asked for; the first has the opcode, the last FIN."""
        server = opened()
        payload = random.Random(1).randbytes(length)
        server.connection.send_message(payload, True, fragment)
        frames = server.frames()
        assert [len(frame.payload) for frame in frames] == lengths
        assert [frame.opcode for frame in frames] == [BINARY] + [CONTINUATION] * (len(lengths) - 1)
        assert [frame.fin for frame in frames] == [False] * (len(lengths) - 1) + [True]
        assert b"".join(frame.payload for frame in frames) == payload

    def test_masking_keys_are_fresh(self) -> None:
        """RFC 6455 section 5.3: a new key for each frame, control frames too, and not to be guessed."""
        random.seed(1)
        server = opened(listener=Recorder(wants_frames=True))
        for _ in range(50):
            server.connection.send_message(b"same", False)
        server.connection.send_ping(b"")
        server.connection.close()
        keys = [frame.masking_key for _, frame in server.listener.frames]
        random.seed(1)
        guesses = {random.getrandbits(32).to_bytes(4, "big") for _ in range(100)}
        assert len(set(keys)) == 52
        assert not guesses & set(keys)

    def test_pings(self) -> None:
        server = opened()
        server.connection.send_ping(b"x" * 125)
        assert server.frames() == [Frame(PING, b"x" * 125)]
        with pytest.raises(ValueError, match="at most 125 bytes"):
            server.connection.send_ping(b"x" * 126)

    def test_nothing_after_close(self) -> None:
        server = opened()
        server.connection.close()
        server.frames()
        server.connection.send_message(b"x", False)
        server.connection.send_ping(b"x")
        server.connection.close()
        assert server.frames() == []

    def test_backpressure(self) -> None:
        """A server that does not read shows in `write_paused`; pongs that it is owed come down to the last."""
        server = opened()
        server.transport.fill()
        paused: bool = server.connection.write_paused
        assert paused
        for number in range(1000):
            server.send(Frame(PING, b"%d" % number))
        assert server.frames() == []
        server.transport.drain()
        assert not server.connection.write_paused
        assert server.frames() == [Frame(PONG, b"999")]
        assert server.listener.happened == ["opened", "writable"]


MESSAGES: list[list[Frame]] = [
    [Frame(TEXT, b"hello")],
    [Frame(TEXT, b"")],
    [Frame(BINARY, b"\xff" * 130)],
    [Frame(BINARY, bytes(70000))],
    [Frame(TEXT, "grüße".encode()[:3], False), Frame(CONTINUATION, "grüße".encode()[3:])],
    [Frame(BINARY, b"", False), Frame(CONTINUATION, b"", False), Frame(CONTINUATION, b"end")],
    [Frame(TEXT, b"a", False), Frame(PING, b"between"), Frame(CONTINUATION, b"b")],
    [Frame(PONG, b"pong")],
]


def expected(frames: list[Frame]) -> Any:
    """Return what a listener hears of them."""
    if frames[0].opcode == PONG:
        return ("pong", frames[0].payload)
    data = [frame for frame in frames if frame.opcode != PING]
    return (b"".join(frame.payload for frame in data), data[0].opcode == BINARY, len(data))


class TestReceiving:
    """Whatever way the bytes come in, the same messages come out, with the frames they came in."""

    @given(
        messages=st.lists(st.sampled_from(MESSAGES), max_size=8),
        piece=st.sampled_from([0, 1, 2, 3, 5, 64, 130, 4096]),
        wants_frames=st.booleans(),
    )
    def test_any_cut(self, messages: list[list[Frame]], piece: int, wants_frames: bool) -> None:
        messages = [message for message in messages if piece != 1 or len(message[0].payload) < 5000]
        frames = [frame for message in messages for frame in message]
        server = opened(listener=Recorder(wants_frames=wants_frames))
        server.send(*frames, piece=piece)
        assert server.listener.happened[1:] == [expected(message) for message in messages]
        if wants_frames:
            seen = [frame for way, frame in server.listener.frames if way == "<"]
            shown = [(each.opcode, each.fin, each.rsv, each.length, each.payload) for each in seen]
            assert shown == [(f.opcode, f.fin, f.rsv, len(f.payload), f.payload[:16]) for f in frames]

    @pytest.mark.parametrize("piece", [0, 1])
    @pytest.mark.parametrize(
        ("frames", "code", "reason"),
        [
            ([Frame(TEXT, b"\xff")], 1007, "invalid payload: "),
            ([Frame(TEXT, b"\xc3", False), Frame(CONTINUATION, b"x")], 1007, "invalid payload: "),
            ([Frame(TEXT, b"\xc3")], 1007, "invalid payload: "),
            ([Frame(TEXT, b"x", rsv=4)], 1002, "protocol violation: RSV = 4"),
            ([Frame(3, b"x")], 1002, "protocol violation: data frame using reserved opcode 3"),
            ([Frame(CONTINUATION, b"x")], 1002, "protocol violation: received continuation"),
            ([Frame(TEXT, b"x", False), Frame(TEXT, b"y")], 1002, "protocol violation: received non-continuation"),
            ([Frame(PING, b"x", False)], 1002, "protocol violation: fragmented control frame"),
            ([Frame(TEXT, b"x").masked()], 1002, "protocol violation: masked server-to-client frame"),
            ([close(1005)], 1002, "protocol violation: invalid close code 1005"),
            ([close(1000, "x"), Frame(TEXT, b"y")], 1000, "x"),
        ],
    )
    def test_violations(self, frames: list[Frame | bytes], code: int, reason: str, piece: int) -> None:
        """A broken rule ends the connection with the code for it, is named, and nothing after it is handed on."""
        server = opened()
        server.send(Frame(TEXT, b"before"), *frames, Frame(TEXT, b"after"), piece=piece)
        server.transport.lose()
        (sent,) = server.frames()
        assert (sent.opcode, int.from_bytes(sent.payload[:2], "big")) == (CLOSE, code)
        *before, (what, its_code, its_reason, clean) = server.listener.happened[1:]
        assert before[0] == (b"before", False, 1)
        assert (b"after", False, 1) not in before
        assert what == "closed"
        assert its_reason.startswith(reason)
        assert clean == (code == 1000)
        assert its_code == (1000 if code == 1000 else 1005 if "close code" in reason else None)

    @pytest.mark.parametrize("piece", [0, 7])
    @pytest.mark.parametrize("is_fragmented", [False, True])
    def test_too_big(self, piece: int, is_fragmented: bool) -> None:
        """A message over the listener's limit is refused by its header, and not held."""
        listener = Recorder()
        listener.message_limit = 100
        server = opened(listener=listener)
        if is_fragmented:
            server.send(Frame(BINARY, bytes(60), False), Frame(CONTINUATION, bytes(41)).unmasked()[:2], piece=piece)
        else:
            server.send(Frame(BINARY, bytes(100)), Frame(BINARY, bytes(101)).unmasked()[:2], piece=piece)
        (sent,) = server.frames()
        assert sent == close(1009, "message over 100 bytes")

    @pytest.mark.parametrize(
        ("end", "behind"), [("close", (b"2", False, 1)), ("abort", ("closed", None, "cut by this side", False))]
    )
    def test_a_listener_that_ends_it_in_the_middle_of_a_chunk(self, end: str, behind: tuple[Any, ...]) -> None:
        """After its Close, messages are still handed on until the server's Close; after a cut, none is."""

        class Ending(Recorder):
            def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
                super().message_received(payload, is_binary, frames)
                getattr(server.connection, end)()

        server = opened(listener=Ending())
        server.send(Frame(TEXT, b"1"), Frame(TEXT, b"2"), close(1000))
        assert server.listener.happened == ["opened", (b"1", False, 1), behind]
        assert server.frames() == ([close(1000)] if end == "close" else [])


class TestCompression:
    """permessage-deflate, as it was agreed on."""

    ANSWER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

    def test_both_ways(self) -> None:
        """With context kept: the second message is shorter; the wire holds the compressed payload, with RSV1."""
        server = opened(more=self.ANSWER, compression="")
        assert server.connection.extensions == "permessage-deflate"
        payload = b"hello hello hello hello"
        inflate, lengths = zlib.decompressobj(-15), []
        for _ in range(2):
            sent = server.connection.send_message(payload, False, 4)
            frames = server.frames()
            assert sent == len(frames)
            assert [frame.rsv for frame in frames] == [4] + [0] * (len(frames) - 1)
            data = b"".join(frame.payload for frame in frames)
            assert inflate.decompress(data + b"\0\0\xff\xff") == payload
            lengths.append(len(data))
            server.send(*frames)
        assert lengths[1] < lengths[0]
        assert server.listener.happened[1:] == [(payload, False, -(-length // 4)) for length in lengths]

    @pytest.mark.parametrize("piece", [0, 1])
    def test_a_stream_that_ends_is_followed_by_others(self, piece: int) -> None:
        """BFINAL = 1 (RFC 7692 section 7.2.3.4), and an uncompressed message between compressed ones."""
        server = opened(more=self.ANSWER, compression="")
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        final = deflate.compress(b"one") + deflate.flush() + b"\0"
        for _ in range(2):
            server.send(Frame(TEXT, final, rsv=4), Frame(TEXT, b"plain"), piece=piece)
        assert server.listener.happened[1:] == [(b"one", False, 1), (b"plain", False, 1)] * 2

    def test_empty_messages(self) -> None:
        server = opened(more=self.ANSWER, compression="")
        for _ in range(3):
            server.connection.send_message(b"", False)
            frames = server.frames()
            assert [bool(frame.payload) for frame in frames] == [True]  # RFC 7692 section 7.2.3.6
            server.send(*frames)
        assert server.listener.happened[1:] == [(b"", False, 1)] * 3

    def test_a_bomb_is_bounded(self) -> None:
        listener = Recorder()
        listener.message_limit = 1000
        server = opened(more=self.ANSWER, compression="", listener=listener)
        bomb = Frame(BINARY, zlib.compress(bytes(64 << 20), wbits=-15), rsv=4)
        tracemalloc.start()
        server.send(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert server.frames() == [close(1009, "message over 1000 bytes")]
        assert peak < 4 << 20

    def test_garbage(self) -> None:
        server = opened(more=self.ANSWER, compression="")
        server.send(Frame(BINARY, b"\xff\xff\xff", rsv=4))
        assert server.frames()[0].payload[:2] == (1007).to_bytes(2, "big")

    @pytest.mark.parametrize(
        ("offer", "answer", "cause"),
        [
            ("", "; client_max_window_bits=10", "limits the client's window"),
            ("server_max_window_bits=10", "; server_max_window_bits=12", "window is larger"),
            ("server_max_window_bits=10", "", "window is larger"),
            ("server_no_context_takeover", "", "keeps its context"),
            ("", "; nonsense", "nonsense"),
        ],
    )
    def test_an_answer_beyond_the_offer(self, offer: str, answer: str, cause: str) -> None:
        """RFC 7692 section 7.1."""
        server = Server(compression=offer)
        server.accept(f"Sec-WebSocket-Extensions: permessage-deflate{answer}\r\n")
        (error,) = server.errors
        assert cause in error.cause


class TestClosing:
    """Every way to end is told once, for what it is."""

    def test_by_the_client(self) -> None:
        server = opened()
        server.connection.close(3000, "ü" * 100)
        (frame,) = server.frames()
        assert frame == close(3000, "ü" * 61)
        server.send(frame)
        server.transport.lose()
        assert server.listener.happened[1:] == [("closed", 3000, "ü" * 61, True)]
        assert server.clock.getDelayedCalls() == []

    @pytest.mark.parametrize(("frame", "code"), [(close(1011, "oops"), 1011), (Frame(CLOSE), 1005)])
    def test_by_the_server(self, frame: Frame, code: int) -> None:
        server = opened()
        server.send(frame)
        assert server.frames() == [frame]
        server.transport.lose()
        assert server.listener.happened[1:] == [("closed", code, "oops" if code == 1011 else "", True)]

    def test_the_server_does_not_answer_the_close(self) -> None:
        server = opened(timeout=3)
        server.connection.close()
        server.clock.advance(3)
        assert server.listener.happened[1:] == [
            ("closed", None, "the server did not answer the Close frame within 3 s", False)
        ]
        assert server.transport.aborted

    def test_the_server_does_not_end_the_stream(self) -> None:
        """After both Close frames the client ends it, and cuts it at last."""
        server = opened()
        server.connection.close()
        server.send(close(1000))
        server.clock.advance(1)
        assert server.transport.disconnecting
        was_cut: bool = server.transport.aborted
        server.clock.advance(10)
        assert (was_cut, server.transport.aborted) == (False, True)
        assert server.listener.happened[1:] == [("closed", 1000, "", True)]

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (ConnectionDone(), "the server ended the stream without a Close frame"),
            (ConnectionLost(), "the stream broke off: "),
        ],
    )
    def test_the_stream_ends_without_close(self, error: Exception, told: str) -> None:
        server = opened()
        server.transport.protocol.connectionLost(Failure(error))
        ((_, code, reason, clean),) = server.listener.happened[1:]
        assert (code, reason.startswith(told), clean) == (None, True, False)

    def test_a_failed_connection_is_cut_in_the_end(self) -> None:
        server = opened()
        server.send(Frame(3))
        server.clock.advance(1)
        assert server.transport.aborted
        assert server.clock.getDelayedCalls() == []
