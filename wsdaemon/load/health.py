"""Health of the client: whether it was itself the limit of a measurement. Pure: times are passed in.

There are two signs. The client used a whole processor core: then it could not have sent more, and replies waited for
it. Or its timers fired late: then it was busy, or another process had the core, and latencies are partly the client's.
"""

from __future__ import annotations

BUSY = 0.90
"""Share of one core from which on the client counts as the limit."""
LATE = 0.010
"""Delay beyond which a timer counts as late, in seconds."""
LATE_SHARE = 0.05
"""Share of late timers from which on the client counts as the limit."""
PAUSE = 0.100
"""Delay from which on a single timer is reported, in seconds."""


class Health:
    """Health of the client: how busy and how late it was."""

    def __init__(self) -> None:
        self.cpu_share = 0.0
        """How much of one core was used, from 0 to 1."""
        self.worst_lag = 0.0
        """How late the latest timer was, in seconds."""
        self._worst_at = 0.0
        self._samples = self._late = 0

    def lag(self, seconds: float, at: float) -> None:
        """Note that a timer fired `seconds` late, `at` seconds after the beginning of the run."""
        self._samples += 1
        if seconds > LATE:
            self._late += 1
        if seconds > self.worst_lag:
            self.worst_lag, self._worst_at = seconds, at

    def used(self, cpu: float, wall: float) -> None:
        """Note that `cpu` seconds of processor time were used in `wall` seconds."""
        self.cpu_share = cpu / wall if wall else 0.0

    @property
    def late_share(self) -> float:
        """How many of the timers were late, from 0 to 1."""
        return self._late / self._samples if self._samples else 0.0

    @property
    def reasons(self) -> list[str]:
        """Why the client may have been the limit, in words; empty if it was not."""
        reasons = []
        if self.cpu_share >= BUSY:
            reasons.append(f"it used {self.cpu_share:.0%} of a processor core, which is all that it can use")
        if self.late_share >= LATE_SHARE and self._late > 1:
            reasons.append(f"{self.late_share:.0%} of its timers fired more than {LATE * 1000:.0f} ms late")
        if self.worst_lag >= PAUSE:
            reasons.append(f"it stood still for {self.worst_lag * 1000:.0f} ms, {self._worst_at:.1f} s after the start")
        return reasons
