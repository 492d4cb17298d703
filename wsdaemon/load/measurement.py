"""Measurement of a run: connects clients, counts outcomes, and holds the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from wsdaemon.client import CannotConnect, ClientConnection, HandshakeRefused, HandshakeTimeout, Listener
from wsdaemon.load.health import Health
from wsdaemon.load.plan import LoadPlan
from wsdaemon.load.record import Record, slice_length

Connect = Callable[[Listener], "Deferred[ClientConnection]"]
"""Connects to the target; see `wsdaemon.client.connect`."""

BEAT = 0.1
"""Seconds from one beat to the next."""
EXAMPLES = 3
"""How many reasons of failed connections are kept."""

_T = TypeVar("_T")


class LoadClient(Listener):
    """Client of a run; `on_closed` is called once when its connection has ended, with the server's close code."""

    connection: ClientConnection | None = None
    """The connection while it is open."""
    closing = False
    """Whether this side has closed the connection, so that its end is no error."""
    gone = False
    """Whether the connection has ended."""

    def __init__(self, on_closed: Callable[[Any, int | None], None]) -> None:
        self._on_closed = on_closed

    def opened(self, connection: ClientConnection) -> None:
        """Keep the connection."""
        self.connection = connection

    def close(self) -> None:
        """Close the connection, if it is open."""
        self.closing = True
        if self.connection is not None:
            self.connection.close()

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """Tell the runner."""
        self.gone, self.connection = True, None
        self._on_closed(self, code)


class Measurement:
    """Measurement of one run, driven by a runner of messages or of handshakes.

    Args:
        plan: what to do.
        connect: opens a connection for a listener.
        clock: the timers; a `Clock` makes the run exact.
        now: the time in seconds, from any beginning.
        cpu: the processor time used, in seconds.
        on_begin: called just before the load begins.
        on_beat: called at each beat, before a slice is cut, with the record and the seconds since the beginning.

    """

    def __init__(
        self, plan: LoadPlan, connect: Connect, *, clock: IReactorTime,
        now: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.process_time,
        on_begin: Callable[[], None] = lambda: None, on_beat: Callable[[Record, float], None] = lambda *_: None,
    ) -> None:  # fmt: skip
        self.plan, self.clock, self.now = plan, clock, now
        self.record = Record()
        self.health = Health()
        self.opened = self.failed = self.closed_early = 0
        """How many connections were opened, could not be opened, and ended before this side closed them."""
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
        self._cpu, self._on_beat = cpu, on_beat
        self._slice_seconds = slice_length(plan.duration)
        self._slices_done = 0
        self._began: float | None = None
        self._cpu_at_begin = self._expected = 0.0
        self._calls: set[IDelayedCall] = set()
        self._connecting: set[Deferred[ClientConnection]] = set()

    def begin(self) -> float:
        """Begin the load; returns the time by `now`, from which it counts."""
        self._on_begin()
        self._began, self._cpu_at_begin = self.now(), self._cpu()
        self._expected = BEAT
        self.later(BEAT, self._beat)
        return self._began

    def elapsed(self) -> float:
        """Return the seconds since the beginning; 0 before."""
        return 0.0 if self._began is None else self.now() - self._began

    def _beat(self) -> None:
        elapsed = self.elapsed()
        self.health.lag(elapsed - self._expected, elapsed)
        self._on_beat(self.record, elapsed)
        slices = int((elapsed + 1e-6) / self._slice_seconds)
        if slices > self._slices_done:
            self._slices_done = slices
            self.record.cut(elapsed)
        self._expected = (int((elapsed + 1e-6) / BEAT) + 1) * BEAT  # missed beats are skipped
        self.later(max(0.0, self._expected - self.elapsed()), self._beat)

    def connect(self, listener: Listener) -> Deferred[ClientConnection]:
        """Open a connection for a listener; count it and record its handshake once it is open."""
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
        """Count a connection that could not be opened; raises any other error."""
        kind, why = _kind(failure.value), str(failure.value)
        if kind is None:
            failure.raiseException()
        self.failed += 1
        self.record.error(kind)
        if len(self.failures) < EXAMPLES and why not in self.failures:
            self.failures.append(why)

    def count_end(self, client: LoadClient, code: int | None) -> None:
        """Count an end that this side did not want; `code` is that of the server's Close frame, None without one."""
        if not client.closing:
            self.closed_early += 1
            self.record.error("cut_off" if code is None else f"closed_{code}")

    def stop_connecting(self) -> None:
        """Cancel all attempts to connect."""
        for connecting in list(self._connecting):
            connecting.cancel()

    def later(self, delay: float, call: Callable[..., None], *arguments: object) -> None:
        """Call something later, unless `end` or `finish` comes first."""

        def due() -> None:
            self._calls.discard(made)
            call(*arguments)

        made = self.clock.callLater(delay, due)
        self._calls.add(made)

    def _cancel_calls(self) -> None:
        while self._calls:
            self._calls.pop().cancel()

    def load_ended(self) -> None:
        """Note that the load is over; rates are over the time until now."""
        self.load_seconds = elapsed = self.elapsed()
        self.health.used(self._cpu() - self._cpu_at_begin, elapsed)
        self.record.cut(elapsed)
        self.received_under_load = sum(each.received for each in self.record.slices)
        self.bytes_under_load = sum(each.bytes_received for each in self.record.slices)

    def end(self) -> None:
        """Cut the last slice of time, and cancel the beat and all other pending calls."""
        self._cancel_calls()
        self.record.cut(self.elapsed())

    def finish(self) -> None:
        """Fire `done`; pending calls are cancelled."""
        self._cancel_calls()
        self.done.callback(self)


def _kind(error: BaseException | None) -> str | None:
    """Return the kind of a failure to connect, as the JSON document names it; None for any other error."""
    if isinstance(error, HandshakeRefused):
        return f"refused_{error.status}"
    if isinstance(error, HandshakeTimeout):
        return "handshake_timeout"
    return f"cannot_connect_{error.step}" if isinstance(error, CannotConnect) else None
