"""Matching of replies to messages, and their faults. Pure: no I/O, no clock.

A payload of 16 bytes or more begins with a tag: the run, the client and the number of the message; the rest is random.
Shorter payloads are matched by their bytes, the oldest first. A long payload without our tag is someone else's.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, takewhile
from random import Random

TAG = 16
"""The length of a tag, in bytes."""

_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_TO_LETTERS = bytes((_LETTERS + _LETTERS.upper())[byte % 52] for byte in range(256))
_REMEMBERED = 1024
"""How many answered and how many lost messages are remembered, to recognize doubled and late replies."""

_COMPARED = 4096
"""How many bytes are compared to find the message of a damaged reply."""


class Fault(StrEnum):
    """A fault of a reply; its value is shown to people."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    WRONG_OPCODE = "wrong opcode"
    LATE = "late"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message: the client that sent it and its number there (both from 1), and when, in seconds."""

    client: int
    sequence: int
    payload: bytes
    is_binary: bool
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its length, the message that it answers, if any, the seconds since that, and its faults with details."""

    length: int
    message: Sent | None
    elapsed: float
    faults: tuple[tuple[Fault, str], ...]


@dataclass(slots=True)
class Counts:
    """Counts of replies: expected, answered, and each fault."""

    expected: int = 0
    answered: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Add other counts."""
        self.expected += other.expected
        self.answered += other.answered
        self.faults.update(other.faults)


class Payloads:
    """Payloads of `size` bytes with tags: letters, or any bytes if `is_binary`."""

    def __init__(self, size: int, *, is_binary: bool, random: Random) -> None:
        self.size = size
        self.is_binary = is_binary
        self._random = random
        self._run = random.randrange(26**4)

    def make(self, client: int, sequence: int) -> bytes:
        """Return a new payload."""
        noise = self._random.randbytes(max(0, self.size - TAG) if self.size >= TAG else self.size)
        if not self.is_binary:
            noise = noise.translate(_TO_LETTERS)
        return self._tag(client, sequence) + noise if self.size >= TAG else noise

    def read(self, payload: bytes) -> tuple[int, int] | None:
        """Return the client and number in a payload's tag; None if it is not of this run."""
        if self.size < TAG or len(payload) < TAG:
            return None
        if self.is_binary:
            run, client, sequence = struct.unpack_from(">IIQ", payload)
        else:
            run, client, sequence = (_from_letters(payload[part]) for part in _PARTS)
        return (client, sequence) if run == self._run and client > 0 and sequence > 0 else None

    def _tag(self, client: int, sequence: int) -> bytes:
        if self.is_binary:
            return struct.pack(">IIQ", self._run, client, sequence)
        return _letters(self._run, 4) + _letters(client, 4) + _letters(sequence, 8)


class Checker:
    """The replies that one connection still expects, and those it has received.

    A reply counts as lost after `wait` seconds, or as late if it arrives after all. With `broadcast`, messages of
    others are normal.
    """

    def __init__(self, payloads: Payloads, *, wait: float, broadcast: bool = False) -> None:
        self.counts = Counts()
        self._payloads = payloads
        self._wait = wait
        self._broadcast = broadcast
        self._due: dict[tuple[int, int], Sent] = {}
        self._overdue: dict[tuple[int, int], Sent] = {}
        self._done: deque[tuple[tuple[int, int], int]] = deque(maxlen=_REMEMBERED)
        self._last: dict[int, int] = {}  # the highest number expected of each client

    @property
    def outstanding(self) -> int:
        """How many replies are still expected."""
        return len(self._due)

    def expect(self, message: Sent) -> None:
        """Expect a reply to `message`."""
        self.counts.expected += 1
        self._due[message.client, message.sequence] = message
        self._last[message.client] = message.sequence

    def reply(self, payload: bytes, is_binary: bool, now: float) -> Reply:
        """Find the message that a reply answers, and compare the two."""
        message = self._find(payload)
        if message is None:
            is_old = self._is_old(self._payloads.read(payload)) or self._is_doubled(payload)
            fault = Fault.DOUBLED if is_old else Fault.UNASKED
            self.counts.faults[fault] += 1
            return Reply(len(payload), None, 0.0, ((fault, f"{len(payload)} bytes"),))
        key, elapsed = (message.client, message.sequence), now - message.at
        faults = []
        if self._due.pop(key, None) is None:
            del self._overdue[key]
            self.counts.faults[Fault.LOST] -= 1
            faults.append((Fault.LATE, f"after {elapsed:.3g} s"))
        if payload != message.payload:
            faults.append((Fault.DIFFERING, difference(message.payload, payload)))
        if is_binary != message.is_binary:
            names = ("text", "binary")
            faults.append((Fault.WRONG_OPCODE, f"sent {names[message.is_binary]}, received {names[is_binary]}"))
        self.counts.answered += 1
        for fault, _ in faults:
            self.counts.faults[fault] += 1
        self._done.append((key, hash(payload)))
        return Reply(len(payload), message, elapsed, tuple(faults))

    def expire(self, now: float) -> list[Sent]:
        """Return the messages whose replies are overdue; they count as lost from now on."""
        return self._lose(list(takewhile(lambda message: now - message.at >= self._wait, self._due.values())))

    def give_up(self) -> list[Sent]:
        """Return the messages without a reply; they count as lost from now on."""
        return self._lose(list(self._due.values()))

    def _lose(self, messages: list[Sent]) -> list[Sent]:
        for message in messages:
            key = (message.client, message.sequence)
            self._overdue[key] = self._due.pop(key)
        self.counts.faults[Fault.LOST] += len(messages)
        while len(self._overdue) > _REMEMBERED:
            del self._overdue[next(iter(self._overdue))]
        return messages

    def _find(self, payload: bytes) -> Sent | None:
        """Return the message that `payload` answers: the one with its tag or its bytes, else the most similar."""
        tag = self._payloads.read(payload)
        if tag is not None:
            tagged = self._due.get(tag) or self._overdue.get(tag)
            if tagged is not None and tagged.payload == payload:
                return tagged
            if tagged is None and self._is_doubled(payload):
                return None
        elif self._payloads.size < TAG:
            for message in self._awaited():
                if message.payload == payload:
                    return message
            if self._is_doubled(payload):
                return None
        return self._most_like(payload)

    def _most_like(self, payload: bytes) -> Sent | None:
        """Return the message of which `payload` may be a damaged copy; of equally similar ones the oldest."""
        best, most = None, -1
        for message in self._awaited():
            same = sum(map(int.__eq__, message.payload[:_COMPARED], payload[:_COMPARED]))
            compared = min(len(payload), len(message.payload), _COMPARED)
            near = compared > 0 and same * 2 >= compared
            possible = near or (not self._broadcast and len(message.payload) == len(payload))
            if possible and same > most:
                best, most = message, same
        return best

    def _awaited(self) -> chain[Sent]:
        return chain(self._due.values(), self._overdue.values())

    def _is_doubled(self, payload: bytes) -> bool:
        tag = self._payloads.read(payload)
        if tag is None:
            return any(digest == hash(payload) for _, digest in self._done)
        known = dict(self._done).get(tag)
        return known == hash(payload) if known is not None else self._is_old(tag)

    def _is_old(self, tag: tuple[int, int] | None) -> bool:
        return tag is not None and tag[1] <= self._last.get(tag[0], 0)


def difference(sent: bytes, received: bytes) -> str:
    """Return where two payloads differ first, counted from 0."""
    shorter = min(len(sent), len(received))
    if sent[:shorter] == received[:shorter]:
        return f"sent {len(sent)} bytes, received {len(received)}"
    at = next(index for index in range(shorter) if sent[index] != received[index])
    return f"byte {at}: sent {sent[at]:#04x}, received {received[at]:#04x}"


_PARTS = (slice(0, 4), slice(4, 8), slice(8, 16))


def _letters(number: int, length: int) -> bytes:
    """Return a number as letters, the most significant first."""
    digits = bytearray(length)
    for index in reversed(range(length)):
        number, digit = divmod(number, 26)
        digits[index] = _LETTERS[digit]
    return bytes(digits)


def _from_letters(text: bytes) -> int:
    """Return the number that `text` writes in letters; -1 for other bytes."""
    number = 0
    for byte in text:
        if not 97 <= byte <= 122:
            return -1
        number = number * 26 + byte - 97
    return number
