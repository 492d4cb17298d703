"""Accepting connections where the system cannot: neither a loop that spins nor a log line for each."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, NoReturn

from twisted.internet.interfaces import IReactorTime

from wsdaemon.observe.tally import Cause, Tally

PAUSE = 0.5
"""How long nothing is accepted, in seconds, where the next try would fail too."""

PATIENCE = 100
"""How many errors in a row may be those of connections that were gone before they were accepted."""

_SCARCE = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def guard_listening(port: Any, clock: IReactorTime, tally: Tally) -> None:
    """Have a port of Twisted's accept through a `ListeningSocket`; another kind of port is left as it is."""
    if isinstance(getattr(port, "socket", None), socket.socket):
        port.socket = ListeningSocket(port, clock, tally)


class ListeningSocket:
    """Stands before the socket of a Twisted port, which hears of no error but that there is no connection (yet).

    Twisted would log several lines for each connection at the limit of descriptors, and try again at once, for ever,
    where that cannot help. Here a descriptor is kept in reserve, by which a connection too many is closed; where that
    fails too, nothing is accepted for a while.
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
        """Return the next connection; raises `BlockingIOError` where there is none to be had now."""
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
        """Listen no more."""
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
        """Close the connection that waits first, by the descriptor in reserve; says whether that went well."""
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
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._reserve = None

    def _release_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
