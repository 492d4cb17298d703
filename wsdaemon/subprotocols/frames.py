"""Frames: exactly these bytes, be they right or wrong."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.behaviours.behaving import Behaving
from wsdaemon.behaviours.framing import FrameParameters, summary
from wsdaemon.behaviours.kinds import Hex
from wsdaemon.behaviours.parameters import ParameterError, parameter
from wsdaemon.behaviours.wrong import WRONG, Frames
from wsdaemon.options import Choice

MOST_KEPT = 64 << 10
_LIST = "; ".join(f"{name}: {each.what} (section {each.rfc})" for name, each in WRONG.items())


@dataclass(frozen=True, kw_only=True)
class RawFramesParameters:
    """What is sent, and when. Where several are given, they go out in this order."""

    wrong: str = parameter(
        Choice(("none", *WRONG)), "none", f"Frames that no server may send. {_LIST}.", example="masked",
        rfc="RFC 6455 section 5",
    )  # fmt: skip
    json: bytes = parameter(
        Frames(1 << 20), b"",
        "A list of frames. Each has an opcode (a number or its name), text, hex or size (so many x), and may have fin, "
        "rsv (0 to 7), mask, length (16 or 64), claim (what its header says its length is) and repeat.",
        example='[{"opcode":"text","fin":false,"text":"a"},{"opcode":"ping"},{"opcode":0,"text":"b"}]',
        rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    hex: bytes = parameter(Hex(1 << 16), b"", "The very bytes.", example="810568656c6c6f", rfc="RFC 6455 section 5.2")
    on: str = parameter(
        Choice(("open", "message")), "open", "When: once at the start, or in answer to every message.",
        example="message",
    )  # fmt: skip

    def check(self) -> None:
        """Raise `ParameterError` where more would be kept for the next message than should be for each connection."""
        if self.on == "message" and len(self.json) > MOST_KEPT:
            raise ParameterError("json", f"makes {len(self.json)} bytes; with on=message write at most {MOST_KEPT}")


class RawFrames(Behaving):
    """Sends the frames at the start, then echoes; or sends them in answer to each message."""

    names = ("frames",)
    family = FrameParameters.family
    summary = "Frames as they are given, right or wrong: by name, as JSON, or as bytes in hex."
    example = "/frames?wrong=masked"
    rfc = "RFC 6455 section 5"
    own = (RawFramesParameters,)

    def opened(self) -> None:
        """Send what goes out at the start."""
        wanted = self.given.of(RawFramesParameters)
        self._data = (WRONG[wanted.wrong].data if wanted.wrong != "none" else b"") + wanted.json + wanted.hex
        self._summary = summary(self._data)
        super().opened()
        if wanted.on == "open":
            self._send_raw()
            self._data = b""
        self.given.forget(RawFramesParameters)  # it may be a megabyte, and is not needed any more
        self._on_message = wanted.on == "message"

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Answer a message."""
        if self._on_message:
            self._send_raw()
        else:
            self.reply(message, is_binary)

    def _send_raw(self) -> None:
        if self._data:
            self.send_raw(self._data, self._summary)
