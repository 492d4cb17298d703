"""The fast way through input takes exactly the messages that are plainly right, and stops at the exact byte."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import BINARY, CONTINUATION, PING, TEXT, Frame, take_frames
from wsdaemon.websocket.frames import apply_mask, is_begun, take_whole_frames

LENGTHS = st.one_of(st.integers(0, 130), st.sampled_from([125, 126, 127, 65535, 65536, 70000]))
PAYLOADS = st.builds(lambda length, seed: random.Random(seed).randbytes(length), LENGTHS, st.integers())
TEXTS = st.one_of(LENGTHS.map(lambda length: b"x" * length), st.text(max_size=60).map(str.encode))
WHOLE = st.builds(Frame, st.just(BINARY), PAYLOADS) | st.builds(Frame, st.just(TEXT), TEXTS)
OTHER = st.one_of(
    st.builds(Frame, st.just(TEXT), st.sampled_from([b"\xff", b"a\xc3", b"\xed\xa0\x80", b"x" * 200 + b"\x80"])),
    st.builds(Frame, st.sampled_from([CONTINUATION, PING, 3, 11]), PAYLOADS.map(lambda payload: payload[:100])),
    st.builds(Frame, st.sampled_from([TEXT, BINARY]), PAYLOADS, st.just(False)),
    st.builds(Frame, st.sampled_from([TEXT, BINARY]), PAYLOADS, st.just(True), st.integers(1, 7)),
)


@given(frames=st.lists(WHOLE, max_size=8), other=st.none() | OTHER, is_masked=st.booleans())
def test_takes_all_whole_messages_and_stops_before_anything_else(
    frames: list[Frame], other: Frame | None, is_masked: bool
) -> None:
    """What is taken is what went in, up to the first frame that is no whole message."""
    write = Frame.masked if is_masked else Frame.unmasked
    whole = b"".join(write(frame) for frame in frames)
    taken, end = take_whole_frames(whole + (write(other) if other else b""), masked=is_masked, limit=0)
    assert taken == [(frame.opcode, frame.payload) for frame in frames]
    assert end == len(whole)


@given(frames=st.lists(WHOLE, min_size=1, max_size=3), data=st.data(), is_masked=st.booleans())
def test_split_anywhere(frames: list[Frame], data: st.DataObject, is_masked: bool) -> None:
    """However the stream is cut, what is left of one chunk and the next one give the same messages."""
    stream = b"".join((Frame.masked if is_masked else Frame.unmasked)(frame) for frame in frames)
    cut = data.draw(st.integers(0, len(stream)))
    first, end = take_whole_frames(stream[:cut], masked=is_masked, limit=0)
    assert end == cut or is_begun(stream[end:cut], masked=is_masked, limit=1 << 20)
    second, _ = take_whole_frames(stream[end:], masked=is_masked, limit=0)
    assert first + second == [(frame.opcode, frame.payload) for frame in frames]


def test_every_cut_of_the_short_and_the_long_header() -> None:
    """No cut, in a header or a payload, takes a message early or twice."""
    for length in (0, 1, 125, 126, 200):
        stream = Frame(TEXT, bytes(length)).masked() * 2
        for cut in range(len(stream)):
            taken, end = take_whole_frames(stream[:cut], masked=True, limit=0)
            assert end == len(taken) * len(stream) // 2 <= cut
            assert end == cut or is_begun(stream[end:cut], masked=True, limit=200)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(data: bytes, is_masked: bool) -> None:
    """From any bytes, what is taken unmasked is what the tests' own parser sees; nothing raises."""
    taken, end = take_whole_frames(data, masked=is_masked, limit=0)
    assert 0 <= end <= len(data)
    if not is_masked:
        frames, rest = take_frames(data[:end])
        assert taken == [(frame.opcode, frame.payload) for frame in frames]
        assert rest == b""
        assert all(frame.fin and not frame.rsv and frame.opcode in (TEXT, BINARY) for frame in frames)
    if end < len(data):
        is_begun(data[end:], masked=is_masked, limit=100)


def test_over_the_limit_is_left() -> None:
    """A message over the limit is not taken, and is none to wait for."""
    stream = Frame(TEXT, bytes(10)).unmasked() + Frame(TEXT, bytes(11)).unmasked()
    assert take_whole_frames(stream, masked=False, limit=10) == ([(TEXT, bytes(10))], 12)
    assert not is_begun(stream[12:], masked=False, limit=10)


@pytest.mark.parametrize("is_masked", [True, False])
def test_the_wrong_masking_is_left(is_masked: bool) -> None:
    """A frame that is masked where it must not be, or the reverse, is for Autobahn to refuse."""
    for length in (0, 125, 126, 70000):
        stream = (Frame.unmasked if is_masked else Frame.masked)(Frame(BINARY, bytes(length)))
        assert take_whole_frames(stream, masked=is_masked, limit=0) == ([], 0)
        assert not is_begun(stream, masked=is_masked, limit=1 << 20)


@pytest.mark.parametrize("header", ["827e007d", "827f000000000000ffff", "827f8000000000010000"])
def test_a_length_that_is_not_the_shortest_or_negative_is_left(header: str) -> None:
    """RFC 6455 section 5.2: the minimal number of bytes, and the most significant bit is 0."""
    stream = bytes.fromhex(header) + bytes(70000)
    assert take_whole_frames(stream, masked=False, limit=0) == ([], 0)
    assert not is_begun(stream, masked=False, limit=1 << 20)


@given(st.binary(max_size=70), st.binary(min_size=4, max_size=4))
def test_masking(data: bytes, key: bytes) -> None:
    """RFC 6455 section 5.3: byte i is mixed with byte i modulo 4 of the key."""
    assert apply_mask(data, key) == bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def test_masking_without_the_websockets_package() -> None:
    """The package that masks fast is optional."""
    program = (
        "import sys; sys.modules['websockets'] = sys.modules['websockets.speedups'] = None\n"
        "from wsdaemon.websocket.frames import apply_mask\n"
        "print(apply_mask(b'hello', b'abcd').hex(), apply_mask(b'', b'abcd').hex())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "09070f080e \n"


@pytest.mark.parametrize("is_masked", [True, False])
def test_a_text_that_is_no_text_is_not_waited_for(is_masked: bool) -> None:
    """A whole frame that is left is wrong: nothing more has to come before that can be said."""
    stream = (Frame.masked if is_masked else Frame.unmasked)(Frame(TEXT, b"\xff"))
    assert take_whole_frames(stream, masked=is_masked, limit=0) == ([], 0)
    assert not is_begun(stream, masked=is_masked, limit=100)
    assert is_begun(stream[:-1], masked=is_masked, limit=100)
