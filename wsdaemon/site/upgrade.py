"""Responses to requests that ask for a WebSocket and that Twisted has parsed: the upgrade, or why there is none."""

from __future__ import annotations

from typing import Any

from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.observe.tally import Cause
from wsdaemon.websocket.handshake import HandshakeRefused, wants_upgrade


class UpgradeResource(Resource):
    """The resource of every request that asks for a WebSocket: refuses with a reason, or upgrades."""

    isLeaf = True

    def render(self, request: Any) -> bytes | int:
        """Upgrade, or say why not."""
        channel = request.channel
        try:
            channel.open_websocket(request.uri, request.clientproto, request.header_lines)
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
