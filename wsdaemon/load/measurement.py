"""One run's measurement: connects clients, counts what becomes of them, and sums it up as an `Outcome`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.load.failures import Failures
from wsdaemon.load.health import Health
from wsdaemon.load.outcome import Outcome
from wsdaemon.load.plan import LoadPlan
from wsdaemon.load.pulse import Pulse
from wsdaemon.load.record import Record, slice_length

Connect = Callable[[Listener], "Deferred[ClientConnection]"]
"""Connects to the target; see `wsdaemon.client.connect`."""

_T = TypeVar("_T")


class Measurement:
    """What a runner, of messages or of handshakes, measures with.

    Args:
        plan: what to do.
        connect: opens a connection for a listener.
        clock: what calls later; a `Clock` makes the run exact.
        now: the time in seconds, from any beginning.
        cpu: the processor time used, in seconds.
        on_begin: called when everything is set up, just before the load begins.
        on_beat: called ten times a second with the seconds since the beginning.

    """

    def __init__(
        self, plan: LoadPlan, connect: Connect, *, clock: IReactorTime,
        now: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.process_time,
        on_begin: Callable[[], None] = lambda: None, on_beat: Callable[[float], None] = lambda elapsed: None,
    ) -> None:  # fmt: skip
        self.plan, self.clock, self.now = plan, clock, now
        self.record = Record()
        self.health = Health()
        self.opened = self.failed = self.closed_early = 0
        self.interrupted = False
        self.still_in_flight = 0
        self.done: Deferred[Outcome] = Deferred()
        self._connect, self._on_begin = connect, on_begin
        self._pulse = Pulse(
            clock=clock, now=now, cpu=cpu, record=self.record, health=self.health,
            slice_seconds=slice_length(plan.duration), on_beat=on_beat,
        )  # fmt: skip
        self._failures = Failures()
        self._load_seconds = 0.0
        self._under_load = (0, 0)
        self._calls: set[IDelayedCall] = set()
        self._connecting: set[Deferred[ClientConnection]] = set()

    def begin(self) -> None:
        """Begin the load: the run's time counts from now."""
        self._on_begin()
        self._pulse.begin()

    def connect(self, listener: Listener) -> Deferred[ClientConnection]:
        """Open a connection, and count it; its handshake is recorded."""
        connecting = self._connect(listener)
        self._connecting.add(connecting)
        connecting.addBoth(self._tried, connecting)
        connecting.addCallback(self._open)
        return connecting

    def _tried(self, result: _T, connecting: Deferred[ClientConnection]) -> _T:
        self._connecting.discard(connecting)
        return result

    def _open(self, connection: ClientConnection) -> ClientConnection:
        self.opened += 1
        self.record.handshake(connection.times)
        return connection

    def count_failure(self, failure: Failure) -> None:
        """Count a connection that could not be made; raises what is a bug instead."""
        self.failed += 1
        self.record.error(self._failures.kind(failure))

    def stop_connecting(self) -> None:
        """Cancel all attempts to connect."""
        for connecting in list(self._connecting):
            connecting.cancel()

    def later(self, delay: float, call: Callable[..., None], *arguments: object) -> None:
        """Call something later, unless `cancel_calls` comes first."""

        def due() -> None:
            self._calls.discard(made)
            call(*arguments)

        made = self.clock.callLater(delay, due)
        self._calls.add(made)

    def cancel_calls(self) -> None:
        """Cancel everything that was to be called later."""
        while self._calls:
            self._calls.pop().cancel()

    def load_ended(self) -> None:
        """Note that the load is over: rates are those until now."""
        self._load_seconds = self._pulse.load_ended()
        slices = self.record.slices
        self._under_load = (sum(each.received for each in slices), sum(each.bytes_received for each in slices))

    def end(self) -> None:
        """Cut the last slice of time."""
        self._pulse.end()

    def finish(self) -> None:
        """Fire `done` with the outcome."""
        self.cancel_calls()
        received, received_bytes = self._under_load
        self.done.callback(
            Outcome(
                record=self.record, client=self.health.result(), load_seconds=self._load_seconds,
                received_under_load=received, bytes_under_load=received_bytes, opened=self.opened, failed=self.failed,
                closed_early=self.closed_early, still_in_flight=self.still_in_flight, interrupted=self.interrupted,
                failures=self._failures.examples(),
            )
        )  # fmt: skip
