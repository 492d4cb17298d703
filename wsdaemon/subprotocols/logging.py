"""The logging socket: accepts, answers pings, sends nothing."""

from __future__ import annotations

from wsdaemon.settings import StreamingSettings
from wsdaemon.websocket.connection import Connection


class Logging(Connection):
    """Jetty's socket for clients that offer no subprotocol; verbose mode shows what it sees."""

    names = ("log",)
    settings_class = StreamingSettings

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Drop whole messages; verbose mode, which shows each, does not come here."""

    def onMessageFrameData(self, payload: bytes) -> None:
        """Count the bytes and drop them."""
        self._length += len(payload)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to count."""
        self.message_is_binary = isBinary
        self._length = 0

    def onMessageEnd(self) -> None:
        """Say how long the message was."""
        if self.hub.verbose:
            kind = "binary" if self.message_is_binary else "text"
            self.debug("message received: {kind}, {length} bytes", kind=kind, length=self._length)
