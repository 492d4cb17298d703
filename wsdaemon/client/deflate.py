"""A client's permessage-deflate (RFC 7692): what may be agreed on, and the messages."""

from __future__ import annotations

from autobahn.exception import PayloadExceededError
from autobahn.websocket.compress import (
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
)

from wsdaemon.websocket.inflating import Inflater


class ClientDeflate(PerMessageDeflate):
    """One connection's compressor and decompressor; `limit` bounds a message's inflated size, in bytes."""

    def __init__(self, negotiated: PerMessageDeflate, limit: int) -> None:
        super().__init__(
            False,
            negotiated.server_no_context_takeover,
            negotiated.client_no_context_takeover,
            negotiated.server_max_window_bits,
            negotiated.client_max_window_bits,
            negotiated.mem_level,
        )
        self._limit = limit
        self._left = limit
        self._inflater = Inflater(self.server_max_window_bits, keeps_context=not self.server_no_context_takeover)

    def compress(self, payload: bytes) -> bytes:
        """Return a whole message's compressed payload, which is never empty (RFC 7692 section 7.2.3.6)."""
        self.start_compress_message()
        data: bytes = self.compress_message_data(payload) + self.end_compress_message()
        return data

    def start_decompress_message(self) -> None:
        """Begin to inflate a message."""
        self._inflater.begin()
        self._left = self._limit

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Return a piece of the message, inflated.

        Raises `PayloadExceededError` if the message grows over the limit, `PayloadCorruptError` for wrong data.
        """
        pieces = []
        for piece in self._inflater.inflate(data):
            self._left -= len(piece)
            if self._left < 0:
                raise PayloadExceededError("over the limit")
            pieces.append(piece)
        return b"".join(pieces)

    def end_decompress_message(self) -> None:
        """End the message; raises `PayloadCorruptError` if a part of it is missing."""
        self._inflater.end()


def disagreement(offer: PerMessageDeflateOffer | None, response: PerMessageDeflateResponse) -> str | None:
    """Return how the server's response goes beyond the offer (RFC 7692 section 7.1); None if it does not."""
    if offer is None:
        return "the server compresses, which was not offered"
    if response.client_max_window_bits and not offer.accept_max_window_bits:
        return "the server limits the client's window, which was not offered"
    if offer.request_max_window_bits and not 0 < response.server_max_window_bits <= offer.request_max_window_bits:
        return "the server's window is larger than was asked for"
    if offer.request_no_context_takeover and not response.server_no_context_takeover:
        return "the server keeps its context, which was asked not to be"
    return None
