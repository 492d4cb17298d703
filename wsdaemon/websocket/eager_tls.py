"""TLS that sends at once, and asks OpenSSL for no more records than have come.

Twisted encrypts what is written in the next turn of its loop, and reads from OpenSSL until that says that there is
nothing more: an exception for each chunk, and another after it, each as dear as the message itself. Here the borders of
records are known (RFC 8446 section 5.1), so that only those are asked for that are whole. And OpenSSL is called itself,
as pyOpenSSL's methods take three times as long as what they call. Whatever does not go well is left to Twisted's way,
and all of it where the insides of Twisted and pyOpenSSL are not as they were when this was written.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol

_HEADER = 5
_RECORD = 1 << 14
_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)
_SIZE = _RECORD + 256  # a record with its header, padding and check
_buffer: Any = _ffi.new("char[]", _SIZE) if _ffi else None

_INSIDES = ("_write", "_flushReceiveBIO", "_lostTLSConnection", "_handshakeDone", "_aborted", "_producer")


def can_be_eager() -> bool:
    """Whether the insides of Twisted's TLS transports and pyOpenSSL's connections are as they are used here."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD), None)
    return (
        all(hasattr(TLSMemoryBIOProtocol, name) for name in _INSIDES)
        and all(hasattr(_lib, name) for name in ("SSL_read", "SSL_write", "BIO_read", "BIO_write"))
        and all(getattr(connection, name, None) for name in ("_ssl", "_into_ssl", "_from_ssl"))
    )


class RecordBorders:
    """Counts the records of a stream."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""  # part of a record's header
        self._left = 0  # what is to come of the current record

    def ended(self, data: bytes) -> int:
        """Take the next bytes of the stream; returns how many records end in them."""
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

    _tlsConnection: Any
    _appSendBuffer: list[bytes]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._borders = RecordBorders()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the stream below."""
        records = self._borders.ended(data)
        if not self._handshakeDone or self._appSendBuffer or self._aborted or self._lostTLSConnection:
            super().dataReceived(data)
            return
        connection = self._tlsConnection
        if _lib.BIO_write(connection._into_ssl, data, len(data)) != len(data):
            self.abortConnection()  # there is no memory
            return
        for _ in range(records):
            length = _lib.SSL_read(connection._ssl, _buffer, _RECORD)
            if length <= 0:
                self._flushReceiveBIO()  # it was no data, and may have to be answered, or is wrong
                return
            self.wrappedProtocol.dataReceived(_ffi.buffer(_buffer, length)[:])
            if self._aborted or self._is_lost():
                return

    def abortConnection(self) -> None:
        """End at once: what TLS has to say in parting must not leave, or the peer would see an orderly end."""
        hold = getattr(self.transport, "hold", None)
        if hold is not None:
            hold()
        super().abortConnection()

    def send_at_once(self) -> None:
        """From now on, encrypt and send what is written in the call that writes it."""
        self._aggregator.flush()
        self.write = self._write_now  # type: ignore[method-assign]  # as Twisted does, to save a call
        self.writeSequence = lambda parts: self._write_now(b"".join(parts))  # type: ignore[method-assign, assignment]

    def _write_now(self, data: bytes) -> None:
        if self._appSendBuffer or self.disconnecting or self._is_lost():
            TLSMemoryBIOProtocol.write(self, data)  # in its order, and by its rules
            return
        connection, at, end = self._tlsConnection, 0, len(data)
        while at < end:
            part = data[at : at + _RECORD] if end > _RECORD else data
            sent = _lib.SSL_write(connection._ssl, part, len(part))
            if sent <= 0:
                self._send_encrypted(connection)
                TLSMemoryBIOProtocol.write(self, data[at:])  # meets the same, and does what is to be done
                return
            at += sent
        self._send_encrypted(connection)

    def _send_encrypted(self, connection: Any) -> None:
        length = _lib.BIO_read(connection._from_ssl, _buffer, _SIZE)
        encrypted: bytes = _ffi.buffer(_buffer, max(0, length))[:]
        if length == _SIZE:
            parts = [encrypted]
            while length == _SIZE:
                length = _lib.BIO_read(connection._from_ssl, _buffer, _SIZE)
                parts.append(_ffi.buffer(_buffer, max(0, length))[:])
            encrypted = b"".join(parts)
        self.transport.write(encrypted)  # type: ignore[union-attr]  # it is there while the connection is

    def _is_lost(self) -> bool:
        return self._lostTLSConnection


def make_eager(factory: Any) -> None:
    """Have the connections that a factory makes for TLS be of this kind; other factories are left alone."""
    if type(factory) is TLSMemoryBIOFactory and factory.protocol is BufferingTLSTransport and can_be_eager():
        factory.protocol = EagerTls
