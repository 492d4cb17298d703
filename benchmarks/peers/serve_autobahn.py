"""Stock Autobahn on Twisted's reactor, without a Site; and Twisted's File, on a port of its own.

wsdaemon is built on these two: this is what they do alone.
"""

from __future__ import annotations

import argparse

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.web.server import Site
from twisted.web.static import File

from benchmarks.peers.common import BACKLOG, arguments


class Peer(WebSocketServerProtocol):
    """Sends each message back, or to all."""

    in_room = False

    def onConnect(self, request: object) -> None:
        """Choose the behaviour by the path."""
        self.in_room = self.http_request_path == "/broadcast"

    def onOpen(self) -> None:
        """Enter the room."""
        if self.in_room:
            self.factory.room.add(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Leave the room."""
        self.factory.room.discard(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Reply."""
        if self.in_room:
            prepared = self.factory.prepareMessage(payload, isBinary)
            for member in self.factory.room:
                member.sendPreparedMessage(prepared)
        else:
            self.sendMessage(payload, isBinary)


class Factory(WebSocketServerFactory):
    """Factory of the connections; owns the room."""

    protocol = Peer

    def __init__(self) -> None:
        super().__init__()
        self.room: set[Peer] = set()
        self.setProtocolOptions(perMessageCompressionAccept=accept)


def accept(offers: list[object]) -> PerMessageDeflateOfferAccept | None:
    """Accept the first permessage-deflate offer; Autobahn leaves that to the application."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


def main(options: argparse.Namespace) -> None:
    """Serve until the end."""
    factory = Factory()
    context = DefaultOpenSSLContextFactory(options.key, options.certificate)
    TCP4ServerEndpoint(reactor, options.port, BACKLOG, "127.0.0.1").listen(factory)
    SSL4ServerEndpoint(reactor, options.tls_port, context, BACKLOG, "127.0.0.1").listen(factory)
    TCP4ServerEndpoint(reactor, options.files_port, BACKLOG, "127.0.0.1").listen(Site(File(options.files)))
    reactor.run()


if __name__ == "__main__":
    main(arguments())
