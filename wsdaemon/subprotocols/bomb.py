"""Bomb: a small compressed message that inflates to a large one."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.behaviours.behaving import STREAMS, Behaving
from wsdaemon.behaviours.compressing import CompressionParameters, zeros
from wsdaemon.behaviours.framing import raw_frame
from wsdaemon.behaviours.parameters import parameter
from wsdaemon.options import Size
from wsdaemon.websocket.codes import CloseCode, Opcode


@dataclass(frozen=True, kw_only=True)
class BombParameters:
    """How large it is."""

    size: int = parameter(
        Size(0, 1 << 40), 16 << 20, "What the message inflates to, in bytes of zero.", example="64m", cap="max_bomb",
        rfc="RFC 7692 section 8",
    )  # fmt: skip


class Bomb(Behaving):
    """Sends one binary message of zeros, compressed a thousand times, then echoes. The client has to offer deflate."""

    names = ("bomb",)
    family = CompressionParameters.family
    summary = "One compressed message a thousandth of its size: does the client bound what it inflates? Then echo."
    example = "/bomb?size=64m"
    rfc = "RFC 7692 section 8"
    own = (BombParameters,)
    parts = STREAMS

    def opened(self) -> None:
        """Send it."""
        super().opened()
        deflate = self.deflate
        if deflate is None:
            self.close(CloseCode.POLICY_VIOLATION, "needs permessage-deflate, which was not offered")
            return
        deflate.release()
        payload = zeros(self.given.of(BombParameters).size, deflate.server_max_window_bits)
        self.trace("sends", Opcode.BINARY, len(payload), True)
        self.send_raw(raw_frame(Opcode.BINARY, payload, rsv=4))
