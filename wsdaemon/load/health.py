"""Whether the client itself was the limit of a measurement: pure, it is told times.

Two signs give it away. It used all of a processor core: then it could not have sent more, and replies waited for it.
Or its timers fired late: then something else had the processor, or it was busy, and latencies are partly its own.
"""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.90
"""The share of one core from which on the client counts as the limit."""
LATE = 0.010
"""A timer that fires this many seconds late was late."""
LATE_SHARE = 0.05
"""The share of late timers from which on the client counts as the limit."""
PAUSE = 0.100
"""A single lag of this many seconds is worth a word by itself."""


@dataclass(frozen=True, slots=True)
class ClientLoad:
    """The load on the client itself: shares from 0 to 1, times in seconds."""

    cpu_share: float
    late_share: float
    worst_lag: float
    reasons: tuple[str, ...]
    """Why the client may have been the limit, in words; empty if it was not."""

    @property
    def limited(self) -> bool:
        """Whether the client may have been what was measured."""
        return bool(self.reasons)


class Health:
    """Collects how busy and how late the client was."""

    def __init__(self) -> None:
        self._samples = 0
        self._late = 0
        self._worst = 0.0
        self._worst_at = 0.0
        self._cpu = 0.0
        self._wall = 0.0

    def lag(self, seconds: float, at: float) -> None:
        """Note that a timer fired `seconds` late, `at` seconds after the beginning of the run."""
        self._samples += 1
        if seconds > LATE:
            self._late += 1
        if seconds > self._worst:
            self._worst, self._worst_at = seconds, at

    def used(self, cpu: float, wall: float) -> None:
        """Note that `cpu` seconds of processor time were used in `wall` seconds."""
        self._cpu += cpu
        self._wall += wall

    def result(self) -> ClientLoad:
        """Return the load, and why it may have been the limit."""
        cpu = self._cpu / self._wall if self._wall else 0.0
        late = self._late / self._samples if self._samples else 0.0
        reasons = []
        if cpu >= BUSY:
            reasons.append(f"it used {cpu:.0%} of a processor core, which is all that it can use")
        if late >= LATE_SHARE and self._late > 1:
            reasons.append(f"{late:.0%} of its timers fired more than {LATE * 1000:.0f} ms late")
        if self._worst >= PAUSE:
            reasons.append(f"it stood still for {self._worst * 1000:.0f} ms, {self._worst_at:.1f} s after the start")
        return ClientLoad(cpu, late, self._worst, tuple(reasons))
