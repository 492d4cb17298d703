"""permessage-deflate with each parameter forced, declined or wrong, and messages compressed wrongly."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from autobahn.websocket.compress import PerMessageDeflate

from wsdaemon.behaviours.behaviour import Part
from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Choice, Number
from wsdaemon.websocket.compression import Deflate, parse_extensions, read_offers

_EITHER = Choice(("agreed", "yes", "no"))
_SECTION = "RFC 7692 section 7.1"


@dataclass(frozen=True, kw_only=True)
class CompressionParameters:
    """What is agreed on for permessage-deflate, and how replies are compressed."""

    family: ClassVar = Family(8, "compression", "permessage-deflate forced, declined or wrong")

    compression: str = parameter(
        Choice(("agree", "decline", "force")), "agree",
        "Whether permessage-deflate is agreed on; force: even if it was not offered.", example="decline",
        rfc="RFC 7692 section 5",
    )  # fmt: skip
    server_no_context_takeover: str = parameter(
        _EITHER, "agreed", "Whether the response says that the server compresses each message by itself.",
        example="yes", rfc=f"{_SECTION}.1.1",
    )  # fmt: skip
    client_no_context_takeover: str = parameter(
        _EITHER, "agreed", "Whether the response says that the client must compress each message by itself.",
        example="yes", rfc=f"{_SECTION}.1.2",
    )  # fmt: skip
    server_max_window_bits: int = parameter(
        Number(8, 15), None, "The server's window in the response, whatever was offered.", example="9",
        rfc=f"{_SECTION}.2.1",
    )  # fmt: skip
    client_max_window_bits: int = parameter(
        Number(8, 15), None, "The client's window in the response, even if the client did not offer one.", example="9",
        rfc=f"{_SECTION}.2.2",
    )  # fmt: skip
    stream: str = parameter(
        Choice(("right", "bad", "cut", "bfinal", "stored", "flagged")), "right",
        "How replies are compressed, if that was agreed on. bad: not valid deflate; cut: only the first half; bfinal: "
        "right, with a final block; stored: right, in blocks without compression; flagged: not compressed, but with "
        "RSV1.", example="bad", rfc="RFC 7692 section 7.2",
    )  # fmt: skip


class Compression(Part):
    """The agreement on permessage-deflate, forced, declined or wrong, and wrong compression of replies."""

    parameters = CompressionParameters
    wanted: CompressionParameters

    def agree(self, header: str) -> str | None:
        """Agree on compression as the URL asks; returns the response's header.

        It may say what the client did not offer: the client has to notice.
        """
        wanted, connection = self.wanted, self.connection
        settings = connection.settings
        if wanted == CompressionParameters() or not settings.compression:
            return None
        offer = next(iter(read_offers(parse_extensions(header))), None)
        if wanted.compression == "decline" or (offer is None and wanted.compression != "force"):
            return ""
        server_anew = bool(offer and offer.request_no_context_takeover)
        client_anew = False
        window = offer.request_max_window_bits if offer else 0
        window = window if wanted.server_max_window_bits is None else wanted.server_max_window_bits
        if wanted.server_no_context_takeover != "agreed":
            server_anew = wanted.server_no_context_takeover == "yes"
        if wanted.client_no_context_takeover != "agreed":
            client_anew = wanted.client_no_context_takeover == "yes"
        header = "permessage-deflate"
        header += "; server_no_context_takeover" if server_anew else ""
        header += "; client_no_context_takeover" if client_anew else ""
        header += f"; server_max_window_bits={window}" if window else ""
        header += f"; client_max_window_bits={wanted.client_max_window_bits}" if wanted.client_max_window_bits else ""
        # zlib cannot compress with a window of 8 bits: a client that relies on one may fail.
        bits = max(9, min(settings.compression_window, window or zlib.MAX_WBITS))
        negotiated = PerMessageDeflate(True, server_anew, client_anew, bits, zlib.MAX_WBITS, 8)
        connection.deflate = Deflate(negotiated, settings.compression_level, connection.hub.compressors)
        return header

    def compress(self, message: bytes) -> bytes | None:
        """Return a reply's payload, compressed as the URL asks."""
        stream, deflate = self.wanted.stream, self.connection.deflate
        if stream == "right":
            return None
        if stream == "bad":
            return b"\x07" + message[:64]  # a block of type 3, which is reserved
        if stream == "cut":
            whole: bytes = deflate.compress(message)
            return whole[: max(1, len(whole) // 2)]
        if stream in ("bfinal", "stored"):
            deflate.release()  # this message is not in its window
            engine = zlib.compressobj(0 if stream == "stored" else 9, zlib.DEFLATED, -deflate.server_max_window_bits)
            if stream == "bfinal":
                return engine.compress(message) + engine.flush(zlib.Z_FINISH) + b"\x00"  # RFC 7692 section 7.2.3.4
            return (engine.compress(message) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
        return message  # flagged: as it is
