"""A bomb: a small compressed message that inflates to a large one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.compression import CompressionParameters
from wsdaemon.behaviours.parameters import parameter
from wsdaemon.behaviours.rawframes import raw_frame
from wsdaemon.options import Size
from wsdaemon.websocket.codes import CloseCode, Opcode


@dataclass(frozen=True, kw_only=True)
class BombParameters:
    """The size of the bomb."""

    size: int = parameter(
        Size(0, 1 << 40), 16 << 20, "How many zero bytes the message inflates to.", example="64m", cap="max_bomb",
        rfc="RFC 7692 section 8",
    )  # fmt: skip


class Bomb(Behaviour):
    """Binary message of zeros. A client that does not offer permessage-deflate gets a Close with 1008."""

    names = ("bomb",)
    family = CompressionParameters.family
    summary = "One message compressed to a thousandth of its size: does the client limit what it inflates? Then echo."
    example = "/bomb?size=64m"
    rfc = "RFC 7692 section 8"
    own = (BombParameters,)
    streams = True

    def opened(self) -> None:
        """Send the bomb."""
        super().opened()
        deflate = self.deflate
        if deflate is None:
            self.close(CloseCode.POLICY_VIOLATION, "needs permessage-deflate, which was not offered")
            return
        deflate.release()
        payload = _zeros(self.given.of(BombParameters).size, deflate.server_max_window_bits)
        self.trace("sends", Opcode.BINARY, len(payload), True)
        self.send_raw(raw_frame(Opcode.BINARY, payload, rsv=4))


def _zeros(size: int, window: int) -> bytes:
    """Return the compressed payload of a message of `size` zeros, about a thousandth as long.

    To be quick, it repeats one compressed megabyte, which ends at a byte and refers to nothing before it.
    """
    block = 1 << 20
    whole, rest = divmod(size, block)
    parts = []
    for length, count in ((block, whole), (rest, 1)):
        if length and count:
            engine = zlib.compressobj(9, zlib.DEFLATED, -window)
            parts.append((engine.compress(bytes(length)) + engine.flush(zlib.Z_FULL_FLUSH)) * count)
    return b"".join(parts)[:-4] if parts else b"\x00"
