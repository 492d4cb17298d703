"""Inflating: in one call or in pieces, by either engine, it is the same messages, in bounded memory."""

from __future__ import annotations

import contextlib
import os
import random
import zlib
from collections.abc import Iterator

import pytest
from autobahn.exception import PayloadCorruptError
from autobahn.websocket.compress import PerMessageDeflate
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from wsdaemon.websocket import zlibs
from wsdaemon.websocket.compression import Compressors, Deflate
from wsdaemon.websocket.inflating import PIECE, TAIL, Inflater

LARGE = 1 << 20
WINDOWS = range(9, 16)
MESSAGES = st.lists(
    st.one_of(
        st.binary(max_size=3000),
        st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=40), st.integers(0, 6000)),
    ),
    max_size=6,
)
EARLIER = b"the very words that were said before, 0123456789"


@contextlib.contextmanager
def engines(name: str) -> Iterator[None]:
    """The engine that is installed, or none but zlib."""
    with pytest.MonkeyPatch.context() as patch:
        if name == "zlib":
            patch.setattr(zlibs, "_isal", None)
        yield


@pytest.fixture(params=["isal", "zlib"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine; isal only where it is installed."""
    if request.param == "isal" and zlibs._isal is None:
        if os.environ.get("CI"):
            pytest.fail("isal is not installed, and CI must not leave it out")
        pytest.skip("isal is not installed")  # it is an extra: the other half runs, and that is what counts there
    with engines(request.param):
        yield request.param


both_engines = pytest.mark.usefixtures("engine")
ENGINES = st.sampled_from(["isal", "zlib"])  # a test by hypothesis takes no fixture with parameters


def deflated(messages: list[bytes], window: int, level: int = 6, *, alone: bool = False) -> list[bytes]:
    """Return messages as a peer sends them, by Python's zlib."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window)
    payloads = []
    for message in messages:
        if alone:
            compressor = zlib.compressobj(level, zlib.DEFLATED, -window)
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        payloads.append(data.removesuffix(TAIL))
    return payloads


def in_pieces(inflater: Inflater, payload: bytes, step: int = 1 << 30) -> bytes:
    """Return what a payload inflates to where it comes in chunks of `step` bytes; each piece is of bounded size."""
    inflater.begin()
    message = bytearray()
    for start in range(0, len(payload), step):
        for piece in inflater.inflate(payload[start : start + step]):
            assert 0 < len(piece) <= PIECE
            message += piece
    inflater.end()
    return bytes(message)


def at_once(inflater: Inflater, payload: bytes, most: int = LARGE) -> bytes | None:
    """Return what a payload inflates to in one call, which then counts."""
    message = inflater.whole(payload, most)
    if message is not None:
        inflater.remember(message)
    return message


@given(MESSAGES, st.sampled_from(WINDOWS), st.integers(0, 9), st.booleans(), st.integers(1, 5000), st.data())
@settings(max_examples=200)
def test_whole_or_in_pieces(
    messages: list[bytes], window: int, level: int, keeps: bool, step: int, data: st.DataObject
) -> None:
    """Messages inflate to the same in one call, in pieces, or now so and now so, by either engine."""
    which = data.draw(st.integers(0, 63))
    with engines(data.draw(ENGINES)):
        check_messages(messages, window, level, keeps, step, which)


def check_messages(messages: list[bytes], window: int, level: int, keeps: bool, step: int, which: int) -> None:
    one, other, mixed = (Inflater(window, keeps_context=keeps) for _ in range(3))
    for at, payload in enumerate(deflated(messages, window, level, alone=not keeps)):
        assert at_once(one, payload) == messages[at]
        assert in_pieces(other, payload, step) == messages[at]
        assert (at_once(mixed, payload) if which >> at & 1 else in_pieces(mixed, payload)) == messages[at]
        for inflater in (one, other, mixed):
            assert len(inflater._history) <= (1 << window if keeps else 0)
        assert one._history == other._history == mixed._history


@given(st.binary(max_size=60), st.sampled_from(WINDOWS))
@example(b"\x00\x04\x00\xfb\xff", 15)  # a stored block of four bytes that are not there
@example(b"\x01\x06\x00\xf9\xff", 15)  # and a last one of six
@example(b"\x00\x02\x00\xfd\xff", 15)
@settings(max_examples=500)
def test_any_bytes(payload: bytes, window: int) -> None:
    """Where one call says that something is a message, the same comes in pieces."""
    for name in ("isal", "zlib"):
        with engines(name):
            check_agreement(payload, window)


def check_agreement(payload: bytes, window: int) -> None:
    whole = Inflater(window, keeps_context=True).whole(payload, LARGE)
    pieces: bytes | None = None
    try:
        pieces = in_pieces(Inflater(window, keeps_context=True), payload, 7)
    except PayloadCorruptError:
        assert whole is None
    if whole is not None:
        assert pieces == whole


@given(st.binary(min_size=1, max_size=2000), st.integers(0, 4), st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=200)
def test_damaged(message: bytes, level: int, at: int, byte: int) -> None:
    """It is so for a message that was damaged anywhere, too."""
    (payload,) = deflated([message], 15, level)
    at %= len(payload)
    for name in ("isal", "zlib"):
        with engines(name):
            check_agreement(payload[:at] + bytes([byte]) + payload[at + 1 :], 15)


@both_engines
def test_looking_does_not_count() -> None:
    """Until `remember` is called, nothing has been inflated: the next message may refer to what came before only."""
    first, second, third = deflated([EARLIER, EARLIER, EARLIER + EARLIER[::-1]], 15)
    inflater = Inflater(15, keeps_context=True)
    assert at_once(inflater, first) == EARLIER
    for _ in range(3):
        assert inflater.whole(second, LARGE) == EARLIER
    assert in_pieces(inflater, second) == EARLIER
    assert at_once(inflater, third) == EARLIER + EARLIER[::-1]


@both_engines
@pytest.mark.parametrize("window", WINDOWS)
def test_as_far_back_as_the_window(window: int) -> None:
    """A message may refer to all of the window, whatever messages that was, and no further."""
    random_ = random.Random(window)
    size = 1 << window
    messages = [random_.randbytes(size // 4) for _ in range(4)]
    far = messages[0][-size // 8 :]
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    payloads = []
    for message in [*messages[1:], far]:
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        payloads.append(data.removesuffix(TAIL))
    for take in (at_once, in_pieces):
        inflater = Inflater(window, keeps_context=True)
        for payload, message in zip(payloads, [*messages[1:], far], strict=True):
            assert take(inflater, payload) == message
        assert len(inflater._history) <= size
    inflater = Inflater(window, keeps_context=True)
    inflater.remember(b"x" * (3 * size))
    assert len(inflater._history) == size
    inflater.remember(b"y")
    assert inflater._history == b"x" * (size - 1) + b"y"


@both_engines
def test_without_context_nothing_is_kept() -> None:
    """Where the sender begins anew with each message, what refers to an earlier one is wrong."""
    first, second = deflated([EARLIER, EARLIER], 15)
    inflater = Inflater(15, keeps_context=False)
    assert at_once(inflater, first) == EARLIER
    assert inflater._history == b""
    assert inflater.whole(second, LARGE) is None
    with pytest.raises(PayloadCorruptError):
        in_pieces(inflater, second)


# -- streams that end (BFINAL) ----------------------------------------------------------------------------------------


def ended(message: bytes) -> bytes:
    """Return a stream that ends."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(message) + compressor.flush()


@both_engines
@pytest.mark.parametrize("step", [1, 2, 1 << 20])
def test_a_stream_that_ends(step: int) -> None:
    """A stream may end in a message (RFC 7692 section 7.2.3.4); what follows, there or in the next, begins anew."""
    (hello,) = deflated([b"hello"], 15)
    inflater = Inflater(15, keeps_context=True)
    assert at_once(inflater, deflated([EARLIER], 15)[0]) == EARLIER
    assert inflater.whole(ended(b"hello") + b"\x00", LARGE) is None, "it is left to the other way"
    assert inflater.whole(ended(b"hello"), LARGE) is None
    assert in_pieces(inflater, ended(b"hello") + b"\x00", step) == b"hello"
    assert in_pieces(inflater, ended(b"hello"), step) == b"hello"
    assert in_pieces(inflater, ended(b"one, ") + ended(b"two, ") + hello, step) == b"one, two, hello"
    assert at_once(inflater, hello) == b"hello"


@both_engines
@pytest.mark.parametrize("at_the_end", [b"", b"\x00"])
def test_nothing_is_remembered_of_a_stream_that_ended(at_the_end: bytes) -> None:
    """What refers to a stream that has ended is wrong."""
    _, second = deflated([EARLIER, EARLIER], 15)
    for take_wrongly in (lambda it: it.whole(second, LARGE), lambda it: in_pieces(it, second)):
        inflater = Inflater(15, keeps_context=True)
        assert in_pieces(inflater, ended(EARLIER) + at_the_end) == EARLIER
        try:
            assert take_wrongly(inflater) is None
        except PayloadCorruptError:
            continue


# -- messages that are not whole, and bombs ---------------------------------------------------------------------------


@both_engines
@pytest.mark.parametrize("level", [0, 1, 6])
def test_in_the_middle_of_a_block(level: int) -> None:
    """A message that ends in the middle of a block is wrong, wherever that is; one call leaves it to the other way."""
    message = b"some words that do not matter, and 0123456789" * 3
    (payload,) = deflated([message], 15, level)
    taken = 0
    for end in range(1, len(payload) - 1):
        inflater = Inflater(15, keeps_context=True)
        whole = inflater.whole(payload[:end], LARGE)
        try:
            assert in_pieces(inflater, payload[:end]) == whole, end
            taken += 1
        except PayloadCorruptError:
            assert whole is None, end
    assert taken <= 1, "one cut may be where bits that are 0 anyway were to follow"


@both_engines
@pytest.mark.parametrize("payload", [b"\x00\x04\x00\xfb\xff", b"\x01\x06\x00\xf9\xff", b"\x00\x0a\x00\xf5\xffhello"])
def test_the_tail_is_no_content(payload: bytes) -> None:
    """What the receiver adds behind a message is never part of it."""
    inflater = Inflater(15, keeps_context=True)
    assert inflater.whole(payload, LARGE) is None
    with pytest.raises(PayloadCorruptError):
        in_pieces(inflater, payload)


@both_engines
def test_nonsense() -> None:
    """What is no deflate stream is wrong."""
    inflater = Inflater(15, keeps_context=True)
    assert inflater.whole(b"\xff" * 20, LARGE) is None
    with pytest.raises(PayloadCorruptError, match="invalid permessage-deflate data"):
        in_pieces(inflater, b"\xff" * 20)


@both_engines
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 17])
def test_bounds(size: int) -> None:
    """One call returns a message up to exactly the bound; in pieces all of it comes, none of them too large."""
    (payload,) = deflated([b"x" * size], 15)
    inflater = Inflater(15, keeps_context=True)
    assert inflater.whole(payload, size) == b"x" * size
    if size:
        assert inflater.whole(payload, size - 1) is None
    for step in (1, 3, 1 << 30):
        assert in_pieces(Inflater(15, keeps_context=True), payload, step) == b"x" * size


@both_engines
def test_a_bomb() -> None:
    """A bomb is inflated no further than who takes the pieces goes, and one call gives it up."""
    (bomb,) = deflated([bytes(64 << 20)], 15, 9)
    assert len(bomb) < 1 << 17
    inflater = Inflater(15, keeps_context=True)
    assert inflater.whole(bomb, LARGE) is None
    inflater.begin()
    pieces = inflater.inflate(bomb)
    assert [len(next(pieces)) for _ in range(3)] == [PIECE] * 3
    assert len(inflater._history) == 1 << 15


# -- engines ----------------------------------------------------------------------------------------------------------


def test_which_engine(engine: str) -> None:
    """Levels 1 to 3 are isal's where it is installed; slower ones are zlib's, and without isal all are."""
    for level in range(1, 10):
        is_isal = "isal" in type(zlibs.new_compressor(level, 15, 8)).__module__
        assert is_isal is (engine == "isal" and level <= 3)


@both_engines
@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("window", [9, 10, 12, 15])
def test_a_client_with_a_small_window(level: int, window: int) -> None:
    """A client that has a window of so many bits can inflate what it is sent, however little it takes at a time."""
    random_ = random.Random(level)
    words = [random_.randbytes(40) for _ in range(30)]
    messages = [b"".join(random_.choices(words, k=200)) for _ in range(3)] + [b"", b"x"]
    deflate = Deflate(PerMessageDeflate(True, False, False, window, 15, 8), level, Compressors(Clock(), 10, 60))
    for message in messages:
        payloads = [deflate.compress(message), deflate.compress_alone(message)]
        assert len(payloads[0]) < len(message) or len(message) < 2
    client = zlib.decompressobj(-window)
    deflate = Deflate(PerMessageDeflate(True, False, False, window, 15, 8), level, Compressors(Clock(), 10, 60))
    for message in messages:
        data, inflated = deflate.compress(message) + TAIL, b""
        while data or len(inflated) < len(message):
            piece = client.decompress(data, 16)
            data = client.unconsumed_tail
            inflated += piece
            assert piece or not data
            if not piece:
                break
        assert inflated == message
