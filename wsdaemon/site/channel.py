"""HTTP connection: its deadlines, its requests one after the other, its refusals, and its upgrade."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol

from twisted.internet.interfaces import IHandshakeListener, IReactorTime, ISSLTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from zope.interface import implementer

from wsdaemon.observe.tally import Cause
from wsdaemon.origins import names_server, origin_allowed
from wsdaemon.routing.registry import Route
from wsdaemon.settings import Settings
from wsdaemon.site.refusing import bare_response
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.handshake import (
    Handshake,
    HandshakeRefused,
    Lease,
    Request,
    read_handshake,
    split_plain_upgrade,
    wants_upgrade,
)
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.input import LITTLE
from wsdaemon.websocket.transport import finish_sending, hand_over, show_peer, watch_progress

GRACE = 1.0
"""How long a new connection has to send its request once the server drains, in seconds."""


Choose = Callable[[Handshake], Route]
"""Decides which connection a handshake gets; raises `HandshakeRefused`."""


class ChannelSite(Protocol):
    """The site, as far as its channels need it."""

    reactor: IReactorTime
    hub: Hub
    choose: Choose
    log_events: Logger
    requestFactory: Any

    def left(self, channel: Channel) -> None:
        """Note that a connection has ended or become a WebSocket."""


@implementer(IHandshakeListener)
class Channel(HTTPChannel):
    """Twisted's HTTP/1 channel with deadlines that a slow peer cannot push back.

    `headers` runs until a request is complete: from the start of the connection, TLS handshake included, or from the
    first byte of a later request. `idle` runs between requests; `stall` while a response waits for the peer to read;
    `close` from the end of the last response until the transport is gone. Pipelined requests are answered one after
    the other, as fast as the peer reads, for at most `turn_budget` in one turn of the loop.
    """

    site: ChannelSite
    transport: Any
    handshaken = False  # whether the TLS handshake is done, if there is one
    timeOut = None  # every byte would push Twisted's own deadline back
    _is_first = True  # whether nothing has arrived yet
    _is_answering = False  # whether a request is complete and its response is not
    _is_paused = False  # whether the peer does not read what is sent
    _answered: Any = None  # a request that is answered while the next must wait
    _has_turn = False  # whether the next waits for a turn of the loop
    _turn_ends = 0.0
    _ends = False  # whether the last response is written, but the peer has not read it yet

    def __init__(self, site: ChannelSite, settings: Settings, lease: Lease) -> None:
        super().__init__()
        self.site = self.factory = site
        self.requestFactory = site.requestFactory
        self._settings = settings
        self._lease: Lease | None = lease
        self.MAX_LENGTH = self.totalHeadersSize = settings.limits.header_limit
        self.maxHeaders = settings.limits.max_headers + 1  # Twisted would refuse one more with a 400
        self._request_line = b""
        self._head_size = 0
        self._header_lines: list[tuple[bytes, bytes]] = []
        self.deadlines = Deadlines(site.reactor)

    def connectionMade(self) -> None:
        """Start the deadline of the first request."""
        super().connectionMade()
        self._expect_headers()

    def handshakeCompleted(self) -> None:
        """TLS is ready (called by the transport)."""
        self.handshaken = True

    # -- requests -----------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self.deadlines.running("idle"):
            self.deadlines.cancel("idle")
            self._expect_headers()
        begun = perf_counter()
        turns = self.site.hub.turns
        self._turn_ends = begun if turns.over else begun + turns.share
        first, self._is_first = self._is_first, False
        if not first or not self._open_at_once(data):
            super().dataReceived(data)
        took = perf_counter() - begun
        if took > LITTLE:
            turns.spend(took)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head; a folded header is refused (RFC 9112 section 5.2)."""
        self._head_size += len(line)
        if line[:1] in (b" ", b"\t"):
            self.refuse(400)
        elif self._head_size > self.totalHeadersSize:
            self.refuse(431)
        else:
            self._request_line = self._request_line or line
            super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        """Take a header; says whether it is one."""
        name, _, value = line.partition(b":")
        self._header_lines.append((name, value.strip(b" \t")))
        try:
            is_header = bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of more digits than Python reads
            self.refuse(400)
            return False
        if is_header and len(self._header_lines) > self._settings.limits.max_headers:
            self.refuse(431)
            return False
        return is_header

    def allHeadersReceived(self) -> None:
        """Refuse a body, and anything but one Host that is ours, before any resource sees it."""
        self.deadlines.cancel("headers")
        self.deadlines.cancel("idle")
        method, target, version = self._request_line.split(b" ")
        headers = self.requests[-1].requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
            self.refuse(400)
        elif not self._is_for_us(target, hosts):
            self.refuse(421)
        elif self.length != 0:
            self.refuse(400 if asks_for_websocket(method, headers) else 413)
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Answer a request that is complete."""
        self._is_answering = True
        self.requests[-1].header_lines = self._header_lines
        self._request_line, self._head_size, self._header_lines = b"", 0, []
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Keep what arrives behind a request; unlike Twisted, stop reading while the peer does not read."""
        super().rawDataReceived(data)
        if self._is_answering and self._is_paused:
            self.transport.pauseProducing()

    def _is_for_us(self, target: bytes, hosts: list[bytes]) -> bool:
        """Say whether a request names this server; without configured names, every request does."""
        return names_server(target, hosts, self.isSecure(), self._settings.server.host_names)

    # -- the next request ---------------------------------------------------------------------------------------------

    def requestDone(self, request: Any) -> None:
        """Go on to the next request: once the peer reads its responses, and others have had their turn."""
        if self.persistent and (self._is_paused or perf_counter() > self._turn_ends):
            self._answered = request
            if not self._is_paused:
                self._go_on_later()
        else:
            self._expect_next(request)

    def _go_on_later(self) -> None:
        self._has_turn = True
        self.site.hub.turns.add(self._go_on, again=True)

    def _go_on(self) -> None:
        self._has_turn = False
        request, self._answered = self._answered, None
        if request is None:
            return  # the connection is gone
        self._turn_ends = perf_counter() + self.site.hub.turns.share
        try:
            self._expect_next(request)
        except Exception:  # as a transport does when its protocol raises
            self.site.log_events.failure("{peer}: failed", peer=show_peer(self.getPeer()))
            self.abort()

    def _expect_next(self, request: Any) -> None:
        self._is_answering = not self.persistent
        super().requestDone(request)
        if self._is_answering or self.deadlines.running("headers"):
            return
        if self._request_line or self._buffer.strip(b"\r\n"):
            self._expect_headers()  # half of the next is here already
        else:
            self.deadlines.set("idle", self._settings.server.idle_timeout, self.loseConnection)

    # -- a peer that does not read ------------------------------------------------------------------------------------

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Take a response's body, but not before the peer has read what is written already."""
        super().registerProducer(producer, streaming)
        if self._is_paused:
            super().pauseProducing()

    def pauseProducing(self) -> None:
        """The peer does not read its response: wait, but not for ever.

        A transport calls this at each write, but `resumeProducing` only once.
        """
        if not self._is_paused:
            self._is_paused = True
            super().pauseProducing()
            watch_progress(self.deadlines, self.transport, self._settings.server.stall_timeout, self._stalled)

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self.deadlines.cancel("stall")
        self._is_paused = False
        super().resumeProducing()
        if self._ends:
            self.loseConnection()
        if self._answered is not None and not self._has_turn:
            self._go_on_later()

    def _stalled(self) -> None:
        self._note(Cause.STALLED_DOWNLOAD, "stopped reading a response")
        self.transport.abortConnection()

    # -- refusals and the end -----------------------------------------------------------------------------------------

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse what is not HTTP. Twisted would go on to parse what a TLS transport still hands on."""
        self.refuse(400)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is longer than all headers may be."""
        self.refuse(431)

    def refuse(self, status: int) -> None:
        """Respond with `status` alone and ignore whatever follows."""
        for taker in ("dataReceived", "lineReceived", "rawDataReceived"):
            setattr(self, taker, _ignore)
        self.length = None
        self.requests.clear()
        self.clearLineBuffer()
        self._note(Cause.HTTP_REFUSED, "request refused with {status}", status=status)
        self.site.hub.traffic.responses[status] += 1
        self.transport.write(bare_response(status))
        self._start_closing()
        self.transport.unregisterProducer()
        self.transport.resumeProducing()  # if we end with input unread, TCP sends a reset
        finish_sending(self.transport)

    def _note(self, cause: Cause, text: str, **fields: object) -> None:
        self.site.hub.tally.note(cause, "{peer}: " + text, peer=show_peer(self.getPeer()), **fields)

    def _expect_headers(self) -> None:
        self.deadlines.set("headers", self._settings.websocket.handshake_timeout, self._headers_late)

    def _headers_late(self) -> None:
        if ISSLTransport.providedBy(self.transport) and not self.handshaken:
            # Without TLS we cannot respond, and a TLS shutdown would wait for the same peer again.
            self._note(Cause.NO_TLS, "no TLS handshake in time")
            self.transport.abortConnection()
        else:
            self.refuse(408)

    def loseConnection(self) -> None:
        """End once the peer has read everything; `stall_timeout` bounds that, as for a download."""
        if self._is_paused and self.deadlines.running("stall"):
            self._ends = True
            return
        self._start_closing()
        if self.transport is not None:
            super().loseConnection()

    def _start_closing(self) -> None:
        for name in ("headers", "idle", "stall"):
            self.deadlines.cancel(name)
        if self.transport is not None and not self.deadlines.running("close"):
            self.deadlines.set("close", self._settings.websocket.close_timeout, self.transport.abortConnection)

    def drain(self) -> None:
        """The server ends: finish the response that is under way, wait a moment for a request, else end."""
        self.persistent = False
        if self.deadlines.running("idle"):
            self.loseConnection()
        elif self.deadlines.running("headers"):
            grace = min(GRACE, self._settings.websocket.handshake_timeout)
            self.deadlines.set("headers", grace, self._headers_late)

    def abort(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # Twisted leaves it untyped
        """Release everything."""
        self.deadlines.clear()
        if self._answered is not None:
            self.requests.remove(self._answered)
            self._answered = None
        if self._lease is not None:
            self._lease.release()
        self.site.left(self)
        super().connectionLost(reason)

    # -- the upgrade --------------------------------------------------------------------------------------------------

    def _open_at_once(self, data: bytes) -> bool:
        """Open a WebSocket if `data` is a plain request for one; says whether it was.

        Twisted's parser takes as long as all the rest together. It gets every request that is not plain, or is to be
        refused.
        """
        limits = self._settings.limits
        plain = split_plain_upgrade(data, limit=limits.header_limit, max_headers=limits.max_headers)
        if plain is None:
            return False
        target, headers, early = plain
        hosts = [value for name, value in headers if name.lower() == b"host"]
        if len(hosts) != 1 or not self._is_for_us(target, hosts):
            return False
        try:
            self.open_websocket(target, b"HTTP/1.1", headers, early)
        except HandshakeRefused:
            return False
        return True

    def open_websocket(
        self, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]], early: bytes = b""
    ) -> None:
        """Answer a handshake with a WebSocket; `early` arrived behind the request, beside what is buffered here.

        Raises `HandshakeRefused`, before anything is done.
        """
        handshake = read_handshake(target, version, headers)
        route = self.site.choose(handshake)
        allowed = route.factory.settings.allowed_origins
        if not origin_allowed(handshake.origin, handshake.host, self.isSecure(), allowed):
            raise HandshakeRefused(403, "Pages of this origin may not connect here.")
        connection = route.make()
        transport, self.transport = self.transport, None
        lease, self._lease = self._lease, None
        self.deadlines.clear()
        self.requests.clear()
        transport.unregisterProducer()
        transport.resumeProducing()  # earlier responses may have paused it
        hand_over(transport, self, connection)
        connection.begin(Request(handshake, route.subprotocol, lease, self.clearLineBuffer() + early), transport)
        self.site.left(self)  # only now: a site that drains waits for the one or the other


def asks_for_websocket(method: bytes, headers: Headers) -> bool:
    """Say whether a parsed request asks for a WebSocket."""
    return wants_upgrade(method, [(b"upgrade", value) for value in headers.getRawHeaders(b"upgrade", [])])


def _ignore(*_: object) -> None:
    """Take nothing more."""
