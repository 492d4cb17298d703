"""Replies dropped, doubled, swapped or corrupted: which ones, the same in every run. In memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory import MemorySite, pass_time
from tests.support.wire import BINARY, PING, PONG, TEXT, Frame

SITE = MemorySite()


def replies(query: str, messages: list[Frame], *, together: bool = False) -> list[Frame]:
    """Return what /echo sends for messages."""
    peer = MemorySite().open("/echo?" + query)
    for chunk in [b"".join(each.masked() for each in messages)] if together else [each.masked() for each in messages]:
        peer.send(chunk)
    pass_time(peer.site.clock, 1)
    return peer.frames()


def numbered(count: int) -> list[Frame]:
    """Return messages numbered from 1; every third is binary."""
    return [Frame(TEXT if number % 3 else BINARY, b"%d" % number) for number in range(1, count + 1)]


# -- which ------------------------------------------------------------------------------------------------------------

WHICH = [
    ("drop=0", "1 2 3 4 5 6 7"),
    ("drop=1", ""),
    ("drop=2", "1 3 5 7"),
    ("drop=3", "1 2 4 5 7"),
    ("drop=8", "1 2 3 4 5 6 7"),
    ("double=1", "1 1 2 2 3 3 4 4 5 5 6 6 7 7"),
    ("double=3", "1 2 3 3 4 5 6 6 7"),
    ("swap=1", "2 1 4 3 6 5"),  # the seventh waits for an eighth
    ("swap=2", "1 3 2 5 4 7 6"),
    ("swap=3", "1 2 4 3 5 7 6"),
    ("swap=7", "1 2 3 4 5 6"),
    ("drop=2&double=3", "1 3 3 5 7"),  # the sixth is dropped before it could be doubled
    ("drop=3&double=2", "1 2 2 4 4 5 7"),
    ("drop=3&swap=3", "1 2 4 5 7"),
    ("drop=4&swap=3", "1 2 5 3 7 6"),  # the third waits on while the fourth is dropped
    ("double=2&swap=2", "1 3 2 2 5 4 4 7 6 6"),
    ("double=3&swap=2", "1 3 3 2 5 4 7 6 6"),
    ("drop=5&double=3&swap=2", "1 3 3 2 6 6 4 7"),
    ("", "1 2 3 4 5 6 7"),
]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("query", "sent"), WHICH)
def test_which(query: str, sent: str, together: bool) -> None:
    """Every Nth is dropped, doubled or sent after the next; text and binary count alike and keep their type."""
    messages = numbered(7)
    expected = [messages[int(number) - 1] for number in sent.split()]
    assert replies(query or "drop=0", messages, together=together) == expected


def test_control_frames_are_no_replies() -> None:
    """Pongs are not counted, dropped or delayed."""
    messages = [Frame(TEXT, b"1"), Frame(PING, b"p"), Frame(TEXT, b"2"), Frame(PING, b"q"), Frame(TEXT, b"3")]
    assert replies("drop=2", messages) == [Frame(TEXT, b"1"), Frame(PONG, b"p"), Frame(PONG, b"q"), Frame(TEXT, b"3")]
    assert replies("swap=1", messages) == [Frame(PONG, b"p"), Frame(TEXT, b"2"), Frame(TEXT, b"1"), Frame(PONG, b"q")]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/burst?count=5&size=1&drop=2", "0 2 4"),
        ("/burst?count=4&size=1&swap=2", "0 2 1"),
        ("/burst?count=3&size=1&double=3", "0 1 2 2"),
        ("/ticker?interval=10&count=5&drop=2", "0 2 4"),
    ],
)
def test_others(path: str, sent: str) -> None:
    """Messages that a behaviour sends unasked are dropped, doubled and swapped too."""
    peer = MemorySite().open(path)
    pass_time(peer.site.clock, 1)
    assert [frame.payload.decode() for frame in peer.frames() if frame.opcode == TEXT] == sent.split()


def test_swapped_then_late() -> None:
    """A delay starts when the reply's turn comes: a swapped reply directly follows the other."""
    peer = MemorySite().open("/echo?swap=1&delay=100")
    peer.send(Frame(TEXT, b"1"))
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    peer.send(Frame(TEXT, b"2"))
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == b"\x81\x012\x81\x011"


def model(count: int, drop: int, double: int, swap: int) -> list[int]:
    """Model of the order: return the numbers that are sent for so many replies."""
    sent: list[list[int]] = []
    waits: list[int] | None = None
    for number in range(1, count + 1):
        if drop and number % drop == 0:
            continue
        own = [number] * (2 if double and number % double == 0 else 1)
        if swap and number % swap == 0 and waits is None:
            waits = own
            continue
        sent += [own, waits or []]
        waits = None
    return [number for each in sent for number in each]


@given(
    count=st.integers(0, 60),
    drop=st.integers(0, 8),
    double=st.integers(0, 8),
    swap=st.integers(0, 8),
    corrupt=st.integers(0, 8),
)
def test_any_together(count: int, drop: int, double: int, swap: int, corrupt: int) -> None:
    """Combined, they send the replies of the model in its order; every Nth message is corrupt, and no other."""
    peer = SITE.open(f"/echo?drop={drop}&double={double}&swap={swap}&corrupt={corrupt}")
    peer.send(b"".join(Frame(TEXT, b"%d text" % number).masked() for number in range(1, count + 1)))
    sent = peer.frames()
    peer.hang_up()
    expected = model(count, drop, double, swap)
    assert len(sent) == len(expected)
    for frame, number in zip(sent, expected, strict=True):
        right = b"%d text" % number
        is_corrupt = corrupt > 0 and number % corrupt == 0
        assert sum(one != other for one, other in zip(frame.payload, right, strict=True)) == is_corrupt


# -- corrupt ----------------------------------------------------------------------------------------------------------

TEXTS = [
    "a", "hello world", "!#%*0Xx", "€uro", "ünïcödé", "\x00\x7f", "x" * 1000, "0", '{"json": 1}',
    # without any ASCII
    "€", "ü", "日本語", "😀", "\ud7ff", "\ue000", "\U0010ffff", "\x80", "\u07ff\u0800\uffff",
]  # fmt: skip
MESSAGES = [(TEXT, text.encode()) for text in TEXTS] + [(BINARY, bytes(size)) for size in (1, 2, 125, 1000)]


@pytest.mark.parametrize(("opcode", "message"), MESSAGES)
@pytest.mark.parametrize("seed", range(5))
def test_corrupt(opcode: int, message: bytes, seed: int) -> None:
    """One byte of a message is changed; its type and length stay, and a text is valid UTF-8."""
    (reply,) = replies(f"corrupt=1&seed={seed}", [Frame(opcode, message)])
    assert reply.opcode == opcode
    assert sum(one != other for one, other in zip(reply.payload, message, strict=True)) == 1
    if opcode == TEXT:
        reply.payload.decode()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_corrupt_empty(opcode: int) -> None:
    """An empty message cannot be corrupted."""
    assert replies("corrupt=1", [Frame(opcode)]) == [Frame(opcode)]


def test_doubled_corrupt() -> None:
    """A corrupted reply that is doubled is the same both times."""
    one, other = replies("corrupt=1&double=1", [Frame(TEXT, b"a longer text")])
    assert one == other != Frame(TEXT, b"a longer text")


# -- seeds ------------------------------------------------------------------------------------------------------------


def test_same_seed() -> None:
    """The same seed gives the same bytes in every run, and no seed is seed 0."""
    messages = [Frame(TEXT if number % 2 else BINARY, b"%d" % number * 20) for number in range(30)]
    query = "corrupt=2&drop=5&swap=3&double=7"
    assert replies(query + "&seed=42", messages) == replies(query + "&seed=42", messages)
    assert replies(query, messages) == replies(query + "&seed=0", messages)
    runs = {tuple(replies(f"{query}&seed={seed}", messages)) for seed in range(10)}
    assert len(runs) == 10
