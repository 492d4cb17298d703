"""Broadcast: every message goes to every connection in the room, its sender included."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from wsdaemon.observe.tally import Cause
from wsdaemon.options import Origins, Size, option
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.compression import Deflate
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.frames import frame_header, join_frames, payload_sizes
from wsdaemon.websocket.hub import Room
from wsdaemon.websocket.outbox import CROWDED
from wsdaemon.websocket.transport import acknowledged

ROOM = "echo-broadcast"
OVERHEAD = 150
"""How many bytes a queued message counts for beside its own, so that empty ones are bounded too."""

HOLD_BACK, HOLD_BACKS = 0.005, 20
"""How long, in seconds, and how often at most a sender waits while most of the room does not keep up."""

PATIENCE = 0.5
"""How long, in seconds, it waits for a member with a half-full queue that still reads; if it does not, a fifth."""

DELIVERIES = 1 << 16
"""How many messages are sent, to all members together, before the clock is checked again."""

WRITTEN_AT_ONCE = 256
"""How many messages are sent to one member in one write."""

_Compression = tuple[int, int, int] | None
"""The parameters of a member's permessage-deflate; members with the same ones get the same bytes."""


@dataclass(frozen=True, kw_only=True)
class BroadcastSettings(WebSocketSettings):
    """A page of another site could send to everyone in the room; so by default only our own pages may connect."""

    allowed_origins: tuple[str, ...] = option(
        Origins(), ("same",), "Which pages may connect: same only those of this server, * all, or a list of origins."
    )
    queue_limit: int = option(
        Size(1 << 10, 1 << 30),
        1 << 20,
        "How many bytes may queue for a slow member; then its connection closes with 1013.",
    )


class EchoBroadcast(Connection):
    """Jetty's echo-broadcast. A member that does not keep up has to leave the room.

    A sender is read more slowly while most members do not keep up: then it is the sender that is too fast. It is also
    slowed for a moment when a member has fallen behind but still reads.
    """

    names: ClassVar[tuple[str, ...]] = ("org.ietf.websocket.test-echo-broadcast", "echo-broadcast")
    settings_class: ClassVar[type[WebSocketSettings]] = BroadcastSettings
    broadcasts: ClassVar[bool] = True
    settings: BroadcastSettings

    @property
    def batch(self) -> int:  # type: ignore[override]  # a number elsewhere
        """How many messages are taken before the clock is checked again; each member gets them in one write."""
        return max(1, min(WRITTEN_AT_ONCE, DELIVERIES // (1 + len(self._members()))))

    def opened(self) -> None:
        """Join the room."""
        self._queue: deque[bytes] = deque()
        self.queued = 0
        self._behind_since = self._took_at = 0.0  # since when its queue is half full; when it last read
        self._taken: int | None = None
        self._members().add(self)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Send a message that arrived in pieces to everyone."""
        self.messages_in([(Opcode.BINARY if is_binary else Opcode.TEXT, message)])

    def messages_in(self, frames: list[tuple[int, bytes]]) -> None:
        """Send messages to everyone: framed once for members with the same compression, in one write to each."""
        if not self.closing.is_open:
            return  # a closing connection sends to nobody
        members = self._members()
        framed: dict[_Compression, bytes] = {None: join_frames(frames)}
        receivers: Counter[_Compression] = Counter()
        lagging, verbose = 0, self.hub.verbose
        for member in members:
            try:
                key = None if member.deflate is None else member.deflate.parameters
                if key not in framed:
                    framed[key] = b"".join(_frame(*frame, member.deflate, self.settings) for frame in frames)
                whole = framed[key]
                if member.outbox.is_paused or verbose or member is self:
                    member.deliver(whole, frames)
                elif member.closing.is_open:
                    member.outbox.write(whole)
                receivers[key] += member.closing.is_open
                lagging += member.outbox.is_paused
            except Exception:  # it ends that member, and neither the sender nor the others
                member.crashed()
        self._count(frames, framed, receivers)
        if lagging and self.closing.is_open and self._is_crowded():
            self._wait_for_room(HOLD_BACKS)

    def _count(
        self, frames: list[tuple[int, bytes]], framed: dict[_Compression, bytes], receivers: Counter[_Compression]
    ) -> None:
        """Count the frames that are sent, for all members that share them."""
        for key, times in receivers.items():
            sizes = [len(payload) for _, payload in frames] if key is None else payload_sizes(framed[key])
            for (opcode, _), size in zip(frames, sizes, strict=True):
                self.hub.traffic.count_out(opcode, size, True, times)

    def _wait_for_room(self, times: int) -> None:
        """Read nothing from the sender for a moment, and again, up to `times`, while the room is crowded."""
        if not self.closing.is_open:
            return
        if self._is_crowded(waits_for_most=times > 0):
            self.outbox.pause_reading(CROWDED)
            self.deadlines.set("room", HOLD_BACK, partial(self._wait_for_room, times - 1 if times else 0))
        else:
            self.outbox.resume_reading(CROWDED)

    def _is_crowded(self, *, waits_for_most: bool = True) -> bool:
        members = self._members()
        lagging = [member for member in members if member.outbox.is_paused]
        is_most = waits_for_most and 2 * len(lagging) > len(members)
        return is_most or any(member.is_catching_up() for member in lagging)

    def is_catching_up(self) -> bool:
        """Whether senders wait for this member: it is far behind, but not for long, and it still reads."""
        if 2 * self.queued < self.settings.queue_limit:
            return False
        now, taken = self.hub.clock.seconds(), acknowledged(self.transport)
        if not self._behind_since:
            self._behind_since = self._took_at = now
        if taken != self._taken:
            self._taken, self._took_at = taken, now
        return now - self._behind_since < PATIENCE and now - self._took_at < PATIENCE / 5

    def deliver(self, framed: bytes, frames: list[tuple[int, bytes]]) -> None:
        """Send frames of the room, or queue them until the peer reads again, up to `queue_limit` bytes."""
        if not self.closing.is_open:
            return
        for opcode, message in frames:
            self.trace("sends", opcode, len(message), True)
        if not self.outbox.is_paused:
            self.outbox.write(framed)
            return
        self.queued += len(framed) + OVERHEAD
        if self.queued > self.settings.queue_limit:
            self._leave()
            self.hub.tally.count(Cause.SLOW_MEMBER)
            self.close(CloseCode.TRY_AGAIN_LATER, "reads too slowly")
        else:
            self._queue.append(framed)

    def writable(self) -> None:
        """Send what was queued, as far as the peer reads it."""
        while self._queue and not self.outbox.is_paused:
            frames = [self._queue.popleft() for _ in range(min(WRITTEN_AT_ONCE, len(self._queue)))]
            self.queued -= sum(map(len, frames)) + OVERHEAD * len(frames)
            if self.closing.is_open:
                self.outbox.write(b"".join(frames))
        if not self.outbox.is_paused:
            self._behind_since = 0.0  # it keeps up again

    def closed(self) -> None:
        """Leave the room."""
        self._leave()

    def _leave(self) -> None:
        self._members().discard(self)
        self._queue.clear()
        self.queued = 0

    def _members(self) -> Room[EchoBroadcast]:
        return self.hub.room(ROOM)


def _frame(opcode: int, message: bytes, deflate: Deflate | None, settings: WebSocketSettings) -> bytes:
    """Return a message as one frame, compressed by itself if that makes it smaller."""
    if deflate is not None and len(message) >= settings.compression_threshold:
        compressed = deflate.compress_alone(message)
        if len(compressed) < len(message):
            return frame_header(opcode, len(compressed), rsv=4) + compressed
    return frame_header(opcode, len(message)) + message
