"""The whole site in memory: connections over string transports, time by a Clock."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.support.wire import Frame, request, take_frames
from wsdaemon.config import parse
from wsdaemon.routing.registry import Registry, find_all, settings_classes
from wsdaemon.settings import Settings
from wsdaemon.site.files import Docroot
from wsdaemon.site.site import Site
from wsdaemon.websocket.hub import Hub

all_subprotocols = cache(find_all)  # each call reads the entry points of all installed packages


@cache
def settings_of(ini: str) -> Settings:
    """Return the settings that INI text holds; they are frozen, so sites can share them."""
    return parse(ini, settings_classes(all_subprotocols()), file="test.ini", base=Path()).require()


def pass_time(clock: Clock, seconds: float) -> None:
    """Let time pass as it does: each call is made when it is due, where `advance` makes all of them at the end."""
    end = clock.seconds() + seconds
    while due := [call.getTime() for call in clock.getDelayedCalls() if call.getTime() <= end]:
        clock.advance(max(0.0, min(due) - clock.seconds()))
    clock.advance(end - clock.seconds())


def refusal(path: str, ini: str = "") -> str:
    """Return the body of the 400 that a request for an upgrade is answered with."""
    peer = MemorySite(ini).connect()
    peer.send(request(path))
    head, _, body = peer.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), head
    return body.decode()


class MemorySite:
    """A site, its hub and its clock, configured by INI text."""

    def __init__(self, ini: str = "", *, verbose: bool = False) -> None:
        self.clock = Clock()
        settings = settings_of(ini)
        self.hub = Hub(self.clock, settings.limits, verbose=verbose)
        files = Docroot(Path(__file__).parent)
        registry = Registry(all_subprotocols(), settings, self.hub)
        self.site = Site(files, registry.choose, settings, self.clock, self.hub)
        self._ports = 40000

    def connect(self) -> Peer:
        """Return the client's end of a new connection."""
        self._ports += 1
        return Peer(self, IPv4Address("TCP", "127.0.0.1", self._ports))

    def open(self, path: str = "/", *, subprotocols: str = "", extensions: str = "", more: str = "") -> Peer:
        """Return the client's end of an open WebSocket."""
        peer = self.connect()
        peer.send(request(path, subprotocols=subprotocols, extensions=extensions, more=more))
        head, _, rest = peer.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        peer.handshake, peer.received = head, rest
        return peer


class Peer:
    """The client's end: what it sends arrives at once, what it was sent can be taken."""

    def __init__(self, site: MemorySite, address: IPv4Address) -> None:
        self.site = site
        self.transport = Transport(peerAddress=address)
        self.handshake = b""
        self.received = b""
        channel = site.site.buildProtocol(address)
        self.transport.protocol = channel
        channel.makeConnection(self.transport)

    def send(self, data: bytes | Frame, *, piece: int = 0) -> None:
        """Deliver bytes, or a masked frame, in pieces of `piece` bytes where that is not 0."""
        octets = data.masked() if isinstance(data, Frame) else data
        step = piece or len(octets) or 1
        for start in range(0, len(octets), step):
            if not self.transport.gone:
                self.transport.protocol.dataReceived(octets[start : start + step])
            self.settle()

    def settle(self) -> None:
        """Have done what the server put off to the next turn of its loop."""
        clock = self.site.clock
        while any(call.getTime() <= clock.seconds() for call in clock.getDelayedCalls()):
            clock.advance(0)

    def take(self) -> bytes:
        """Return what was sent to the client since the last time."""
        taken: bytes = self.received + self.transport.value()
        self.received = b""
        self.transport.clear()
        return taken

    def frames(self) -> list[Frame]:
        """Return the whole frames that were sent to the client since the last time."""
        frames, self.received = take_frames(self.take())
        return frames

    def hang_up(self) -> None:
        """End the stream from the client's side."""
        self.transport.lose()

    def is_ended(self) -> bool:
        """Whether the server has ended its side of the stream."""
        return self.transport.disconnecting

    def is_aborted(self) -> bool:
        """Whether the server cut the stream."""
        return bool(self.transport.aborted)


class Transport(StringTransport):
    """A string transport that can be cut, and can be full: then it pauses its producer as a real one does."""

    protocol: Any
    gone = False
    aborted = False
    full = False

    def write(self, data: bytes) -> None:
        """Send bytes, unless it was told to end: TCP sends what it was given before, and no more."""
        if not self.disconnecting:
            super().write(data)

    def fill(self) -> None:
        """From now on the peer reads nothing."""
        self.full = True
        if self.producer is not None:
            self.producer.pauseProducing()

    def drain(self) -> None:
        """The peer reads again, and has read everything."""
        self.full = False
        if self.producer is not None:
            self.producer.resumeProducing()

    def abortConnection(self) -> None:
        """Cut the stream; the protocol hears of it."""
        self.aborted = True
        self.disconnecting = True
        self.lose()

    def lose(self) -> None:
        """The stream is gone."""
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(ConnectionDone()))
