"""Drives the clients of a run: brings them in, makes them send, waits for the last replies, and closes them.

The states follow each other, and none is left out but by `stop`:

    OPENING   without a ramp, all clients connect first, a few at a time; with one, this state is skipped
    SENDING   from the beginning of the run for `duration` seconds; with a ramp, clients still come in
    WAITING   nothing more is sent; until each reply is there, at most for `patience` seconds
    CLOSING   every connection is closed; at most for `CLOSE_PATIENCE` seconds
    DONE
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.load.echo_client import EchoClient
from wsdaemon.load.failures import Failures
from wsdaemon.load.health import Health
from wsdaemon.load.outcome import Outcome
from wsdaemon.load.plan import Plan, messages
from wsdaemon.load.pulse import Pulse
from wsdaemon.load.record import Record, slice_length
from wsdaemon.load.schedule import Schedule, start_of

HANDSHAKES_AT_ONCE = 32
"""How many connections are opened at the same time where nothing says how fast: less than a listen queue holds."""
CLOSE_PATIENCE = 2.0
"""For how many seconds the closing handshakes are waited for at the end."""
SHORTEST_NAP = 0.0002
"""Messages that come due within this many seconds are sent together; their latency counts from when each was due."""
_LOOK_AGAIN = 0.005

_T = TypeVar("_T")

Connect = Callable[[Listener], "Deferred[ClientConnection]"]
"""Connects to the target; see `wsdaemon.client.connect`."""


class State(Enum):
    """Where a run is; see the head of this module."""

    OPENING = auto()
    SENDING = auto()
    WAITING = auto()
    CLOSING = auto()
    DONE = auto()


def ignore(elapsed: float) -> None:
    """Take no notice."""


class EchoRunner:
    """One run of messages.

    Args:
        plan: what to do.
        connect: opens a connection for a listener.
        clock: what calls later; a `Clock` makes the run exact.
        alarm: what calls later when messages are due, where that is more precise than the clock.
        now: the time in seconds, from any beginning.
        cpu: the processor time used, in seconds.
        on_begin: called when everything is set up, just before the first message.
        on_beat: called ten times a second with the seconds since the beginning.

    """

    def __init__(
        self, plan: Plan, connect: Connect, *, clock: IReactorTime, alarm: Any = None,
        now: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.process_time,
        on_begin: Callable[[], None] = lambda: None, on_beat: Callable[[float], None] = ignore,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.record = Record()
        self.state = State.OPENING
        self._connect, self._clock, self._now, self._on_begin = connect, clock, now, on_begin
        self._alarm = clock if alarm is None else alarm
        self._health = Health()
        self._pulse = Pulse(
            clock=clock, now=now, cpu=cpu, record=self.record, health=self._health,
            slice_seconds=slice_length(plan.duration), on_beat=on_beat,
        )  # fmt: skip
        pool = messages(plan)
        self._clients = [
            EchoClient(pool, plan.binary, self.record, now, self._client_gone) for _ in range(plan.clients)
        ]
        self._failures = Failures()
        self._failed: set[int] = set()
        self._not_tried = 0
        self._settled = 0
        self._opened = 0
        self._closed_early = 0
        self._schedule = Schedule(plan.rate, plan.clients, plan.duration) if plan.rate is not None else None
        self._began = self._load_seconds = self._deadline = 0.0
        self._under_load = (0, 0)
        self._still_in_flight = 0
        self._interrupted = False
        self._open_clients: set[EchoClient] = set()
        self._connecting: set[Deferred[ClientConnection]] = set()
        self._calls: list[IDelayedCall] = []
        self._pump: IDelayedCall | None = None
        self._done: Deferred[Outcome] = Deferred()

    @property
    def open_now(self) -> int:
        """How many connections are open."""
        return len(self._open_clients)

    def run(self) -> Deferred[Outcome]:
        """Begin; the result comes when all connections are closed. To be called once."""
        if self.plan.ramp:
            self._begin()
            for index in range(self.plan.clients):
                start = start_of(index, self.plan.clients, self.plan.ramp)
                self._calls.append(self._clock.callLater(start, self._open, index))
        else:
            for _ in range(min(HANDSHAKES_AT_ONCE, self.plan.clients)):
                self._open_next()
        return self._done

    def stop(self) -> None:
        """End early: nothing more is sent, and what is on its way is not waited for."""
        if self.state in (State.OPENING, State.SENDING, State.WAITING):
            self._interrupted = True
            if self.state is State.SENDING:
                self._end_of_load()
            self._still_in_flight = sum(client.outstanding for client in self._clients)
            self._close()

    # -- opening ----------------------------------------------------------------------------------------------------

    def _open_next(self) -> None:
        if self._not_tried < self.plan.clients and self.state is State.OPENING:
            self._not_tried += 1
            self._open(self._not_tried - 1)

    def _open(self, index: int) -> None:
        client = self._clients[index]
        connecting = self._connect(client)
        self._connecting.add(connecting)
        connecting.addBoth(self._tried, connecting)
        connecting.addCallbacks(self._client_open, self._client_failed, callbackArgs=(client,), errbackArgs=(index,))

    def _tried(self, result: _T, connecting: Deferred[ClientConnection]) -> _T:
        self._connecting.discard(connecting)
        return result

    def _client_open(self, connection: ClientConnection, client: EchoClient) -> None:
        times = connection.times
        self.record.handshake(times.tcp, times.tls, times.upgrade)
        self._opened += 1
        if not client.gone:  # else it was opened, and closed at once
            self._open_clients.add(client)
            if self.state in (State.CLOSING, State.DONE):
                client.closing = True
                connection.close()
            elif self.state is State.SENDING:
                self._start(client)
        self._settle()

    def _client_failed(self, failure: Failure, index: int) -> None:
        if self.state in (State.CLOSING, State.DONE):
            return  # it was cancelled
        self._failed.add(index)
        self.record.error(self._failures.kind(failure))
        self._settle()

    def _settle(self) -> None:
        self._settled += 1
        if self._settled == len(self._clients) and not self._opened:
            self._close()
        elif self.state is State.OPENING:
            if self._settled == len(self._clients):
                self._begin()
                for client in self._clients:
                    self._start(client)
            else:
                self._open_next()

    # -- sending ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.state = State.SENDING
        self._on_begin()
        self._pulse.begin()
        self._began = self._now()
        self._later(self.plan.duration, self._end_of_load)
        if self._schedule is not None:
            self._pump = self._alarm.callLater(0.0, self._send_due, 0.0)

    def _start(self, client: EchoClient) -> None:
        if self._schedule is None and client.connection is not None:
            client.keep_in_flight(self.plan.in_flight)

    def _send_due(self, expected: float) -> None:
        """Send what is due, and come back when the next message is."""
        if self.state is not State.SENDING or self._schedule is None:
            return
        elapsed = self._now() - self._began
        self._health.lag(elapsed - expected, elapsed)
        self._take_due(elapsed)
        next_due = self._schedule.next_due()
        if next_due is not None:
            elapsed = self._now() - self._began
            wake = max(next_due, elapsed + SHORTEST_NAP)
            self._pump = self._alarm.callLater(wake - elapsed, self._send_due, wake)

    def _take_due(self, elapsed: float) -> None:
        schedule, clients = self._schedule, self._clients
        if schedule is None:
            return
        for number in schedule.take(elapsed):
            index = schedule.client(number)
            client = clients[index]
            if client.connection is not None:
                client.send_due(self._began + schedule.due(number))
            elif client.gone or index in self._failed:
                self.record.error("unsent")

    def _end_of_load(self) -> None:
        self._take_due(self._now() - self._began)
        self.state = State.WAITING
        for client in self._clients:
            client.stop()
        self._load_seconds = self._pulse.load_ended()
        slices = self.record.slices
        self._under_load = (sum(each.received for each in slices), sum(each.bytes_received for each in slices))
        self._deadline = self._now() + self.plan.patience
        if not self._interrupted:
            self._wait()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self.state is not State.WAITING:
            return
        if self._now() >= self._deadline:
            for client in self._clients:
                client.give_up()
        if any(client.outstanding or client.unsent for client in self._clients):
            self._later(_LOOK_AGAIN, self._wait)
        else:
            self._close()

    def _close(self) -> None:
        if self.state in (State.CLOSING, State.DONE):
            return
        self.state = State.CLOSING
        self._cancel_calls()
        for connecting in list(self._connecting):
            connecting.cancel()
        self._pulse.end()
        self._later(CLOSE_PATIENCE, self._finish)
        for client in self._clients:
            client.closing = True
            if client.connection is not None:
                client.connection.close()
        if not self.open_now:
            self._finish()

    def _client_gone(self, client: EchoClient) -> None:
        self._open_clients.discard(client)
        if not client.closing:
            self._closed_early += 1
        if self.state is State.CLOSING and not self.open_now:
            self._finish()

    def _finish(self) -> None:
        if self.state is State.DONE:
            return
        self.state = State.DONE
        self._cancel_calls()
        self._done.callback(
            Outcome(
                record=self.record, verdict=self._health.verdict(), load_seconds=self._load_seconds,
                received_under_load=self._under_load[0], bytes_under_load=self._under_load[1],
                opened=self._opened, failed=len(self._failed), closed_early=self._closed_early,
                still_in_flight=self._still_in_flight, interrupted=self._interrupted,
                failures=self._failures.examples(),
            )
        )  # fmt: skip

    def _cancel_calls(self) -> None:
        for call in (*self._calls, self._pump):
            if call is not None and call.active():
                call.cancel()
        self._calls = []

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self._calls.append(self._clock.callLater(delay, call))
