"""TCP transports that send in the call that writes.

Twisted sends in the next turn of its loop, and asks the system twice in between: to be told when the socket can be
written to, and then no longer. For a server that reads a message and sends a reply, that is a good part of all the
work. Here `write` calls `send` itself as long as nothing is queued; what the socket does not take goes into Twisted's
buffer, by Twisted's rules. Twisted calls `startWriting` when it queues something and `stopWriting` when all is sent:
that is how we know (see tests/library_facts/test_transport.py).
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from wsdaemon.websocket import eager_tls
from wsdaemon.websocket.readers import Readers

LEAST_READ, MOST_READ, LARGE_READ = 1 << 12, 1 << 16, 1 << 18
"""Bytes to read at a time: at least, at most, and at most from a peer that sends large frames."""


class EagerConnection(tcp.Connection):
    """One end of a TCP connection. `writeSequence` still waits for the next turn, as small pieces should.

    The size of a read follows what arrived lately: a buffer of 64 KiB is slow to allocate for a message of a few bytes.
    """

    read_size = LEAST_READ
    most_read = MOST_READ
    _is_free = False
    """Whether nothing is queued and the connection has not begun to end, so that `write` may send."""
    _is_ending = False

    def expect_large(self) -> None:
        """Read more at a time if there is more."""
        self.most_read = LARGE_READ

    def startWriting(self) -> None:
        """Wait until the socket takes more."""
        self._is_free = False
        super().startWriting()

    def stopWriting(self) -> None:
        """Everything is sent."""
        super().stopWriting()
        self._is_free = bool(self.connected) and not self._is_ending

    def hold(self) -> None:
        """Leave everything written from now on to Twisted."""
        self._is_ending, self._is_free = True, False

    def loseConnection(self, *arguments: Any) -> None:
        """Send what is queued, then end."""
        self.hold()
        super().loseConnection(*arguments)

    def loseWriteConnection(self) -> None:
        """Send what is queued, then end our half of the stream."""
        self.hold()
        super().loseWriteConnection()

    def abortConnection(self) -> None:
        """End at once."""
        self.hold()
        super().abortConnection()

    def doRead(self) -> Any:
        """Read once; returns why the connection is lost, if it is."""
        size = self.read_size
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        length = len(data)
        if length == size:
            self.read_size = min(self.most_read, 4 * size)
        elif length < size >> 2 and size > LEAST_READ:
            self.read_size = size >> 1
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def write(self, data: bytes) -> None:
        """Send bytes."""
        sent = 0
        if self._is_free:
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0  # no room, or an error that Twisted meets again and handles
        if sent < len(data):
            super().write(data[sent:] if sent else data)


class EagerServer(EagerConnection, tcp.Server):
    """A server's end, read by `Readers` where there are any, else by the reactor."""

    readers: Readers | None = None
    _is_free = True
    _reads = _writes = False

    def startReading(self) -> None:
        """Read. While something is queued the reactor does it, as it must see both sides of a socket's end."""
        self._reads = True
        if self.readers is None or self._writes:
            super().startReading()
        else:
            self.readers.add(self)

    def stopReading(self) -> None:
        """Read no more."""
        self._reads = False
        if self.readers is not None:
            self.readers.discard(self)
        super().stopReading()

    def startWriting(self) -> None:
        """Wait until the socket takes more."""
        if not self._writes:
            self._writes = True
            self._read_anew()
        super().startWriting()

    def stopWriting(self) -> None:
        """Everything is sent."""
        super().stopWriting()
        if self._writes:
            self._writes = False
            self._read_anew()

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has ended its half: there is nothing to read any more, also once everything is sent."""
        self._reads = False
        super().readConnectionLost(reason)

    def _read_anew(self) -> None:
        if self._reads and self.readers is not None:
            self.stopReading()
            self.startReading()

    def give_up(self, why: Exception) -> None:
        """End as the reactor would: the peer has ended its half, or something went wrong."""
        self.stopReading()
        if isinstance(why, ConnectionDone):
            self.readConnectionLost(Failure(why))
        else:
            self.stopWriting()
            self.connectionLost(Failure(why))


def make_eager(port: Any, readers: Readers | None) -> None:
    """Make the connections that a TCP port accepts send at once, and read them by `readers`; other ports stay."""
    if getattr(port, "transport", None) is tcp.Server:
        port.transport = type("EagerServer", (EagerServer,), {"readers": readers})
        eager_tls.make_eager(port.factory)
