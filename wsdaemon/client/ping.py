"""The run of `wsping`: connect, send on schedule, match the replies, close. A `Reporter` does the printing.

The rules:

- All clients connect first. Then each sends its n-th message n delays after its start, whatever happens to the replies.
- Without a delay, each sends as fast as the server reads, with at most `IN_FLIGHT` replies outstanding.
- A run ends once each client has sent all messages and each reply has arrived or counts as lost, or by an interrupt.
- A client whose connection the server ends is done; with `reconnect` it connects again, with exponential back-off.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, fail
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from wsdaemon.client.check import Checker, Counts, Payloads, Sent
from wsdaemon.client.connect import connect
from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.client.errors import ClientError
from wsdaemon.client.events import Frame
from wsdaemon.client.plan import ConnectionEnd, PingPlan, PingResult
from wsdaemon.client.reporter import Reporter
from wsdaemon.websocket.codes import CloseCode
from wsdaemon.websocket.deadlines import Deadlines

IN_FLIGHT = 1000
"""How many replies may be outstanding at a connection that sends without a delay."""

_AT_ONCE = 64  # messages that one client sends before others get a turn
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0  # how long to wait before connecting again, in seconds
_CONNECTING = 50  # clients that connect at the same time
_INTERRUPTED = 1.0  # how long an interrupted run waits for its closing handshakes, in seconds


class Ping:
    """One run; `start` it once."""

    def __init__(self, plan: PingPlan, reporter: Reporter, *, reactor: Any, random: Random | None = None) -> None:
        self.plan = plan
        self.reporter = reporter
        self.clock = reactor
        self.result = PingResult(plan)
        self.payloads = Payloads(plan.size, is_binary=plan.is_binary or plan.use_pings, random=random or Random())  # noqa: S311  # not a secret
        self.members = [Member(self, number) for number in range(1, plan.clients + 1)]
        self._turns = DeferredSemaphore(_CONNECTING)
        self._fired: Deferred[PingResult] = Deferred()
        self._watch = LoopingCall(self._look_for_overdue)
        self._watch.clock = reactor
        self._began: float | None = None
        self._deadlines = Deadlines(reactor)
        self.is_ending = False
        """Whether the connections are being closed."""
        self._finished = False

    def start(self) -> Deferred[PingResult]:
        """Begin; fires with the result, whose `error` is set if a connection could not be made."""
        for member in self.members:
            member.connect(self._turns)
        return self._fired

    def interrupt(self) -> None:
        """End the run early; outstanding replies count as neither answered nor lost."""
        if not self.is_ending:
            self.result.interrupted = True
            self.result.pending = sum(member.checker.outstanding for member in self.members)
            self._deadlines.set("closing", _INTERRUPTED, self._cut)
            self.end()

    def counts(self) -> Counts:
        """Return the counts so far."""
        counts = Counts()
        for member in self.members:
            counts.add(member.checker.counts)
        return counts

    # -- called by its members ------------------------------------------------------------------------------------

    def touch(self) -> float:
        """Note that something was sent or received; returns the time."""
        now: float = self.clock.seconds()
        if self._began is not None:
            self.result.duration = now - self._began
        return now

    def expect(self, message: Sent) -> None:
        """Count a message that is sent, and expect the replies to it."""
        self.result.messages_sent += 1
        self.result.bytes_sent += len(message.payload)
        for member in self.members if self.result.is_broadcast else (self.members[message.client - 1],):
            if member.connection is not None:
                member.checker.expect(message)

    def changed(self) -> None:
        """Begin once each connection is open or lost; end once nothing is left to do; finish once all are closed."""
        members = self.members
        if self.is_ending:
            if not self._finished and all(member.connection is None for member in members):
                self._finish()
            return
        if self._began is None and all(member.connection is not None or member.is_gone for member in members):
            self._begin()
        if all(member.is_done for member in members):
            self.end()

    def failed(self, failure: Failure) -> None:
        """End the run: a client could not connect, or there was an unexpected error."""
        if isinstance(failure.value, ClientError):
            self.result.error = self.result.error or failure.value
            self.end()
        elif not self._finished:
            self._finished = self.is_ending = True
            self._fired.errback(failure)

    # -- beginning and end ----------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close all connections."""
        if not self.is_ending:
            self.is_ending = True
            for member in self.members:
                member.end()
            self.changed()

    def _finish(self) -> None:
        self._finished = True
        if self._watch.running:
            self._watch.stop()
        self._deadlines.clear()
        self.result.counts = self.counts()
        self._fired.callback(self.result)

    def _begin(self) -> None:
        plan, result = self.plan, self.result
        name = result.subprotocol or plan.target.resource.partition("?")[0].strip("/").partition("/")[0]
        if plan.broadcast is None:
            result.is_broadcast = not plan.use_pings and _broadcasts(name)
        else:
            result.is_broadcast = plan.broadcast
        for member in self.members:
            member.checker = Checker(self.payloads, wait=plan.wait, broadcast=result.is_broadcast or plan.use_pings)
        self._began = self.clock.seconds()
        self._watch.start(min(1.0, plan.wait / 4), now=False)
        for member in self.members:
            member.begin()

    def _look_for_overdue(self) -> None:
        now = self.clock.seconds()
        for member in self.members:
            member.give_up_overdue(now)
        self.changed()

    def _cut(self) -> None:
        for member in self.members:
            if member.connection is not None:
                member.connection.abort()


class Member(Listener):
    """One client of a run: its connection, its schedule, its checker."""

    def __init__(self, run: Ping, number: int) -> None:
        self.number = number
        self.connection: ClientConnection | None = None
        self.checker = Checker(run.payloads, wait=run.plan.wait)
        self.wants_frames = run.reporter.wants_frames
        self.message_limit = max(Listener.message_limit, 2 * run.plan.size)
        self._run = run
        self._plan = run.plan
        self._sent = 0
        self._first: float | None = None  # when message 0 was due
        self._deadlines = Deadlines(run.clock)  # "next": to send or to reconnect
        self._attempt: Deferred[ClientConnection] | None = None
        self._retry = _FIRST_RETRY
        self.is_gone = False
        """Whether the connection was lost for good."""

    # -- connecting -----------------------------------------------------------------------------------------------

    def connect(self, turns: DeferredSemaphore | None = None) -> None:
        """Connect, in turn with the other clients of `turns`."""
        attempt = self._connect() if turns is None else turns.run(self._connect)
        attempt.addErrback(self._failed)

    def _connect(self) -> Deferred[ClientConnection]:
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
        result, times = self._run.result, connection.times
        result.subprotocol, result.extensions = connection.subprotocol, connection.extensions
        result.tcp.record(times.tcp)
        result.upgrade.record(times.upgrade)
        if times.tls is not None:
            result.tls.record(times.tls)
        self._run.changed()

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
        self._run.reporter.retrying(error, self._retry)
        self._deadlines.set("next", self._retry, self.connect)
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
        """Send what is due (called once the server has read)."""
        self._pump()

    def _pump(self) -> None:
        """Send what is due, and set the deadline for the next message."""
        connection, plan = self.connection, self._plan
        if connection is None or self._first is None or self._run.is_ending:
            return
        self._deadlines.cancel("next")
        now = self._run.clock.seconds()
        for _ in range(_AT_ONCE):
            if (plan.count and self._sent >= plan.count) or connection.write_paused or not connection.can_send:
                return
            if not plan.delay and self.checker.outstanding >= IN_FLIGHT:
                return  # the next reply goes on
            if self._first + self._sent * plan.delay > now:
                break
            self._send(connection)
        due = self._first + self._sent * plan.delay
        self._deadlines.set("next", max(0.0, due - self._run.clock.seconds()), self._pump)

    def give_up_overdue(self, now: float) -> None:
        """Count overdue replies as lost."""
        overdue = self.checker.expire(now)
        for message in overdue:
            self._run.reporter.lost(self.number, message)
        if overdue and not self._deadlines.running("next"):
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
        """Check a reply."""
        self._check(payload, is_binary, frames, 2 if is_binary else 1)

    def pong_received(self, payload: bytes) -> None:
        """Check a pong, if pings are sent."""
        if self._plan.use_pings:
            self._check(payload, True, 1, 10)

    def _check(self, payload: bytes, is_binary: bool, frames: int, opcode: int) -> None:
        now, result = self._run.touch(), self._run.result
        result.frames_received += frames
        result.messages_received += 1
        result.bytes_received += len(payload)
        reply = self.checker.reply(payload, is_binary, now)
        if reply.message is not None:
            result.rtt.record(reply.elapsed)
        self._run.reporter.replied(self.number, reply, frames, opcode)
        if not self._run.is_ending:
            if not self._deadlines.running("next"):
                self._pump()
            if not self.checker.outstanding:
                self._run.changed()

    def frame_received(self, frame: Frame) -> None:
        """Report the frame."""
        self._run.reporter.frame(self.number, False, frame)

    def frame_sent(self, frame: Frame) -> None:
        """Report the frame."""
        self._run.reporter.frame(self.number, True, frame)

    # -- the end --------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close the connection, or abort the attempt to connect."""
        self._deadlines.cancel("next")
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
            end = ConnectionEnd(self.number, code, reason)
            self._run.reporter.ended(end)
            self._run.result.closed_early += [] if is_ending else [end]
        if not is_ending:
            for message in self.checker.give_up():
                self._run.reporter.lost(self.number, message)
            if self._plan.reconnect:
                self._connect_again(None)
                return
            self.is_gone = True
        self._run.changed()


def _broadcasts(name: str) -> bool:
    """Whether the subprotocol of that name, as installed here, broadcasts; a server's response does not say so."""
    from wsdaemon.routing.registry import SubprotocolError, find_all  # slow: only when asked

    try:
        return any(each.broadcasts and name in each.names for each in find_all())
    except SubprotocolError:  # of another package; the daemon reports it
        return False
