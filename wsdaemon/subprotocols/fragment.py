"""Fragment: a message comes back as exactly two frames."""

from __future__ import annotations

from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.connection import Connection


class EchoFragment(Connection):
    """Jetty's echo-fragment: the first n // 2 bytes, then the rest; a text may be cut inside a character."""

    names = ("org.ietf.websocket.test-echo-fragment", "echo-fragment")

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Send the message back in two frames."""
        half = len(message) // 2
        compress = self.deflate is not None
        self.send_frame(Opcode.BINARY if is_binary else Opcode.TEXT, message[:half], fin=False, compress=compress)
        self.send_frame(Opcode.CONTINUATION, message[half:], compress=compress)
