"""How a connection stalls, and how it ends: as the URL asks for, and not before all that is on its way is out.

A connection that stalls, or whose Close is never answered, is held for `[behaviours] max_wait` and then cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from wsdaemon.behaviours import closing
from wsdaemon.behaviours.closing import CloseParameters
from wsdaemon.behaviours.controls import Controls
from wsdaemon.behaviours.framing import Summary
from wsdaemon.behaviours.paced import LATER, STALLED
from wsdaemon.behaviours.timing import TimeParameters
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.transport import Transport, abort_connection, finish_sending, lose_connection


class Ending(Controls):
    """A connection that ends as its URL says."""

    closes: ClassVar[bool] = False
    """Whether it ends without being asked to."""

    _ends = False  # whether its end is on the way, behind what waits
    _taken = _replied = 0

    @property
    def can_send(self) -> bool:  # type: ignore[override]  # follows from the state
        """Whether messages can be sent: not behind what ends the connection, though that may be on its way out."""
        return bool(self.state == self.STATE_OPEN) and not self._ends

    def begin_ending(self) -> None:
        """Begin what ends it, or has it stall, without a message."""
        close = self.given.of(CloseParameters)
        if self._is_to_close() and ("after" in self.given.names or not close.messages):
            self.deadlines.set("end", close.after / 1000, self._end_as_asked)
        self._stall_if_due()

    def replied(self) -> None:
        """Note that a reply is sent; the connection may end after it."""
        self._replied += 1
        if self._is_to_close() and self._replied == self.given.of(CloseParameters).messages:
            self._end_as_asked()

    def send_raw(self, data: bytes, known: Summary | None = None) -> None:
        """Send frames as they are, right or wrong; nothing happens unless open. `known` is what is in them."""
        if self.can_send:
            known = self._count(data, known)
            self.write(data)
            if known.has_close:
                self._close_is_sent()
            self.replied()

    def _stall_if_due(self) -> None:
        time = self.given.of(TimeParameters)
        if time.stall == "no" or self._taken != time.stall_after or not self.can_send:
            return
        if time.stall in ("read", "both"):
            self.pause_reading(STALLED)
        if time.stall in ("write", "both") and self._pace is not None:
            self._pace.stop()
        self._hold()

    def _hold(self) -> None:
        """Keep the connection as it is, but not for ever."""
        for name in ("ping", "pong", "message", "stall"):
            self.deadlines.cancel(name)
        self.deadlines.set("hold", self.bounds.max_wait, self._held_long_enough)

    def _held_long_enough(self) -> None:
        self._cause = "held for as long as is allowed, as asked for"
        super()._end(abort_connection)

    def _is_to_close(self) -> bool:
        return (self.closes or closing.is_wanted(self.given)) and self.given.of(CloseParameters).how != "never"

    def _end_as_asked(self) -> None:
        wanted = self.given.of(CloseParameters)
        if not self.can_send:
            return
        self.deadlines.cancel("end")
        self._cause = f"{wanted.how}, as asked for"
        if wanted.how == "rst":
            super()._end(abort_connection)
        elif wanted.how == "half":
            self.deadlines.set("close", self.bounds.max_wait, self._close_expired)
            self._end(finish_sending)
        elif wanted.how != "close" or self.frame_left:
            self.write(b"" if self.frame_left or wanted.how == "fin" else closing.HALF_FRAME)
            self._end(lose_connection)
        else:
            frame = closing.close_frame(wanted)
            self.trace("sends", Opcode.CLOSE, len(frame) - 2, True)
            self._count(frame)
            self.write(frame)
            self.localCloseCode = None if wanted.code < 0 else wanted.code  # type: ignore[assignment]  # as Autobahn does
            self._close_is_sent()

    def _close_is_sent(self) -> None:
        """Go on as after any Close of ours: the client's ends the connection."""
        self.state = self.STATE_CLOSING
        self.closedByMe = True
        self._start_closing()

    def _start_closing(self) -> None:
        super()._start_closing()
        if self.number:
            self._delay.clear()  # it would come behind the Close
            self._balance()
            self.resume_reading(LATER)

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        """Answer the client's Close, but for where the URL asks for none."""
        if self.given.of(CloseParameters).how != "never" or self.state != self.STATE_OPEN:
            return super().onCloseFrame(code, reasonRaw)
        self.remoteCloseCode = code
        self._deaf = True
        self._hold()
        return None

    def _end(self, how: Callable[[Transport], None]) -> None:
        """End once all that goes out at a pace is out; the close timeout bounds that."""
        self.deadlines.cancel("handshake")
        if self._pace is None or not self._pace.held or how is abort_connection:
            super()._end(how)
        elif not self._ends:
            self._ends = True
            self._start_closing()
            self._pace.then(partial(super()._end, how))

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, but wait for no answer that would not be read."""
        super().close(code, reason)
        if self._deaf or self.read_paused & STALLED:
            super()._end(lose_connection)
