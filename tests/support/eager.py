"""Both ends of TCP connections that send at once: the server's in this process, the client's a plain socket."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.http_client import wait
from wsdaemon.websocket.eager import EagerServer, make_eager
from wsdaemon.websocket.readers import Readers

reactor: Any = global_reactor
LARGE = 1 << 20


class Served(Protocol):
    """The server's end: records its input and how the connection ended."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.takes: Callable[[bytes], None] = lambda _: None
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.takes(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfClosing(Served):
    """Hears of the end of each half of the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def readConnectionLost(self) -> None:
        self.ended.append("read")

    def writeConnectionLost(self) -> None:
        self.ended.append("write")


class WatchedSocket:
    """A socket that records the sizes of its sends, and can have endless input."""

    def __init__(self, watched: Any) -> None:
        self._watched = watched
        self.sends: list[int] = []
        self.asked: list[int] = []
        self.supply = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def send(self, data: bytes) -> int:
        self.sends.append(len(data))
        return int(self._watched.send(data))

    def recv(self, size: int) -> bytes:
        if not self.supply:
            data: bytes = self._watched.recv(size)
            return data
        self.asked.append(size)
        return b"x" * min(size, self.supply)


class Client:
    """The client's end: a socket that is read only when `read` is called."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.received = b""
        self.ended = False

    def read(self) -> bytes:
        """Return everything received so far."""
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 18):
                self.received += data
            self.ended = True
        return self.received

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """End the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Listening:
    """A listening port whose connections are eager."""

    def __init__(self, readers: Readers | None) -> None:
        self.readers = readers
        self.served: list[Any] = []
        self.kind: type[Served] = Served
        self._port: Any = reactor.listenTCP(0, Factory.forProtocol(self._build), interface="127.0.0.1", backlog=500)
        make_eager(self._port, readers)
        self._clients: list[Client] = []

    def _build(self) -> Served:
        self.served.append(self.kind())
        return self.served[-1]  # type: ignore[no-any-return]  # it was just put there

    def connect(self, kind: type[Served] = Served) -> tuple[Client, Any]:
        """Return both ends of a new connection."""
        count, self.kind = len(self.served), kind
        client = Client(self._port.getHost().port)
        self._clients.append(client)
        wait(lambda: len(self.served) > count and self.served[-1].transport is not None)
        assert isinstance(self.served[-1].transport, EagerServer)
        return client, self.served[-1]

    def turn(self) -> None:
        """Let the loop turn until all pending input has been read: a byte has gone both ways, twice."""
        client, served = self.connect()
        served.takes = served.transport.write
        for count in (1, 2):
            client.send(b"x")
            wait(lambda count=count: len(client.read()) == count)  # type: ignore[misc]  # it has a default

    def close(self) -> None:
        for each in self._clients:
            each.socket.close()
        for each in self.served:
            if not each.lost:
                each.transport.abortConnection()
        wait(lambda: all(each.lost for each in self.served))
        stopped: list[object] = []
        self._port.stopListening().addCallback(stopped.append)
        wait(lambda: bool(stopped))


def watch(served: Any) -> WatchedSocket:
    """Return the socket of the server's end, watched from now on."""
    served.transport.socket = WatchedSocket(served.transport.socket)
    return served.transport.socket  # type: ignore[no-any-return]  # it was just put there


def fill(served: Any) -> bytes:
    """Write more than the socket takes; returns what was written."""
    served.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    data = bytes(range(256)) * (LARGE >> 8)
    served.transport.write(data)
    assert served.transport.dataBuffer or served.transport._tempDataBuffer, "something waits"
    return data
