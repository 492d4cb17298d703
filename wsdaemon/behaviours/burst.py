"""Many messages, as fast as the client reads them."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.behaviours.parameters import parameter
from wsdaemon.behaviours.producing import STREAM, Producing
from wsdaemon.options import Choice, Number, Size


@dataclass(frozen=True, kw_only=True)
class BurstParameters:
    """How many messages, of what size and type."""

    count: int = parameter(
        Number(1, 1_000_000_000), 100, "How many messages.", example="1000", cap="max_count", rfc="5.6"
    )
    size: int = parameter(Size(0, 1 << 20), 64, "The size of each: its number, then dots.", example="1k")
    type: str = parameter(Choice(("text", "binary")), "text", "The type of the messages.", example="binary")


class Burst(Producing):
    """Numbered messages without a pause. Messages from the client are echoed between them."""

    names = ("burst",)
    family = STREAM
    summary = "Many numbered messages as fast as the client reads them; and echo."
    example = "/burst?count=1000&size=1k"
    rfc = "RFC 6455 section 5.6"
    own = (BurstParameters,)
    _sent = 0

    def produce(self) -> bool:
        """Send the next message."""
        wanted = self.given.of(BurstParameters)
        message = (b"%d " % self._sent).ljust(wanted.size, b".")[: wanted.size]
        self._sent += 1
        self.reply(message, wanted.type == "binary")
        return self._sent < wanted.count
