"""Echo: every data frame goes back as it came, as soon as it is in, and nothing of it is kept."""

from __future__ import annotations

from wsdaemon.settings import StreamingSettings
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.frames import frame_header, join_frames


class Echo(Connection):
    """Jetty's echo: same opcode, same FIN bit, frame by frame; control frames are not echoed.

    A compressed message goes back compressed, frame by frame as well; where a frame inflates to more than
    `frame_hold` bytes, it goes back as several.
    """

    names = ("org.ietf.websocket.test-echo", "lws-mirror-protocol", "echo")
    settings_class = StreamingSettings

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Send whole messages back in one write; each came in one frame that was not compressed."""
        if self.can_send:
            counts, sizes = self.hub.traffic.frames_out, self.hub.traffic.bytes_out
            for opcode, payload in frames:
                counts[opcode] += 1
                sizes[opcode] += len(payload)
            self.write(join_frames(frames))

    def inflated_in(self, opcode: int, message: bytes) -> None:
        """Send a message that was compressed back so."""
        self.send_frame(opcode, message, compress=True)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Note how the first frame goes back."""
        self._opcode = Opcode.BINARY if isBinary else Opcode.TEXT
        self.message = bytearray()

    def onMessageFrameBegin(self, length: int) -> None:
        """Send the header of a large frame at once."""
        if length > self.hub.limits.frame_hold and not self._isMessageCompressed and self.can_send:
            frame = self.current_frame
            self.trace("sends", self._opcode, length, frame.fin)
            self.hub.traffic.gave_frame(self._opcode, length, bool(frame.fin))
            self.write(frame_header(self._opcode, length, fin=frame.fin))
            self._opcode = Opcode.CONTINUATION
            self.frame_left = length

    def onMessageFrameData(self, payload: bytes) -> None:
        """Pass a piece of a large frame on, or hold that of a small one."""
        if not self.can_send:
            return
        if self.frame_left:
            self.frame_left -= len(payload)
            self.write(payload)
            return
        self.message += payload
        if len(self.message) > self.hub.limits.frame_hold:  # only what was compressed can grow so far
            self._send_held(fin=False)

    def onMessageFrameEnd(self) -> None:
        """Send a frame back that is not the message's last: that one waits until the text is known to be whole."""
        frame = self.current_frame
        if not frame.fin and (self._isMessageCompressed or frame.length <= self.hub.limits.frame_hold):
            self._send_held(fin=False)

    def onMessageEnd(self) -> None:
        """Send the last frame back."""
        if self._isMessageCompressed or self.current_frame.length <= self.hub.limits.frame_hold:
            self._send_held(fin=True)

    def _send_held(self, *, fin: bool) -> None:
        held, self.message = bytes(self.message), bytearray()
        self.send_frame(self._opcode, held, fin=fin, compress=self._isMessageCompressed)
        self._opcode = Opcode.CONTINUATION
