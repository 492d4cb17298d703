"""Output of a connection: in order, joined into few writes, bounded, and with back-pressure on the input.

The transport says when it cannot send (`pauseProducing`) and when everything is sent (`resumeProducing`). In between,
a connection goes on reading until `read_ahead` bytes are queued, so that a peer may send a whole message before it
reads its replies; then nothing more is read from it. All connections together may have `read_ahead_all`
bytes queued; beyond that, each stops reading at once. A peer that takes nothing for `stall_timeout` is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.closing import Closing
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.transport import Transport, watch_progress

FULL, BUSY, CROWDED, HELD, STALLED, LATER = 1, 2, 4, 8, 16, 32
"""Why input is not read: the peer does not take its replies; earlier input is still being worked on; most of a room
does not keep up; too much output is queued at our own pace; the URL asks for a stall; input waits for output."""


class Sender(Protocol):
    """Connection, as far as its output and its keep-alive use it."""

    transport: Transport
    hub: Hub
    settings: WebSocketSettings
    deadlines: Deadlines
    closing: Closing
    heard: bool
    ping_takes: float

    @property
    def outbox(self) -> Outbox:
        """Its output."""

    @property
    def incoming_frame(self) -> object:
        """A value that identifies the frame that is arriving; None between frames."""

    def send_ping(self, payload: bytes) -> None:
        """Send a ping."""

    def unanswered(self) -> None:
        """Cut the peer: it did not answer a ping."""

    def read_on(self) -> bool:
        """Process held input; False where there is none."""

    def crashed(self) -> None:
        """End the connection because of the exception that is being handled."""

    def writable(self) -> None:
        """Go on after everything queued was sent."""

    def stalled(self) -> None:
        """Cut the peer: it took nothing for `stall_timeout`."""


@implementer(IPushProducer)
class Outbox:
    """Output queue of one connection.

    It is the producer that the transport pauses. `frame_left` is how many bytes of payload have to follow a header that
    is written: no other frame may be written before them.
    """

    __slots__ = ("_connection", "_corked", "frame_left", "is_paused", "paused_for", "queued")

    def __init__(self, connection: Sender) -> None:
        self._connection = connection
        self._corked: list[bytes] | None = None
        self.frame_left = 0
        self.is_paused = False
        """Whether the transport cannot send."""
        self.paused_for = 0
        """The reasons why input is not read."""
        self.queued = 0
        """Bytes queued for the peer, written while its transport could not send."""

    @property
    def is_full(self) -> bool:
        """Whether input is not read because of queued output, or because the URL asks for it."""
        return self.paused_for & (FULL | HELD | STALLED | LATER) != 0

    @property
    def is_held_up(self) -> bool:
        """Whether nothing more should be produced now."""
        return self.is_paused or self.paused_for & HELD != 0

    @property
    def is_behind(self) -> bool:
        """Whether output written now would have to wait."""
        return self.is_paused

    # -- writing --------------------------------------------------------------------------------------------------

    def cork(self) -> None:
        """Gather what is written until `uncork`, so that it goes out in one write."""
        self._corked = []

    def uncork(self) -> None:
        """Write what was gathered."""
        corked, self._corked = self._corked, None
        if corked:
            data = corked[0] if len(corked) == 1 else b"".join(corked)
            self._connection.transport.write(data)
            if self.is_paused:
                self._count(len(data))

    def write(self, data: bytes) -> None:
        """Write whole frames."""
        if self._corked is not None:
            self._corked.append(data)
            return
        self._connection.transport.write(data)
        if self.is_paused:
            self._count(len(data))

    def write_now(self, data: bytes) -> None:
        """Write bytes of the response to the handshake: no pace and no order applies to them."""
        self._connection.transport.write(data)

    def begin_frame(self, header: bytes, length: int, payload: bytes = b"") -> None:
        """Write the header of a frame of `length` bytes, and the start of its payload; the rest has to follow."""
        self.frame_left = length - len(payload)
        self.write(header + payload)

    def continue_frame(self, payload: bytes) -> None:
        """Write a piece of the payload of the frame that was begun."""
        self.frame_left -= len(payload)
        self.write(payload)

    def finish_frame(self, most: int) -> bool:
        """Fill a half-sent frame with spaces, so that a Close can follow; False where over `most` bytes are missing."""
        if self.frame_left > most:
            return False
        if self.frame_left:
            self.continue_frame(b" " * self.frame_left)
        return True

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Call `done` once output that waits for its pace is written; False, and no call, where there is none."""
        return False

    def _count(self, length: int) -> None:
        """Count bytes that were written while the transport cannot send."""
        hub = self._connection.hub
        self.queued += length
        hub.queued += length
        if self.queued > hub.limits.read_ahead or hub.queued > hub.limits.read_ahead_all:
            self.pause_reading(FULL)

    # -- the transport's producer -----------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport cannot send (it may say so within `write`)."""
        connection = self._connection
        self.is_paused = True
        if connection.hub.queued > connection.hub.limits.read_ahead_all:
            self.pause_reading(FULL)
        if connection.closing.is_open and not connection.deadlines.running("stall"):  # TCP says it at every write
            watch_progress(
                connection.deadlines, connection.transport, connection.settings.stall_timeout, connection.stalled
            )

    def resumeProducing(self) -> None:
        """The transport has sent everything."""
        self.forget()
        self.is_paused = False
        self._connection.deadlines.cancel("stall")
        self.resume_reading(FULL)
        self._connection.writable()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    def forget(self) -> None:
        """Count nothing as queued any more."""
        self._connection.hub.queued -= self.queued
        self.queued = 0

    def lost(self) -> None:
        """Let go of everything: the transport is gone."""
        self.forget()

    # -- back-pressure ------------------------------------------------------------------------------------------------

    def pause_reading(self, why: int) -> None:
        """Read no input, for one reason or several."""
        if not self.paused_for:
            self._connection.transport.pauseProducing()
        self.paused_for |= why

    def resume_reading(self, why: int) -> None:
        """Read input again, unless there is another reason not to."""
        paused = self.paused_for
        self.paused_for = paused & ~why
        if not self._connection.read_on() and paused == why:
            self._connection.transport.resumeProducing()

    def read_to_the_end(self) -> None:
        """Read input whatever the reasons were: the stream's end is all that is waited for."""
        if self.paused_for:
            self.paused_for = 0
            self._connection.transport.resumeProducing()
