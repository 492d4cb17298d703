"""Runner of handshakes: connect, record the times, close, repeat."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wsdaemon.client import ClientConnection
from wsdaemon.load.measurement import LoadClient, Measurement


class ConnectsRunner:
    """One run of handshakes, `plan.clients` at a time.

    A visit ends with the closing handshake; then the next one begins in its place. The run ends early if the whole
    first round of visits fails: there is nothing to measure.
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
            visit = LoadClient(self._gone)
            self._run.connect(visit).addCallbacks(self._open, self._fail, callbackArgs=(visit,))

    def _open(self, connection: ClientConnection, visit: LoadClient) -> None:
        self._run.record.pending.append(connection.times.total)
        self._run.record.current.received += 1
        visit.close()

    def _fail(self, failure: Failure) -> None:
        self._under_way -= 1
        if self._going_on:
            self._run.count_failure(failure)
            if not self._run.opened and self._run.failed >= self.plan.clients:
                self._end_of_load()
            else:
                self._run.later(0.0, self._visit)  # not at once: that could recurse endlessly
        self._finish_if_over()

    def _gone(self, visit: LoadClient, code: int | None) -> None:
        self._under_way -= 1
        self._run.count_end(visit, code)
        self._visit()
        self._finish_if_over()

    def _end_of_load(self) -> None:
        if self._going_on:
            self._going_on = False
            self._run.load_ended()
            self._run.later(self.plan.patience, self._finish)
            self._run.stop_connecting()
            self._finish_if_over()

    def _finish_if_over(self) -> None:
        if not (self._going_on or self._under_way):
            self._finish()

    def _finish(self) -> None:
        if not self._run.done.called:
            self._run.end()
            self._run.finish()
