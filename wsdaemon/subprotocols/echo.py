"""Echo: each data frame goes back unchanged as it arrives; nothing is kept."""

from __future__ import annotations

from wsdaemon.settings import StreamingSettings
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.frames import frame_header, join_frames


class Echo(Connection):
    """Jetty's echo: same opcode, same FIN bit, frame by frame; control frames are not echoed.

    A compressed message goes back compressed, also frame by frame; a frame that inflates to more than `frame_hold`
    bytes goes back as several.
    """

    names = ("org.ietf.websocket.test-echo", "lws-mirror-protocol", "echo")
    settings_class = StreamingSettings

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Send whole messages back in one write; each arrived uncompressed, in one frame."""
        if self.closing.is_open:
            counts, sizes = self.hub.traffic.frames_out, self.hub.traffic.bytes_out
            for opcode, payload in frames:
                counts[opcode] += 1
                sizes[opcode] += len(payload)
            self.outbox.write(join_frames(frames))

    def inflated_in(self, opcode: int, message: bytes) -> None:
        """Send a compressed message back compressed."""
        self.send_frame(opcode, message, compress=True)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Note the opcode of the first frame to send."""
        self._opcode = Opcode.BINARY if isBinary else Opcode.TEXT
        self._kept = bytearray()

    def onMessageFrameBegin(self, length: int) -> None:
        """Send the header of a large frame at once."""
        if length > self.hub.limits.frame_hold and not self.is_compressed and self.closing.is_open:
            fin = self.current_frame.fin
            self.note_sent(self._opcode, length, bool(fin))
            self.outbox.begin_frame(frame_header(self._opcode, length, fin=fin), length)
            self._opcode = Opcode.CONTINUATION

    def onMessageFrameData(self, payload: bytes) -> None:
        """Send a piece of a large frame on; keep a piece of a small one."""
        if not self.closing.is_open:
            return
        if self.outbox.frame_left:
            self.outbox.continue_frame(payload)
            return
        self._kept += payload
        if len(self._kept) > self.hub.limits.frame_hold:  # only a compressed frame can grow so large
            self._send_kept(fin=False)

    def onMessageFrameEnd(self) -> None:
        """Send a frame back, unless it is the last: that one waits for `onMessageEnd`, when a text was validated."""
        if not self.current_frame.fin and self._is_kept:
            self._send_kept(fin=False)

    def onMessageEnd(self) -> None:
        """Send the last frame back."""
        if self._is_kept:
            self._send_kept(fin=True)

    @property
    def _is_kept(self) -> bool:
        return bool(self.is_compressed or self.current_frame.length <= self.hub.limits.frame_hold)

    def _send_kept(self, *, fin: bool) -> None:
        kept, self._kept = bytes(self._kept), bytearray()
        self.send_frame(self._opcode, kept, fin=fin, compress=self.is_compressed)
        self._opcode = Opcode.CONTINUATION
