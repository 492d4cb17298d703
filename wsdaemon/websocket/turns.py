"""Turns of the reactor's loop, shared by all connections: each works for a short time, then the next one.

Short work is done at once. Once `budget` seconds of a turn of the loop are spent, all further work waits in a queue
for the next turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter

from twisted.internet.interfaces import IReactorTime

SHARES = 10
"""Number of shares of a turn, where several connections wait."""


class Turns:
    """Queue of work, one for all connections of a daemon. Work that is not done after its share adds itself again."""

    def __init__(self, clock: IReactorTime, budget: float) -> None:
        self._clock = clock
        self.budget = budget
        self._spent = 0.0
        self.over = budget <= 0
        """Whether this turn's time is spent."""
        self._fresh: deque[Callable[[], object]] = deque()  # work that has had no share yet
        self._again: deque[Callable[[], object]] = deque()
        self._next = False  # whether the next turn is asked for

    @property
    def share(self) -> float:
        """How long one connection may work, in seconds: a whole turn where no other waits."""
        return self.budget / SHARES if self._fresh or self._again else self.budget

    def spend(self, seconds: float) -> None:
        """Count time of this turn that is spent; very short work need not be counted."""
        self._spent += seconds
        self.over = self._spent >= self.budget
        self._ask()

    def add(self, work: Callable[[], object], *, again: bool = False) -> None:
        """Have `work` called in one of the next turns; with `again`, it has had a share and needs more.

        It must not raise.
        """
        (self._again if again else self._fresh).append(work)
        self._ask()

    def _ask(self) -> None:
        if not self._next:
            self._next = True
            self._clock.callLater(0, self._run)

    def _run(self) -> None:
        self._next = False
        self._spent = 0.0
        self.over = self.budget <= 0
        begun = now = perf_counter()
        # New work and work that goes on alternate, so that neither waits for all of the other.
        for _ in range(len(self._fresh) + len(self._again)):
            for queue in (self._fresh, self._again):
                if queue:
                    queue.popleft()()
            now = perf_counter()
            if now - begun >= self.budget:
                break
        if self._fresh or self._again:
            self._spent = now - begun
            self.over = self._spent >= self.budget
            self._ask()
