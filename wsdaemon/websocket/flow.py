"""Flow control: how much may wait for a peer that does not keep up, and how long.

The transport says when it cannot send (`pauseProducing`) and when everything is sent (`resumeProducing`). In between, a
connection goes on reading until `read_ahead` bytes of answers wait, so that a peer which sends a whole message before
it begins to read gets it back; then it reads nothing more. All connections together may have `read_ahead_all` bytes
waiting; beyond that, each stops reading at once. Who takes nothing for `stall_timeout` is dropped.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.transport import Transport, watch_progress

# Why nothing is read from a peer: it does not take its answers, what it sent is still being worked on, or most of those
# who are to get it do not keep up.
FULL, BUSY, CROWDED = 1, 2, 4


@implementer(IPushProducer)
class FlowControlled:
    """What a connection does when its transport cannot send."""

    transport: Transport
    deadlines: Deadlines
    hub: Hub
    settings: WebSocketSettings
    can_send: bool

    ping_takes = 0.0
    """How long a ping is on its way out, in seconds, where that is not at once."""
    write_paused = False
    read_paused = 0
    _backlog = 0
    _corked: list[bytes] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nothing is read because the peer does not take its answers."""
        return bool(self.read_paused & FULL)

    @property
    def is_behind(self) -> bool:
        """Whether what is written now would have to wait."""
        return self.write_paused

    @property
    def waiting(self) -> int:
        """How many bytes wait for the peer to read, beyond what its transport takes anyway."""
        return self._backlog

    def cork(self) -> None:
        """Keep what is written until `uncork`, so that it goes out at once."""
        self._corked = []

    def uncork(self) -> None:
        """Send what was kept; nothing happens where nothing was."""
        corked, self._corked = self._corked, None
        if corked:
            self.write(corked[0] if len(corked) == 1 else b"".join(corked))

    def write(self, data: bytes) -> None:
        """Send bytes of whole frames, or of the frame that is half sent."""
        if self._corked is not None:
            self._corked.append(data)
            return
        self.transport.write(data)
        if self.write_paused:
            self._backlog += len(data)
            self.hub.backlog += len(data)
            limits = self.hub.limits
            if self._backlog > limits.read_ahead or self.hub.backlog > limits.read_ahead_all:
                self.pause_reading(FULL)

    def pauseProducing(self) -> None:
        """The peer does not keep up (called by the transport, maybe within `write`)."""
        self.write_paused = True
        if self.hub.backlog > self.hub.limits.read_ahead_all:
            self.pause_reading(FULL)
        if self.can_send and not self.deadlines.running("stall"):  # TCP says it anew at every write
            watch_progress(self.deadlines, self.transport, self.settings.stall_timeout, self.stalled)

    def resumeProducing(self) -> None:
        """The peer has taken everything (called by the transport)."""
        self.forget_backlog()
        self.write_paused = False
        self.deadlines.cancel("stall")
        self.resume_reading(FULL)

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    def stalled(self) -> None:
        """The peer took nothing for `stall_timeout`."""
        raise NotImplementedError

    def forget_backlog(self) -> None:
        """Nothing waits any more."""
        self.hub.backlog -= self._backlog
        self._backlog = 0

    def pause_reading(self, why: int) -> None:
        """Read nothing from the peer, for one reason or two."""
        if not self.read_paused:
            self.transport.pauseProducing()
        self.read_paused |= why

    def resume_reading(self, why: int) -> None:
        """Read again, unless there is another reason not to."""
        paused = self.read_paused
        self.read_paused = paused & ~why
        if not self.read_on() and paused == why:
            self.transport.resumeProducing()

    def read_on(self) -> bool:
        """Work on what was read already, if anything waits; says whether that comes before anything else is read."""
        return False
