"""Oracle on `wsproto`: another implementation of RFC 6455 and 7692 to compare ours with.

`Oracle` tells the same events as `tests/memory/test_codec_oracle.py` notes on our side. Where wsproto is wrong, or
looks later than it may, it is put right here, each time with the reason; what is not put right here has to be equal on
both sides.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.events import Event as WsprotoEvent
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
    RsvBits,
)

Event = tuple[str, Any]
"""("text" or "binary" or "ping" or "pong", payload), or the last one: ("close", code) from the peer, ("fail", code)."""

TOO_BIG = CloseReason.MESSAGE_TOO_BIG


class Oracle:
    """One end of a connection: bytes from the other end in, events out. Messages over `limit` bytes fail."""

    def __init__(self, *, client: bool = False, extensions: str = "", limit: int = 1 << 40) -> None:
        """Start with the negotiated extensions: the server's Sec-WebSocket-Extensions."""
        self.events: list[Event] = []
        self.reason = ""
        self._limit = limit
        self._message = bytearray()
        self.deflate = deflate = Deflate()
        if extensions:
            deflate.finalize(extensions)
        self._connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER, [deflate])
        protocol = self._connection._proto
        protocol._message_decoder = self._messages = EagerMessageDecoder()
        protocol._frame_decoder = LimitedFrameDecoder(client, protocol.extensions, self._room)

    @property
    def ended(self) -> Event | None:
        """The event that ended the connection."""
        return self.events[-1] if self.events and self.events[-1][0] in ("close", "fail") else None

    def feed(self, data: bytes) -> None:
        """Take bytes from the other end; bytes behind the end of the connection are ignored."""
        if self.ended:
            return
        self._connection.receive_data(data)
        for event in self._connection.events():
            if isinstance(event, TextMessage | BytesMessage):
                if not self._take(event):
                    return
            elif isinstance(event, Ping | Pong):
                self.events.append(("ping" if isinstance(event, Ping) else "pong", bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                # wsproto tells a Close frame and a failure of its own by the same event; the former changes its state.
                kind = "fail" if self._connection.state.name == "OPEN" else "close"
                self.events.append((kind, int(event.code)))
                self.reason = event.reason or ""

    def send(self, event: WsprotoEvent) -> bytes:
        """Return the bytes of a message, ping, pong or Close to send."""
        return self._connection.send(event)

    def _room(self, opcode: Opcode) -> int:
        """Return how long a data frame may be; raises `ParseFailed` for one out of turn."""
        if (self._messages.opcode is None) == (opcode is Opcode.CONTINUATION):
            raise ParseFailed("out of turn")
        return self._limit - len(self._message) - len(self._messages.held)

    def _take(self, event: TextMessage | BytesMessage) -> bool:
        piece = event.data
        self._message += piece.encode() if isinstance(piece, str) else piece
        if len(self._message) > self._limit:
            self.events.append(("fail", int(TOO_BIG)))
        elif event.message_finished:
            self.events.append(("text" if isinstance(event, TextMessage) else "binary", bytes(self._message)))
            self._message.clear()
        return not self.ended


class LimitedFrameDecoder(FrameDecoder):
    """Refuses a frame by its header where possible.

    That is one over the limit, as a server may (RFC 6455 section 10.4): wsproto has none. And one out of turn (section
    5.4), of which wsproto would inflate the payload first, and fail with 1007 where it is not compressed.
    """

    def __init__(self, client: bool, extensions: list[Any], room: Callable[[Opcode], int]) -> None:
        super().__init__(client, extensions)
        self._room = room

    def parse_header(self) -> bool:
        if not super().parse_header():
            return False
        header = self.header
        assert header is not None
        if not header.opcode.iscontrol():
            room = self._room(header.opcode)
            is_compressed = any(getattr(extension, "_inbound_compressed", None) for extension in self.extensions)
            if header.payload_len > room and not is_compressed:
                raise ParseFailed("over the limit", TOO_BIG)
        return True


class EagerMessageDecoder(MessageDecoder):
    """Refuses a text at the first byte that makes it invalid.

    Python's decoder waits for the third byte of a surrogate, though the second one tells it (RFC 3629 section 4).
    """

    @property
    def held(self) -> bytes:
        """The incomplete character at the end."""
        return self.decoder.getstate()[0] if self.decoder else b""

    def process_frame(self, frame: Frame) -> Frame:
        decoded = super().process_frame(frame)
        if self.held[:1] == b"\xed" and self.held[1:2] >= b"\xa0":
            raise ParseFailed("a surrogate", CloseReason.INVALID_FRAME_PAYLOAD_DATA)
        return decoded


class Deflate(PerMessageDeflate):
    """permessage-deflate with wsproto's bugs fixed."""

    _in_control = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Leave control frames alone: with wsproto, one within a message ends the message's compression."""
        self._in_control = opcode.iscontrol()
        if self._in_control:
            return CloseReason.PROTOCOL_ERROR if rsv.rsv1 else RsvBits(False, False, False)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Begin anew behind a block with BFINAL set (RFC 7692 section 7.2.3.4): wsproto inflates nothing any more."""
        if self._in_control:
            return data
        inflated = super().frame_inbound_payload_data(proto, data)
        while self._inbound_compressed and isinstance(inflated, bytes) and self._decompressor is not None:
            rest = self._decompressor.unused_data
            if not self._decompressor.eof or not rest:
                break
            self._restart()
            more = super().frame_inbound_payload_data(proto, rest)
            inflated = more if isinstance(more, CloseReason) else inflated + more
        return inflated

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """End a message, but not by a control frame's FIN bit."""
        if self._in_control:
            return None
        engine = self._decompressor if self._inbound_compressed else None
        has_ended = engine is None or engine.eof
        ended = super().frame_inbound_complete(proto, fin)
        if fin and engine is not None and not has_ended:
            # The tail that is added to a message holds nothing of it, and only behind a block can an empty last one be.
            probe = engine if engine.eof else engine.copy()
            try:
                rest = b"" if probe.eof else probe.decompress(b"\x03\x00")
            except zlib.error:
                rest = b"wrong"
            if ended or rest or not probe.eof:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        if self._decompressor is not None and self._decompressor.eof:
            self._restart()
        return ended

    def _restart(self) -> None:
        self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
