"""Connecting: TCP, a proxy's tunnel, TLS and the upgrade, each timed, within one deadline."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import error as errors
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.client.errors import CannotConnect, ClientError, HandshakeRefused, HandshakeTimeout
from wsdaemon.client.events import HandshakeTimes
from wsdaemon.client.handshake import Response, proxy_request, read_response, request
from wsdaemon.client.target import Target, bracketed
from wsdaemon.client.tls import ClientTls, explain
from wsdaemon.websocket.transport import call_if_any

_BODY_SECONDS = 1.0
"""How long to wait for the body of a refusal."""


def connect(
    target: Target, listener: Listener, *, reactor: Any, endpoint: IStreamClientEndpoint | None = None
) -> Deferred[ClientConnection]:
    """Open a WebSocket; fires with the connection just after `listener.opened` was called.

    `reactor` provides the time and, without an `endpoint`, the network. An `endpoint` replaces the target's address;
    the proxy's tunnel and TLS go over it. Errbacks with a `ClientError`; raises `OSError` or `ValueError` at once if a
    certificate or key cannot be read. Cancelling the Deferred aborts the attempt.
    """
    tls = ClientTls.of(target) if target.is_secure else None
    return _Attempt(target, listener, reactor, tls).start(endpoint or tcp_endpoint(target, reactor))


def tcp_endpoint(target: Target, reactor: Any) -> IStreamClientEndpoint:
    """Return the endpoint of a target's TCP connection; a name's addresses are tried in turn (RFC 8305)."""
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, *target.tcp_address, timeout=target.timeout)
    return endpoint


class _Attempt(Protocol):
    """One attempt to connect, from TCP to the 101.

    It is the TCP stream's protocol: it reads a proxy's response, and passes all that follows to TLS or the connection.
    """

    transport: Any = None

    def __init__(self, target: Target, listener: Listener, clock: Any, tls: ClientTls | None) -> None:
        self.target = target
        self._tls = tls
        self._clock = clock
        self._step = "tcp"
        self._result: Deferred[ClientConnection] | None = Deferred(lambda _: self._fail(None))
        self._pending: Deferred[Any] | None = None
        self._inner: Any = None
        self._received = b""
        self._refusal: Response | None = None
        self._listener = listener
        self._connection = ClientConnection(target, listener, clock, self)
        self._last = clock.seconds()
        self._tcp = 0.0
        self._tls_time: float | None = None

    def start(self, endpoint: IStreamClientEndpoint) -> Deferred[ClientConnection]:
        """Open TCP."""
        result = self._result
        assert result is not None  # noqa: S101
        self._connection.deadlines.set("handshake", self.target.timeout, self._expired)
        self._pending = endpoint.connect(Factory.forProtocol(lambda: self))
        self._pending.addErrback(self._unreachable)
        return result

    def connectionMade(self) -> None:
        """TCP is connected: ask the proxy, or go on."""
        call_if_any(self.transport, "setTcpNoDelay", True)
        if self._result is None:
            self.transport.abortConnection()
        elif self.target.proxy is None:
            self._tunnelled(b"")
        else:
            self._step = "proxy"
            self.transport.write(proxy_request(self.target))

    def dataReceived(self, data: bytes) -> None:
        """Read the proxy's response."""
        response = self._read(data)
        if response is None:
            return
        if 200 <= response.status < 300:
            rest, self._received = self._received, b""
            self._tunnelled(rest)
        else:
            self._fail(CannotConnect("proxy", f"it answered {response.status} {response.reason}".rstrip()))

    def _read(self, data: bytes) -> Response | None:
        """Return the head of a response once it is complete; what follows it stays in `_received`."""
        self._received += data
        try:
            read = read_response(self._received, self._step)
        except CannotConnect as error:
            self._fail(error)
            return None
        if read is None:
            return None
        response, end = read
        self._received = self._received[end:]
        return response

    def _tunnelled(self, early: bytes) -> None:
        """The stream reaches the server; `early` is what it has sent already."""
        self._tcp = self._lap()
        if self._tls is None:
            self._pass_to(self._connection, early)
            self.secured()
        else:
            self._step = "tls"
            factory = TLSMemoryBIOFactory(self._tls, True, Factory(), self._clock)
            self._pass_to(factory.protocol(factory, self._connection), early)

    def _pass_to(self, inner: Any, early: bytes) -> None:
        """Pass the stream to `inner` from now on."""
        self._inner = inner
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]  # saves a call per chunk
        inner.makeConnection(self.transport)
        if early:
            inner.dataReceived(early)

    def secured(self) -> None:
        """The stream is ready for the request."""
        if self._tls is not None:
            self._tls_time = self._lap()
        self._step = "upgrade"
        self._connection.begin(lambda key: request(self.target, key))

    def answered(self, data: bytes) -> None:
        """Read the server's response, until the connection is open."""
        if self._refusal is not None:
            self._received += data
        else:
            response = self._read(data)
            while response is not None and response.status < 200 and response.status != 101:
                response = self._read(b"")  # the final one is still to come (RFC 9110 section 15.2)
            if response is None:
                return
            if response.status == 101:
                self._open(response)
                return
            self._refusal = response
            self._connection.deadlines.set("handshake", _BODY_SECONDS, self._refused)
        if len(self._received) >= self._refusal.body_length:
            self._refused()

    def _open(self, response: Response) -> None:
        try:
            self._connection.open(response, HandshakeTimes(self._tcp, self._tls_time, self._lap()))
        except CannotConnect as error:
            self._fail(error)
        except ValueError as error:
            self._fail(CannotConnect("upgrade", str(error)))
        else:
            result, self._result = self._result, None
            connection, rest = self._connection, self._received
            connection.deadlines.cancel("handshake")
            self._listener.opened(connection)
            if result is not None:
                result.callback(connection)
            if rest:
                connection.dataReceived(rest)

    def _refused(self) -> None:
        response = self._refusal
        assert response is not None  # noqa: S101
        body = self._received[: response.body_length]
        self._fail(HandshakeRefused(response.status, response.reason, response.headers, body))

    # -- failures -------------------------------------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The stream ended."""
        if self._inner is None:
            self.lost(reason)
        else:
            self._inner.connectionLost(reason)

    def lost(self, reason: Failure) -> None:
        """The stream ended before the connection was open."""
        if self._refusal is not None:
            self._refused()
        elif self._step == "tls" and self._tls is not None and not reason.check(ConnectionDone):
            self._fail(CannotConnect("tls", self._tls.why(reason)))
        elif self._step == "upgrade" and not reason.check(ConnectionDone):
            wants = self._tls is not None and self.target.certificate is None
            hint = "; maybe it wants a client's certificate" if wants else ""
            self._fail(CannotConnect("upgrade", explain(reason) + hint))
        else:
            peer = "proxy" if self._step == "proxy" else "server"
            self._fail(CannotConnect(self._step, f"the {peer} closed the connection without an answer"))

    def _unreachable(self, reason: Failure) -> None:
        if reason.check(CancelledError):
            return
        host, port = self.target.tcp_address
        where = f"{bracketed(host)}:{port}"
        if reason.check(DNSLookupError):
            self._fail(CannotConnect("resolve", f"there is no address for {host}"))
        elif reason.check(errors.ConnectionRefusedError):
            self._fail(CannotConnect("tcp", f"nothing listens on {where}"))
        elif isinstance(reason.value, ConnectError) and reason.value.osError:
            self._fail(CannotConnect("tcp", f"{where}: {os.strerror(reason.value.osError)}"))
        else:
            self._fail(CannotConnect("tcp", f"{where}: {reason.getErrorMessage()}"))

    def _expired(self) -> None:
        self._fail(HandshakeTimeout(self._step, self.target.timeout))

    def _fail(self, error: ClientError | None) -> None:
        """End the attempt; without an error, it was cancelled."""
        result, self._result = self._result, None
        self._connection.deadlines.clear()
        if self._pending is not None:
            self._pending.cancel()
        if self.transport is not None:
            self.transport.abortConnection()
        if result is not None and error is not None:
            result.errback(error)

    def _lap(self) -> float:
        now = self._clock.seconds()
        self._last, elapsed = now, now - self._last
        return float(elapsed)
