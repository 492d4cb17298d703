"""Common parts of the commands that connect: exit codes, running the reactor, a closed standard output."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from wsdaemon.client.target import Target

_T = TypeVar("_T")


class ExitCode(IntEnum):
    """Exit code of a command."""

    RIGHT = 0
    WRONG = 1
    USAGE = 2
    NOT_CONNECTED = 3
    INTERRUPTED = 130


def reason(error: Exception) -> str:
    """Return why options, or a file that they name, cannot be used."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or 'cannot be read').lower()}"
    return str(error)


def warn_insecure(target: Target) -> None:
    """Warn on standard error if the server's certificate is not verified."""
    if target.insecure and target.is_secure:
        sys.stderr.write("warning: --insecure: the server's certificate is not verified\n")


def run_reactor(reactor: Any, start: Callable[[], Deferred[_T]], interrupt: Callable[[], None], *numbers: int) -> _T:
    """Run the reactor until the Deferred of `start` has fired; returns its result, or raises its failure.

    The first of the signals `numbers` calls `interrupt`; the second ends the process.
    """
    results: list[_T | Failure] = []

    def interrupted(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        reactor.callFromThread(interrupt)

    def done(result: _T | Failure) -> None:
        results.append(result)
        reactor.stop()

    before = {number: signal.signal(number, interrupted) for number in numbers}
    reactor.callWhenRunning(lambda: maybeDeferred(start).addBoth(done))
    reactor.run(installSignalHandlers=False)
    for number, handler in before.items():
        signal.signal(number, handler)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def ignore_closed_stdout() -> None:
    """Prevent an error when Python flushes a closed standard output at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
