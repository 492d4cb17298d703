"""What a run of the load generator does: frozen options, checked at once, and the messages that follow from them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from enum import StrEnum

POOL_MESSAGES = 1024
"""At most this many different messages are made before the run; each client goes through them in a circle."""
POOL_BYTES = 1 << 24
"""They take about this many bytes at most, unless two messages alone take more."""
LARGEST_MESSAGE = 1 << 28
MOST_CLIENTS = 60_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class PlanError(ValueError):
    """The options make no sense; the text says why, for the person who gave them."""


class Mode(StrEnum):
    """What is measured."""

    ECHO = "echo"
    """Messages, each of which the server sends back as it is."""
    CONNECTS = "connects"
    """Handshakes: connect, close, and again."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The least and the greatest size of a message, in bytes of payload."""

    least: int
    greatest: int

    def __str__(self) -> str:
        return str(self.least) if self.least == self.greatest else f"{self.least}-{self.greatest}"


def parse_sizes(text: str) -> Sizes:
    """Return the sizes that "64" or "64-4096" means; raises `PlanError`."""
    match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", text)
    if match is None:
        raise PlanError(f"{text!r} is not a size in bytes such as 64, nor a range such as 64-4096")
    least, greatest = int(match[1]), int(match[2] or match[1])
    if least > greatest:
        raise PlanError(f"the size range {text} is the wrong way round")
    if greatest > LARGEST_MESSAGE:
        raise PlanError(f"a message has at most {LARGEST_MESSAGE} bytes")
    return Sizes(least, greatest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run.

    With a `rate` the loop is open: that many messages a second in total are due, whatever the server does. Without,
    it is closed: each client keeps `in_flight` messages on their way. Raises `PlanError` if that cannot be.
    """

    mode: Mode = Mode.ECHO
    clients: int = 10
    """How many connections; for `Mode.CONNECTS`, how many handshakes at a time."""
    duration: float = 10.0
    """How long messages are sent, in seconds."""
    ramp: float = 0.0
    """Over how many of these seconds the clients come in, one after the other."""
    rate: float | None = None
    """Messages a second, of all clients together, or None for a closed loop."""
    in_flight: int = 1
    """Messages of each client that are on their way at the same time, in a closed loop."""
    sizes: Sizes = field(default=Sizes(64, 64))
    binary: bool = False
    seed: int = 1
    """What the random sizes and contents come from: the same seed gives the same messages."""
    patience: float = 5.0
    """For how many seconds after the end replies are waited for; what comes later is lost."""

    def __post_init__(self) -> None:
        if not 1 <= self.clients <= MOST_CLIENTS:
            raise PlanError(f"there can be 1 to {MOST_CLIENTS} clients, not {self.clients}")
        if not 0 < self.duration <= 86400 * 7:
            raise PlanError(f"the duration is more than 0 s and at most a week, not {self.duration:g} s")
        if not 0 <= self.ramp <= self.duration:
            raise PlanError(f"the ramp lies within the duration of {self.duration:g} s, not {self.ramp:g} s")
        if self.rate is not None and not 0 < self.rate <= 1e6:
            raise PlanError(f"the rate is more than 0 and at most 1000000 messages/s, not {self.rate:g}")
        if not 1 <= self.in_flight <= POOL_MESSAGES // 2:
            raise PlanError(f"each client can have 1 to {POOL_MESSAGES // 2} messages in flight, not {self.in_flight}")
        if not 0 <= self.patience <= 3600:
            raise PlanError(f"replies can be waited for 0 to 3600 s, not {self.patience:g} s")
        if self.mode is Mode.CONNECTS and (self.rate is not None or self.ramp):
            raise PlanError("handshakes are made as fast as they are answered: there is no rate and no ramp for them")

    @property
    def open_loop(self) -> bool:
        """Whether messages are due by the clock, not by replies."""
        return self.rate is not None


def messages(plan: Plan) -> list[bytes]:
    """Return the payloads, which the clients send in this order and then again.

    They differ from each other where their size allows it, so that a reply that is missing, doubled or out of order
    is seen. Texts are ASCII.
    """
    source = random.Random(plan.seed)  # noqa: S311  # it should be repeatable, not secret
    middle = max(1, (plan.sizes.least + plan.sizes.greatest) // 2)
    count = max(2, min(POOL_MESSAGES, POOL_BYTES // middle))
    return [
        _message(source, index, source.randint(plan.sizes.least, plan.sizes.greatest), plan) for index in range(count)
    ]


def _message(source: random.Random, index: int, size: int, plan: Plan) -> bytes:
    if plan.binary:
        return (index.to_bytes(2, "big") + source.randbytes(max(0, size - 2)))[-size:] if size else b""
    number = bytes((_ALPHABET[index & 63], _ALPHABET[index >> 6 & 63]))  # the low digit first: a size of 1 keeps it
    rest = source.randbytes(max(0, size - 2)).translate(_SPREAD)
    return (number + rest)[:size]


_SPREAD = bytes(_ALPHABET[value & 63] for value in range(256))
