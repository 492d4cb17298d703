"""Traffic of all WebSockets, counted in plain integers, which costs next to nothing."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from wsdaemon.observe.metric import Metric

_OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}  # RFC 6455 section 11.8
_CODES = frozenset(range(1000, 1016))


class Traffic:
    """Traffic in frames, messages and payload bytes as on the wire, and how connections begin and end.

    A frame counts when it has been received or written, a message with its last frame. Where speed matters, the caller
    increments the arrays itself, because a call would cost more than the counting.
    """

    METRICS: ClassVar[tuple[Metric[Traffic], ...]] = (
        Metric("counter", "wsdaemon_messages", "Whole messages.", ("direction",),
               lambda it: {"in": it.messages_in, "out": it.messages_out}, "messages"),
        Metric("counter", "wsdaemon_frames", "Frames.", ("direction", "opcode"),
               lambda it: _by_opcode(it.frames_in, it.frames_out), "frames"),
        Metric("counter", "wsdaemon_payload_bytes", "Payload of frames, as it is on the wire.", ("direction", "opcode"),
               lambda it: _by_opcode(it.bytes_in, it.bytes_out), "bytes"),
        Metric("counter", "wsdaemon_opened", "WebSockets that were opened.", ("subprotocol",),
               lambda it: it.opened, "opened"),
        Metric("counter", "wsdaemon_handshakes", "Opening handshakes, by the status of the response.", ("result",),
               lambda it: it.handshakes),
        Metric("counter", "wsdaemon_closed", "WebSockets that ended, by the close code of either side.",
               ("side", "code"), lambda it: it.closed),
        Metric("counter", "wsdaemon_http_responses", "HTTP responses.", ("status",),
               lambda it: it.responses, "http_responses"),
    )  # fmt: skip

    def __init__(self) -> None:
        self.frames_in: list[int] = [0] * 16  # by opcode, as the three below
        self.frames_out: list[int] = [0] * 16
        self.bytes_in: list[int] = [0] * 16
        self.bytes_out: list[int] = [0] * 16
        self.begun_in = self.begun_out = 0  # data frames that are not the last of their message
        self.opened: Counter[str] = Counter()
        self.handshakes: Counter[int] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()  # `sent` or `received`, and the close code
        self.responses: Counter[int] = Counter()

    @property
    def messages_in(self) -> int:
        """Whole messages from peers."""
        return sum(self.frames_in[:3]) - self.begun_in

    @property
    def messages_out(self) -> int:
        """Whole messages to peers."""
        return sum(self.frames_out[:3]) - self.begun_out

    def count_messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Count messages of one frame each from a peer."""
        frames_in, bytes_in = self.frames_in, self.bytes_in
        for opcode, payload in frames:
            frames_in[opcode] += 1
            bytes_in[opcode] += len(payload)

    def count_in(self, opcode: int, length: int, fin: bool) -> None:
        """Count a frame from a peer."""
        self.frames_in[opcode] += 1
        self.bytes_in[opcode] += length
        self.begun_in += not fin and opcode < 3

    def count_out(self, opcode: int, length: int, fin: bool, times: int = 1) -> None:
        """Count a frame to a peer, or the same frame to several."""
        self.frames_out[opcode] += times
        self.bytes_out[opcode] += length * times
        if not fin and opcode < 3:
            self.begun_out += times

    def ended(self, sent: int | None, received: int | None) -> None:
        """Count the end of a connection, with the close codes of both sides."""
        self.closed["sent", _shown(sent)] += 1
        self.closed["received", _shown(received)] += 1


def _by_opcode(counts_in: list[int], counts_out: list[int]) -> Counter[tuple[str, str]]:
    """Return counts by direction and the opcode's name."""
    found: Counter[tuple[str, str]] = Counter()
    for direction, counts in (("in", counts_in), ("out", counts_out)):
        for opcode, count in enumerate(counts):
            found[direction, _OPCODES.get(opcode, "reserved")] += count
    return found


def _shown(code: int | None) -> str:
    """Return the label of a close code; there are few labels, whatever codes peers send."""
    if code is None:
        return "none"
    if code in _CODES:
        return str(code)
    return f"{code // 1000}xxx" if 3000 <= code <= 4999 else "other"
