"""Keep-alive: a ping now and then, and the end of the connection where no pong comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsdaemon.websocket.engine import Engine


class KeepAlive:
    """Asks one peer whether it is still there; that it sends data is no answer, only the right pong is."""

    __slots__ = ("_connection", "_frame", "_payload")

    def __init__(self, connection: Engine) -> None:
        self._connection = connection
        self._payload: bytes | None = None
        self._frame: object = None  # the frame that was coming in when the ping went out

    def start(self) -> None:
        """Wait until the next ping is due."""
        self._payload = None
        interval = self._connection.settings.ping_interval
        if interval:
            self._connection.deadlines.set("ping", interval, self._ask)

    def answered(self, payload: bytes) -> bool:
        """Take a pong; says whether it answers our ping."""
        if payload != self._payload:
            return False
        self._connection.deadlines.cancel("pong")
        self.start()
        return True

    def _ask(self) -> None:
        connection = self._connection
        if connection.is_behind:
            self.start()  # the peer does not read, which has its own deadline
            return
        self._frame = connection.incoming_frame
        if not connection.frame_left:  # no ping can go out in the middle of a frame: then what comes in is the answer
            self._payload = os.urandom(8)
            connection.send_ping(self._payload)
        self._wait()

    def _wait(self) -> None:
        self._connection.heard = False
        self._connection.deadlines.set(
            "pong", self._connection.settings.ping_timeout + self._connection.ping_takes, self._missing
        )

    def _missing(self) -> None:
        connection = self._connection
        if self._payload is None and (connection.write_paused or not connection.frame_left):
            self._ask()  # now a ping can go out, or the peer has other deadlines
            return
        inside_a_frame = self._frame is not None and connection.incoming_frame == self._frame and connection.heard
        if inside_a_frame or connection.is_full:
            self._wait()  # no pong can come in the middle of a frame, and none is seen while nothing is read
        else:
            connection.unanswered()
