"""Plan of a run: its options, checked, and the messages that follow from them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import StrEnum

from wsdaemon.client.flags import Number, check, flag

POOL_MESSAGES = 1024
"""Greatest number of different messages that are made before the run; each client sends them over and over."""
POOL_BYTES = 1 << 24
"""About how many bytes these messages take together at most; two large ones may take more."""
LARGEST_MESSAGE = 1 << 28
MOST_CLIENTS = 60_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Mode(StrEnum):
    """Subject of a measurement."""

    ECHO = "echo"
    """Messages, which the server echoes."""
    CONNECTS = "connects"
    """Handshakes: connect, close, repeat."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Range of message sizes, in bytes of payload."""

    least: int
    greatest: int

    def __str__(self) -> str:
        return str(self.least) if self.least == self.greatest else f"{self.least}-{self.greatest}"


def parse_sizes(text: str) -> Sizes:
    """Return the sizes that "64" or "64-4096" means; raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a size in bytes such as 64, nor a range such as 64-4096")
    least, greatest = int(match[1]), int(match[2] or match[1])
    if least > greatest:
        raise ValueError(f"the size range {text} is the wrong way round")
    if greatest > LARGEST_MESSAGE:
        raise ValueError(f"a message has at most {LARGEST_MESSAGE} bytes")
    return Sizes(least, greatest)


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """Plan of one run.

    With a `rate` the loop is open: that many messages/s in total are due, whatever the server does. Without a rate it
    is closed: each client keeps `in_flight` messages unanswered. Raises `ValueError` for options that do not fit.
    """

    clients: int = flag(
        10, "--clients", metavar="N", read=Number(int, 1, MOST_CLIENTS), text="connections",
        more="With `--connects`, handshakes at a time.",
    )  # fmt: skip
    duration: float = flag(
        10.0, "--duration", metavar="SECONDS", read=Number(float, 0, 7 * 86400, exceeds=True), text="how long to send"
    )
    ramp: float = flag(
        0.0, "--ramp", metavar="SECONDS", read=Number(float, 0), text="bring the clients in over that time",
        more="It lies within the duration.",
    )  # fmt: skip
    rate: float | None = flag(
        None, "--rate", metavar="N", read=Number(float, 0, 1_000_000, exceeds=True),
        text="open loop: N messages/s in total, latency counted from when each was due",
    )  # fmt: skip
    in_flight: int = flag(
        1, "--in-flight", metavar="N", read=Number(int, 1, POOL_MESSAGES // 2), instead_of="rate",
        text="closed loop: N messages in flight per client",
    )  # fmt: skip
    sizes: Sizes = flag(
        Sizes(64, 64), "--size", metavar="BYTES", read=parse_sizes, text="payload size, or a range such as 64-4096"
    )
    binary: bool = flag(False, "--binary", text="send binary messages, not text")
    seed: int = flag(
        1, "--seed", metavar="N", read=int, text="what random sizes and contents come from",
        more="The same seed gives the same messages.",
    )  # fmt: skip
    mode: Mode = flag(
        Mode.ECHO, "--connects", bare=Mode.CONNECTS,
        text="measure handshakes: connect and close, --clients at a time",
    )  # fmt: skip
    patience: float = 5.0
    """How long to wait for replies after the end, in seconds; later replies are lost."""

    def __post_init__(self) -> None:
        check(self)
        if self.ramp > self.duration:
            raise ValueError(f"the ramp lies within the duration of {self.duration:g} s, not {self.ramp:g} s")
        if not 0 <= self.patience <= 3600:
            raise ValueError(f"replies can be waited for 0 to 3600 s, not {self.patience:g} s")
        if self.mode is Mode.CONNECTS and (self.rate is not None or self.ramp):
            raise ValueError("handshakes are made as fast as they are answered: there is no rate and no ramp for them")


def messages(plan: LoadPlan) -> list[bytes]:
    """Return the payloads, which the clients send over and over in this order.

    They differ from each other where their size allows it, so that lost, doubled and reordered replies are noticed.
    Texts are ASCII.
    """
    source = random.Random(plan.seed)  # noqa: S311  # it should be repeatable, not secret
    middle = max(1, (plan.sizes.least + plan.sizes.greatest) // 2)
    count = max(2, min(POOL_MESSAGES, POOL_BYTES // middle))
    return [
        _message(source, index, source.randint(plan.sizes.least, plan.sizes.greatest), plan) for index in range(count)
    ]


def _message(source: random.Random, index: int, size: int, plan: LoadPlan) -> bytes:
    if plan.binary:
        return (index.to_bytes(2, "big") + source.randbytes(max(0, size - 2)))[-size:] if size else b""
    number = bytes((_ALPHABET[index & 63], _ALPHABET[index >> 6 & 63]))  # the low digit first: a size of 1 keeps it
    rest = source.randbytes(max(0, size - 2)).translate(_SPREAD)
    return (number + rest)[:size]


_SPREAD = bytes(_ALPHABET[value & 63] for value in range(256))
