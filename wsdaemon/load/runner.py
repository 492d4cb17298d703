"""Runner of messages: connects the clients, makes them send, waits for the last replies, and closes them.

The states follow each other; only `stop` skips some:

    OPENING   without a ramp, all clients connect first, a few at a time; with one, this state is skipped
    SENDING   from the beginning of the run for `duration` seconds; with a ramp, clients still connect
    WAITING   nothing more is sent; until each reply has arrived, at most for `patience` seconds
    CLOSING   every connection is closed; at most for `CLOSE_PATIENCE` seconds
    DONE
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from wsdaemon.client import ClientConnection
from wsdaemon.load.echo_client import EchoClient
from wsdaemon.load.measurement import Measurement
from wsdaemon.load.plan import messages
from wsdaemon.load.schedule import Schedule, start_of

HANDSHAKES_AT_ONCE = 32
"""How many connections are opened at a time without a ramp: fewer than a listen queue holds."""
CLOSE_PATIENCE = 2.0
"""How long to wait for the closing handshakes at the end, in seconds."""
SHORTEST_NAP = 0.0002
"""Messages due within this many seconds are sent together; each latency counts from when the message was due."""
_LOOK_AGAIN = 0.005


class State(Enum):
    """State of a run; see the head of this module."""

    OPENING = auto()
    SENDING = auto()
    WAITING = auto()
    CLOSING = auto()
    DONE = auto()


class EchoRunner:
    """One run of messages; `alarm` calls later when messages are due, where that is more precise than the clock."""

    def __init__(self, run: Measurement, alarm: Any = None) -> None:
        plan = run.plan
        self.plan = plan
        self.state = State.OPENING
        self._run, self._alarm, self._now = run, run.clock if alarm is None else alarm, run.now
        pool = messages(plan)
        self._clients = [
            EchoClient(pool, plan.binary, run.record, run.now, self._client_gone) for _ in range(plan.clients)
        ]
        self._failed: set[int] = set()
        self._not_tried = 0
        self._settled = 0
        self._schedule = Schedule(plan.rate, plan.clients, plan.duration) if plan.rate is not None else None
        self._began = self._deadline = 0.0
        self._open_clients: set[EchoClient] = set()
        self._pump: IDelayedCall | None = None

    def run(self) -> Deferred[Measurement]:
        """Begin; fires when all connections are closed. To be called once."""
        if self.plan.ramp:
            self._begin()
            for index in range(self.plan.clients):
                start = start_of(index, self.plan.clients, self.plan.ramp)
                self._run.later(start, self._open, index)
        else:
            for _ in range(min(HANDSHAKES_AT_ONCE, self.plan.clients)):
                self._open_next()
        return self._run.done

    def stop(self) -> None:
        """End early: nothing more is sent, and no reply is waited for."""
        if self.state in (State.OPENING, State.SENDING, State.WAITING):
            self._run.interrupted = True
            if self.state is State.SENDING:
                self._end_of_load()
            self._run.still_in_flight = sum(client.outstanding for client in self._clients)
            self._close()

    # -- opening ----------------------------------------------------------------------------------------------------

    def _open_next(self) -> None:
        if self._not_tried < self.plan.clients and self.state is State.OPENING:
            self._not_tried += 1
            self._open(self._not_tried - 1)

    def _open(self, index: int) -> None:
        client = self._clients[index]
        connecting = self._run.connect(client)
        connecting.addCallbacks(self._client_open, self._client_failed, callbackArgs=(client,), errbackArgs=(index,))

    def _client_open(self, connection: ClientConnection, client: EchoClient) -> None:
        if not client.gone:  # else it was closed at once
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
        self._run.count_failure(failure)
        self._settle()

    def _settle(self) -> None:
        self._settled += 1
        if self._settled == len(self._clients) and not self._run.opened:
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
        self._run.begin()
        self._began = self._now()
        self._run.later(self.plan.duration, self._end_of_load)
        if self._schedule is not None:
            self._pump = self._alarm.callLater(0.0, self._send_due, 0.0)

    def _start(self, client: EchoClient) -> None:
        if self._schedule is None and client.connection is not None:
            client.keep_in_flight(self.plan.in_flight)

    def _send_due(self, expected: float) -> None:
        """Send what is due, and schedule the next message."""
        if self.state is not State.SENDING or self._schedule is None:
            return
        elapsed = self._now() - self._began
        self._run.health.lag(elapsed - expected, elapsed)
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
                self._run.record.error("unsent")

    def _end_of_load(self) -> None:
        self._take_due(self._now() - self._began)
        self.state = State.WAITING
        for client in self._clients:
            client.stop()
        self._run.load_ended()
        self._deadline = self._now() + self.plan.patience
        if not self._run.interrupted:
            self._wait()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self.state is not State.WAITING:
            return
        if self._now() >= self._deadline:
            for client in self._clients:
                client.give_up()
        if any(client.outstanding or client.unsent for client in self._clients):
            self._run.later(_LOOK_AGAIN, self._wait)
        else:
            self._close()

    def _close(self) -> None:
        if self.state in (State.CLOSING, State.DONE):
            return
        self.state = State.CLOSING
        self._run.cancel_calls()
        if self._pump is not None and self._pump.active():
            self._pump.cancel()
        self._run.stop_connecting()
        self._run.end()
        self._run.later(CLOSE_PATIENCE, self._finish)
        for client in self._clients:
            client.closing = True
            if client.connection is not None:
                client.connection.close()
        if not self._open_clients:
            self._finish()

    def _client_gone(self, client: EchoClient) -> None:
        self._open_clients.discard(client)
        if not client.closing:
            self._run.closed_early += 1
        if self.state is State.CLOSING and not self._open_clients:
            self._finish()

    def _finish(self) -> None:
        if self.state is not State.DONE:
            self.state = State.DONE
            self._run.finish()
