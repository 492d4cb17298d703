"""Loop lag: how late the event loop makes its timed calls, and so how late it does everything else."""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_left
from itertools import accumulate
from types import FrameType
from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsdaemon.observe.metric import Metric

EVERY = 0.1
"""Interval of the measurements, in seconds."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histogram's buckets, in seconds."""
_LABELS = (*map(str, BOUNDS), "+Inf")
_SHOWN = 4


class LoopLag:
    """Lag of an event loop in a histogram, with a line in the log where it exceeds a threshold, in seconds.

    With `watch`, a thread looks up which function blocks the loop, for the log.
    """

    METRICS: ClassVar[tuple[Metric[LoopLag], ...]] = (
        Metric("histogram", "wsdaemon_loop_lag_seconds", "Delay of the event loop's calls.", (),
               lambda it: {(): (list(zip(_LABELS, accumulate(it.counts), strict=True)), it.total)}),
    )  # fmt: skip
    log = Logger(namespace="wsdaemon")

    def __init__(self, clock: IReactorTime, threshold: float) -> None:
        self.threshold = threshold
        self.last = self.most = 0.0
        self.total: float = 0.0
        self.counts: list[int] = [0] * len(_LABELS)
        self._clock = clock
        self._due = 0.0
        self._beat = time.monotonic()
        self._seen = ""
        self._stopped = threading.Event()
        self._call: IDelayedCall | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to measure."""
        self._due = self._clock.seconds() + EVERY
        self._call = self._clock.callLater(EVERY, self._measure)

    def watch(self) -> None:
        """Start the thread that looks at the calling thread, which runs the loop."""
        main = threading.get_ident()
        self._thread = threading.Thread(target=self._look, args=(main,), name="loop lag", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and end the thread."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def take_most(self) -> float:
        """Return the greatest lag since the last call of this method, in seconds."""
        most, self.most = self.most, self.last
        return most

    def _measure(self) -> None:
        now = self._clock.seconds()
        lag = max(0.0, now - self._due)
        self._beat = time.monotonic()
        self.last = lag
        self.most = max(self.most, lag)
        self.total += lag
        self.counts[bisect_left(BOUNDS, lag)] += 1
        if lag > self.threshold:
            seen, self._seen = self._seen, ""
            self.log.warn(
                "the loop was held for {lag:.3f} s{what}", lag=lag, what=f", by {seen}" if seen else "", event="lag"
            )
        self._due = now + EVERY
        self._call = self._clock.callLater(EVERY, self._measure)

    def _look(self, main: int) -> None:
        while not self._stopped.wait(min(EVERY, self.threshold / 2)):
            if time.monotonic() - self._beat > EVERY + self.threshold and not self._seen:
                frame = sys._current_frames().get(main)
                if frame is not None:
                    self._seen = _show(frame)


def _show(frame: FrameType | None) -> str:
    """Return the innermost calls, the latest first."""
    calls: list[str] = []
    while frame is not None and len(calls) < _SHOWN:
        code = frame.f_code
        calls.append(f"{code.co_qualname} ({code.co_filename.rpartition('/')[2]}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(calls)
