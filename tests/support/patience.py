"""Time in tests: how long to wait for what must come, and how long a daemon took, however busy the machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.daemon import Daemon

PATIENCE = 180.0 * float(os.environ.get("WSDAEMON_TESTS_TIMEOUT_FACTOR", "1"))
"""Seconds to wait for what must happen; a test that waits so long has failed."""


class Stopwatch:
    """Seconds since its start, without those in which the daemon or this thread waited for a CPU that others used.

    Linux counts the waiting of each thread (Documentation/scheduler/sched-stats.rst); elsewhere these are the seconds
    of the clock on the wall. A slow daemon is still caught: what its main thread computes, sleeps or waits for a lock,
    a disk or another of its threads counts. What does not: that its own threads, or those of the test, take the CPU
    from its main thread or from this one, on a quiet machine as well.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._threads = Path(f"/proc/{daemon.process.pid}/schedstat"), Path("/proc/thread-self/schedstat")
        self._before = [_waited(each) for each in self._threads]
        self._begun = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds until now; called in the thread that started it."""
        passed = time.perf_counter() - self._begun
        waited = [max(0.0, _waited(each) - before) for each, before in zip(self._threads, self._before, strict=True)]
        return max(0.0, passed - sum(waited))


def _waited(schedstat: Path) -> float:
    try:
        return int(schedstat.read_text().split()[1]) / 1e9
    except FileNotFoundError:  # the daemon has ended, or it is another system
        return 0.0


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE, every: float = 0.01) -> None:
    """Ask again and again, for what nobody tells of, until `condition` holds; `what` says what does not happen."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what}, in {seconds:g} s"
        time.sleep(every)
