"""permessage-deflate (RFC 7692) on Autobahn's negotiation, with a level, and inflated in pieces of bounded size."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from autobahn.websocket.compress import (
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)
from twisted.internet.interfaces import IReactorTime

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.allocator import give_back
from wsdaemon.websocket.deadlines import SharedTimer
from wsdaemon.websocket.inflating import TAIL, Inflater
from wsdaemon.websocket.zlibs import SYNC_FLUSH, new_compressor

_NAME = "permessage-deflate"


def agree(
    extensions: Iterable[tuple[str, dict[str, Any]]], settings: WebSocketSettings, compressors: Compressors
) -> tuple[Deflate | None, str]:
    """Accept the first offer of permessage-deflate that is right; returns the compression, and the header for the 101.

    An offer with an unknown or wrong parameter is declined, as RFC 7692 section 7 asks; it is no reason to refuse the
    connection. The server compresses with a window of at most `compression_window` bits. The client may keep its
    context between messages: otherwise it would need a new compressor for each.
    """
    offer = next(read_offers(extensions), None) if settings.compression else None
    if offer is None:
        return None, ""
    bits = min(settings.compression_window, offer.request_max_window_bits or zlib.MAX_WBITS)
    accepted = PerMessageDeflateOfferAccept(offer, window_bits=bits)
    negotiated = PerMessageDeflate.create_from_offer_accept(True, accepted)
    return Deflate(negotiated, settings.compression_level, compressors), accepted.get_extension_string()


def parse_extensions(header: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the extensions that a header names, each with the values of its parameters (RFC 6455 section 9.1).

    Names are in lower case; a parameter without a value has True, and quotes around a value are taken off.
    """
    found = []
    for offer in filter(None, (each.strip() for each in header.split(","))):
        name, *words = (word.strip() for word in offer.split(";"))
        parameters: dict[str, Any] = {}
        for word in words:
            key, equals, value = word.partition("=")
            value = value.strip().removeprefix('"').removesuffix('"')
            parameters.setdefault(key.strip().lower(), []).append(value if equals else True)
        found.append((name.lower(), parameters))
    return found


class Compressors:
    """Compressors that are kept between messages: of at most `limit` connections, each for `idle` seconds.

    A connection whose compressor was released begins with a new one; for the peer the deflate stream just goes on.
    """

    def __init__(self, clock: IReactorTime, limit: int, idle: float) -> None:
        self.limit = limit
        self.timer: SharedTimer[Deflate] = SharedTimer(clock, idle, self._idle)

    @property
    def count(self) -> int:
        """How many are kept."""
        return len(self.timer.waiting)

    def used(self, deflate: Deflate) -> None:
        """Keep the compressor that was used now; release the one unused for longest where there are too many."""
        self.timer.start(deflate)
        if len(self.timer.waiting) > self.limit:
            next(iter(self.timer.waiting)).release()

    def forget(self, deflate: Deflate) -> None:
        """Keep it no more."""
        self.timer.cancel(deflate)

    def _idle(self, idle: list[Deflate]) -> None:
        for deflate in idle:
            deflate.release()
        give_back()  # 64 of them are 17 MB, and it takes half a millisecond


class Deflate(PerMessageDeflate):
    """One connection's compression, on the server's side."""

    _compressor: Any

    def __init__(self, negotiated: PerMessageDeflate, level: int, compressors: Compressors) -> None:
        super().__init__(
            True,
            negotiated.server_no_context_takeover,
            negotiated.client_no_context_takeover,
            negotiated.server_max_window_bits,
            negotiated.client_max_window_bits,
            negotiated.mem_level,
        )
        self._level = level
        self._compressors = compressors
        self.inflater = Inflater(self.client_max_window_bits, keeps_context=not self.client_no_context_takeover)

    def release(self) -> None:
        """Give the compressor's memory back. Each frame ends on a byte border, so a new one can go on from there."""
        self._compressor = None
        self._compressors.forget(self)

    def start_compress_message(self) -> None:
        """Begin a message; the context of earlier ones is kept, unless the client offered no context takeover."""
        if self.server_no_context_takeover:
            self._compressor = None

    def compress_frame(self, payload: bytes, *, fin: bool) -> bytes:
        """Return the compressed payload of one frame of the message that was begun.

        A frame ends on a byte border and the message's last one without the tail that the receiver adds (RFC 7692
        section 7.2.1); a last frame with nothing in it is the single byte 00 (section 7.2.3.6).
        """
        if self._compressor is None:
            self._compressor = self._new_compressor()
        data: bytes = self._compressor.compress(payload) + self._compressor.flush(SYNC_FLUSH)
        if fin and self.server_no_context_takeover:
            self.release()
        else:
            self._compressors.used(self)
        if not fin:
            return data
        return data[: -len(TAIL)] if data else b"\x00"

    def compress(self, message: bytes) -> bytes:
        """Return a whole message's compressed payload."""
        self.start_compress_message()
        return self.compress_frame(message, fin=True)

    @property
    def parameters(self) -> tuple[int, int, int]:
        """Parameters that two connections must share to be sent the same compressed message: level, window, memory."""
        return self._level, self.server_max_window_bits, self.mem_level

    def compress_alone(self, message: bytes) -> bytes:
        """Return the compressed payload of a message, for all connections of the same `parameters`.

        A connection that sends it has to `release` its own compressor, whose window is not the receiver's any more.
        """
        engine = self._new_compressor()
        data: bytes = engine.compress(message) + engine.flush(SYNC_FLUSH)
        return data[: -len(TAIL)]

    def _new_compressor(self) -> Any:
        return new_compressor(self._level, self.server_max_window_bits, self.mem_level)

    def start_decompress_message(self) -> None:
        """Begin to inflate a message."""
        self.inflater.begin()

    def end_decompress_message(self) -> None:
        """End a message; see `Inflater`."""
        self.inflater.end()


def read_offers(extensions: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[PerMessageDeflateOffer]:
    """Yield the right offers of permessage-deflate, in the client's order."""
    for name, parameters in extensions:
        if name == _NAME:
            # Autobahn raises bare Exception for whatever is wrong with an offer.
            with contextlib.suppress(Exception):
                yield PerMessageDeflateOffer.parse(parameters)
