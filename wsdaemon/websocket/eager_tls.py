"""TLS that encrypts and sends in the call that writes, and reads no more records than have arrived.

Twisted encrypts in the next turn of its loop, and reads from OpenSSL until that says that there is nothing more: an
exception for each chunk and another after it, each as expensive as the message. Here the borders of records are known
(RFC 8446 section 5.1), so only whole records are read. OpenSSL is called directly, because pyOpenSSL's methods take
three times as long as what they call. Whatever does not succeed is left to Twisted, and everything is where the
private names of Twisted and pyOpenSSL that are used here do not exist.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from wsdaemon.websocket.transport import call_if_any

_HEADER = 5
_RECORD = 1 << 14
_openssl: Any = getattr(SSL, "_lib", None)
_cffi: Any = getattr(SSL, "_ffi", None)
_SIZE = _RECORD + 256  # a record with its header, padding and tag
_buffer: Any = _cffi.new("char[]", _SIZE) if _cffi else None

USED_OF_TRANSPORT = ("_handshakeDone", "_lostTLSConnection", "_appSendBuffer", "_aggregator", "_flushReceiveBIO")
USED_OF_CONNECTION = ("_ssl", "_into_ssl", "_from_ssl")
USED_OF_LIBRARY = ("SSL_read", "SSL_write", "BIO_read", "BIO_write")


def can_be_eager() -> bool:
    """Say whether the private names that are used here exist, on a transport made for the purpose."""
    try:
        transport = unconnected_transport()
        return (
            all(hasattr(transport, name) for name in USED_OF_TRANSPORT)
            and hasattr(transport._aggregator, "flush")
            and all(getattr(transport.getHandle(), name, None) for name in USED_OF_CONNECTION)
            and all(hasattr(_openssl, name) for name in USED_OF_LIBRARY)
        )
    except Exception:  # whatever a Twisted or pyOpenSSL raises that is not as it was
        return False


def unconnected_transport() -> EagerTls:
    """Return a transport over nothing, which has every attribute of a transport."""
    unused: Any = object()
    factory = TLSMemoryBIOFactory(CertificateOptions(), isClient=False, wrappedFactory=Factory(), clock=unused)
    transport = EagerTls(factory, Protocol())
    transport.makeConnection(object())  # a server has nothing to send yet
    return transport


class RecordBorders:
    """Counter of the records that end in a stream."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""  # the part of a record's header that has arrived
        self._left = 0  # how much of the current record is missing

    def ended(self, data: bytes) -> int:
        """Count the next bytes of the stream; returns how many records end in them."""
        length = len(data)
        if not (self._left or self._header) and length > _HEADER and length == _HEADER + (data[3] << 8 | data[4]):
            return 1  # a whole record and nothing else, as with every short message
        if self._header:
            data, self._header = self._header + data, b""
        at, end = self._left, len(data)
        records = 1 if 0 < at <= end else 0
        while at + _HEADER <= end:
            at += _HEADER + (data[at + 3] << 8 | data[at + 4])
            records += at <= end
        if at < end:
            self._header = data[at:]
        self._left = max(0, at - end)
        return records


class EagerTls(BufferingTLSTransport):
    """A server's TLS transport."""

    _appSendBuffer: list[bytes]
    _is_cut = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._borders = RecordBorders()

    def makeConnection(self, transport: Any) -> None:
        """Begin the handshake over `transport`."""
        super().makeConnection(transport)
        self._connection: Any = self.getHandle()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport below."""
        records = self._borders.ended(data)
        if not self._handshakeDone or self._appSendBuffer or self._is_cut or self._lostTLSConnection:
            super().dataReceived(data)
            return
        connection = self._connection
        if _openssl.BIO_write(connection._into_ssl, data, len(data)) != len(data):
            self.abortConnection()  # out of memory
            return
        for _ in range(records):
            length = _openssl.SSL_read(connection._ssl, _buffer, _RECORD)
            if length <= 0:
                self._flushReceiveBIO()  # not application data: an alert, a key update, or something wrong
                return
            self.wrappedProtocol.dataReceived(_cffi.buffer(_buffer, length)[:])
            if self._is_cut or self._lostTLSConnection:
                return  # type: ignore[unreachable]  # the protocol may have ended the connection

    def abortConnection(self) -> None:
        """End at once. TLS's last record must not leave, or the peer would see an orderly end."""
        self._is_cut = True
        call_if_any(self.transport, "hold")
        super().abortConnection()

    def send_at_once(self) -> None:
        """From now on, encrypt and send in the call that writes."""
        self._aggregator.flush()
        self.write = self._write_now  # type: ignore[method-assign]  # as Twisted does, to save a call
        self.writeSequence = lambda parts: self._write_now(b"".join(parts))  # type: ignore[method-assign, assignment]

    def _write_now(self, data: bytes) -> None:
        if self._appSendBuffer or self.disconnecting or self._lostTLSConnection:
            TLSMemoryBIOProtocol.write(self, data)  # in its order, by its rules
            return
        connection, at, end = self._connection, 0, len(data)
        while at < end:
            part = data[at : at + _RECORD] if end > _RECORD else data
            sent = _openssl.SSL_write(connection._ssl, part, len(part))
            if sent <= 0:
                self._send_encrypted(connection)
                TLSMemoryBIOProtocol.write(self, data[at:])  # meets the same error and handles it
                return
            at += sent
        self._send_encrypted(connection)

    def _send_encrypted(self, connection: Any) -> None:
        parts: list[bytes] = []
        length = _SIZE
        while length == _SIZE:
            length = _openssl.BIO_read(connection._from_ssl, _buffer, _SIZE)
            parts.append(_cffi.buffer(_buffer, max(0, length))[:])
        self.transport.write(b"".join(parts))  # type: ignore[union-attr]  # it is there while the connection is


def make_eager(factory: Any) -> None:
    """Make the TLS transports of a factory eager; factories of another kind are left alone."""
    if type(factory) is TLSMemoryBIOFactory and factory.protocol is BufferingTLSTransport and can_be_eager():
        factory.protocol = EagerTls
