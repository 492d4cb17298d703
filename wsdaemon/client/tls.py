"""TLS of the client: it verifies certificates by default, and says why a handshake failed."""

from __future__ import annotations

import weakref
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet import ssl
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

from wsdaemon.client.target import Target, address_of
from wsdaemon.tls import load_authorities, load_identity

_VERIFY_ERRORS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed and not trusted",
    19: "the authority at the end of its chain is not trusted",
    20: "its authority is not known",
    21: "its authority is not known",
    23: "it was revoked",
    24: "its authority may not sign certificates",
    26: "it is not for servers",
}
"""OpenSSL's reasons for refusing a certificate (X509_V_ERR_*), in words."""


@implementer(IOpenSSLClientConnectionCreator)
class ClientTls:
    """The TLS of a target's connections, which remembers why a certificate was refused.

    It verifies as Twisted's `optionsForClientTLS` does, but that does not say why it refuses.
    """

    def __init__(self, target: Target) -> None:
        """Raises `OSError` or `ValueError` if a certificate or key cannot be used."""
        self._host = target.host
        address = address_of(target.host)
        self._server_name = target.host.encode("ascii") if address is None else None
        self._identity = DNS_ID(target.host) if address is None else IPAddress_ID(address)
        self._insecure = target.insecure
        self._refused = ""
        options: dict[str, Any] = {}
        if target.certificate is not None:
            options = load_identity(target.certificate, target.private_key or target.certificate)
        if not target.insecure:
            options["trustRoot"] = ssl.platformTrust() if target.ca is None else load_authorities(target.ca)
        self._context = ssl.CertificateOptions(
            acceptableProtocols=[b"http/1.1"], raiseMinimumTo=ssl.TLSVersion.TLSv1_2, **options
        ).getContext()

    @classmethod
    def of(cls, target: Target) -> ClientTls:
        """Return the TLS of a target, which all its connections share."""
        found = _cache.get(target)
        if found is None:
            found = _cache[target] = cls(target)
        return found

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Return a new OpenSSL connection (called by Twisted)."""
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:  # never an address (RFC 6066 section 3)
            connection.set_tlsext_host_name(self._server_name)
        if not self._insecure:
            connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        """Verify a certificate of the chain (called by OpenSSL, for the server's own last)."""
        if not ok:
            why = _VERIFY_ERRORS.get(error, f"OpenSSL error {error}")
            self._refused = f"the server's certificate cannot be verified: {why}"
            return False
        try:
            if depth == 0:
                verify_service_identity(extract_patterns(certificate), [self._identity], [])
        except VerificationError:
            self._refused = f"the server's certificate is not for {self._host}"
            return False
        except Exception as problem:  # would be swallowed by the callback's caller
            self._refused = f"the server's certificate cannot be read: {problem}"
            return False
        return True

    def why(self, reason: Failure) -> str:
        """Return why the handshake failed."""
        text = explain(reason)
        return (self._refused or text) if "certificate verify failed" in text else text


_cache: weakref.WeakValueDictionary[Target, ClientTls] = weakref.WeakValueDictionary()


def explain(reason: Failure) -> str:
    """Return why a stream ended, without OpenSSL's brackets."""
    error = reason.value
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return ", ".join(str(each[-1]) for each in error.args[0]) or "the server ended the TLS handshake"
    if isinstance(error, ConnectionLost):
        return "the server cut the connection"
    return reason.getErrorMessage() or type(error).__name__
