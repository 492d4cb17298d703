"""Logging: takes every message and sends none."""

from __future__ import annotations

from wsdaemon.settings import StreamingSettings
from wsdaemon.websocket.connection import Connection


class Logging(Connection):
    """Jetty's socket for clients that offer no subprotocol; verbose mode logs what it receives."""

    names = ("log",)
    settings_class = StreamingSettings

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Drop whole messages; in verbose mode, which logs each, this is not called."""

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to count."""
        self._is_binary, self._length = isBinary, 0

    def onMessageFrameBegin(self, length: int) -> None:
        """Take a frame of any length."""

    def onMessageFrameData(self, payload: bytes) -> None:
        """Count the bytes and drop them."""
        self._length += len(payload)

    def onMessageEnd(self) -> None:
        """Log how long the message was."""
        self.note_message(self._is_binary, self._length)
