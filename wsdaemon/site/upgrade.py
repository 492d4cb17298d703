"""The way from a request that wants an upgrade to an open WebSocket."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.observe.tally import Cause
from wsdaemon.origins import origin_allowed
from wsdaemon.routing.registry import Choice
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused, read_handshake


class Chooser(Protocol):
    """Says which connection a handshake gets."""

    def choose(self, handshake: Handshake) -> Choice:
        """Return it; raises `HandshakeRefused`."""


class Upgrade(Resource):
    """Answers a request that wants an upgrade: with a WebSocket, or with the status that says why not."""

    isLeaf = True

    def __init__(self, registry: Chooser) -> None:
        super().__init__()
        self._registry = registry

    def render(self, request: Any) -> bytes | int:
        """Hand the connection over, or say why not."""
        channel = request.channel
        try:
            self.upgrade(channel, request.uri, request.clientproto, channel.header_lines)
        except HandshakeRefused as refused:
            channel.site.hub.tally.count(Cause.HANDSHAKE_REFUSED, status=refused.status)
            channel.site.hub.traffic.handshakes[refused.status] += 1
            return _refuse(request, refused)
        return NOT_DONE_YET

    def upgrade(
        self, channel: Any, target: bytes, version: bytes, headers: list[tuple[bytes, bytes]], early: bytes = b""
    ) -> None:
        """Make a WebSocket of a connection, `early` being what came in behind the request, beside what `channel` holds.

        Raises `HandshakeRefused`, before anything is done.
        """
        handshake = read_handshake(target, version, headers)
        factory, subprotocol, given = self._registry.choose(handshake)
        allowed = factory.settings.allowed_origins
        if not origin_allowed(handshake.origin, handshake.host, channel.isSecure(), allowed):
            raise HandshakeRefused(403, "Pages of this origin may not connect here.")
        connection: Connection = factory.buildProtocol(channel.getPeer())  # type: ignore[assignment]  # never None
        if given is not None:
            connection.given = given  # type: ignore[attr-defined]  # a behaviour, which has parameters
        transport, buffered = channel.hand_over(connection)
        connection.makeConnection(transport)
        try:
            connection.accept(handshake, subprotocol, buffered + early)
        except Exception:  # not to a request, which has no connection any more
            connection.crashed()
        channel.site.left(channel)  # only now: while the server ends, it waits for one or the other


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
