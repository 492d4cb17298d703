"""The site: one URL space on every listening port, shared by files and WebSockets."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.observe.log import shorten
from wsdaemon.observe.tally import Cause
from wsdaemon.settings import Settings
from wsdaemon.site.admission import Admission
from wsdaemon.site.channel import Channel, Choose, asks_for_websocket
from wsdaemon.site.pages import INTERNAL_ERROR, send_error
from wsdaemon.site.refusing import OverCap
from wsdaemon.websocket.handshake import HandshakeRefused
from wsdaemon.websocket.hub import Hub


class Request(server.Request):
    """One request and its response."""

    channel: Any
    site: Any
    defaultContentType = None
    header_lines: list[tuple[bytes, bytes]]
    """The headers, as they were sent."""
    refusal = ""  # why an upgrade was refused, for the log

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Have the resource respond. Nothing here looks at a query's fields, so they are not parsed."""
        self.site = self.channel.site
        self.args: dict[bytes, list[bytes]] = {}
        self.stack: list[Any] = []
        self.method, self.clientproto = command, version
        self.setHeader(b"date", datetimeToString())
        self.setHeader(b"x-content-type-options", b"nosniff")
        self.uri = origin_form(path)
        self.path = self.uri.partition(b"?")[0]
        self.prepath: list[bytes] = []
        self.postpath = list(map(unquote_to_bytes, self.path.removeprefix(b"/").split(b"/")))
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:  # a resource that fails must not end the daemon
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> Failure:
        """Log the failure; the client learns only that there was one."""
        self.site.log_events.failure("{method} {path}: failed", reason, method=self.method, path=self.path)
        if not self.finished and self.channel is not None:
            if not self.startedWriting:
                self.write(send_error(self, 500, INTERNAL_ERROR))
            self.finish()
        return reason


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


class Site(server.Site):
    """Routes requests: those that ask for a WebSocket to the upgrade, all others to the files."""

    noisy = False
    protocol = Channel  # type: ignore[assignment]  # Twisted's may switch to HTTP/2, but an upgrade needs HTTP/1.1
    log_events = Logger(namespace="wsdaemon")

    def __init__(self, files: IResource, choose: Choose, settings: Settings, reactor: IReactorTime, hub: Hub) -> None:
        super().__init__(files, requestFactory=Request, parsePOSTFormSubmission=False, reactor=reactor)
        self.choose = choose
        self._settings = settings
        self.timeOut = None
        self.hub = hub
        self.admission = Admission(settings.server)
        self._refusing = 0
        self.channels: set[Channel] = set()
        """The connections that have not become WebSockets."""
        self._drained: Deferred[None] | None = None

    def use(self, files: IResource, choose: Choose, settings: Settings) -> None:
        """Use other settings for new connections; open ones keep theirs."""
        self.resource, self.choose, self._settings = files, choose, settings
        self.admission.settings = settings.server

    def drain(self) -> Deferred[None]:
        """Finish the responses that are under way; fires once no HTTP connection is left."""
        self._drained = drained = Deferred[None]()
        for channel in tuple(self.channels):
            channel.drain()
        self._tell_drained()
        return drained

    def abort(self) -> None:
        """Abort every HTTP connection."""
        for channel in tuple(self.channels):
            channel.abort()

    def left(self, channel: Channel) -> None:
        """Note that a connection has ended or become a WebSocket."""
        self.channels.discard(channel)
        self._tell_drained()

    def _tell_drained(self) -> None:
        if self._drained is not None and not self.channels:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def buildProtocol(self, addr: IAddress | None) -> Channel | OverCap:  # type: ignore[override]  # see above
        """Return a new connection's channel; beyond a cap, a protocol that responds with 503."""
        host = str(getattr(addr, "host", ""))
        place = self.admission.admit(host, self.reactor.seconds())
        if isinstance(place, str):
            return self._refuse(place, host)
        channel = Channel(self, self._settings, place)
        self.channels.add(channel)
        return channel

    def _refuse(self, cause: str, host: str) -> OverCap:
        self.hub.traffic.responses[503] += 1
        self.hub.tally.note(Cause.OVER_CAP, "{peer}: connection refused, over {cap}", peer=host, cap=cause)
        self._refusing += 1
        quiet = self._refusing > self._settings.limits.max_refusing
        return OverCap(self.reactor, self._settings.websocket.close_timeout, self._refused, quiet=quiet)

    def _refused(self) -> None:
        self._refusing -= 1

    def getResourceFor(self, request: Any) -> IResource:
        """Return the upgrade or the files."""
        if asks_for_websocket(request.method, request.requestHeaders):
            return UpgradeResource()
        return self.resource  # type: ignore[no-any-return]  # Twisted leaves it untyped

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 alone by ALPN."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """Log and count a response."""
        self.hub.traffic.responses[request.code] += 1
        self.log_events.info(
            "{peer} {method} {path} {status} {sent}{refusal}",
            peer=getattr(request.getClientAddress(), "host", None) or "a local socket",
            method=request.method.decode("latin-1"),
            path=shorten(request.uri.decode("latin-1")), status=request.code, sent=request.sentLength,
            refusal=f": {request.refusal}" if request.refusal else "", event="request",
        )  # fmt: skip


def origin_form(target: bytes) -> bytes:
    """Return the path and query of a request target, which may be a whole URL (RFC 9112 section 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https", b"ws", b"wss"):
        return target
    ends = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
    path = rest[min(ends) :] if ends else b""
    return path if path.startswith(b"/") else b"/" + path
