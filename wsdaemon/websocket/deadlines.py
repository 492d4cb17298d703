"""The waits of one connection, by name: each state that could last for ever has its deadline here."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadlines:
    """Named timers on one clock. After `clear()` none is left, and none can be set any more."""

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
