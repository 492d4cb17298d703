"""How input is taken in: plainly right frames in one pass, every other byte by Autobahn, and never too much at once.

Autobahn gets exactly the bytes of one frame at a time, so the fast way (`frames`) goes on right behind a ping or a
fragment. Work on one connection's input stops after its share of the loop's turn (`turns`); what is left waits for the
next turn while nothing more is read, so that floods of tiny frames delay nobody else. What is answered to one
chunk goes out in one write.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.flow import BUSY, FlowControlled
from wsdaemon.websocket.frames import RSV1, frame_extent, is_begun, take_compressed_frame, take_whole_frames

LITTLE = 0.0005
"""Work that takes less is not counted: to count it would cost more than it brings."""

COMPRESSED_WHOLE = 1 << 14
"""The largest compressed message that is inflated in one go: it may hold 16 MiB, which take 10 ms."""

COMPRESSED_SLICE = 512
"""How much of a larger compressed frame is parsed before the clock is looked at again: it may inflate 1,000 times."""


class Intake(FlowControlled):
    """The receiving side of a connection. Autobahn's state is read here and nowhere else but in `engine`."""

    STATE_CLOSED: int
    state: Any
    data: bytes  # what Autobahn has not parsed yet: part of a frame's header
    current_frame: Any = None  # the frame that is half-way
    current_frame_masker: Any
    inside_message = False
    _isMessageCompressed: bool = False
    _perMessageCompress: Any
    deadlines: Deadlines
    is_fast = False
    """Whether whole messages are taken without asking Autobahn: not where every frame is shown."""
    takes_whole_messages = True
    """Whether `messages_in` may be given messages; else Autobahn's hooks see all of them."""
    batch = 256
    """Frames that are taken before the clock is looked at again."""
    heard = False
    """Whether anything came in since that was last asked."""
    begun_frame = b""
    """The start of a message that is taken once it is whole."""
    begun_messages = 0
    """Messages that have begun, but for those that came whole."""
    watching = False
    """Whether a message's time is watched."""
    _held = b""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport."""
        if self._held:
            self._held += data  # in TLS some may come though reading is paused
        elif self.hub.turns.over and self.state != self.STATE_CLOSED:
            self._wait_for_turn(data)
        else:
            self._take_in(data)

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Take whole messages of one frame each: opcode (text or binary) and payload."""
        raise NotImplementedError

    def compressed_in(self, opcode: int, payload: bytes) -> None:
        """Take a whole compressed message of one frame: opcode (text or binary), and payload as it came in."""
        raise NotImplementedError

    def inflated_in(self, opcode: int, message: bytes) -> None:
        """Take a whole message of one frame that was compressed: opcode (text or binary) and payload, inflated."""
        self.messages_in([(opcode, message)])

    def parse(self, data: bytes) -> None:
        """Have Autobahn parse bytes."""
        raise NotImplementedError

    def crashed(self) -> None:
        """End the connection because of the exception that is handled now."""
        raise NotImplementedError

    def progressed(self) -> None:
        """Some input of a message that is not whole, or was not, has been worked on."""

    def _take_in(self, data: bytes) -> None:
        """Work on input. What every message goes through stands here in one piece: each call would show."""
        if self.state == self.STATE_CLOSED:
            return  # it is only read so that no reset overtakes our Close
        self.heard = True
        rest, at = b"", 0
        begun = perf_counter()
        self._corked = []
        try:
            if (
                self.is_fast
                and self.current_frame is None
                and not (self.inside_message or self.begun_frame or self.data)
            ):
                frames, at = take_whole_frames(data, masked=True, limit=self.settings.message_limit, count=self.batch)
                if frames:
                    counts, sizes = self.hub.traffic.frames_in, self.hub.traffic.bytes_in
                    for opcode, payload in frames:
                        counts[opcode] += 1
                        sizes[opcode] += len(payload)
                    self.messages_in(frames)
            if at < len(data):
                rest = data[at:] if self.is_full else self._work(data, at, begun)
        except Exception:  # whatever a subprotocol raises ends its own connection
            self.crashed()
        finally:
            corked, self._corked = self._corked, None
            if corked:
                self.write(corked[0] if len(corked) == 1 else b"".join(corked))
        if self.inside_message or self.begun_frame or self.watching:
            self.progressed()
        took = perf_counter() - begun
        if took > LITTLE:
            self.hub.turns.spend(took)
        if rest and self.state != self.STATE_CLOSED:
            if self.is_full:
                self._held = rest  # until the peer takes its answers: one chunk may ask for many
            else:
                self._wait_for_turn(rest, again=True)

    def _wait_for_turn(self, data: bytes, *, again: bool = False) -> None:
        self._held = data
        self.pause_reading(BUSY)
        self.hub.turns.add(self._go_on, again=again)

    def _go_on(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._take_in(held)
            if not self._held or self.is_full:
                self.resume_reading(BUSY)

    def read_on(self) -> bool:
        """Go on with what was read before the connection was full."""
        if not self._held or self.is_full or self.read_paused & BUSY:
            return False
        self.read_paused |= BUSY
        self.hub.turns.add(self._go_on)
        return True

    def forget_input(self) -> None:
        """Drop what waits to be worked on."""
        self._held = self.begun_frame = b""

    def _work(self, data: bytes, at: int, begun: float) -> bytes:
        """Work on input from `at` on for as long as this connection's share of the turn; returns what is left."""
        waited = bool(self.begun_frame)
        if waited:
            data, self.begun_frame = self.begun_frame + data, b""
        elif self.current_frame is None and self.data:
            data, self.data = self.data + data, b""
        end = len(data)
        while at < end and self.state != self.STATE_CLOSED:
            before = at
            if self.current_frame is None and not self.inside_message and not self.hub.verbose:
                at = self._take_whole(data, at)
                if at == before and self._can_wait(data[at:] if at else data):
                    self.begun_messages += at > 0 or not waited
                    return b""
            if at == before:
                at = self._parse_some(data, at)
            if at < end and (self.is_full or perf_counter() - begun > self.hub.turns.share):
                return data[at:]
        return b""

    def _can_wait(self, data: bytes) -> bool:
        """Keep the start of a frame until it is whole, if it may become a message for the fast way."""
        hold, limit = self.hub.limits.frame_hold, self.settings.message_limit
        if self.takes_whole_messages and is_begun(data, masked=True, limit=min(hold, limit or hold)):
            self.begun_frame = data
        return bool(self.begun_frame)

    def _take_whole(self, data: bytes, at: int) -> int:
        """Take whole messages of one frame each the fast way; returns where the first byte not taken stands."""
        if self.takes_whole_messages:
            frames, end = take_whole_frames(data, at, masked=True, limit=self.settings.message_limit, count=self.batch)
            if frames:
                self.hub.traffic.took(frames)
                self.messages_in(frames)
                return end
        if self._perMessageCompress is not None:
            compressed = take_compressed_frame(data, at, limit=COMPRESSED_WHOLE)
            if compressed is not None:
                opcode, payload, at = compressed
                self.compressed_in(opcode, payload)
        return at

    def _parse_some(self, data: bytes, at: int) -> int:
        """Have Autobahn parse one frame, or what is there of it; returns where the first byte stands that was not."""
        if self.current_frame is not None:
            extent: int = self.current_frame.length - self.current_frame_masker.pointer()
        else:
            extent = frame_extent(data, at)
        extent = min(extent or len(data), len(data) - at)
        compressed = self._isMessageCompressed or (self.current_frame is None and data[at] & RSV1)
        if extent > COMPRESSED_SLICE and compressed:
            extent = COMPRESSED_SLICE
        self.parse(data[at : at + extent])
        return at + extent
