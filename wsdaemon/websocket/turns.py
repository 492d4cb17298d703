"""The loop's time, shared: what many connections have to do is done a little of each in turn, and never for long.

Little work is done at once, as it comes in. Once `budget` seconds of a turn of the loop are spent, all further work of
that turn waits for the next, and there takes its place in the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter

from twisted.internet.interfaces import IReactorTime

SHARES = 10
"""Into how many pieces a turn's time is cut, where several wait for it."""


class Turns:
    """One queue for all connections of a daemon. Work that is not done after its share adds itself again."""

    def __init__(self, clock: IReactorTime, budget: float) -> None:
        self._clock = clock
        self.budget = budget
        self._spent = 0.0
        self.over = budget <= 0
        """Whether this turn's time is spent."""
        self._fresh: deque[Callable[[], object]] = deque()  # what has not had a share yet
        self._again: deque[Callable[[], object]] = deque()
        self._next = False  # whether the next turn is asked for

    @property
    def share(self) -> float:
        """How long a piece of work may take, in seconds: all of a turn where no other waits."""
        return self.budget / SHARES if self._fresh or self._again else self.budget

    def spend(self, seconds: float) -> None:
        """Note time that was worked at once; little of it need not be noted."""
        self._spent += seconds
        self.over = self._spent >= self.budget
        self._ask()

    def add(self, work: Callable[[], object], *, again: bool = False) -> None:
        """Have `work` called in one of the next turns; `again` says that it has had a share and wants more.

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
        # Those who come anew and those who want more take turns, so that neither waits for all of the others.
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
