"""The fast way in: equal to Autobahn's own, byte for byte, and never too much at once."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory import MemorySite
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, close
from wsdaemon.websocket import input as input_
from wsdaemon.websocket.frames import frame_extent, frame_header, join_frames, take_whole_frames

payloads = st.one_of(
    st.binary(max_size=200), st.text(max_size=60).map(str.encode), st.sampled_from([b"", b"\xff", bytes(66_000)])
)
frames = st.builds(
    Frame,
    opcode=st.sampled_from([TEXT, TEXT, BINARY, BINARY, CONTINUATION, PING, CLOSE, 3, 11]),
    payload=payloads,
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 4, 2]),
)


def octets(frame: Frame, length_form: int) -> bytes:
    """Return a masked frame, with a length that is longer written than it must be where `length_form` says so."""
    whole = frame.masked()
    length = len(frame.payload)
    if length_form == 0 or length > 125:
        return whole
    form = b"\xfe" + length.to_bytes(2, "big") if length_form == 1 else b"\xff" + length.to_bytes(8, "big")
    return whole[:1] + form + whole[2:]


streams = st.lists(st.builds(octets, frames, st.sampled_from([0, 0, 0, 0, 0, 1, 2])), max_size=12).map(b"".join)


@settings(max_examples=150)
@given(
    stream=streams,
    cuts=st.lists(st.integers(0, 70_000), max_size=6),
    path=st.sampled_from(["echo", "echo-assemble", "echo-fragment"]),
)
def test_equal_to_the_slow_way(stream: bytes, cuts: list[int], path: str) -> None:
    """However a stream is cut, and whatever is wrong in it, the answer is that of Autobahn's parser alone."""
    answers = []
    for verbose in (False, True):  # where every frame is shown, the fast way is not taken
        peer = MemorySite(verbose=verbose).open(f"/{path}")
        start = 0
        for cut in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
            peer.send(stream[start:cut])
            start = cut
        answers.append((peer.take(), peer.is_ended(), peer.is_aborted()))
    assert answers[0] == answers[1]


@given(stream=streams, start=st.integers(0, 50))
def test_takes_only_what_is_whole(stream: bytes, start: int) -> None:
    """What is taken are the frames at the start of the stream, and the first byte that is not taken begins a frame."""
    prefix = bytes(start)
    taken, at = take_whole_frames(prefix + stream, start, masked=True, limit=0)
    assert len(prefix) <= at <= len(prefix + stream)
    again = b"".join(Frame(opcode, payload).masked() for opcode, payload in taken)
    assert len(again) == at - start
    assert take_whole_frames(prefix + stream, at, masked=True, limit=0) == ([], at)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 70_000])
def test_lengths(length: int) -> None:
    """Each form of the length is read and written right."""
    payload = bytes(length)
    data = Frame(BINARY, payload).masked()
    assert take_whole_frames(data, masked=True, limit=0) == ([(BINARY, payload)], len(data))
    assert take_whole_frames(data, masked=True, limit=length)[1] == len(data)
    assert take_whole_frames(data, masked=True, limit=max(1, length - 1))[1] == (0 if length > 1 else len(data))
    assert frame_extent(b"??" + data, 2) == len(data)
    assert [frame_extent(data[:have], 0) for have in range(6)] == [0] * 6
    assert join_frames([(BINARY, payload)]) == frame_header(BINARY, length) + payload


def test_a_flood_is_worked_on_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time for one turn is up, the rest waits for the next, and meanwhile nothing more is read."""
    ticks = iter(range(1_000_000))
    monkeypatch.setattr(input_, "perf_counter", lambda: float(next(ticks)))
    site = MemorySite()
    peer = site.open("/echo")
    fragments = [Frame(TEXT, b"a", fin=False), *[Frame(CONTINUATION, fin=False)] * 9, Frame(CONTINUATION, b"b")]
    peer.transport.protocol.dataReceived(b"".join(frame.masked() for frame in fragments))
    assert len(peer.frames()) < 11
    assert peer.transport.producerState == "paused"
    peer.transport.protocol.dataReceived(Frame(TEXT, b"c").masked())  # TLS may have read some already
    for _ in range(15):
        site.clock.advance(0)
    assert peer.transport.producerState == "producing"
    peer.send(close(1000))
    assert [frame.opcode for frame in peer.frames()][-2:] == [TEXT, CLOSE]


def test_answers_to_one_chunk_are_one_write() -> None:
    """What is answered to one chunk goes out at once, in order, also around a ping and a close."""
    peer = MemorySite().open("/echo-assemble")
    writes: list[bytes] = []
    peer.transport.write = writes.append  # type: ignore[method-assign, assignment]
    sent = [Frame(TEXT, b"1"), Frame(BINARY, b"2"), Frame(PING, b"3"), Frame(TEXT, b"4"), close(1000)]
    peer.send(b"".join(frame.masked() for frame in sent))
    assert len(writes) == 1


def test_the_way_of_three_messages_is_short() -> None:
    """Seven Python frames from the transport's call to its one write; the transport's own three make it ten."""
    peer = MemorySite().open("/echo")
    data = Frame(TEXT, b"hello").masked() * 3
    peer.send(data)  # what is made at first use is not counted
    connection = peer.transport.protocol
    calls: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "/wsdaemon/" in frame.f_code.co_filename:
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    connection.dataReceived(data)
    sys.setprofile(None)
    way = ["dataReceived", "cork", "take_whole_frames", "messages_in", "join_frames", "write", "uncork"]
    assert (calls, len(peer.frames())) == (way, 6)
