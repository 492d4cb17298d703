"""The measurement of a run: connects clients, counts outcomes, and holds the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from wsdaemon.client import CannotConnect, ClientConnection, HandshakeRefused, HandshakeTimeout, Listener
from wsdaemon.load.health import Health
from wsdaemon.load.plan import LoadPlan
from wsdaemon.load.pulse import Pulse
from wsdaemon.load.record import Record, slice_length

Connect = Callable[[Listener], "Deferred[ClientConnection]"]
"""Connects to the target; see `wsdaemon.client.connect`."""

EXAMPLES = 3
"""How many reasons of failed connections are kept."""

_T = TypeVar("_T")


class Measurement:
    """The measurement of one run, driven by a runner of messages or of handshakes.

    Args:
        plan: what to do.
        connect: opens a connection for a listener.
        clock: the timers; a `Clock` makes the run exact.
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
        """How many connections were opened, could not be opened, and were closed by the server before the end."""
        self.failures: list[str] = []
        """Why connections failed, in words: a few examples."""
        self.interrupted = False
        self.still_in_flight = 0
        """Messages in flight when the run was interrupted: neither right nor lost."""
        self.load_seconds = 0.0
        """How long messages were sent, or handshakes begun: rates are over this time."""
        self.received_under_load = self.bytes_under_load = 0
        """Right replies, or handshakes, within that time, and their payload in bytes."""
        self.done: Deferred[Measurement] = Deferred()
        self._connect, self._on_begin = connect, on_begin
        self._pulse = Pulse(
            clock=clock, now=now, cpu=cpu, record=self.record, health=self.health,
            slice_seconds=slice_length(plan.duration), on_beat=on_beat,
        )  # fmt: skip
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
        """Count a connection that could not be made; raises any other error."""
        kind, why = _kind(failure.value), str(failure.value)
        if kind is None:
            failure.raiseException()
        self.failed += 1
        self.record.error(kind)
        if len(self.failures) < EXAMPLES and why not in self.failures:
            self.failures.append(why)

    def stop_connecting(self) -> None:
        """Cancel all attempts to connect."""
        for connecting in list(self._connecting):
            connecting.cancel()

    def later(self, delay: float, call: Callable[..., None], *arguments: object) -> None:
        """Call something later, unless `cancel_calls` is called first."""

        def due() -> None:
            self._calls.discard(made)
            call(*arguments)

        made = self.clock.callLater(delay, due)
        self._calls.add(made)

    def cancel_calls(self) -> None:
        """Cancel all pending calls."""
        while self._calls:
            self._calls.pop().cancel()

    def load_ended(self) -> None:
        """Note that the load is over: rates are those until now."""
        self.load_seconds = self._pulse.load_ended()
        self.received_under_load = sum(each.received for each in self.record.slices)
        self.bytes_under_load = sum(each.bytes_received for each in self.record.slices)

    def end(self) -> None:
        """Cut the last slice of time."""
        self._pulse.end()

    def finish(self) -> None:
        """Fire `done`."""
        self.cancel_calls()
        self.done.callback(self)


def _kind(error: BaseException | None) -> str | None:
    """Return the name to count a failure to connect by; None for anything else."""
    if isinstance(error, HandshakeRefused):
        return f"refused_{error.status}"
    if isinstance(error, HandshakeTimeout):
        return "handshake_timeout"
    return f"cannot_connect_{error.step}" if isinstance(error, CannotConnect) else None
