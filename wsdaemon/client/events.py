"""Events of a client's connection: frames, messages, its end; and how long it took to connect."""

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


class Events:
    """What an open connection tells."""

    wants_frames: bool = False
    """Whether `frame_received` and `frame_sent` are to be called."""

    message_limit: int = 64 << 20
    """The largest message to take, in bytes; a larger one fails the connection with 1009."""

    def frame_received(self, frame: Frame) -> None:
        """A frame is in, whole: data or control."""

    def frame_sent(self, frame: Frame) -> None:
        """A frame was handed to the transport."""

    def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
        """A message is in, which came in that many frames; a text is valid UTF-8."""

    def pong_received(self, payload: bytes) -> None:
        """A pong is in."""

    def writable(self) -> None:
        """The server has taken what was waiting (`write_paused` is over)."""

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection is gone. Called once for each that was opened.

        `code` is that of the server's Close frame (1005 where it has none), None where none came in. `reason` is the
        server's, or says what went wrong. `clean`: both Close frames went through and the server broke no rule.
        """
