"""The connection that every subprotocol subclasses: messages in, messages out."""

from __future__ import annotations

from typing import ClassVar

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.engine import Engine


class Connection(Engine):
    """An open WebSocket on the server's side.

    A subprotocol overrides `message_received`, and where it needs to `opened`, `pong_received` and `closed`, or the
    frame hooks `onMessageBegin` … `onMessageEnd`, which Autobahn calls for each piece as it comes in.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """What a client may offer or name by its path; the last is the short name, which the INI file uses."""

    settings_class: ClassVar[type[WebSocketSettings]] = WebSocketSettings
    """The options that [subprotocol:NAME] takes, with this subprotocol's defaults."""

    broadcasts: ClassVar[bool] = False
    """Whether each message goes to every connection of the subprotocol; then `wsping` expects it at each client."""

    def __init_subclass__(cls) -> None:
        """Give all messages to Autobahn's hooks where a class has hooks of its own, unless it takes whole ones too."""
        super().__init_subclass__()
        if "messages_in" in vars(cls):
            cls.takes_whole_messages = True
        elif any(name.startswith("onMessage") for name in vars(cls)):
            cls.takes_whole_messages = False

    # -- what a subprotocol may override --------------------------------------------------------------------------

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Take a whole message, at most `message_limit` bytes; a text is valid UTF-8."""

    # -- what a subprotocol may call ------------------------------------------------------------------------------

    def send_message(self, message: bytes, is_binary: bool) -> None:
        """Send a message in one frame, compressed where that was agreed on; nothing happens unless open."""
        self.send_frame(Opcode.BINARY if is_binary else Opcode.TEXT, message, compress=self.deflate is not None)

    # -- messages in ----------------------------------------------------------------------------------------------

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Hand whole messages on, one by one."""
        for opcode, payload in frames:
            if not self.can_send:
                return
            self.message_received(payload, opcode == Opcode.BINARY)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to collect a message."""
        self.message_is_binary = isBinary
        self.message = bytearray()

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a frame by its header, before anything of it is held."""
        limit = self.settings.message_limit
        if limit and self.can_send:
            # Deflate makes what can't be compressed a little larger: five bytes for each 16 KiB, and the like.
            allowance = limit // 512 + 1024 if self._isMessageCompressed else 0
            if len(self.message) + length > limit + allowance:
                self._too_big()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Collect a piece of a frame's payload, already inflated."""
        if not self.can_send:
            return
        if 0 < self.settings.message_limit < len(self.message) + len(payload):
            self._too_big()
        else:
            self.message += payload

    def onMessageFrameEnd(self) -> None:
        """Go on to the message's next frame."""

    def onMessageEnd(self) -> None:
        """Hand the collected message on."""
        message, self.message = bytes(self.message), bytearray()
        if self.can_send:
            if self.hub.verbose:
                kind = "binary" if self.message_is_binary else "text"
                self.debug("message received: {kind}, {length} bytes", kind=kind, length=len(message))
            self.message_received(message, self.message_is_binary)

    def _too_big(self) -> None:
        self.message = bytearray()
        self._fail_connection(CloseCode.MESSAGE_TOO_BIG, f"message over {self.settings.message_limit} bytes")
