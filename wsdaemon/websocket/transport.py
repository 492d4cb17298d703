"""Transport of a connection: all that a connection uses of it, so that more than TCP and TLS can carry it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any, Protocol

from twisted.internet.interfaces import IProtocol, ISSLTransport
from twisted.protocols.policies import ProtocolWrapper

from wsdaemon.websocket.deadlines import Deadlines

CHECKS = 10
"""How many times during a stall timeout we check whether the peer has taken anything."""

_BYTES_ACKED = slice(120, 128)  # tcpi_bytes_acked in Linux' struct tcp_info
_BYTES_RECEIVED = slice(128, 136)  # tcpi_bytes_received


class Transport(Protocol):
    """Byte stream to one peer that pauses its producer while it cannot send (`IPushProducer`)."""

    def write(self, data: bytes) -> None:
        """Send, now or later, in order."""

    def loseConnection(self) -> None:
        """Send what is written, then end the stream."""

    def abortConnection(self) -> None:
        """End the stream at once."""

    def getPeer(self) -> Any:
        """Return the peer's address."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Tell `producer` when to pause and when to resume."""

    def unregisterProducer(self) -> None:
        """Forget the producer."""

    def pauseProducing(self) -> None:
        """Read nothing from the peer."""

    def resumeProducing(self) -> None:
        """Read from the peer again."""


abort_connection, lose_connection = methodcaller("abortConnection"), methodcaller("loseConnection")
"""Ways to end a connection, as is `finish_sending`."""


def finish_sending(transport: Transport) -> None:
    """Send what is written and end our half of the stream, but read until the peer ends its half too.

    On TCP that is a half-close. TLS does so whenever it ends: it waits for the peer's close_notify.
    """
    half_close = getattr(transport, "loseWriteConnection", None)
    if half_close is not None and not ISSLTransport.providedBy(transport):
        half_close()
    else:
        transport.loseConnection()


def hand_over(transport: Any, old: Any, new: IProtocol) -> None:
    """Deliver what arrives on `transport` from now on, and its end, to the protocol `new` in place of `old`."""
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = new
        call_if_any(transport, "send_at_once")
    elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
        transport.protocol.wrappedProtocol = new
    elif hasattr(transport, "protocol"):
        transport.protocol = new
    else:
        old.dataReceived, old.connectionLost = new.dataReceived, new.connectionLost


def call_if_any(transport: object, name: str, *arguments: object) -> None:
    """Call a method that only some transports have."""
    method = getattr(transport, name, None)
    if method is not None:
        method(*arguments)


def watch_progress(deadlines: Deadlines, transport: Transport, seconds: float, stalled: Callable[[], None]) -> None:
    """Call `stalled` once the peer has taken nothing for `seconds`, unless the deadline `stall` is cancelled.

    If the transport does not know what the peer took, only cancelling counts as progress.
    """

    def check(last: int | None, still: int) -> None:
        now = acknowledged(transport)
        still = still + 1 if now == last else 0
        if still >= CHECKS:
            stalled()
        else:
            deadlines.set("stall", seconds / CHECKS, partial(check, now, still))

    deadlines.set("stall", seconds / CHECKS, partial(check, acknowledged(transport), 0))


def acknowledged(transport: Transport) -> int | None:
    """Return how many bytes the peer has acknowledged so far; None if that is not known."""
    return carried(transport)[1]


def carried(transport: Transport) -> tuple[int | None, int | None]:
    """Return how many bytes arrived over TCP, and how many of ours the peer acknowledged; None if that is not known.

    These are the kernel's counts, so they include TLS and HTTP headers.
    """
    carrier: Any = transport
    while isinstance(carrier, ProtocolWrapper):  # TLS
        carrier = carrier.transport
    handle = carrier.getHandle() if hasattr(carrier, "getHandle") else None
    if not isinstance(handle, socket.socket) or not hasattr(socket, "TCP_INFO"):
        return None, None
    try:
        info = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
    except OSError:  # not TCP
        return None, None
    return int.from_bytes(info[_BYTES_RECEIVED], sys.byteorder), int.from_bytes(info[_BYTES_ACKED], sys.byteorder)


def tls_details(transport: Transport) -> dict[str, Any] | None:
    """Return a TLS connection's version, cipher and the subject of the client's certificate; None without TLS."""
    if not ISSLTransport.providedBy(transport):
        return None
    carrier: Any = transport
    secure = carrier.getHandle()
    certificate = secure.get_peer_certificate()
    return {
        "version": secure.get_protocol_version_name(),
        "cipher": secure.get_cipher_name(),
        "client_certificate": certificate and certificate.to_cryptography().subject.rfc4514_string(),
    }


def show_peer(address: Any) -> str:
    """Return a peer's address as text: `host:port`."""
    host = getattr(address, "host", None)
    if host is None:
        return str(getattr(address, "name", None) or "a local socket")
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
