"""A message of any size, sent in constant memory: its pattern can be checked, and its digest follows."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass

from wsdaemon.behaviours.pacing import Reply
from wsdaemon.behaviours.parameters import parameter
from wsdaemon.behaviours.producing import STREAM, Producing
from wsdaemon.options import Choice, Number, Size
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import frame_header
from wsdaemon.websocket.outbox import LATER

_PIECE = 1 << 16
_PRINTABLE = bytes(range(0x20, 0x7F))
_BINARY_COUNTER = bytes(range(256)) * (_PIECE // 256 + 2)
_TEXT_COUNTER = _PRINTABLE * (_PIECE // len(_PRINTABLE) + 2)
_AS_TEXT = bytes(_PRINTABLE[byte % len(_PRINTABLE)] for byte in range(256))


@dataclass(frozen=True, kw_only=True)
class BytesParameters:
    """The size of the message, its frames, and its content."""

    size: int = parameter(
        Size(0, 1 << 50), 1 << 20, "The size of the message.", example="1g", cap="max_bytes", rfc="5.2"
    )
    frame: int = parameter(
        Size(0, 1 << 50), 64 << 10, "The size of its frames; 0: all in one frame.", example="0", rfc="5.4"
    )
    type: str = parameter(Choice(("binary", "text")), "binary", "The type of the message.", example="text")
    pattern: str = parameter(
        Choice(("counter", "zeros", "random")), "counter",
        "Its content. counter: byte i is i mod 256, in a text 32 + i mod 95; zeros: zero bytes, in a text the "
        "character 0; random: random bytes from the seed.", example="random",
    )  # fmt: skip
    seed: int = parameter(Number(0, (1 << 32) - 1), 0, "The seed of the random bytes.", example="42")


class Bytes(Producing):
    """Message with a content that can be checked. What the client sends meanwhile is echoed after it."""

    names = ("bytes",)
    family = STREAM
    summary = "One message of any size with a pattern, then its size, frames and SHA-256 as JSON; then echo."
    example = "/bytes?size=1g&frame=64k&pattern=counter"
    rfc = "RFC 6455 section 5.4"
    own = (BytesParameters,)
    streams = True
    _sent = _frames = 0
    _begun = False
    _waiting: Reply | None = None  # a message that the client sent meanwhile

    def produce(self) -> bool:
        """Send the next piece, with a header if a frame begins with it; at the end, send what the message was."""
        wanted = self.given.of(BytesParameters)
        if not self._begun:
            self._begun = True
            self._digest = hashlib.sha256()
            self._random = random.Random(wanted.seed)  # noqa: S311  # so that a run repeats
        outbox = self.outbox
        if not outbox.frame_left:
            self.send_waiting_pong()
        header, left = b"", outbox.frame_left
        if not left and (self._sent < wanted.size or not self._frames):
            header, left = self._next_header(wanted)
        piece = self._pattern(wanted, min(_PIECE, left))
        self._digest.update(piece)
        self._sent += len(piece)
        if header:
            outbox.begin_frame(header, left, piece)
        else:
            outbox.continue_frame(piece)
        if self._sent < wanted.size:
            return True
        told = {"size": self._sent, "frames": self._frames, "sha256": self._digest.hexdigest()}
        self.send_waiting_pong()
        self.reply(json.dumps(told).encode())
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            super().message_received(*waiting)
            self.outbox.resume_reading(LATER)
        return False

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Echo a message, but not inside the one that is being sent: until its end, nothing more is read."""
        if self.is_done:
            super().message_received(message, is_binary)
        else:
            self._waiting = (message, is_binary)
            self.outbox.pause_reading(LATER)

    def _next_header(self, wanted: BytesParameters) -> tuple[bytes, int]:
        left = wanted.size - self._sent
        length = min(wanted.frame or left, left)
        first = Opcode.BINARY if wanted.type == "binary" else Opcode.TEXT
        opcode = Opcode.CONTINUATION if self._frames else first
        self._frames += 1
        self.note_sent(opcode, length, length == left)
        return frame_header(opcode, length, fin=length == left), length

    def _pattern(self, wanted: BytesParameters, length: int) -> bytes:
        is_text = wanted.type == "text"
        if wanted.pattern == "zeros":
            return (b"0" if is_text else b"\0") * length
        if wanted.pattern == "random":
            octets = self._random.randbytes(length)
            return octets.translate(_AS_TEXT) if is_text else octets
        start = self._sent % (len(_PRINTABLE) if is_text else 256)
        return (_TEXT_COUNTER if is_text else _BINARY_COUNTER)[start : start + length]
