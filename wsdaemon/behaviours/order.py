"""Replies dropped, doubled, swapped or corrupted: every Nth, the same ones in every run."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from wsdaemon.behaviours.behaviour import Behaviour, Part
from wsdaemon.behaviours.pacing import Reply
from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Number

_EVERY = Number(0, 1_000_000)
_WHOLE = "5.4"  # messages arrive whole and in order


@dataclass(frozen=True, kw_only=True)
class OrderParameters:
    """What happens to every Nth reply. Several that apply to the same reply act in the order of this list."""

    family: ClassVar = Family(7, "order", "replies dropped, doubled, swapped or corrupted")

    corrupt: int = parameter(
        _EVERY, 0, "One byte of every Nth reply is changed; a text stays valid UTF-8. 0: none.", example="3", rfc="10.7"
    )
    drop: int = parameter(_EVERY, 0, "Every Nth reply is not sent. 0: none.", example="3", rfc=_WHOLE)
    double: int = parameter(_EVERY, 0, "Every Nth reply is sent twice. 0: none.", example="3", rfc=_WHOLE)
    swap: int = parameter(_EVERY, 0, "Every Nth reply is sent after the next one. 0: none.", example="3", rfc=_WHOLE)
    seed: int = parameter(
        Number(0, (1 << 32) - 1), 0, "The seed of all random choices: the same seed gives the same bytes and delays.",
        example="42",
    )  # fmt: skip


class Order(Part):
    """Replies dropped, doubled, swapped or corrupted."""

    parameters = OrderParameters
    wanted: OrderParameters

    def __init__(self, connection: Behaviour, wanted: OrderParameters) -> None:
        super().__init__(connection, wanted)
        self._chance = random.Random(wanted.seed)  # noqa: S311  # so that a run repeats
        self._count = 0
        self._waiting: list[Reply] = []

    def replies(self, replies: Iterable[Reply]) -> Iterator[Reply]:
        """Yield what is sent in place of replies, at once."""
        for message, is_binary in replies:
            yield from self._instead(message, is_binary)

    def _instead(self, message: bytes, is_binary: bool) -> Iterator[Reply]:
        self._count += 1
        if self._is_due(self.wanted.corrupt):
            message = self._corrupted(message, is_binary)
        if self._is_due(self.wanted.drop):
            return
        replies = [(message, is_binary)] * (2 if self._is_due(self.wanted.double) else 1)
        if self._is_due(self.wanted.swap) and not self._waiting:
            self._waiting = replies
            return
        yield from replies
        waiting, self._waiting = self._waiting, []
        yield from waiting

    def _is_due(self, every: int) -> bool:
        return every > 0 and self._count % every == 0

    def _corrupted(self, message: bytes, is_binary: bool) -> bytes:
        """Return the message with one byte changed; an empty one has none to change."""
        if not message:
            return message
        at = self._chance.randrange(len(message))
        if is_binary:
            other = message[at] ^ (1 << self._chance.randrange(8))
        else:
            while b"\x80" <= message[at + 1 : at + 2] < b"\xc0":
                at += 1  # to the last byte of a character: with its lowest bit changed, it is another character
            if message[at] >= 0x80:
                other = message[at] ^ 1
            else:
                letters = [byte for byte in b"!#%*0Xx" if byte != message[at]]
                other = self._chance.choice(letters)
        return message[:at] + bytes((other,)) + message[at + 1 :]
