"""A TLS server that sends at once and a client of OpenSSL's, in memory."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from tests.support.certificates import Identity
from tests.support.http_client import Transport
from wsdaemon.websocket.eager_tls import EagerTls, make_eager

RECORD = 1 << 14


def plain_count(stream: bytes) -> int:
    """Return how many whole records a stream begins with."""
    count = at = 0
    while at + 5 <= len(stream):
        at += 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
        count += at <= len(stream)
    return count


class Served(Protocol):
    """The application: records its chunks, and replies with what `answers` makes of each."""

    transport: Any

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.answers: Any = lambda _: b""
        self.fails = self.greets = False
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        if self.greets:
            self.transport.write(b"hello, ")

    def dataReceived(self, data: bytes) -> None:
        self.chunks.append(data)
        if self.fails:
            raise ValueError("no")
        answer = self.answers(data)
        if answer:
            self.transport.write(answer)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


class Greeting(Served):
    """Writes as soon as it is connected, which is before the handshake."""

    def __init__(self) -> None:
        super().__init__()
        self.greets = True


@cache
def _options() -> CertificateOptions:
    identity = Identity("localhost")
    return CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(identity.key),
        certificate=crypto.X509.from_cryptography(identity.certificate),
    )


def tls_factory(wrapped: Any, clock: Clock) -> TLSMemoryBIOFactory:
    """Return Twisted's factory of TLS transports, with a key and a certificate."""
    return TLSMemoryBIOFactory(_options(), isClient=False, wrappedFactory=wrapped, clock=clock)


class Link:
    """A server and a client in memory; `received` is what the client has received."""

    def __init__(self, kind: type[Served] = Served, *, version: int = SSL.TLS1_3_VERSION, eager: bool = True) -> None:
        self.clock = Clock()
        self.factory = tls_factory(Factory.forProtocol(kind), self.clock)
        if eager:
            make_eager(self.factory)
        self.tls: Any = self.factory.buildProtocol(None)
        self.carrier = Transport()
        self.carrier.protocol = self.tls
        self.tls.makeConnection(self.carrier)
        self.served: Any = self.tls.wrappedProtocol
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        self.received = b""
        self.ended = False

    def handshake(self) -> None:
        """Complete the handshake."""
        for _ in range(4):
            with contextlib.suppress(SSL.WantReadError):
                self.client.do_handshake()
            self.to_server(self.from_client())
            self.to_client()

    def open(self) -> Link:
        """Complete the handshake, and send at once from now on; returns this."""
        self.handshake()
        if isinstance(self.tls, EagerTls):
            self.tls.send_at_once()
        return self

    def from_client(self) -> bytes:
        """Return what the client has to send."""
        data = b""
        while True:
            try:
                data += self.client.bio_read(1 << 16)
            except SSL.WantReadError:
                return data

    def to_server(self, data: bytes, step: int = 1 << 30) -> None:
        """Deliver bytes, in pieces of `step`."""
        for start in range(0, len(data), step):
            self.tls.dataReceived(data[start : start + step])

    def to_client(self) -> bytes:
        """Deliver what the server has sent; returns everything that the client has received."""
        data = self.carrier.value()
        self.carrier.clear()
        if data:
            self.client.bio_write(data)
        while not self.ended:
            try:
                self.received += self.client.recv(1 << 16)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.ended = True
        return self.received

    def encrypt(self, *parts: bytes) -> bytes:
        """Return parts encrypted by the client, one record for each up to 16 KiB."""
        for part in parts:
            sent = 0
            while sent < len(part):
                sent += self.client.send(part[sent : sent + RECORD])
        return self.from_client()
