"""What a listener is told of a client's connection: frames, and how long it took to connect."""

from __future__ import annotations

from dataclasses import dataclass

PREVIEW = 16
"""How much of a frame's payload a `Frame` shows, in bytes."""


@dataclass(frozen=True)
class HandshakeTimes:
    """How long it took to connect, in seconds: TCP with the name's look-up and a proxy, TLS, the upgrade."""

    tcp: float
    tls: float | None
    upgrade: float

    @property
    def total(self) -> float:
        """How long all of it took."""
        return self.tcp + (self.tls or 0.0) + self.upgrade


@dataclass(frozen=True)
class Frame:
    """A frame as it was received or sent; `payload` is its first `PREVIEW` bytes, unmasked but maybe compressed."""

    opcode: int
    fin: bool
    rsv: int
    length: int
    masking_key: bytes = b""
    payload: bytes = b""
