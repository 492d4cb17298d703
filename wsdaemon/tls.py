"""TLS: certificates and keys from files, the context of the listening port, and a self-signed certificate."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

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
    """Yield (option, what is wrong) for each certificate or key file that cannot be used."""
    loaders = {"certificate": load_certificates, "private_key": load_key, "client_ca": load_certificates}
    usable: dict[str, Path] = {}
    for option, load in loaders.items():
        path = getattr(tls, option)
        try:
            if isinstance(path, Path):
                load(path)
                usable[option] = path
        except (OSError, ValueError) as error:
            yield option, str(error)
    if {"certificate", "private_key"} <= usable.keys():
        try:
            load_identity(usable["certificate"], usable["private_key"])
        except ValueError as error:
            yield "private_key", str(error)


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates in a PEM file; raises `OSError` or `ValueError`."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no certificate in PEM; write the path of one that does") from None


def load_authorities(path: Path) -> Any:
    """Return the certificates in a PEM file as those to trust; raises `OSError` or `ValueError`."""
    return ssl.trustRootFromCertificates(
        [ssl.Certificate(crypto.X509.from_cryptography(each)) for each in load_certificates(path)]
    )


def load_key(path: Path) -> PrivateKeyTypes:
    """Return the private key in a PEM file; raises `OSError` or `ValueError`."""
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except TypeError:
        raise ValueError(f"{path} is protected by a passphrase; write the path of a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no private key in PEM; write the path of one that does") from None


def load_identity(certificate: Path, private_key: Path) -> dict[str, Any]:
    """Return arguments of `CertificateOptions`; raises `OSError` or `ValueError`, also for a key that does not fit."""
    chain, key = load_certificates(certificate), load_key(private_key)
    if chain[0].public_key() != key.public_key():
        raise ValueError(f"{private_key} is not the key of {certificate}; write the one that belongs to it")
    return _identity(chain, key)


def _identity(chain: list[x509.Certificate], key: PrivateKeyTypes) -> dict[str, Any]:
    first, *rest = [crypto.X509.from_cryptography(each) for each in chain]
    pkey = crypto.PKey.from_cryptography_key(key)  # type: ignore[arg-type]  # every kind of key that TLS knows
    return {"privateKey": pkey, "certificate": first, "extraCertChain": rest}


def make_context(tls: TlsSettings, auto_file: Path) -> ssl.CertificateOptions:
    """Return the context factory for the TLS port, for TLS 1.2 and newer.

    `auto_file` is where `certificate = auto` keeps its certificate. Raises `OSError` or `ValueError` for a file that
    cannot be used.
    """
    if isinstance(tls.certificate, Path) and tls.private_key is not None:
        identity = load_identity(tls.certificate, tls.private_key)
    else:  # auto: config refuses anything else
        identity = _identity(*ensure_self_signed(auto_file))
    options = ssl.CertificateOptions(
        trustRoot=None if tls.client_ca is None else load_authorities(tls.client_ca),
        raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        acceptableProtocols=[b"http/1.1"],
        **identity,
    )
    context = options.getContext()
    # For a test server, resumption and renegotiation are not worth their memory and their risk.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"wsdaemon")
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    return options


def ensure_self_signed(path: Path) -> tuple[list[x509.Certificate], PrivateKeyTypes]:
    """Return the certificate and key kept in `path`; makes new ones if there are none or they expire soon.

    Raises `OSError` if the file cannot be read or written, `ValueError` if it holds something else.
    """
    if path.exists():
        chain, key = load_certificates(path), load_key(path)
        if chain[0].not_valid_after_utc - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=_RENEW_DAYS):
            return chain, key
    new_key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(new_key)
    pem = certificate.public_bytes(serialization.Encoding.PEM) + new_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Written to a private temporary file and renamed: no other process sees half of it, no other user reads the key.
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
    now = datetime.datetime.now(datetime.UTC)
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
