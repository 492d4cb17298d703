"""TLS: settings -> a context for the listening port, and a self-signed certificate where none is given."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from OpenSSL import SSL, crypto
from twisted.internet import ssl

from wsdaemon.settings import TlsSettings

AUTO_FILE = ".wsdaemon-auto.pem"  # hidden, so that it is not served should it lie below the docroot
_AUTO_DAYS = 825  # the longest that today's browsers and phones accept in a certificate added by hand
_RENEW_DAYS = 30


def load_problems(tls: TlsSettings) -> Iterator[tuple[str, str]]:
    """Yield (option, what is wrong) for each of the files named that can't be used together."""
    chain: list[x509.Certificate] = []
    key: PrivateKeyTypes | None = None
    if isinstance(tls.certificate, Path):
        try:
            chain = _load_certificates(tls.certificate)
        except (OSError, ValueError) as error:
            yield "certificate", str(error)
    if tls.private_key is not None:
        try:
            key = _load_key(tls.private_key)
        except (OSError, ValueError) as error:
            yield "private_key", str(error)
    if chain and key is not None and _public_bytes(key.public_key()) != _public_bytes(chain[0].public_key()):
        yield "private_key", f"{tls.private_key} is not the key of {tls.certificate}; write the one that belongs to it"
    if tls.client_ca is not None:
        try:
            _load_certificates(tls.client_ca)
        except (OSError, ValueError) as error:
            yield "client_ca", str(error)


def make_context(tls: TlsSettings, auto_file: Path) -> ssl.CertificateOptions:
    """Return the context factory for the TLS port; TLS 1.2 is the oldest version that it speaks.

    Raises `OSError` or `ValueError` where a file can't be used; `auto_file` is where `certificate = auto` is kept.
    """
    if tls.certificate == "auto":
        chain, key = ensure_self_signed(auto_file)
    else:
        assert isinstance(tls.certificate, Path)  # noqa: S101  # config refuses anything else
        assert tls.private_key is not None  # noqa: S101
        chain, key = _load_certificates(tls.certificate), _load_key(tls.private_key)
    trust_root = None
    if tls.client_ca is not None:
        trust_root = ssl.trustRootFromCertificates(
            [ssl.Certificate(crypto.X509.from_cryptography(each)) for each in _load_certificates(tls.client_ca)]
        )
    first, *rest = [crypto.X509.from_cryptography(each) for each in chain]
    options = ssl.CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]  # every kind of key that TLS knows
        certificate=first,
        extraCertChain=rest,
        trustRoot=trust_root,
        raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        acceptableProtocols=[b"http/1.1"],
    )
    context = options.getContext()
    # Nothing that could be resumed or renegotiated is worth its memory or its risk to a test server.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"wsdaemon")
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    return options


def ensure_self_signed(path: Path) -> tuple[list[x509.Certificate], PrivateKeyTypes]:
    """Return the certificate and key kept in `path`; make them first where there are none or they expire soon.

    Raises `OSError` where the file can't be read or made, `ValueError` where it holds something else.
    """
    if path.exists():
        chain, key = _load_certificates(path), _load_key(path)
        if chain[0].not_valid_after_utc - _now() > datetime.timedelta(days=_RENEW_DAYS):
            return chain, key
    new_key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(new_key)
    pem = certificate.public_bytes(serialization.Encoding.PEM) + new_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Beside it first, so that another process never sees half a file, and never with the key open to others.
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(pem)
    partial.replace(path)
    return [certificate], new_key


def fingerprint(context: ssl.CertificateOptions) -> str:
    """Return the SHA-256 fingerprint of the certificate in use, as browsers show it: AB:CD:…"""
    assert context.certificate is not None  # noqa: S101  # make_context gave it one
    digest = context.certificate.to_cryptography().fingerprint(hashes.SHA256())
    return ":".join(f"{byte:02X}" for byte in digest)


def _self_signed(key: CertificateIssuerPrivateKeyTypes) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wsdaemon (self-signed)")])
    hosts = {"localhost", socket.gethostname(), socket.getfqdn()} - {""}
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in sorted(hosts) if host.isascii()]
    names += [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")]
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_AUTO_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _load_certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no certificate in PEM; write the path of one that does") from None


def _load_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except TypeError:
        raise ValueError(f"{path} is protected by a passphrase; write the path of a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no private key in PEM; write the path of one that does") from None


def _public_bytes(key: object) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    encoded: bytes = key.public_bytes(encoding, form)  # type: ignore[attr-defined]  # every kind of key has it
    return encoded


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
