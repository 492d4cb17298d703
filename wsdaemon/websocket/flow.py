"""Flow control: how much may wait for a peer that does not keep up, and how long.

The transport says when it cannot send (`pauseProducing`) and when everything is sent (`resumeProducing`). In between, a
connection goes on reading until `READ_AHEAD` bytes of answers wait, so that a peer which sends a whole message before
it begins to read gets it back; then it reads nothing more. All connections together may have `READ_AHEAD_ALL` bytes
waiting; beyond that, each stops reading at once. Who takes nothing for `stall_timeout` is dropped.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.transport import Transport

READ_AHEAD = 1 << 20
READ_AHEAD_ALL = 64 << 20


@implementer(IPushProducer)
class FlowControlled:
    """What a connection does when its transport cannot send."""

    transport: Transport
    deadlines: Deadlines
    hub: Hub
    settings: WebSocketSettings
    can_send: bool

    write_paused = False
    read_paused = False
    _backlog = 0

    def write(self, data: bytes) -> None:
        """Send bytes of whole frames, or of the frame that is half sent."""
        self.transport.write(data)
        if self.write_paused:
            self._backlog += len(data)
            self.hub.backlog += len(data)
            if self._backlog > READ_AHEAD or self.hub.backlog > READ_AHEAD_ALL:
                self._pause_reading()

    def pauseProducing(self) -> None:
        """The peer does not keep up (called by the transport, maybe within `write`)."""
        self.write_paused = True
        if self.hub.backlog > READ_AHEAD_ALL:
            self._pause_reading()
        if self.can_send:
            self.deadlines.set("stall", self.settings.stall_timeout, self.stalled)

    def resumeProducing(self) -> None:
        """The peer has taken everything (called by the transport)."""
        self.forget_backlog()
        self.write_paused = False
        self.deadlines.cancel("stall")
        if self.read_paused:
            self.read_paused = False
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    def stalled(self) -> None:
        """The peer took nothing for `stall_timeout`."""
        raise NotImplementedError

    def forget_backlog(self) -> None:
        """Nothing waits any more."""
        self.hub.backlog -= self._backlog
        self._backlog = 0

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pauseProducing()
