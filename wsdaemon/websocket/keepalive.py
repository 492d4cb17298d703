"""Keep-alive: a ping now and then, and the end of the connection where no pong answers it."""

from __future__ import annotations

import os

from wsdaemon.websocket.deadlines import SharedTimer
from wsdaemon.websocket.outbox import Sender


class KeepAlive:
    """Keep-alive of one connection. Only the pong that answers the ping counts, no other input (RFC 6455 5.5.2)."""

    __slots__ = ("_frame", "_payload", "connection")

    def __init__(self, connection: Sender) -> None:
        self.connection = connection
        self._payload: bytes | None = None
        self._frame: object = None  # the frame that was arriving when the ping went out

    def start(self) -> None:
        """Wait until the next ping is due."""
        self._payload = None
        hub, interval = self.connection.hub, self.connection.settings.ping_interval
        if interval:
            if interval not in hub.ping_timers:
                hub.ping_timers[interval] = SharedTimer(hub.clock, interval, _ask_all)
            hub.ping_timers[interval].start(self)

    def stop(self) -> None:
        """Neither send pings nor wait for a pong."""
        self.connection.deadlines.cancel("pong")
        timer = self.connection.hub.ping_timers.get(self.connection.settings.ping_interval)
        if timer is not None:
            timer.cancel(self)

    def answered(self, payload: bytes) -> bool:
        """Take a pong; says whether it answers the ping."""
        if payload != self._payload:
            return False
        self.connection.deadlines.cancel("pong")
        self._payload = None
        if self.connection.closing.is_open:
            self.start()
        return True

    def ask(self) -> None:
        """Send a ping: it is due."""
        connection = self.connection
        if connection.outbox.is_behind:
            self.start()  # the peer does not read, which has its own deadline
            return
        self._frame = connection.incoming_frame
        if not connection.outbox.frame_left:  # no ping can go out inside a frame: then input is the answer
            self._payload = os.urandom(8)
            connection.send_ping(self._payload)
        self._wait()

    def _wait(self) -> None:
        connection = self.connection
        connection.heard = False
        connection.deadlines.set("pong", connection.settings.ping_timeout + connection.ping_takes, self._missing)

    def _missing(self) -> None:
        connection, outbox = self.connection, self.connection.outbox
        if self._payload is None and (outbox.is_paused or not outbox.frame_left):
            self.ask()  # now a ping can go out, or the peer has other deadlines
            return
        inside_a_frame = self._frame is not None and connection.incoming_frame == self._frame and connection.heard
        if inside_a_frame or outbox.is_full:
            self._wait()  # no pong can arrive inside a frame, and none is seen while nothing is read
        else:
            connection.unanswered()


def _ask_all(due: list[KeepAlive]) -> None:
    for each in due:
        try:
            each.ask()
        except Exception:  # whatever a subprotocol raises ends its own connection
            each.connection.crashed()
