"""TCP that sends at once.

Twisted sends what is written in the next turn of its loop, and asks the system twice in between: to be told when the
socket can be written to, and then not any more. For a server that does little but read a message and send an answer,
that is a good part of all the work. Here, what is written goes out in the very call that writes it, as long as nothing
waits before it; only what the socket does not take waits its turn in Twisted's own buffer, by Twisted's own rules.

This needs to know whether something waits in that buffer, which Twisted does not tell: `can_be_eager` says whether its
insides are as they were when this was written. Where they are not, all is sent in Twisted's own way.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import abstract, tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from wsdaemon.websocket import eager_tls
from wsdaemon.websocket.readers import Readers

LEAST_READ, MOST_READ, LARGE_READ = 1 << 12, 1 << 16, 1 << 18
"""How many bytes are read at a time: at least, at most, and at most from a peer that sends large frames."""

_USED = (
    "connected", "disconnecting", "_writeDisconnecting", "_aborting", "_dataReceived", "readConnectionLost",
    "startReading", "stopReading", "startWriting", "stopWriting",
)  # fmt: skip


def can_be_eager() -> bool:
    """Whether Twisted's TCP transports have the insides that are looked at here."""
    plain = abstract.FileDescriptor(reactor=object())  # type: ignore[arg-type]  # it is only looked at
    return (plain.dataBuffer, getattr(plain, "_tempDataBuffer", None)) == (b"", []) and all(
        hasattr(tcp.Server, name) for name in _USED
    )


def sent_at_once(tcp_transport: Any, data: bytes) -> int:
    """Send now as much of `data` as the socket takes, unless something waits before it; returns how much that was.

    The rest is for Twisted's own way of writing, which also meets whatever is wrong, and does what is to be done.
    """
    if (
        tcp_transport.dataBuffer
        or tcp_transport._tempDataBuffer
        or tcp_transport.disconnecting
        or tcp_transport._aborting
        or tcp_transport._writeDisconnecting
        or not tcp_transport.connected
    ):
        return 0
    try:
        sent: int = tcp_transport.socket.send(data)
    except OSError:
        return 0
    return sent


class EagerServer(tcp.Server):
    """A server's transport that sends at once. `writeSequence` waits for the next turn, as it is for small pieces.

    It reads as much at a time as has come lately: room for 64 KiB is slow to make for a message of a few bytes.
    """

    read_size = LEAST_READ
    most_read = MOST_READ
    readers: Readers | None = None
    """By what it is read, where that is not the reactor itself."""
    _reads = _writes = False
    _is_free = True
    """Whether nothing waits to be sent, and the connection has not begun to end."""

    def expect_large(self) -> None:
        """Read more at a time if there is more."""
        self.most_read = LARGE_READ

    def startReading(self) -> None:
        """Read. While something waits to be sent, the reactor does it: it has to see both sides of a socket's end."""
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
        self._is_free = False
        if not self._writes:
            self._writes = True
            self._read_anew()
        super().startWriting()

    def stopWriting(self) -> None:
        """All is sent."""
        super().stopWriting()
        ending = self.disconnecting or self._writeDisconnecting or self._aborting
        self._is_free = bool(self.connected) and not ending
        if self._writes:
            self._writes = False
            self._read_anew()

    def hold(self) -> None:
        """Send nothing at once any more."""
        self._is_free = False

    def loseConnection(self, *arguments: Any) -> None:
        """Send what waits, then end."""
        super().loseConnection(*arguments)
        self._is_free = False

    def abortConnection(self) -> None:
        """End at once."""
        super().abortConnection()
        self._is_free = False

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has ended its side: there is nothing to read any more, also once all is sent."""
        self._reads = False
        super().readConnectionLost(reason)

    def _read_anew(self) -> None:
        if self._reads and self.readers is not None:
            self.stopReading()
            self.startReading()

    def give_up(self, why: Exception) -> None:
        """End as the reactor would have it: the peer has ended its side, or something went wrong."""
        self.stopReading()
        if isinstance(why, ConnectionDone):
            self.readConnectionLost(Failure(why))
        else:
            self.stopWriting()
            self.connectionLost(Failure(why))

    def doRead(self) -> Any:
        """Read what is there."""
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
        return self._dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        sent = 0
        if self._is_free:
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0  # there is no room, or Twisted meets the same, and does what is to be done
        if sent < len(data):
            super().write(data[sent:] if sent else data)


def make_eager(port: Any, readers: Readers | None) -> None:
    """Have the connections that a listening port of Twisted's accepts send at once, and be read from together.

    Other ports are left alone.
    """
    if can_be_eager() and getattr(port, "transport", None) is tcp.Server:
        port.transport = type("EagerServer", (EagerServer,), {"readers": readers})
        eager_tls.make_eager(port.factory)
