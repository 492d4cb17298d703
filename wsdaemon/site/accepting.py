"""Accept errors: a port that cannot accept neither spins nor logs a line per connection."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Any, NoReturn

from twisted.internet.interfaces import IReactorTime

from wsdaemon.observe.tally import Cause, Tally

PAUSE = 0.5
"""How long a port accepts nothing if the next try would fail too, in seconds."""

PATIENCE = 100
"""How many errors in a row may come from connections that ended before they were accepted."""

_SCARCE = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def guard_listening(port: Any, clock: IReactorTime, tally: Tally) -> None:
    """Make a Twisted port accept through a `ListeningSocket`; another kind of port is left as it is."""
    if isinstance(getattr(port, "socket", None), socket.socket):
        port.socket = ListeningSocket(port, clock, tally)


class ListeningSocket:
    """Wrapper of a Twisted port's socket that turns every error of accept into "no connection yet".

    At the limit of file descriptors, Twisted would log several lines for each connection and try again at once, for
    ever. Here a descriptor is kept in reserve: it is used to accept and close one connection too many. If that fails
    too, nothing is accepted for `PAUSE`.
    """

    def __init__(self, port: Any, clock: IReactorTime, tally: Tally) -> None:
        self._port = port
        self._socket: socket.socket = port.socket
        self._clock = clock
        self._tally = tally
        self._failed = 0
        self._reserve: int | None = None
        self._keep_reserve()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection; raises `BlockingIOError` if none can be accepted now."""
        try:
            accepted = self._socket.accept()
        except BlockingIOError:
            raise
        except OSError as error:
            self._cope(error)
        self._failed = 0
        if self._reserve is None:
            self._keep_reserve()
        return accepted

    def close(self) -> None:
        """Stop listening."""
        self._release_reserve()
        self._socket.close()

    def _cope(self, error: OSError) -> NoReturn:
        name = errno.errorcode.get(error.errno or 0, "error")
        reason = (error.strerror or str(error)).lower()
        self._tally.note(Cause.ACCEPT, "cannot accept a connection: {reason}", errno=name, reason=reason)
        self._failed += 1
        in_vain = error.errno in _SCARCE or self._failed > PATIENCE
        if in_vain and not (error.errno == errno.EMFILE and self._close_one()):
            self._pause()
        raise BlockingIOError(errno.EAGAIN, "no connection can be accepted now") from error

    def _close_one(self) -> bool:
        """Close the first connection that waits, using the descriptor in reserve; says whether that worked."""
        if self._reserve is None:
            return False
        self._release_reserve()
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return True  # it has gone
        except OSError:
            return False
        finally:
            self._keep_reserve()
        return True

    def _pause(self) -> None:
        self._port.stopReading()
        self._clock.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()

    def _keep_reserve(self) -> None:
        with suppress(OSError):
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _release_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
