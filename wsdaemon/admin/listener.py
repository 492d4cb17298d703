"""Site of the admin listener: metrics, health, the live page, and the WebSocket that feeds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from wsdaemon.admin.metrics import Metrics
from wsdaemon.admin.snapshot import EVERY, Watched
from wsdaemon.routing.registry import Route
from wsdaemon.settings import PAGES_POLICY, AdminSettings, ServerSettings, Settings, WebSocketSettings
from wsdaemon.site.behaviours import Page
from wsdaemon.site.files import Docroot
from wsdaemon.site.pages import send_body
from wsdaemon.site.site import Site
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.factory import ConnectionFactory
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused
from wsdaemon.websocket.hub import Hub

_LOCAL = ("localhost", "127.0.0.1", "[::1]")


def feed_of(watched: Watched) -> type[Connection]:
    """Return the class of connections that show `watched`."""

    class Feed(Connection):
        """Snapshot at once and then every second, as long as the client reads. Messages from it are ignored."""

        names = ("wsdaemon-admin", "feed")

        def opened(self) -> None:
            """Send a snapshot, and again after `EVERY` seconds."""
            if not self.write_paused:
                self.send_message(json.dumps(watched.snapshot()).encode(), is_binary=False)
            if self.can_send:
                self.deadlines.set("feed", EVERY, self.opened)

    return Feed


class AdminSite(Site):
    """Site for the operator; its requests are neither logged nor counted."""

    def log(self, request: Any) -> None:
        """Do nothing."""

    def getResourceFor(self, request: Any) -> IResource:
        """Have browsers revalidate pages, which another version may have changed."""
        request.setHeader(b"cache-control", b"no-cache")
        return super().getResourceFor(request)


def make_admin_site(
    watched: Watched, settings: AdminSettings, reactor: IReactorTime, is_ready: Callable[[], bool], public: Path
) -> AdminSite:
    """Return the site; `is_ready` says whether the daemon accepts connections, `public` has what all pages share."""
    metrics = Metrics(watched)
    shared = Docroot(public, listing=False, policy=PAGES_POLICY).render
    pages: dict[bytes, Page] = {
        b"base.css": shared,
        b"favicon.svg": shared,
        b"metrics": _plain(lambda: (200, metrics.text()), CONTENT_TYPE_LATEST),
        b"healthz": _plain(lambda: (200, b"alive\n")),
        b"readyz": _plain(lambda: (200, b"ready\n") if is_ready() else (503, b"not ready\n")),
    }
    hub = Hub(reactor, tally=watched.hub.tally)
    if settings.interface in _ANY:
        names = (*_LOCAL, *settings.host_names) if settings.host_names else ()  # its addresses are not known here
    else:
        host = f"[{settings.interface}]" if ":" in settings.interface else settings.interface
        names = (*_LOCAL, host, *settings.host_names)
    docroot = Docroot(
        Path(__file__).parent, listing=False, policy=PAGES_POLICY, pages=pages, only=(".html", ".css", ".js")
    )
    feed = WebSocketSettings(allowed_origins=("same",), message_limit=1 << 12)
    factory = ConnectionFactory(feed_of(watched), feed, hub)

    def choose(handshake: Handshake) -> Route:
        if handshake.first_segment != "feed":
            raise HandshakeRefused(404, "Only /feed is a WebSocket here.")
        return Route(factory, handshake.subprotocols[0] if handshake.subprotocols else None)

    own = Settings(server=ServerSettings(host_names=names, max_connections=100))
    return AdminSite(docroot, choose, own, reactor, hub)


_ANY = ("0.0.0.0", "::")  # noqa: S104  # only compared with


def _plain(answer: Callable[[], tuple[int, bytes]], kind: str = "text/plain; charset=utf-8") -> Callable[[Any], bytes]:
    def send(request: Any) -> bytes:
        status, body = answer()
        request.setResponseCode(status)
        request.setHeader(b"cache-control", b"no-store")
        return send_body(request, kind, body)

    return send
