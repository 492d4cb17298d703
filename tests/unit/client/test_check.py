"""Each reply is told for what it is: right, differing, of the wrong opcode, doubled, lost, late, or nobody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdaemon.client.check import TAG, Checker, Counts, Fault, Payloads, Sent, difference

SIZES = [0, 1, 3, TAG - 1, TAG, TAG + 1, 64, 5000]


class Run:
    """A run of one client: what was sent, and its checker."""

    def __init__(self, size: int = 64, *, is_binary: bool = False, broadcast: bool = False, wait: float = 10) -> None:
        self.payloads = Payloads(size, is_binary=is_binary, random=Random(1))
        self.checker = Checker(self.payloads, wait=wait, broadcast=broadcast)
        self.sent: list[Sent] = []

    def send(self, count: int = 1, *, client: int = 1, at: float = 0.0) -> list[Sent]:
        for _ in range(count):
            sequence = 1 + sum(message.client == client for message in self.sent)
            payload = self.payloads.make(client, sequence)
            self.sent.append(Sent(client, sequence, payload, self.payloads.is_binary, at))
            self.checker.expect(self.sent[-1])
        return self.sent[-count:]

    def reply(self, payload: bytes, *, is_binary: bool | None = None, now: float = 1.0) -> tuple[int, list[Fault]]:
        """Return the number of the message that it answers (0: none), and the faults."""
        reply = self.checker.reply(payload, self.payloads.is_binary if is_binary is None else is_binary, now)
        return reply.message.sequence if reply.message else 0, [fault for fault, _ in reply.faults]


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_payloads_have_their_size_and_kind(size: int, is_binary: bool) -> None:
    """Text is letters, so that it is UTF-8; no two messages of 16 bytes or more are alike; tags can be read back."""
    payloads = Payloads(size, is_binary=is_binary, random=Random(7))
    made = [payloads.make(client, number) for client in (1, 2) for number in (1, 2, 3_000_000)]
    assert [len(payload) for payload in made] == [size] * 6
    assert is_binary or all(not payload or payload.decode().isalpha() for payload in made)
    if size >= TAG:
        assert [payloads.read(payload) for payload in made] == [(c, n) for c in (1, 2) for n in (1, 2, 3_000_000)]
        assert Payloads(size, is_binary=is_binary, random=Random(8)).read(made[0]) is None


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_all_right(size: int, is_binary: bool) -> None:
    """Replies of all sizes, in order, are right."""
    run = Run(size, is_binary=is_binary)
    for message in run.send(20):
        assert run.reply(message.payload)[1] == []
    assert run.checker.counts == Counts(expected=20, answered=20)
    assert run.checker.outstanding == 0


@given(st.permutations(range(8)))
def test_order_does_not_matter(order: list[int]) -> None:
    """Replies that overtake each other are still told apart."""
    run = Run()
    sent = run.send(8)
    assert [run.reply(sent[index].payload) for index in order] == [(index + 1, []) for index in order]


@pytest.mark.parametrize("at", [0, 3, 4, 7, 8, 15, 16, 63])
@pytest.mark.parametrize("is_binary", [False, True])
def test_a_flipped_byte_is_named_with_its_offset(at: int, is_binary: bool) -> None:
    """Wherever it is, in the tag too, the reply belongs to its message and no other, and is not lost."""
    run = Run(is_binary=is_binary)
    sent = run.send(5)
    damaged = bytearray(sent[2].payload)
    damaged[at] ^= 1
    reply = run.checker.reply(bytes(damaged), is_binary, 1.0)
    assert reply.message == sent[2]
    was, became = sent[2].payload[at], damaged[at]
    assert reply.faults == ((Fault.DIFFERING, f"byte {at}: sent {was:#04x}, received {became:#04x}"),)
    for message in sent[:2] + sent[3:]:
        assert run.reply(message.payload) == (message.sequence, [])
    assert run.checker.counts == Counts(5, 5, Counter({Fault.DIFFERING: 1}))


@pytest.mark.parametrize(
    ("size", "damage", "found"),
    [
        (4, lambda payload: bytes((payload[0] ^ 1,)) + payload[1:], (1, [Fault.DIFFERING])),  # too small for a tag
        (64, lambda payload: payload + b"x", (1, [Fault.DIFFERING])),
        *((64, itemgetter(slice(cut)), (1, [Fault.DIFFERING])) for cut in (1, 20, 63)),
        (64, itemgetter(slice(0)), (0, [Fault.UNASKED])),
    ],
)
def test_a_damaged_reply_is_differing(
    size: int, damage: Callable[[bytes], bytes], found: tuple[int, list[Fault]]
) -> None:
    """A part of the message is enough to find it; an empty reply is nobody's."""
    run = Run(size)
    (message,) = run.send()
    assert run.reply(damage(message.payload)) == found


def test_the_wrong_opcode_is_named_beside_what_else_is_wrong() -> None:
    run = Run()
    first, second = run.send(2)
    assert run.reply(first.payload, is_binary=True) == (1, [Fault.WRONG_OPCODE])
    assert run.reply(second.payload[:-1] + b"!", is_binary=True) == (2, [Fault.DIFFERING, Fault.WRONG_OPCODE])
    assert run.checker.counts == Counts(2, 2, Counter({Fault.DIFFERING: 1, Fault.WRONG_OPCODE: 2}))


@pytest.mark.parametrize("size", [5, 64])
def test_a_doubled_reply_is_named_and_takes_the_place_of_no_other(size: int) -> None:
    run = Run(size)
    first, second = run.send(2)
    assert [run.reply(payload) for payload in (first.payload, first.payload, second.payload)] == [
        (1, []), (0, [Fault.DOUBLED]), (2, []),
    ]  # fmt: skip
    assert run.checker.counts == Counts(2, 2, Counter({Fault.DOUBLED: 1}))


def test_a_doubled_reply_is_known_long_after() -> None:
    """Also when more messages passed since than are remembered."""
    run = Run()
    for message in run.send(3000):
        run.reply(message.payload)
    assert run.reply(run.sent[0].payload) == (0, [Fault.DOUBLED])


@pytest.mark.parametrize("size", [5, 64])
def test_a_missing_reply_is_lost_once_its_time_is_over(size: int) -> None:
    """The others are not mistaken for it."""
    run = Run(size, wait=10)
    first, second, third = [run.send(at=float(at))[0] for at in range(3)]
    assert run.reply(first.payload) == (1, [])
    assert run.reply(third.payload) == (3, [])
    assert run.checker.expire(10.9) == []
    assert run.checker.expire(11.0) == [second]
    assert run.checker.counts == Counts(3, 2, Counter({Fault.LOST: 1}))


def test_a_reply_after_its_time_is_late_and_no_longer_lost() -> None:
    run = Run(wait=1)
    (message,) = run.send()
    assert run.checker.expire(1.0) == [message]
    assert run.reply(message.payload, now=3.5) == (1, [Fault.LATE])
    assert run.checker.counts == Counts(1, 1, Counter({Fault.LATE: 1}))


def test_what_is_remembered_of_lost_messages_is_bounded() -> None:
    run = Run(wait=1)
    run.send(5000)
    assert len(run.checker.expire(2.0)) == 5000
    assert run.checker.counts.faults[Fault.LOST] == 5000
    assert len(run.checker._overdue) <= 1024


def test_giving_up_counts_everything_outstanding_as_lost() -> None:
    run = Run()
    sent = run.send(3)
    run.reply(sent[1].payload)
    assert run.checker.give_up() == [sent[0], sent[2]]
    assert run.checker.outstanding == 0


def test_a_greeting_answers_nothing() -> None:
    """A message that was not asked for is nobody's reply, and no reply is lost for it."""
    run = Run()
    (message,) = run.send()
    assert run.reply(b"Welcome!") == (0, [Fault.UNASKED])
    assert run.reply(message.payload) == (1, [])


class TestBroadcast:
    """Each sender's messages are told from the others', and from those of strangers."""

    def test_each_senders_own(self) -> None:
        run = Run(broadcast=True)
        sent = [run.send(client=client)[0] for client in (1, 2, 3, 1, 2, 3)]
        for message in (sent[2], sent[0], sent[1], sent[5], sent[4], sent[3]):
            reply = run.checker.reply(message.payload, False, 1.0)
            assert (reply.message, reply.faults) == (message, ())

    def test_a_doubled_one_of_another_sender(self) -> None:
        run = Run(broadcast=True)
        (mine,), (other,) = run.send(client=1), run.send(client=2)
        run.reply(other.payload)
        assert run.reply(other.payload) == (0, [Fault.DOUBLED])
        assert run.reply(mine.payload) == (1, [])

    @pytest.mark.parametrize("is_binary", [False, True])
    def test_strangers(self, is_binary: bool) -> None:
        """Another run of the same size, or a person, is not taken for a damaged reply."""
        run = Run(broadcast=True, is_binary=is_binary)
        run.send(3)
        stranger = Payloads(64, is_binary=is_binary, random=Random(99))
        assert run.reply(stranger.make(1, 1)) == (0, [Fault.UNASKED])
        assert run.reply(b"Ann:hello", is_binary=False) == (0, [Fault.UNASKED])
        assert run.checker.outstanding == 3

    def test_a_damaged_one_is_still_ours(self) -> None:
        run = Run(broadcast=True)
        sent = run.send(3, client=2)
        assert run.reply(b"?" + sent[1].payload[1:]) == (2, [Fault.DIFFERING])


def test_difference() -> None:
    """The first differing byte, else the lengths."""
    assert difference(b"abc", b"abd") == "byte 2: sent 0x63, received 0x64"
    assert difference(b"abc", b"ab") == "sent 3 bytes, received 2"
    assert difference(b"", b"x") == "sent 0 bytes, received 1"


def test_counts_add_up() -> None:
    total = Counts(1, 2, Counter({Fault.LOST: 3, Fault.LATE: 4}))
    total.add(Counts(10, 20, Counter({Fault.LOST: 30, Fault.UNASKED: 50})))
    assert total == Counts(11, 22, Counter({Fault.LOST: 33, Fault.LATE: 4, Fault.UNASKED: 50}))
