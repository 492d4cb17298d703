"""permessage-deflate with each parameter forced, declined or wrong, and messages that are compressed wrongly."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from autobahn.websocket.compress import PerMessageDeflate

from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Choice, Number
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.compression import Compressors, Deflate, read_offers

_EITHER = Choice(("agreed", "yes", "no"))
_SECTION = "RFC 7692 section 7.1"
_STREAM = "RFC 7692 section 7.2"


@dataclass(frozen=True, kw_only=True)
class CompressionParameters:
    """What is agreed on for permessage-deflate, and how replies are compressed."""

    family: ClassVar = Family(8, "compression", "permessage-deflate forced, declined or wrong")

    compression: str = parameter(
        Choice(("agree", "decline", "force")), "agree",
        "Whether permessage-deflate is agreed to; force: also where it was not offered.", example="decline",
        rfc="RFC 7692 section 5",
    )  # fmt: skip
    server_no_context_takeover: str = parameter(
        _EITHER, "agreed", "Whether the answer says that the server begins anew with each message.", example="yes",
        rfc=f"{_SECTION}.1.1",
    )  # fmt: skip
    client_no_context_takeover: str = parameter(
        _EITHER, "agreed", "Whether the answer says that the client has to begin anew with each message.",
        example="yes", rfc=f"{_SECTION}.1.2",
    )  # fmt: skip
    server_max_window_bits: int = parameter(
        Number(8, 15), None, "The server's window that the answer names, whatever was offered.", example="9",
        rfc=f"{_SECTION}.2.1",
    )  # fmt: skip
    client_max_window_bits: int = parameter(
        Number(8, 15), None, "The client's window that the answer names, also to one that did not offer to change it.",
        example="9", rfc=f"{_SECTION}.2.2",
    )  # fmt: skip
    stream: str = parameter(
        Choice(("right", "bad", "cut", "bfinal", "stored", "flagged")), "right",
        "How replies are compressed where that was agreed on. bad: no deflate at all; cut: half of it; bfinal: right, "
        "but as a stream that ends; stored: right, but no smaller; flagged: not at all, though RSV1 says so.",
        example="bad", rfc=_STREAM,
    )  # fmt: skip


def force(
    how: CompressionParameters, offers: Iterable[tuple[str, dict[str, Any]]], settings: WebSocketSettings,
    compressors: Compressors,
) -> tuple[Deflate | None, str]:  # fmt: skip
    """Agree on compression as it is asked for; returns it, and the header that says so.

    What the answer names need not be what was offered: it is for the client to find that out.
    """
    offer = next(iter(read_offers(offers)), None)
    if how.compression == "decline" or (offer is None and how.compression != "force"):
        return None, ""
    server_anew = bool(offer and offer.request_no_context_takeover)
    client_anew = False
    window = offer.request_max_window_bits if offer else 0
    window = window if how.server_max_window_bits is None else how.server_max_window_bits
    if how.server_no_context_takeover != "agreed":
        server_anew = how.server_no_context_takeover == "yes"
    if how.client_no_context_takeover != "agreed":
        client_anew = how.client_no_context_takeover == "yes"
    header = "permessage-deflate"
    header += "; server_no_context_takeover" if server_anew else ""
    header += "; client_no_context_takeover" if client_anew else ""
    header += f"; server_max_window_bits={window}" if window else ""
    header += f"; client_max_window_bits={how.client_max_window_bits}" if how.client_max_window_bits else ""
    # zlib cannot compress with a window of 8 bits: a client that believed in it may fail, as it may be told anything.
    bits = max(9, min(settings.compression_window, window or zlib.MAX_WBITS))
    negotiated = PerMessageDeflate(True, server_anew, client_anew, bits, zlib.MAX_WBITS, 8)
    return Deflate(negotiated, settings.compression_level, compressors), header


def compressed(how: CompressionParameters, deflate: Deflate, message: bytes) -> bytes:
    """Return a reply's payload."""
    if how.stream == "bad":
        return b"\x07" + message[:64]  # a block of the type 3, which there is not
    if how.stream == "cut":
        whole = deflate.compress(message)
        return whole[: max(1, len(whole) // 2)]
    if how.stream in ("bfinal", "stored"):
        deflate.release()  # what is sent now is not in its window
        engine = zlib.compressobj(0 if how.stream == "stored" else 9, zlib.DEFLATED, -deflate.server_max_window_bits)
        if how.stream == "bfinal":
            return engine.compress(message) + engine.flush(zlib.Z_FINISH) + b"\x00"  # RFC 7692 section 7.2.3.4
        return (engine.compress(message) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
    return message if how.stream == "flagged" else deflate.compress(message)


def zeros(size: int, window: int) -> bytes:
    """Return the payload of a compressed message of `size` zeros, a thousandth as long, in no time.

    The same compressed megabyte is repeated: it ends on a byte's border, and refers to nothing before it.
    """
    block = 1 << 20
    whole, rest = divmod(size, block)
    parts = []
    for length, count in ((block, whole), (rest, 1)):
        if length and count:
            engine = zlib.compressobj(9, zlib.DEFLATED, -window)
            parts.append((engine.compress(bytes(length)) + engine.flush(zlib.Z_FULL_FLUSH)) * count)
    return b"".join(parts)[:-4] if parts else b"\x00"
