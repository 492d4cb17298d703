"""The run of `wsping`: connect, send on schedule, match the replies, close. A `Reporter` does the printing.

The rules:

- All clients connect first. Then each sends its n-th message n delays after its start, whatever happens to the replies.
- Without a delay, each sends as fast as the server reads, with at most `IN_FLIGHT` replies outstanding.
- A run ends when each client has sent all messages and each reply has arrived or was given up, or by an interrupt.
- A connection that the server ends stays closed, or with `reconnect` is opened again, with exponential back-off.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from wsdaemon.client.check import Checker, Counts, Payloads, Sent
from wsdaemon.client.errors import ClientError
from wsdaemon.client.member import Member
from wsdaemon.client.plan import PingPlan, PingResult, Reporter

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
        self._hurry: Any = None
        self._ending = False
        self._finished = False

    def start(self) -> Deferred[PingResult]:
        """Begin; fires with the result, whose `error` is set if a connection could not be made."""
        for member in self.members:
            member.connect(self._turns)
        return self._fired

    def interrupt(self) -> None:
        """End the run early; outstanding replies count as neither answered nor lost."""
        if not self._ending:
            self.result.interrupted = True
            self.result.pending = sum(member.checker.outstanding for member in self.members)
            self._hurry = self.clock.callLater(_INTERRUPTED, self._cut)
            self.end()

    def counts(self) -> Counts:
        """Return the counts so far."""
        counts = Counts()
        for member in self.members:
            counts.add(member.checker.counts)
        return counts

    # -- called by its members ------------------------------------------------------------------------------------

    @property
    def is_ending(self) -> bool:
        """Whether the connections are being closed."""
        return self._ending

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
        if self._ending:
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
            self._finished = self._ending = True
            self._fired.errback(failure)

    # -- beginning and end ----------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close all connections."""
        if not self._ending:
            self._ending = True
            for member in self.members:
                member.end()
            self.changed()

    def _finish(self) -> None:
        self._finished = True
        if self._watch.running:
            self._watch.stop()
        if self._hurry is not None and self._hurry.active():
            self._hurry.cancel()
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


def _broadcasts(name: str) -> bool:
    """Whether the subprotocol of that name broadcasts, as installed here; the server's response does not say."""
    from wsdaemon.routing.registry import SubprotocolError, find_all  # slow: only when asked

    try:
        return any(each.broadcasts and name in each.names for each in find_all())
    except SubprotocolError:  # in another package; the daemon reports it
        return False
