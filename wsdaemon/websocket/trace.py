"""What verbose mode shows of a connection: every frame, and whatever else is only worth a look then."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.logger import Logger

from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.hub import Hub


class Traced:
    """A connection that is logged by its number."""

    hub: Hub
    number: int
    events: ClassVar[Logger] = Logger(namespace="wsdaemon")

    def trace(self, verb: str, opcode: int, length: int, fin: bool) -> None:
        """Log a frame, where every frame is logged."""
        if self.hub.verbose:
            name = Opcode(opcode).name.lower() if opcode in set(Opcode) else f"opcode {opcode}"
            kind = "control" if opcode >= Opcode.CLOSE else "frame"
            self.debug(
                "{verb} {kind}: {name}, {length} bytes{rest}",
                verb=verb, kind=kind, name=name, length=length, rest="" if fin else ", more to come",
            )  # fmt: skip

    def debug(self, text: str, **fields: Any) -> None:
        """Log something of this connection that only verbose mode shows; `text` is a format for `fields`."""
        self.events.debug("connection {number}: " + text, number=self.number, **fields)
