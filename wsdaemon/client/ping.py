"""The run of `wsping`: connect, send on schedule, match the replies, close. It prints nothing; a `Reporter` does.

The rules:

- All clients connect first; then each sends its n-th message n times the delay after it began, whatever the replies do.
- Without a delay, each sends as fast as the server takes it, with at most `IN_FLIGHT` replies outstanding.
- A run ends when each client sent all its messages and each reply came or was given up, or when it is interrupted.
- A connection that the server ends is over for good, or with `reconnect` opened again, ever more slowly.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from wsdaemon.client.check import Checker, Counts, Payloads, Sent
from wsdaemon.client.connection import ClientConnection
from wsdaemon.client.errors import ClientError
from wsdaemon.client.member import Member
from wsdaemon.client.plan import Plan, Reporter, Summary

_CONNECTING = 50  # clients that connect at the same time
_INTERRUPTED = 1.0  # how long an interrupted run waits for its closing handshakes, in seconds


class Ping:
    """One run; `start` it once."""

    def __init__(self, plan: Plan, reporter: Reporter, *, reactor: Any, random: Random | None = None) -> None:
        self.plan = plan
        self.reporter = reporter
        self.clock = reactor
        self.summary = Summary(plan)
        self.payloads = Payloads(plan.size, is_binary=plan.is_binary or plan.use_pings, random=random or Random())  # noqa: S311  # not a secret
        self.members = [Member(self, number) for number in range(1, plan.clients + 1)]
        self._turns = DeferredSemaphore(_CONNECTING)
        self._result: Deferred[Summary] = Deferred()
        self._watch = LoopingCall(self._look_for_overdue)
        self._watch.clock = reactor
        self._began: float | None = None
        self._hurry: Any = None
        self._ending = False
        self._finished = False

    def start(self) -> Deferred[Summary]:
        """Begin; fires with the summary, whose `error` says so where a connection could not be made."""
        for member in self.members:
            member.connect(self._turns)
        return self._result

    def interrupt(self) -> None:
        """End the run early: what is outstanding is neither answered nor lost."""
        if not self._ending:
            self.summary.interrupted = True
            self.summary.pending = sum(member.checker.outstanding for member in self.members)
            self._hurry = self.clock.callLater(_INTERRUPTED, self._cut)
            self.end()

    def touch(self) -> float:
        """Note that something was sent or received; returns the time."""
        now: float = self.clock.seconds()
        if self._began is not None:
            self.summary.duration = now - self._began
        return now

    def progress(self) -> tuple[Counts, int]:
        """Return the counts as of now, and how many replies are outstanding."""
        counts = Counts()
        for member in self.members:
            counts.add(member.checker.counts)
        return counts, sum(member.checker.outstanding for member in self.members)

    # -- called by its members ------------------------------------------------------------------------------------

    def opened(self, connection: ClientConnection) -> None:
        """A connection is open."""
        summary, times = self.summary, connection.times
        summary.subprotocol, summary.extensions = connection.subprotocol, connection.extensions
        summary.tcp.record(times.tcp)
        summary.upgrade.record(times.upgrade)
        if times.tls is not None:
            summary.tls.record(times.tls)
        self.look_for_begin()

    def look_for_begin(self) -> None:
        """Begin to send once every connection is open, or gone again already."""
        ready = all(member.connection is not None or member.is_gone for member in self.members)
        if ready and self._began is None and not self._ending:
            self._begin()

    def failed(self, error: ClientError) -> None:
        """A connection could not be made: there is no run."""
        self.summary.error = self.summary.error or error
        self.end()

    def sent(self, message: Sent) -> None:
        """Expect the replies to a message."""
        self.summary.messages_sent += 1
        self.summary.bytes_sent += len(message.payload)
        for member in self.members if self.summary.is_broadcast else (self.members[message.client - 1],):
            if member.connection is not None:
                member.checker.expect(message)

    def look_for_end(self) -> None:
        """End the run if nothing is left to do."""
        if all(member.is_done for member in self.members):
            self.end()

    def end(self) -> None:
        """Close all connections."""
        if self._ending:
            return
        self._ending = True
        for member in self.members:
            member.end()
        self.look_for_finish()

    def look_for_finish(self) -> None:
        """Hand out the summary once all connections are gone."""
        if not self._ending or self._finished or any(member.connection is not None for member in self.members):
            return
        self._finished = True
        if self._watch.running:
            self._watch.stop()
        if self._hurry is not None and self._hurry.active():
            self._hurry.cancel()
        self.summary.counts, _ = self.progress()
        self._result.callback(self.summary)

    def crashed(self, failure: Failure) -> None:
        """End the run with what should not have happened."""
        if not self._finished:
            self._finished = self._ending = True
            self._result.errback(failure)

    @property
    def is_ending(self) -> bool:
        """Whether the connections are being closed."""
        return self._ending

    def _begin(self) -> None:
        plan, summary = self.plan, self.summary
        name = summary.subprotocol or plan.target.resource.partition("?")[0].strip("/").partition("/")[0]
        if plan.broadcast is None:
            summary.is_broadcast = not plan.use_pings and _broadcasts(name)
        else:
            summary.is_broadcast = plan.broadcast
        for member in self.members:
            member.checker = Checker(self.payloads, wait=plan.wait, broadcast=summary.is_broadcast or plan.use_pings)
        self._began = self.clock.seconds()
        self._watch.start(min(1.0, plan.wait / 4), now=False)
        for member in self.members:
            member.begin()

    def _look_for_overdue(self) -> None:
        now = self.clock.seconds()
        for member in self.members:
            member.give_up_overdue(now)
        self.look_for_end()

    def _cut(self) -> None:
        for member in self.members:
            if member.connection is not None:
                member.connection.abort()


def _broadcasts(name: str) -> bool:
    """Whether a subprotocol of that name, as it is installed here, broadcasts: a server does not say."""
    from wsdaemon.routing.registry import SubprotocolError, find_all  # costs more than all other imports: only if asked

    try:
        return any(each.broadcasts and name in each.names for each in find_all())
    except SubprotocolError:  # of another package: for the daemon to complain about
        return False
