"""One HTTP connection: its deadlines, what it refuses before anyone looks, and its way to become a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IReactorTime, ISSLTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from wsdaemon.observe.tally import Cause
from wsdaemon.origins import host_allowed
from wsdaemon.settings import LimitSettings, ServerSettings, WebSocketSettings
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.eager_tls import EagerTls
from wsdaemon.websocket.engine import Engine
from wsdaemon.websocket.handshake import HandshakeRefused, split_plain_upgrade, wants_upgrade
from wsdaemon.websocket.intake import LITTLE
from wsdaemon.websocket.lease import Lease
from wsdaemon.websocket.transport import finish_sending, show_peer, watch_progress

GRACE = 1.0
"""How long a connection that is new when the server ends has to send its request, in seconds."""


def _bare_answer(status: int, more: str = "") -> bytes:
    """Return a response without a body, the last of its connection."""
    headers = "X-Content-Type-Options: nosniff\r\nContent-Length: 0\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{more}{headers}\r\n".encode()


@implementer(IHandshakeListener)
class Channel(HTTPChannel):
    """Twisted's HTTP/1 channel with deadlines that a slow peer cannot push back.

    `headers` runs from the connection's start, the TLS handshake included, or the first byte of a later request until
    the request is complete; `idle` between requests; `stall` while a response waits for the peer to read; `close` from
    the end of the last response until the transport is gone. Pipelined requests are answered one after the other, as
    fast as the peer reads, for at most `turn_budget` in a turn of the loop.
    """

    site: Any  # the Site, whose buildProtocol sets these
    server_settings: ServerSettings
    websocket_settings: WebSocketSettings
    limits: LimitSettings
    transport: Any
    _is_first = True  # whether nothing came in yet
    handshaken = False  # whether the TLS handshake is done, where there is one
    _answered: Any = None  # a request that is answered while the next must wait
    _has_turn = False  # whether it waits for a turn of the loop
    _turn_ends = 0.0
    _ends = False  # whether the last response is written, but not taken yet
    lease: Lease | None = None  # its place among all connections; a WebSocket takes it along
    timeOut = None  # Twisted's own is pushed back by every byte

    def connectionMade(self) -> None:
        """Start the clock."""
        super().connectionMade()
        self.deadlines = Deadlines(self.site.reactor)
        self.totalHeadersSize = self.limits.header_limit
        self.maxHeaders = self.limits.max_headers
        self.MAX_LENGTH = self.limits.header_limit
        self.header_lines: list[tuple[bytes, bytes]] = []
        """The current request's headers, as they came."""
        self._expect_headers()

    def handshakeCompleted(self) -> None:
        """TLS is ready (called by the transport)."""
        self.handshaken = True

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self.deadlines.running("idle"):
            self.deadlines.cancel("idle")
            self._expect_headers()
        begun = perf_counter()
        self._turn_ends = begun if self.site.hub.turns.over else begun + self.site.hub.turns.share
        first, self._is_first = self._is_first, False
        if not first or not self._upgrade_at_once(data):
            super().dataReceived(data)
        took = perf_counter() - begun
        if took > LITTLE:
            self.site.hub.turns.spend(took)

    def _upgrade_at_once(self, data: bytes) -> bool:
        """Make a WebSocket of the connection if `data` is a plain request for that; says whether it was.

        Twisted's parser takes as long as all the rest together. What it is to refuse is left to it, and so is every
        request that is not plain.
        """
        limits = self.limits
        plain = split_plain_upgrade(data, limit=limits.header_limit, max_headers=limits.max_headers)
        if plain is None:
            return False
        target, headers, early = plain
        hosts = [value for name, value in headers if name.lower() == b"host"]
        if len(hosts) != 1 or not self._is_for_us(hosts, target):
            return False
        try:
            self.site.upgrade.upgrade(self, target, b"HTTP/1.1", headers, early)
        except HandshakeRefused:
            return False
        return True

    def allHeadersReceived(self) -> None:
        """Refuse what no resource should have to think about: a body, and anything but one Host."""
        self.deadlines.cancel("headers")
        self.deadlines.cancel("idle")
        headers = self.requests[-1].requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        upgrade = wants_upgrade(self._command, [(b"upgrade", each) for each in headers.getRawHeaders(b"upgrade", [])])
        if len(hosts) > 1 or (not hosts and self._version == b"HTTP/1.1"):
            self.refuse(400)
        elif not self._is_for_us(hosts, self._path):
            self.refuse(421)
        elif self.length != 0:
            self.refuse(400 if upgrade else 413)
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Answer a request that is complete."""
        super().allContentReceived()
        self.header_lines = []

    def _is_for_us(self, hosts: list[bytes], target: bytes) -> bool:
        """Whether the request names this server, where its names are configured: by Host, and by a target's."""
        names = self.server_settings.host_names
        if not names:
            return True
        scheme, separator, rest = target.partition(b"://")
        if separator and not scheme.startswith(b"/"):
            hosts = [*hosts, rest.partition(b"/")[0].partition(b"?")[0]]
        return bool(hosts) and all(
            host_allowed(host.decode("latin-1").strip(" \t"), self.isSecure(), names) for host in hosts
        )

    def headerReceived(self, line: bytes) -> bool:
        """Take a header; says whether it is one."""
        name, _, value = line.partition(b":")
        self.header_lines.append((name, value.strip(b" \t")))
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of more digits than Python reads
            self.refuse(400)
            return False

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the headers; one that goes on with the line before is refused (RFC 9112 section 5.2)."""
        if line[:1] in (b" ", b"\t"):
            self.refuse(400)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is longer than all headers may be."""
        self.refuse(431)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse what is no HTTP. Twisted writes as much, but goes on to parse what a TLS transport still hands on."""
        too_large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self.refuse(431 if too_large else 400)

    def refuse(self, status: int) -> None:
        """Answer with `status` alone and take nothing more."""
        for taker in ("dataReceived", "lineReceived", "rawDataReceived"):
            setattr(self, taker, _ignore)
        self.length = None
        self.requests.clear()
        self.clearLineBuffer()
        self.site.hub.tally.note(
            Cause.HTTP_REFUSED, "{peer}: request refused with {status}", status=status, peer=show_peer(self.getPeer())
        )
        self.site.hub.traffic.responses[status] += 1
        self.transport.write(_bare_answer(status))
        self._start_closing()
        self.transport.unregisterProducer()
        self._networkProducer.resumeProducing()  # what is unread would make a reset of our end
        finish_sending(self.transport)

    def rawDataReceived(self, data: bytes) -> None:
        """Keep what comes in behind the request that is being answered, but read no more where the peer does not.

        Twisted would go on reading in that one case.
        """
        super().rawDataReceived(data)
        if self._handlingRequest and self._waitingForTransport:
            self._networkProducer.pauseProducing()

    def requestDone(self, request: Any) -> None:
        """Go on to the next request: once the peer takes its responses, and others have had their turn."""
        if self.persistent and (self._waitingForTransport or perf_counter() > self._turn_ends):
            self._answered = request
            if not self._waitingForTransport:
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
        except Exception:  # as a transport does with what its protocol raises
            self.site.log_events.failure("{peer}: failed", peer=show_peer(self.getPeer()))
            if self.transport is not None:
                self.transport.abortConnection()

    def _expect_next(self, request: Any) -> None:
        """Wait for the next request, but not for ever."""
        super().requestDone(request)
        if not self.persistent or self._handlingRequest or self.deadlines.running("headers"):
            return
        if self._buffer.strip(b"\r\n"):
            self._expect_headers()  # half of the next is there already
        else:
            self.deadlines.set("idle", self.server_settings.idle_timeout, self.loseConnection)

    def loseConnection(self) -> None:
        """End the connection: once the peer has taken what it was sent, for which it has as long as for a download."""
        if self._waitingForTransport and self.deadlines.running("stall"):
            self._ends = True
            return
        self._start_closing()
        if self.transport is not None:
            super().loseConnection()

    def _start_closing(self) -> None:
        for name in ("headers", "idle", "stall"):
            self.deadlines.cancel(name)
        if self.transport is not None and not self.deadlines.running("close"):
            self.deadlines.set("close", self.websocket_settings.close_timeout, self.transport.abortConnection)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Take a response's body, not before the peer has read what is written already."""
        super().registerProducer(producer, streaming)
        if self._waitingForTransport and self._requestProducer is not None:
            self._requestProducer.pauseProducing()

    def pauseProducing(self) -> None:
        """The peer does not read its response: wait, but not for ever.

        A transport says so at each write, but only once that it goes on, and Twisted counts.
        """
        if not self._waitingForTransport:
            super().pauseProducing()
            watch_progress(self.deadlines, self.transport, self.server_settings.stall_timeout, self._stalled)

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self.deadlines.cancel("stall")
        super().resumeProducing()
        if self._ends:
            self.loseConnection()
        if self._answered is not None and not self._has_turn:
            self._go_on_later()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # Twisted leaves it untyped
        """Let go of everything."""
        self.deadlines.clear()
        if self._answered is not None:
            self.requests.remove(self._answered)
            self._answered = None
        if self.lease is not None:
            self.lease.release()
        self.site.left(self)
        super().connectionLost(reason)

    def drain(self) -> None:
        """The server ends: finish the response that is on its way, wait a moment for a request, else go."""
        self.persistent = False
        if self.deadlines.running("idle"):
            self.loseConnection()
        elif self.deadlines.running("headers"):
            self.deadlines.set("headers", min(GRACE, self.websocket_settings.handshake_timeout), self._headers_late)

    def abort(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abortConnection()

    def hand_over(self, protocol: Engine) -> tuple[ITransport, bytes]:
        """Give the transport to `protocol` for good; returns it, and what came in behind the request.

        This is the one place that knows how a transport finds its protocol.
        """
        transport, self.transport = self.transport, None
        protocol.lease, self.lease = self.lease, None
        self.deadlines.clear()
        self.requests.clear()
        transport.unregisterProducer()
        transport.resumeProducing()  # it may be paused, for the sake of earlier responses
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = protocol  # TLS
            if isinstance(transport, EagerTls):
                transport.send_at_once()
        elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
            transport.protocol.wrappedProtocol = protocol
        elif hasattr(transport, "protocol"):
            transport.protocol = protocol
        else:
            self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
            self.connectionLost = protocol.connectionLost  # type: ignore[method-assign]
        return transport, self.clearLineBuffer()

    def _expect_headers(self) -> None:
        self.deadlines.set("headers", self.websocket_settings.handshake_timeout, self._headers_late)

    def _headers_late(self) -> None:
        if ISSLTransport.providedBy(self.transport) and not self.handshaken:
            # Nothing could be said to such a peer, and to end TLS in good order would be to wait for it once more.
            self.site.hub.tally.note(Cause.NO_TLS, "{peer}: no TLS handshake in time", peer=show_peer(self.getPeer()))
            self.transport.abortConnection()
        else:
            self.refuse(408)

    def _stalled(self) -> None:
        self.site.hub.tally.note(
            Cause.STALLED_DOWNLOAD, "{peer}: stopped reading a response", peer=show_peer(self.getPeer())
        )
        self.transport.abortConnection()


def _ignore(*_: object) -> None:
    """Take nothing more."""


class NoRoom(Protocol):
    """A connection beyond a cap: it gets a 503 and ends, whatever it sends, within `close_timeout`.

    With `quiet` it is cut at once.
    """

    def __init__(
        self, clock: IReactorTime, close_timeout: float, gone: Callable[[], None], *, quiet: bool = False
    ) -> None:
        self._quiet = quiet
        self._deadlines = Deadlines(clock)
        self._close_timeout = close_timeout
        self._gone = gone

    def connectionMade(self) -> None:
        """Say it and go."""
        transport: Any = self.transport
        if self._quiet:
            transport.abortConnection()
            return
        transport.write(_bare_answer(503, "Retry-After: 1\r\n"))
        self._deadlines.set("close", self._close_timeout, transport.abortConnection)
        finish_sending(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        self._deadlines.clear()
        self._gone()
