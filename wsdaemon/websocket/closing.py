"""Closing (RFC 6455 section 7): every state, event, code, cause and deadline of a connection's end, for both sides.

`NEXT` is the table of states and events. The peer's Close is no event: while OPEN it is answered with the same code and
reason (CLOSE_SENT), and then a server ends the stream while a client leaves that to the server (section 7.1.1). What
breaks a rule fails the connection: a Close with the code that says why, then the end. In CLOSING and CLOSED a deadline
runs, after which the stream is cut.

CLOSED means that our side of the stream is told to end. What still arrives then is read and dropped, because a socket
that is closed with unread input sends a reset, which may overtake the Close.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Protocol

from wsdaemon.websocket.autobahn_facts import CLOSED, CLOSING, CONNECTING, KNOWN_CLOSE_CODES, OPEN
from wsdaemon.websocket.codes import CloseCode
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.transport import Transport, abort_connection, finish_sending, lose_connection

NO_CODE = 1005
"""Stands for a Close without a code; it is never on the wire (RFC 6455 section 7.4.1)."""


class Event(Enum):
    """What changes the state."""

    OPENED = auto()
    """The opening handshake is done: messages may be sent."""
    CLOSE_SENT = auto()
    """Our Close is written: the peer has `timeout` for its own. A behaviour may send another one."""
    END_QUEUED = auto()
    """The stream ends as soon as the paced output is written."""
    ENDED = auto()
    """Our side of the stream is told to end."""


NEXT = {
    (CONNECTING, Event.OPENED): OPEN,
    (CONNECTING, Event.ENDED): CLOSED,
    (OPEN, Event.CLOSE_SENT): CLOSING,
    (CLOSING, Event.CLOSE_SENT): CLOSING,
    (OPEN, Event.END_QUEUED): CLOSING,
    (CLOSING, Event.END_QUEUED): CLOSING,
    (OPEN, Event.ENDED): CLOSED,
    (CLOSING, Event.ENDED): CLOSED,
}
"""The next state, by state and event; an event without a row changes nothing."""


class Closable(Protocol):
    """Connection, as far as its closing uses it."""

    transport: Transport
    deadlines: Deadlines
    violation: str  # a format for what breaks the protocol
    invalid: str  # a format for what makes a payload invalid

    def send_close(self, code: int | None, body: bytes) -> bool:
        """Write a Close with this body; False where another frame is half sent and cannot be finished."""

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Call `done` once the paced output is out; False, and no call, where nothing is queued."""

    def left_open(self) -> None:
        """Stop what only an open connection does (called when the state leaves OPEN)."""

    def ending(self) -> None:
        """Let go of input and output (called before the stream is told to end)."""

    def forget_input(self) -> None:
        """Drop input that is held."""

    def failing(self, code: int) -> None:
        """Note that the connection fails with `code`."""

    def cut_late(self) -> str:
        """Note that the stream is cut because the peer did not close in time; returns the cause to tell."""


class Closing:
    """The closing state of one connection.

    `timeout` bounds, in seconds, the time from the first Close or end until the stream is gone. `drop_delay` is how
    long a client waits for the server to end the stream after both Closes; None for a server, which ends it itself.
    """

    __slots__ = (
        "_connection", "_drop_delay", "_ends", "_timeout", "cause", "is_clean", "is_open", "reason", "received",
        "sent", "state",
    )  # fmt: skip

    def __init__(self, connection: Closable, timeout: float, drop_delay: float | None = None) -> None:
        self._connection = connection
        self._timeout = timeout
        self._drop_delay = drop_delay
        self._ends = False
        self.state = CONNECTING
        self.is_open = False
        """Whether messages may be sent and are handed on."""
        self.cause = ""
        """Why the connection ends, where the peer's Close does not say it."""
        self.sent: int | None = None
        """The code of our Close; `NO_CODE` for one without; None while none is sent."""
        self.received: int | None = None
        """The code of the peer's Close, in the same way."""
        self.reason = ""
        """The reason in the peer's Close."""
        self.is_clean = False
        """Whether both sides sent a Close."""

    def opened(self) -> None:
        """Go from the opening handshake to OPEN."""
        self._go(Event.OPENED)

    def close(self, code: int | None, reason: bytes = b"") -> None:
        """Send a Close, at most once; `reason` (UTF-8) is cut to 123 bytes. Nothing happens unless open."""
        if not self.is_open:
            return
        body = b"" if code is None else code.to_bytes(2, "big") + _cut(reason, 123)
        if self._connection.send_close(code, body):
            self.close_sent(code)
        else:
            self.end(abort_connection, "a frame could not be finished")

    def close_sent(self, code: int | None) -> None:
        """Go on as after every Close of ours; the caller has written it."""
        self.sent = NO_CODE if code is None else code
        self._go(Event.CLOSE_SENT)

    def close_received(self, code: int | None, reason: bytes) -> None:
        """Take the peer's Close: check it, answer it unless ours is sent, and have the stream end."""
        if code is not None and not _may_be_received(code):
            self.received = NO_CODE
            self.fail(CloseCode.PROTOCOL_ERROR, self._connection.violation.format(f"invalid close code {code}"))
            return
        self.received = NO_CODE if code is None else code
        try:
            self.reason = reason.decode()
        except UnicodeDecodeError:
            why = self._connection.invalid.format("invalid close reason (non-UTF8 payload)")
            self.fail(CloseCode.INVALID_PAYLOAD, why)
            return
        self.is_clean = True
        self.close(code, reason)
        if self._drop_delay is None:
            self.end(finish_sending)
        elif self.state == CLOSING:
            self._connection.forget_input()  # nothing follows a Close (RFC 6455 section 5.5.1)
            self._connection.deadlines.set("close", self._drop_delay, partial(self.end, lose_connection))

    def fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455 section 7.1.7): a Close where that is possible, then the end."""
        self.cause = self.cause or reason
        if self.is_open:
            self._connection.failing(code)
            self.close(code, reason.encode())
        if self._drop_delay is not None and self.state != CLOSED:
            self.within(self._drop_delay)
        self.is_clean = False
        self.end(finish_sending)

    def end(self, how: Callable[[Transport], None], cause: str = "") -> None:
        """Have the stream end by `how`, once the paced output is out; at once where it is cut."""
        if self.state == CLOSED:
            return
        self.cause = self.cause or cause
        if how is not abort_connection:
            if self._ends:
                return
            self._ends = self._connection.when_sent(partial(self._end, how))
            if self._ends:
                self._go(Event.END_QUEUED)
                return
        self._end(how)

    def end_at_once(self, how: Callable[[Transport], None]) -> None:
        """Have the stream end, and send nothing that is still queued at a pace."""
        self._end(how)

    def peer_ended(self) -> None:
        """Take the end of the peer's side of the stream: queued output is still sent, then our side ends."""
        if self.state == CLOSED:
            self._connection.transport.loseConnection()
        else:
            self.end(lose_connection)

    def within(self, seconds: float) -> None:
        """Have the stream cut in `seconds`, in place of the deadline that runs."""
        self._connection.deadlines.set("close", seconds, self._expired)

    def gone(self) -> None:
        """The stream is gone."""
        self.state, self.is_open = CLOSED, False

    def _end(self, how: Callable[[Transport], None]) -> None:
        if self.state == CLOSED:
            return
        self._go(Event.ENDED)
        self._connection.ending()
        if self._drop_delay is not None and how is lose_connection:
            self.within(self._timeout)
        how(self._connection.transport)

    def _go(self, event: Event) -> None:
        was, self.state = self.state, NEXT.get((self.state, event), self.state)
        self.is_open = self.state == OPEN
        if self.state in (CLOSING, CLOSED):
            if was in (OPEN, CONNECTING):
                self._connection.left_open()
            if not self._connection.deadlines.running("close"):
                self.within(self._timeout)

    def _expired(self) -> None:
        late = self._connection.cut_late()
        self.cause = self.cause or late
        if self.state == CLOSED:
            self._connection.transport.abortConnection()
        else:
            self.end(abort_connection)


def _may_be_received(code: int) -> bool:
    """Say whether a peer may send this code: those that Autobahn knows, and 3000 to 4999."""
    return code in KNOWN_CLOSE_CODES or 3000 <= code < 5000


def _cut(text: bytes, length: int) -> bytes:
    """Return the start of UTF-8 `text`, at most `length` bytes and cut at a character's border."""
    return text if len(text) <= length else text[:length].decode("utf-8", "ignore").encode()
