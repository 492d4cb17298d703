"""Runner of messages: connects the clients, makes them send, waits for the last replies, and closes them.

The states follow each other; `stop` skips some:

    OPENING   without a ramp, all clients connect first, a few at a time; with a ramp, this state is skipped
    SENDING   for `duration` seconds messages are sent; with a ramp, clients connect meanwhile
    WAITING   nothing more is sent; lasts until each reply has arrived, at most `patience` seconds
    CLOSING   every connection is closed; lasts at most `CLOSE_PATIENCE` seconds
    DONE
"""

from __future__ import annotations

from enum import IntEnum, auto
from typing import Any

from twisted.internet.defer import Deferred
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


class State(IntEnum):
    """State of a run; see the head of this module."""

    OPENING = auto()
    SENDING = auto()
    WAITING = auto()
    CLOSING = auto()
    DONE = auto()


class EchoRunner:
    """One run of messages; `alarm` is a timer for due messages, where there is one more precise than the clock."""

    def __init__(self, run: Measurement, alarm: Any = None) -> None:
        plan = run.plan
        self.plan = plan
        self.state = State.OPENING
        self._run, self._alarm = run, run.clock if alarm is None else alarm
        pool = messages(plan)
        self._clients = [
            EchoClient(pool, plan.binary, run.record, run.now, self._client_gone) for _ in range(plan.clients)
        ]
        self._not_tried = iter(self._clients)
        self._failed: set[EchoClient] = set()
        self._settled = 0
        """How many clients are connected or could not connect."""
        self._schedule = Schedule(plan.rate, plan.clients, plan.duration) if plan.rate is not None else None
        self._began = 0.0
        self._open_clients: set[EchoClient] = set()

    def run(self) -> Deferred[Measurement]:
        """Begin; fires when all connections are closed. To be called once."""
        if self.plan.ramp:
            self._begin()
            for index, client in enumerate(self._clients):
                self._run.later(start_of(index, self.plan.clients, self.plan.ramp), self._open, client)
        else:
            for _ in range(HANDSHAKES_AT_ONCE):
                self._open_next()
        return self._run.done

    def stop(self) -> None:
        """End early: nothing more is sent, and no reply is waited for."""
        if self.state < State.CLOSING:
            self._run.interrupted = True
            if self.state is State.SENDING:
                self._end_of_load()
            self._run.still_in_flight = sum(client.outstanding for client in self._clients)
            self._close()

    # -- opening ----------------------------------------------------------------------------------------------------

    def _open_next(self) -> None:
        client = next(self._not_tried, None) if self.state is State.OPENING else None
        if client is not None:
            self._open(client)

    def _open(self, client: EchoClient) -> None:
        self._run.connect(client).addCallbacks(
            self._client_open, self._client_failed, callbackArgs=(client,), errbackArgs=(client,)
        )

    def _client_open(self, connection: ClientConnection, client: EchoClient) -> None:
        if not client.gone:  # else the server has closed it at once
            self._open_clients.add(client)
            if self.state is State.SENDING:
                self._start(client)
        self._settle()

    def _client_failed(self, failure: Failure, client: EchoClient) -> None:
        if self.state < State.CLOSING:  # else the attempt was cancelled
            self._failed.add(client)
            self._run.count_failure(failure)
            self._settle()

    def _settle(self) -> None:
        self._settled += 1
        are_all = self._settled == len(self._clients)
        if are_all and not self._run.opened:
            self._close()
        elif are_all and self.state is State.OPENING:
            self._begin()
            for client in self._clients:
                self._start(client)
        else:
            self._open_next()

    # -- sending ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.state = State.SENDING
        self._began = self._run.begin()
        self._run.later(self.plan.duration, self._end_of_load)
        if self._schedule is not None:
            self._alarm.callLater(0.0, self._send_due, 0.0)

    def _start(self, client: EchoClient) -> None:
        if self._schedule is None and client.connection is not None:
            client.keep_in_flight(self.plan.in_flight)

    def _send_due(self, expected: float) -> None:
        """Send what is due, and schedule the next message."""
        if self.state is not State.SENDING:
            return
        elapsed = self._run.elapsed()
        self._run.health.lag(elapsed - expected, elapsed)
        next_due = self._take_due(elapsed)
        if next_due is not None:
            elapsed = self._run.elapsed()
            wake = max(next_due, elapsed + SHORTEST_NAP)
            self._alarm.callLater(wake - elapsed, self._send_due, wake)

    def _take_due(self, elapsed: float) -> float | None:
        """Send what is due by `elapsed`; returns when the next message is due, None at the end or in a closed loop."""
        schedule, clients = self._schedule, self._clients
        if schedule is None:
            return None
        for number in schedule.take(elapsed):
            client = clients[schedule.client(number)]
            if client.connection is not None:
                client.send_due(self._began + schedule.due(number))
            elif client.gone or client in self._failed:
                self._run.record.error("unsent")
        return schedule.next_due()

    def _end_of_load(self) -> None:
        self._take_due(self._run.elapsed())
        self.state = State.WAITING
        for client in self._clients:
            client.stop()
        self._run.load_ended()
        if not self._run.interrupted:
            self._wait()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self._run.elapsed() >= self._run.load_seconds + self.plan.patience:
            for client in self._clients:
                client.give_up()
        if any(client.outstanding or client.unsent for client in self._clients):
            self._run.later(_LOOK_AGAIN, self._wait)
        else:
            self._close()

    def _close(self) -> None:
        self.state = State.CLOSING
        self._run.stop_connecting()
        self._run.end()
        self._run.later(CLOSE_PATIENCE, self._finish)
        for client in self._clients:
            client.close()
        if not self._open_clients:
            self._finish()

    def _client_gone(self, client: EchoClient, code: int | None) -> None:
        self._open_clients.discard(client)
        self._run.count_end(client, code)
        if self.state is State.CLOSING and not self._open_clients:
            self._finish()

    def _finish(self) -> None:
        if self.state is not State.DONE:
            self.state = State.DONE
            self._run.finish()
