"""The frames that Autobahn parses: unmasked, inflated and checked here, a piece of bounded size at a time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from autobahn.exception import PayloadCorruptError
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import FrameHeader

from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.compression import Deflate
from wsdaemon.websocket.intake import Intake
from wsdaemon.websocket.masking import Masker
from wsdaemon.websocket.trace import Traced
from wsdaemon.websocket.transport import Transport, expect_large
from wsdaemon.websocket.utf8 import Utf8Check, is_text

INFLATED_WHOLE = 1 << 18
"""The longest compressed message that is inflated in one piece."""

_DATA_OPCODES = (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)


class Incoming(Intake, Traced, WebSocketServerProtocol):
    """The receiving side, between Autobahn's parser and the hooks that a subprotocol has for messages in pieces."""

    can_send: bool
    transport: Transport  # type: ignore[assignment]  # narrower than Twisted's, and there from `connectionMade` on
    peer: Any
    _transport_details: Any
    _perMessageCompress: Any
    _isMessageCompressed: bool

    @property
    def deflate(self) -> Deflate | None:
        """The compression that was agreed on, or None."""
        deflate: Deflate | None = self._perMessageCompress
        return deflate

    @property
    def incoming_frame(self) -> object:
        """What stands for the frame that is coming in, while it is the same; None between frames."""
        return self.begun_messages if self.begun_frame else self.current_frame

    @cached_property
    def utf8validator(self) -> Utf8Check:  # type: ignore[override]  # made when the first text needs it
        """The check of texts that come in pieces."""
        return Utf8Check()

    def onFrameBegin(self) -> None:
        """Show a frame's header where everything is shown."""
        frame = self.current_frame
        self.trace("receives", frame.opcode, frame.length, frame.fin)
        if frame.mask:
            self.current_frame_masker = Masker(frame.mask)
        if frame.length > self.hub.limits.frame_hold:
            expect_large(self.transport)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.begun_messages += 1
            self._deflated = self._inflated = 0
        super().onFrameBegin()

    def onFrameData(self, payload: bytes) -> bool | None:
        """Inflate in pieces of bounded size, where Autobahn would do a whole chunk of input at once."""
        if self.current_frame.opcode not in _DATA_OPCODES or not self._isMessageCompressed:
            return super().onFrameData(payload)
        if not self.can_send or self.deflate is None:
            # Closing: only the frames' borders count now, so that the peer's Close is found behind them.
            self._isMessageCompressed = self.utf8validateIncomingCurrentMessage = False
            return None
        self._deflated += len(payload)
        limits = self.hub.limits
        try:
            for piece in self.deflate.inflater.inflate(payload):
                self._inflated += len(piece)
                if self._inflated > max(limits.inflate_limit, limits.inflate_ratio * self._deflated):
                    self._fail_connection(CloseCode.MESSAGE_TOO_BIG, "message inflates too much")
                    return False
                if self.utf8validateIncomingCurrentMessage:
                    self.utf8validateLast = self.utf8validator.validate(piece)
                    if not self.utf8validateLast[0]:
                        return not self._invalid_payload("the text is not UTF-8")
                self.onMessageFrameData(piece)
                if self.state == self.STATE_CLOSED:
                    return False
                if self.state != self.STATE_OPEN:
                    self._isMessageCompressed = self.utf8validateIncomingCurrentMessage = False
                    return None
        except PayloadCorruptError as error:
            self.debug("{error}", error=error)
            return not self._invalid_payload("invalid permessage-deflate data")
        return None

    def onFrameEnd(self) -> None:
        """Count a frame that is in."""
        frame = self.current_frame
        self.hub.traffic.took_frame(frame.opcode, frame.length, bool(frame.fin))
        super().onFrameEnd()

    def compressed_in(self, opcode: int, payload: bytes) -> None:
        """Take a whole compressed message of one frame: at once if it is plainly right, else as Autobahn would."""
        message = self._plain_message(opcode, payload) if self.takes_whole_messages and self.can_send else None
        if message is not None:
            self.hub.traffic.took([(opcode, payload)])
            self.inflated_in(opcode, message)
            return
        self.current_frame = FrameHeader(opcode, True, 4, len(payload), "")
        self.onFrameBegin()
        if self.state != self.STATE_CLOSED and self.onFrameData(payload) is not False:
            self.onFrameEnd()

    def _plain_message(self, opcode: int, payload: bytes) -> bytes | None:
        inflater, limits = self._perMessageCompress.inflater, self.hub.limits
        most = min(self.settings.message_limit or limits.frame_hold, limits.inflate_limit, INFLATED_WHOLE)
        message: bytes | None = inflater.whole(payload, most)
        if message is None or (opcode == Opcode.TEXT and not is_text(message)):
            return None
        inflater.remember(message)
        return message
