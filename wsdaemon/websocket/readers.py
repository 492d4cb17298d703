"""Reads from many sockets in one event of the reactor, by an epoll of our own inside the reactor's.

For each event the reactor changes the logging context and checks several conditions, which takes as long as echoing a
short message. Here one event of the reactor stands for all sockets that have input.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

AT_ONCE = 256
"""How many sockets are read before the reactor goes on."""


def can_read_together(reactor: Any) -> bool:
    """Say whether the system has epoll and the reactor watches file descriptors."""
    return hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor)


@implementer(IReadDescriptor)
class Readers:
    """Transports that are read together; each has `fileno`, `doRead` and `give_up`."""

    log = Logger(namespace="wsdaemon")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll = select.epoll()
        self._transports: dict[int, Any] = {}

    def add(self, transport: Any) -> None:
        """Read from a transport whenever it has input."""
        descriptor = transport.fileno()
        if descriptor < 0 or descriptor in self._transports or self._epoll.closed:
            return
        if not self._transports:
            self._reactor.addReader(self)
        self._transports[descriptor] = transport
        self._epoll.register(descriptor, select.EPOLLIN)

    def discard(self, transport: Any) -> None:
        """Stop reading from a transport whose socket is still open."""
        descriptor = transport.fileno()
        if self._transports.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
            if not self._transports:
                self._reactor.removeReader(self)

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._epoll.fileno()

    def doRead(self) -> None:
        """Read from every transport that has input."""
        transports = self._transports
        for descriptor, _ in self._epoll.poll(0, AT_ONCE):
            transport = transports.get(descriptor)
            if transport is None:
                continue  # ended by a protocol that was called before
            try:
                why = transport.doRead()
            except Exception as error:
                self.log.failure("a connection failed")
                why = error
            if why:
                transport.give_up(why)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and with it the connections that it knows only through this."""
        for transport in list(self._transports.values()):
            transport.connectionLost(reason)
        self._transports.clear()
        self._epoll.close()

    def logPrefix(self) -> str:
        """Return the prefix of log messages."""
        return "readers"
