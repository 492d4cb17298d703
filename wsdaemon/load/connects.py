"""Runner of handshakes: connect, record the times, close, repeat."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wsdaemon.client import ClientConnection, Listener
from wsdaemon.load.echo_client import closed_kind
from wsdaemon.load.measurement import Measurement


class _Visit(Listener):
    """A connection, from its handshake to its end."""

    def __init__(self, on_closed: Callable[[_Visit, int | None], None]) -> None:
        self._on_closed = on_closed
        self.closing = False
        self.gone = False

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection ended."""
        if not self.gone:
            self.gone = True
            self._on_closed(self, code)


class ConnectsRunner:
    """One run of handshakes, `plan.clients` at a time.

    A visit ends with the closing handshake; only then the next begins in its place. A run whose first round of visits
    all fail is over: there is nothing to measure.
    """

    def __init__(self, run: Measurement) -> None:
        self.plan = run.plan
        self._run = run
        self._under_way = 0
        self._going_on = True

    def run(self) -> Deferred[Measurement]:
        """Begin; fires when the last visit is over. To be called once."""
        self._run.begin()
        self._run.later(self.plan.duration, self._end_of_load)
        for _ in range(self.plan.clients):
            self._visit()
        return self._run.done

    def stop(self) -> None:
        """End early."""
        if self._going_on:
            self._run.interrupted = True
            self._end_of_load()

    def _visit(self) -> None:
        if self._going_on:
            self._under_way += 1
            visit = _Visit(self._gone)
            self._run.connect(visit).addCallbacks(self._open, self._fail, callbackArgs=(visit,), errbackArgs=(visit,))

    def _open(self, connection: ClientConnection, visit: _Visit) -> None:
        self._run.record.pending.append(connection.times.total)
        self._run.record.received += 1
        if not visit.gone:
            visit.closing = True
            connection.close()

    def _fail(self, failure: Failure, visit: _Visit) -> None:
        visit.gone = True
        self._under_way -= 1
        if not self._going_on:
            self._look_for_end()
            return
        self._run.count_failure(failure)
        if not self._run.opened and self._run.failed >= self.plan.clients:
            self._end_of_load()
        else:
            self._run.later(0.0, self._visit)  # not at once: that could recurse endlessly

    def _gone(self, visit: _Visit, code: int | None) -> None:
        if not visit.closing:
            self._run.closed_early += 1
            self._run.record.error(closed_kind(code))
        self._under_way -= 1
        if self._going_on:
            self._visit()
        else:
            self._look_for_end()

    def _end_of_load(self) -> None:
        if not self._going_on:
            return
        self._going_on = False
        self._run.load_ended()
        self._run.cancel_calls()
        self._run.later(self.plan.patience, self._finish)
        self._run.stop_connecting()
        self._look_for_end()

    def _look_for_end(self) -> None:
        if not self._under_way:
            self._finish()

    def _finish(self) -> None:
        if not self._run.done.called:
            self._run.end()
            self._run.finish()
