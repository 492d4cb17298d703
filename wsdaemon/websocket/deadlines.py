"""Waits: each state of a connection that could last for ever has a deadline here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_PRECISION = 1e-6  # seconds; a timer may be due a rounding error before the time that it was set for
_Each = TypeVar("_Each")


class Deadlines:
    """Named timers of one connection. After `clear()` none is left, and none can be set any more."""

    __slots__ = ("_calls", "_cleared", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: dict[str, IDelayedCall] = {}
        self._cleared = False

    def set(self, name: str, seconds: float, expired: Callable[[], None]) -> None:
        """Call `expired` in `seconds`, in place of what `name` stood for until now."""
        self.cancel(name)
        if not self._cleared:
            self._calls[name] = self._clock.callLater(seconds, self._expire, name, expired)

    def running(self, name: str) -> bool:
        """Say whether the deadline is still to come."""
        return name in self._calls

    def cancel(self, name: str) -> None:
        """Forget the deadline; nothing happens where there is none."""
        call = self._calls.pop(name, None)
        if call is not None:
            call.cancel()

    def clear(self) -> None:
        """Forget all deadlines for good."""
        self._cleared = True
        for name in list(self._calls):
            self.cancel(name)

    def _expire(self, name: str, expired: Callable[[], None]) -> None:
        del self._calls[name]
        expired()


class SharedTimer(Generic[_Each]):
    """One timer for many that wait for the same number of seconds; `expired` gets those whose time is over.

    For what every idle connection waits for: a timer of its own takes 700 bytes.
    """

    def __init__(self, clock: IReactorTime, seconds: float, expired: Callable[[list[_Each]], None]) -> None:
        self.seconds = seconds
        self.waiting: dict[_Each, float] = {}
        """When each began to wait, on the clock; the first is the longest ago."""
        self._clock = clock
        self._expired = expired
        self._call: IDelayedCall | None = None

    def start(self, each: _Each) -> None:
        """Have `each` wait from now on."""
        self.waiting.pop(each, None)
        self.waiting[each] = self._clock.seconds()
        if self._call is None:
            self._call = self._clock.callLater(self.seconds, self._look)

    def cancel(self, each: _Each) -> None:
        """Have `each` wait no more; nothing happens where it does not wait."""
        if self.waiting.pop(each, None) is None or self.waiting:
            return
        if self._call is not None and self._call.active():
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        latest = self._clock.seconds() - self.seconds + _PRECISION
        over = [each for each, since in self.waiting.items() if since <= latest]
        for each in over:
            del self.waiting[each]
        if over:
            self._expired(over)  # whoever starts again meanwhile sets no timer: the next one is for the longest wait
        self._call = None
        if self.waiting:
            wait = next(iter(self.waiting.values())) + self.seconds - self._clock.seconds()
            self._call = self._clock.callLater(max(0.0, wait), self._look)
