"""The beat of a run: at each one the slice may end, the client's health is checked and progress is shown."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wsdaemon.load.health import Health
from wsdaemon.load.record import Record

BEAT = 0.1
"""Seconds from one beat to the next."""


class Pulse:
    """Beats from `begin` to `end`.

    Args:
        clock: the timers.
        now: the time in seconds, from any beginning; a clock that is never set.
        cpu: the processor time that this process has used, in seconds.
        record: its slices are cut, every `slice_seconds`.
        health: is told how late the beats are and how much processor time was used.
        on_beat: called at each beat with the seconds since `begin`, before a slice is cut.

    """

    def __init__(
        self, *, clock: IReactorTime, now: Callable[[], float], cpu: Callable[[], float],
        record: Record, health: Health, slice_seconds: float, on_beat: Callable[[float], None],
    ) -> None:  # fmt: skip
        self._clock, self._now, self._cpu = clock, now, cpu
        self._record, self._health, self._on_beat = record, health, on_beat
        self._slice_seconds = slice_seconds
        self._call: IDelayedCall | None = None
        self._began = self._expected = self._cpu_at_begin = self._last_cut = 0.0
        self._slices_done = 0

    def begin(self) -> None:
        """Begin the run: time counts from now."""
        self._began = self._now()
        self._cpu_at_begin = self._cpu()
        self._expected = BEAT
        self._call = self._clock.callLater(BEAT, self._beat)

    def elapsed(self) -> float:
        """Return the seconds since `begin`."""
        return self._now() - self._began

    def load_ended(self) -> float:
        """Cut the slice and count the processor time so far; returns the seconds since `begin`."""
        elapsed = self.elapsed()
        self._health.used(self._cpu() - self._cpu_at_begin, elapsed)
        self._cut(elapsed)
        return elapsed

    def end(self) -> None:
        """Stop, and cut the last slice."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        begun = self._call is not None
        self._call = None
        self._record.cut(self.elapsed() if begun else 0.0)

    def _beat(self) -> None:
        elapsed = self.elapsed()
        self._health.lag(elapsed - self._expected, elapsed)
        self._on_beat(elapsed)
        slices = int((elapsed + 1e-6) / self._slice_seconds)
        if slices > self._slices_done:
            self._slices_done = slices
            self._cut(elapsed)
        beats = int((elapsed + 1e-6) / BEAT) + 1  # missed ones are skipped
        self._expected = beats * BEAT
        self._call = self._clock.callLater(max(0.0, self._expected - self.elapsed()), self._beat)

    def _cut(self, elapsed: float) -> None:
        if elapsed > self._last_cut:
            self._last_cut = elapsed
            self._record.cut(elapsed)
