"""What went in and out of all WebSockets, counted as it goes: plain integers, so that it costs next to nothing."""

from __future__ import annotations

from collections import Counter

_OPCODES = 16
_CODES = frozenset(range(1000, 1016))


class Traffic:
    """Frames, payload bytes as they are on the wire (compressed or not), messages, and how connections begin and end.

    A frame counts once it is in, or written; a message when its last frame does. Where every message goes through, the
    counting stands in the caller, as a call would cost more than it.
    """

    __slots__ = (
        "begun_in", "begun_out", "bytes_in", "bytes_out", "closed", "frames_in", "frames_out", "handshakes", "opened",
        "responses",
    )  # fmt: skip

    def __init__(self) -> None:
        self.frames_in = [0] * _OPCODES
        self.frames_out = [0] * _OPCODES
        self.bytes_in = [0] * _OPCODES
        self.bytes_out = [0] * _OPCODES
        self.begun_in = self.begun_out = 0  # data frames that are not the last of their message
        self.opened: Counter[str] = Counter()
        """Connections that were opened, by subprotocol."""
        self.handshakes: Counter[int] = Counter()
        """Opening handshakes, by the status that they were answered with."""
        self.closed: Counter[tuple[str, str]] = Counter()
        """Connections that ended: by `sent` or `received`, and the close code."""
        self.responses: Counter[int] = Counter()
        """HTTP responses, by status."""

    @property
    def messages_in(self) -> int:
        """Whole messages that came in."""
        return sum(self.frames_in[:3]) - self.begun_in

    @property
    def messages_out(self) -> int:
        """Whole messages that went out."""
        return sum(self.frames_out[:3]) - self.begun_out

    def took(self, frames: list[tuple[int, bytes]]) -> None:
        """Count messages of one frame each that came in."""
        frames_in, bytes_in = self.frames_in, self.bytes_in
        for opcode, payload in frames:
            frames_in[opcode] += 1
            bytes_in[opcode] += len(payload)

    def took_frame(self, opcode: int, length: int, fin: bool) -> None:
        """Count a frame that came in."""
        self.frames_in[opcode] += 1
        self.bytes_in[opcode] += length
        self.begun_in += not fin and opcode < 3

    def gave_frame(self, opcode: int, length: int, fin: bool, times: int = 1) -> None:
        """Count a frame that goes out, or the same to several."""
        self.frames_out[opcode] += times
        self.bytes_out[opcode] += length * times
        if not fin and opcode < 3:
            self.begun_out += times

    def ended(self, sent: int | None, received: int | None) -> None:
        """Count the end of a connection."""
        self.closed["sent", _shown(sent)] += 1
        self.closed["received", _shown(received)] += 1


def _shown(code: int | None) -> str:
    """Return a close code as a label: one of few, whatever peers send."""
    if code is None:
        return "none"
    if code in _CODES:
        return str(code)
    return f"{code // 1000}xxx" if 3000 <= code <= 4999 else "other"
