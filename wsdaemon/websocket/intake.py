"""How input is taken in: plainly right frames in one pass, every other byte by Autobahn, and never too much at once.

Autobahn gets exactly the bytes of one frame at a time, so the fast way (`frames`) goes on right behind a ping or a
fragment. Work on one connection's input stops after its share of `turn_budget`; what is left waits for the next turn of
the loop while nothing more is read, so that floods of tiny frames delay nobody else. What is answered to one
chunk goes out in one write.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, ClassVar

from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.flow import BUSY, FlowControlled
from wsdaemon.websocket.frames import RSV1, frame_extent, take_whole_frames

COMPRESSED_SLICE = 2048
"""How much of a compressed frame is parsed before the clock is looked at again: it may inflate 1,000 times."""


class Intake(FlowControlled):
    """The receiving side of a connection. Autobahn's state is read here and nowhere else but in `engine`."""

    STATE_CLOSED: int
    state: Any
    data: bytes  # what Autobahn has not parsed yet: part of a frame's header
    current_frame: Any  # the frame that is half-way, or None
    current_frame_masker: Any
    inside_message: bool
    _isMessageCompressed = False
    deadlines: Deadlines
    events: ClassVar[Any]
    number: int
    takes_whole_messages = True
    """Whether `messages_in` may be given messages; else Autobahn's hooks see all of them."""
    batch = 256
    """Frames that are taken before the clock is looked at again."""
    _held = b""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport."""
        if self._held:
            self._held += data  # in TLS some may come though reading is paused
        else:
            self._take_in(data)

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Take whole messages of one frame each: opcode (text or binary) and payload."""
        raise NotImplementedError

    def parse(self, data: bytes) -> None:
        """Have Autobahn parse bytes."""
        raise NotImplementedError

    def crashed(self) -> None:
        """End the connection because of the exception that is handled now."""
        raise NotImplementedError

    def progressed(self) -> None:
        """Some input has been worked on."""

    @property
    def largest_message(self) -> int:
        """The largest message in bytes, 0 for any."""
        raise NotImplementedError

    def _take_in(self, data: bytes) -> None:
        rest = b""
        self.cork()
        try:
            rest = self._work(data)
        except Exception:  # whatever a subprotocol raises ends its own connection
            self.crashed()
        finally:
            self.uncork()
        self.progressed()
        if rest and self.state != self.STATE_CLOSED:
            self._hold(rest)
            self.pause_reading(BUSY)
            self.deadlines.set("held", 0, self._go_on)

    def _go_on(self) -> None:
        held = self._held
        self._hold(b"")
        self._take_in(held)
        if not self._held:
            self.resume_reading(BUSY)

    def forget_input(self) -> None:
        """Drop what waits to be worked on."""
        self._hold(b"")

    def _hold(self, data: bytes) -> None:
        """Keep input for the next turn, and count those who do: they share the turn's time."""
        self.hub.busy += bool(data) - bool(self._held)
        self._held = data

    def _work(self, data: bytes) -> bytes:
        """Work on input for this connection's share of the turn; returns what is left."""
        if self.current_frame is None and self.data:
            data, self.data = self.data + data, b""
        at, end = 0, len(data)
        until = perf_counter() + self.hub.limits.turn_budget / (1 + self.hub.busy)
        while at < end and self.state != self.STATE_CLOSED:
            if self.current_frame is not None:
                extent = self.current_frame.length - self.current_frame_masker.pointer()
            else:
                if not self.inside_message and self.takes_whole_messages and not self.hub.verbose:
                    frames, at = take_whole_frames(data, at, limit=self.largest_message, count=self.batch)
                    if frames:
                        self.messages_in(frames)
                        if perf_counter() > until:
                            return data[at:]
                        continue
                extent = frame_extent(data, at)
            extent = min(extent or end, end - at)
            if extent > COMPRESSED_SLICE and (self._isMessageCompressed or data[at] & RSV1):
                extent = COMPRESSED_SLICE
            self.parse(data[at : at + extent])
            at += extent
            if perf_counter() > until:
                return data[at:]
        return b""
