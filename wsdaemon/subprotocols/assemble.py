"""Assemble: a message comes back as one frame, however it was fragmented."""

from __future__ import annotations

from wsdaemon.websocket.connection import Connection


class EchoAssemble(Connection):
    """Jetty's echo-assemble; beyond the message limit the connection ends with 1009."""

    names = ("org.ietf.websocket.test-echo-assemble", "echo-assemble")

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Send the message back."""
        self.send_message(message, is_binary)
