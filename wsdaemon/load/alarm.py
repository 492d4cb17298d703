"""Timer precise to a tenth of a millisecond, on Linux (timerfd).

The reactor rounds timers up to whole milliseconds. An open loop counts latency from when a message was due, so this
rounding would add half a millisecond to each.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_CLOEXEC_NONBLOCK = 0o2004000


class _Spec(ctypes.Structure):
    """struct itimerspec: interval and first expiry, each as seconds and nanoseconds."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]


def precise(reactor: Any) -> Any:
    """Return a precise timer: a `TimerFd`, or the reactor itself where there is none."""
    if sys.platform == "linux" and IReactorFDSet.providedBy(reactor):
        with contextlib.suppress(OSError, AttributeError):
            return TimerFd(reactor)
    return reactor


@implementer(IReadDescriptor)
class TimerFd:
    """Timer with one pending call. Raises `OSError` if there is no timerfd."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _CLOEXEC_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Spec()
        self._call: Callable[[], object] = bool  # does nothing
        reactor.addReader(self)

    def callLater(self, delay: float, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function` after `delay` seconds, instead of the pending call."""
        self._call = partial(function, *arguments)
        nanoseconds = max(1, int(delay * 1e9))  # 0 would disarm it
        self._spec.first_s, self._spec.first_ns = divmod(nanoseconds, 1_000_000_000)
        self._libc.timerfd_settime(self._fd, 0, ctypes.byref(self._spec), None)

    def close(self) -> None:
        """Close the descriptor; the pending call is not made."""
        self._reactor.removeReader(self)
        os.close(self._fd)
        self._fd = -1

    def fileno(self) -> int:
        """Return the descriptor, readable when the timer expires."""
        return int(self._fd)

    def doRead(self) -> None:
        """Make the pending call: the timer has expired."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
            self._call()

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: the reactor has ended."""

    def logPrefix(self) -> str:
        """Return the name for Twisted's log."""
        return "wsdaemon.load"
