"""The upgrade: from a request that asks for a WebSocket to an open connection, or to the response that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import IProtocol
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.observe.tally import Cause
from wsdaemon.origins import origin_allowed
from wsdaemon.routing.registry import Route
from wsdaemon.settings import LimitSettings
from wsdaemon.websocket.handshake import (
    Handshake,
    HandshakeRefused,
    Request,
    read_handshake,
    split_plain_upgrade,
    wants_upgrade,
)
from wsdaemon.websocket.lease import Lease
from wsdaemon.websocket.transport import Transport


class Chooser(Protocol):
    """Decides which connection a handshake gets."""

    def choose(self, handshake: Handshake) -> Route:
        """Return it; raises `HandshakeRefused`."""


class HandedOver(NamedTuple):
    """What an HTTP connection leaves to the WebSocket."""

    transport: Transport
    early: bytes
    """What arrived behind the request."""
    lease: Lease | None


class Upgradable(Protocol):
    """An HTTP connection, as far as an upgrade needs it."""

    def is_for_us(self, target: bytes, hosts: list[bytes]) -> bool:
        """Say whether a request names this server."""

    def isSecure(self) -> bool:
        """Say whether it is over TLS."""

    def hand_over(self, protocol: IProtocol) -> HandedOver:
        """Give the transport to `protocol` for good."""

    def upgraded(self) -> None:
        """The WebSocket has begun."""


class Upgrade:
    """Opens WebSockets on HTTP connections."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser

    def open_at_once(self, channel: Upgradable, data: bytes, limits: LimitSettings) -> bool:
        """Open a WebSocket if `data` is a plain request for one; says whether it was.

        Twisted's parser takes as long as all the rest together. It gets every request that is not plain, or is to be
        refused.
        """
        plain = split_plain_upgrade(data, limit=limits.header_limit, max_headers=limits.max_headers)
        if plain is None:
            return False
        target, headers, early = plain
        hosts = [value for name, value in headers if name.lower() == b"host"]
        if len(hosts) != 1 or not channel.is_for_us(target, hosts):
            return False
        try:
            self.open(channel, target, b"HTTP/1.1", headers, early)
        except HandshakeRefused:
            return False
        return True

    def open(
        self,
        channel: Upgradable,
        target: bytes,
        version: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        early: bytes = b"",
    ) -> None:
        """Answer a handshake with a WebSocket; `early` arrived behind the request, beside what `channel` holds.

        Raises `HandshakeRefused`, before anything is done.
        """
        handshake = read_handshake(target, version, headers)
        route = self._chooser.choose(handshake)
        allowed = route.factory.settings.allowed_origins
        if not origin_allowed(handshake.origin, handshake.host, channel.isSecure(), allowed):
            raise HandshakeRefused(403, "Pages of this origin may not connect here.")
        connection = route.make()
        transport, held, lease = channel.hand_over(connection)
        connection.begin(Request(handshake, route.subprotocol, lease, held + early), transport)
        channel.upgraded()  # only now: a site that drains waits for the one or the other


class UpgradeResource(Resource):
    """The resource of every request that asks for a WebSocket: refuses with a reason, or upgrades."""

    isLeaf = True

    def __init__(self, upgrade: Upgrade) -> None:
        super().__init__()
        self._upgrade = upgrade

    def render(self, request: Any) -> bytes | int:
        """Upgrade, or say why not."""
        channel = request.channel
        try:
            self._upgrade.open(channel, request.uri, request.clientproto, request.header_lines)
        except HandshakeRefused as refused:
            channel.site.hub.handshake_answered(refused.status, Cause.HANDSHAKE_REFUSED)
            channel.persistent = False
            request.refusal = refused.reason
            request.setResponseCode(refused.status)
            for name, value in refused.headers:
                request.setHeader(name.encode(), value.encode())
            if refused.status == 426:
                request.setHeader(b"upgrade", b"websocket")
            request.setHeader(b"content-type", b"text/plain; charset=utf-8")
            request.setHeader(b"connection", b"close")
            return refused.reason.encode() + b"\n"
        return NOT_DONE_YET


def asks_for_websocket(method: bytes, headers: Headers) -> bool:
    """Say whether a parsed request asks for a WebSocket."""
    return wants_upgrade(method, [(b"upgrade", value) for value in headers.getRawHeaders(b"upgrade", [])])
