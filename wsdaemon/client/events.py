"""What a listener is told of a client's connection: frames, and how long it took to connect."""

from __future__ import annotations

from dataclasses import dataclass

PREVIEW = 16
"""How much of the payload a `Frame` has, in bytes."""


@dataclass(frozen=True)
class HandshakeTimes:
    """The times of connecting, in seconds: TCP (with DNS and a proxy's tunnel), TLS, the upgrade."""

    tcp: float
    tls: float | None
    upgrade: float

    @property
    def total(self) -> float:
        """The time of all of it."""
        return self.tcp + (self.tls or 0.0) + self.upgrade


@dataclass(frozen=True)
class Frame:
    """A frame that was received or sent; `payload` is its first `PREVIEW` bytes, unmasked but maybe compressed."""

    opcode: int
    fin: bool
    rsv: int
    length: int
    masking_key: bytes = b""
    payload: bytes = b""
