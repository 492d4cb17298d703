"""The way from a request that wants an upgrade to an open WebSocket."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.origins import origin_allowed
from wsdaemon.subprotocols.registry import Registry
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.factory import ConnectionFactory
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused, read_handshake


class Upgrade(Resource):
    """Answers a request that wants an upgrade: with a WebSocket, or with the status that says why not."""

    isLeaf = True

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def render(self, request: Any) -> bytes | int:
        """Hand the connection over."""
        peer = request.channel.getPeer()
        try:
            handshake, factory, subprotocol = self._decide(request)
        except HandshakeRefused as refused:
            request.channel.site.hub.tally.count(f"handshake answered {refused.status}")
            return _refuse(request, refused)
        connection: Connection = factory.buildProtocol(peer)  # type: ignore[assignment]  # never None
        transport, early = request.channel.hand_over(connection)
        connection.makeConnection(transport)
        try:
            connection.accept(handshake, subprotocol, early)
        except Exception:  # not to `request`, which has no connection any more
            connection.crashed()
        return NOT_DONE_YET

    def _decide(self, request: Any) -> tuple[Handshake, ConnectionFactory, str | None]:
        headers = [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
        handshake = read_handshake(request.uri, request.clientproto, headers)
        factory, subprotocol = self._registry.choose(handshake)
        allowed = factory.settings.allowed_origins
        if not origin_allowed(handshake.origin, handshake.host, request.isSecure(), allowed):
            raise HandshakeRefused(403, "Pages of this origin may not connect here.")
        return handshake, factory, subprotocol


def _refuse(request: Any, refused: HandshakeRefused) -> bytes:
    body = refused.reason.encode() + b"\n"
    request.setResponseCode(refused.status)
    for name, value in refused.headers:
        request.setHeader(name.encode(), value.encode())
    if refused.status == 426:
        request.setHeader(b"upgrade", b"websocket")
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.setHeader(b"connection", b"close")
    request.channel.persistent = False
    request.refusal = refused.reason
    return body
