"""One client of a run of `wsping`: its connection, its schedule, its checker."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, fail
from twisted.python.failure import Failure

from wsdaemon.client.check import Checker, Payloads, Sent
from wsdaemon.client.connect import connect
from wsdaemon.client.connection import ClientConnection
from wsdaemon.client.errors import ClientError
from wsdaemon.client.events import Frame
from wsdaemon.client.listener import Listener
from wsdaemon.client.plan import ConnectionEnd, PingPlan, PingResult, Reporter
from wsdaemon.websocket.codes import CloseCode

IN_FLIGHT = 1000
"""How many replies may be outstanding at a connection that sends without a delay."""

_AT_ONCE = 64  # messages that one client sends before others get a turn
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0  # how long to wait before connecting again, in seconds


class Run(Protocol):
    """The run that a client takes part in."""

    plan: PingPlan
    reporter: Reporter
    clock: Any
    result: PingResult
    payloads: Payloads

    @property
    def is_ending(self) -> bool:
        """Whether the connections are being closed."""

    def touch(self) -> float:
        """Note that something was sent or received; returns the time."""

    def expect(self, message: Sent) -> None:
        """Count a message that is sent, and expect the replies to it."""

    def changed(self) -> None:
        """A client connected, lost its connection, or has nothing outstanding: the run may begin or end."""

    def failed(self, failure: Failure) -> None:
        """A client could not connect."""


class Member(Listener):
    """One client of a run: its connection, its schedule, its checker."""

    def __init__(self, run: Run, number: int) -> None:
        self.number = number
        self.connection: ClientConnection | None = None
        self.checker = Checker(run.payloads, wait=run.plan.wait)
        self.wants_frames = run.reporter.wants_frames
        self.message_limit = max(Listener.message_limit, 2 * run.plan.size)
        self._run = run
        self._plan = run.plan
        self._sent = 0
        self._first: float | None = None  # when message 0 was due
        self._timer: Any = None
        self._attempt: Deferred[ClientConnection] | None = None
        self._retry = _FIRST_RETRY
        self.is_gone = False
        """Whether the connection was lost for good."""

    # -- connecting -----------------------------------------------------------------------------------------------

    def connect(self, turns: DeferredSemaphore | None = None) -> None:
        """Connect, in turn with other clients."""
        attempt = self._connect() if turns is None else turns.run(self._connect)
        attempt.addErrback(self._failed)

    def _connect(self) -> Deferred[ClientConnection]:
        self._timer = None
        if self._run.is_ending:
            return fail(CancelledError())
        self._attempt = connect(self._plan.target, self, reactor=self._run.clock)
        return self._attempt

    def opened(self, connection: ClientConnection) -> None:
        """The connection is open: the first one, or another after a loss."""
        self._attempt = None
        self._retry = _FIRST_RETRY
        if self._run.is_ending:
            connection.abort()
            return
        self.connection = connection
        self._run.reporter.connected(self.number, connection)
        if self._first is not None:
            self.begin()
        self._note(connection)
        self._run.changed()

    def _note(self, connection: ClientConnection) -> None:
        result, times = self._run.result, connection.times
        result.subprotocol, result.extensions = connection.subprotocol, connection.extensions
        result.tcp.record(times.tcp)
        result.upgrade.record(times.upgrade)
        if times.tls is not None:
            result.tls.record(times.tls)

    def _failed(self, failure: Failure) -> None:
        self._attempt = None
        error = failure.value
        if self._run.is_ending:
            return
        if self._plan.reconnect and isinstance(error, ClientError):
            self._connect_again(error)
        else:
            self._run.failed(failure)

    def _connect_again(self, error: ClientError | None) -> None:
        self._stop_timer()
        self._run.reporter.retrying(self.number, error, self._retry)
        self._timer = self._run.clock.callLater(self._retry, self.connect)
        self._retry = min(_LAST_RETRY, 2 * self._retry)

    # -- sending --------------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send or to receive."""
        sent_all = self.is_gone or (self._plan.count and self._sent >= self._plan.count)
        return bool(sent_all) and not self.checker.outstanding

    def begin(self) -> None:
        """Send the next message now, and the others on schedule."""
        self._first = self._run.clock.seconds() - self._sent * self._plan.delay
        self._pump()

    def writable(self) -> None:
        """Go on."""
        self._pump()

    def _pump(self) -> None:
        """Send what is due, and set the timer for what follows."""
        connection, plan = self.connection, self._plan
        if connection is None or self._first is None or self._run.is_ending:
            return
        self._stop_timer()
        now = self._run.clock.seconds()
        for _ in range(_AT_ONCE):
            if (plan.count and self._sent >= plan.count) or connection.write_paused or not connection.can_send:
                return
            due = self._first + self._sent * plan.delay
            if due > now or (not plan.delay and self.checker.outstanding >= IN_FLIGHT):
                break
            self._send(connection)
        due = self._first + self._sent * plan.delay
        full = not plan.delay and self.checker.outstanding >= IN_FLIGHT
        if not full:  # else the next reply pumps
            self._timer = self._run.clock.callLater(max(0.0, due - self._run.clock.seconds()), self._pump)

    def _stop_timer(self) -> None:
        """Cancel what was scheduled: sending, or reconnecting."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def give_up_overdue(self, now: float) -> None:
        """Give up overdue replies."""
        overdue = self.checker.expire(now)
        for message in overdue:
            self._run.reporter.lost(self.number, message)
        if overdue and self._timer is None:
            self._pump()

    def _send(self, connection: ClientConnection) -> None:
        self._sent += 1
        payload = self._run.payloads.make(self.number, self._sent)
        message = Sent(self.number, self._sent, payload, self._run.payloads.is_binary, self._run.touch())
        self._run.expect(message)
        frames = 1
        if self._plan.use_pings:
            connection.send_ping(payload)
        else:
            frames = connection.send_message(payload, message.is_binary, self._plan.fragment)
        self._run.result.frames_sent += frames

    # -- receiving -----------------------------------------------------------------------------------------------

    def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
        """Check a message."""
        self._check(payload, is_binary, frames, 2 if is_binary else 1)

    def pong_received(self, payload: bytes) -> None:
        """Check a pong, where pings are sent."""
        if self._plan.use_pings:
            self._check(payload, True, 1, 10)

    def _check(self, payload: bytes, is_binary: bool, frames: int, opcode: int) -> None:
        now, result = self._run.touch(), self._run.result
        result.frames_received += frames
        result.messages_received += 1
        result.bytes_received += len(payload)
        reply = self.checker.reply(payload, is_binary, now)
        sent = reply.message
        if sent is None:
            self._run.reporter.unasked(self.number, reply)
        else:
            result.rtt.record(now - sent.at)
            self._run.reporter.replied(self.number, sent, reply, frames, opcode, now - sent.at)
        if not self._run.is_ending:
            if self._timer is None:
                self._pump()
            if not self.checker.outstanding:
                self._run.changed()

    def frame_received(self, frame: Frame) -> None:
        """Show it."""
        self._run.reporter.frame(self.number, False, frame)

    def frame_sent(self, frame: Frame) -> None:
        """Show it."""
        self._run.reporter.frame(self.number, True, frame)

    # -- the end --------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close the connection, or abort the attempt to connect."""
        self._stop_timer()
        if self._attempt is not None:
            self._attempt.cancel()
        if self.connection is not None:
            self.connection.close(CloseCode.NORMAL)

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection ended: with the run, or early."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        is_ending = self._run.is_ending
        if not (is_ending and (clean or self._run.result.interrupted)):
            end = ConnectionEnd(self.number, code, reason, not is_ending)
            self._run.reporter.ended(end)
            self._run.result.ends.append(end)
        if not is_ending:
            for message in self.checker.give_up():
                self._run.reporter.lost(self.number, message)
            if self._plan.reconnect:
                self._connect_again(None)
                return
            self.is_gone = True
        self._run.changed()
