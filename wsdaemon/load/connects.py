"""Handshakes as fast as they are answered: connect, note how long it took, close, and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.load.echo_client import closed_kind
from wsdaemon.load.failures import Failures
from wsdaemon.load.health import Health
from wsdaemon.load.outcome import Outcome
from wsdaemon.load.plan import Plan
from wsdaemon.load.pulse import Pulse
from wsdaemon.load.record import Record, slice_length
from wsdaemon.load.runner import Connect, ignore


class _Visit(Listener):
    """One connection, from its handshake until it is gone."""

    def __init__(self, on_closed: Callable[[_Visit, int | None], None]) -> None:
        self._on_closed = on_closed
        self.closing = False
        self.gone = False

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """Tell that the connection is gone, once."""
        if not self.gone:
            self.gone = True
            self._on_closed(self, code)


class ConnectsRunner:
    """One run of handshakes, with `plan.clients` at a time; the arguments are those of `EchoRunner`.

    A visit ends when the closing handshake is done, and only then the next begins in its place. Where the first round
    of visits fails without exception, the run is over: there is nothing to measure.
    """

    def __init__(
        self, plan: Plan, connect: Connect, *, clock: IReactorTime,
        now: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.process_time,
        on_begin: Callable[[], None] = lambda: None, on_beat: Callable[[float], None] = ignore,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.record = Record()
        self.open_now = 0
        self._connect, self._clock, self._on_begin = connect, clock, on_begin
        self._health = Health()
        self._pulse = Pulse(
            clock=clock, now=now, cpu=cpu, record=self.record, health=self._health,
            slice_seconds=slice_length(plan.duration), on_beat=on_beat,
        )  # fmt: skip
        self._failures = Failures()
        self._opened = self._failed = self._closed_early = 0
        self._under_way = 0
        self._going_on = True
        self._interrupted = False
        self._load_seconds = 0.0
        self._under_load = 0
        self._calls: list[IDelayedCall] = []
        self._connecting: set[Deferred[ClientConnection]] = set()
        self._visits: set[_Visit] = set()
        self._done: Deferred[Outcome] = Deferred()
        self._is_done = False

    def run(self) -> Deferred[Outcome]:
        """Begin; the result comes when the last visit is over. To be called once."""
        self._on_begin()
        self._pulse.begin()
        self._calls.append(self._clock.callLater(self.plan.duration, self._end_of_load))
        for _ in range(self.plan.clients):
            self._visit()
        return self._done

    def stop(self) -> None:
        """End early."""
        if self._going_on:
            self._interrupted = True
            self._end_of_load()

    def _visit(self) -> None:
        if not self._going_on:
            return
        self._under_way += 1
        visit = _Visit(self._gone)
        connecting = self._connect(visit)
        self._connecting.add(connecting)
        connecting.addCallbacks(
            self._open, self._fail, callbackArgs=(visit, connecting), errbackArgs=(visit, connecting)
        )

    def _open(self, connection: ClientConnection, visit: _Visit, connecting: Deferred[ClientConnection]) -> None:
        self._connecting.discard(connecting)
        times = connection.times
        self.record.handshake(times.tcp, times.tls, times.upgrade)
        self.record.pending.append(times.tcp + (times.tls or 0.0) + times.upgrade)
        self.record.received += 1
        self._opened += 1
        if visit.gone:
            return
        self._visits.add(visit)
        self.open_now += 1
        visit.closing = True
        connection.close()

    def _fail(self, failure: Failure, visit: _Visit, connecting: Deferred[ClientConnection]) -> None:
        self._connecting.discard(connecting)
        visit.gone = True
        self._under_way -= 1
        if self._is_done or not self._going_on:
            self._look_for_end()
            return
        self._failed += 1
        self.record.error(self._failures.kind(failure))
        if not self._opened and self._failed >= self.plan.clients:
            self._end_of_load()
        else:
            self._calls = [call for call in self._calls if call.active()]
            self._calls.append(self._clock.callLater(0.0, self._visit))  # not at once: that could go on without end

    def _gone(self, visit: _Visit, code: int | None) -> None:
        if visit in self._visits:
            self._visits.discard(visit)
            self.open_now -= 1
        if not visit.closing:
            self._closed_early += 1
            self.record.error(closed_kind(code))
        self._under_way -= 1
        if self._going_on:
            self._visit()
        else:
            self._look_for_end()

    def _end_of_load(self) -> None:
        if not self._going_on:
            return
        self._going_on = False
        self._load_seconds = self._pulse.load_ended()
        for call in self._calls:
            if call.active():
                call.cancel()
        self._calls = [self._clock.callLater(self.plan.patience, self._finish)]
        self._under_load = sum(each.received for each in self.record.slices)
        for connecting in list(self._connecting):
            connecting.cancel()
        self._look_for_end()

    def _look_for_end(self) -> None:
        if not self._under_way:
            self._finish()

    def _finish(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        for call in self._calls:
            if call.active():
                call.cancel()
        self._pulse.end()
        self._done.callback(
            Outcome(
                record=self.record, verdict=self._health.verdict(), load_seconds=self._load_seconds,
                received_under_load=self._under_load, bytes_under_load=0,
                opened=self._opened, failed=self._failed, closed_early=self._closed_early,
                still_in_flight=0, interrupted=self._interrupted, failures=self._failures.examples(),
            )
        )  # fmt: skip
