"""Our self-signed certificate, and files that cannot be used."""

from __future__ import annotations

import datetime
import re
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat
from OpenSSL import SSL

from tests.support.certificates import DAY, Identity
from wsdaemon.settings import TlsSettings
from wsdaemon.tls import AUTO_FILE, ensure_self_signed, fingerprint, load_problems, make_context

NO_CERTIFICATE = "{} holds no certificate in PEM; write the path of one that does"
NO_KEY = "{} holds no private key in PEM; write the path of one that does"


# -- the certificate that we make ---------------------------------------------------------------------------------


def test_the_own_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / AUTO_FILE
    first, _ = ensure_self_signed(path)
    pem = path.read_bytes()
    again, key = ensure_self_signed(path)
    assert path.read_bytes() == pem
    assert [each.fingerprint(hashes.SHA256()) for each in again] == [
        each.fingerprint(hashes.SHA256()) for each in first
    ]
    encoding, form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    assert key.public_key().public_bytes(encoding, form) == first[0].public_key().public_bytes(encoding, form)
    assert [each.name for each in tmp_path.iterdir()] == [AUTO_FILE], "nothing half-written stays behind"


def test_the_own_keys_file_is_open_to_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / AUTO_FILE
    ensure_self_signed(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("days", "kept"), [(31, True), (29, False), (-1, False)])
def test_the_own_certificate_is_renewed_near_its_end(tmp_path: Path, days: int, kept: bool) -> None:
    path = tmp_path / AUTO_FILE
    old = Identity("old", days=days)
    path.write_bytes(old.certificate_pem() + old.key_pem())
    (new,), _ = ensure_self_signed(path)
    assert (new == old.certificate) is kept
    assert path.read_bytes().startswith(new.public_bytes(Encoding.PEM))


def test_the_own_certificate_names_this_machine_and_is_no_authority(tmp_path: Path) -> None:
    (certificate,), _ = ensure_self_signed(tmp_path / AUTO_FILE)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", socket.gethostname()} <= set(names.get_values_for_type(x509.DNSName))
    assert {str(each) for each in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < now
    # Browsers and phones refuse what holds longer than 825 days.
    assert 300 * DAY < certificate.not_valid_after_utc - certificate.not_valid_before_utc < 826 * DAY


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_what_stands_in_the_place_of_the_own_certificate_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / AUTO_FILE
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(NO_CERTIFICATE.format(path))):
        ensure_self_signed(path)
    assert path.read_bytes() == content


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does
def test_a_fingerprint_is_written_as_browsers_do(tmp_path: Path) -> None:
    context = make_context(TlsSettings(enabled=True, certificate="auto"), tmp_path / AUTO_FILE)
    (certificate,), _ = ensure_self_signed(tmp_path / AUTO_FILE)
    assert fingerprint(context) == certificate.fingerprint(hashes.SHA256()).hex(":").upper()


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does
@pytest.mark.parametrize(
    ("option", "off"),
    [
        (SSL.OP_NO_SSLv3, True),
        (SSL.OP_NO_TLSv1, True),
        (SSL.OP_NO_TLSv1_1, True),
        (SSL.OP_NO_TLSv1_2, False),
        (SSL.OP_NO_TLSv1_3, False),
    ],
)
def test_old_versions_are_switched_off(tmp_path: Path, option: int, off: bool) -> None:
    """Some versions of OpenSSL refuse them by themselves, so a handshake would not show that we do."""
    context = make_context(TlsSettings(enabled=True, certificate="auto"), tmp_path / AUTO_FILE).getContext()
    assert bool(context.set_options(0) & option) is off


# -- files that can't be used -------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of good and bad files."""
    one, other = Identity("one", is_ca=True), Identity("other")
    one.write(tmp_path, "one")
    other.write(tmp_path, "other")
    (tmp_path / "secret.key").write_bytes(one.key_pem(b"secret"))
    (tmp_path / "old-secret.key").write_bytes(one.key_pem(b"secret", PrivateFormat.TraditionalOpenSSL))
    (tmp_path / "text.pem").write_text("hello")
    (tmp_path / "empty.pem").write_text("")
    broken = one.certificate_pem().replace(b"\nMII", b"\nAAA")
    assert broken != one.certificate_pem()
    (tmp_path / "broken.pem").write_bytes(broken)
    return tmp_path


PROTECTED = "{} is protected by a passphrase; write the path of a key without one"


@pytest.mark.parametrize(
    ("certificate", "key", "ca", "problems"),
    [
        ("one.pem", "one.key", None, []),
        ("one.pem", "one.key", "other.pem", []),
        ("text.pem", "one.key", None, [("certificate", NO_CERTIFICATE, "text.pem")]),
        ("empty.pem", "one.key", None, [("certificate", NO_CERTIFICATE, "empty.pem")]),
        ("broken.pem", "one.key", None, [("certificate", NO_CERTIFICATE, "broken.pem")]),
        ("one.key", "one.key", None, [("certificate", NO_CERTIFICATE, "one.key")]),
        ("one.pem", "text.pem", None, [("private_key", NO_KEY, "text.pem")]),
        ("one.pem", "one.pem", None, [("private_key", NO_KEY, "one.pem")]),
        ("one.pem", "secret.key", None, [("private_key", PROTECTED, "secret.key")]),
        ("one.pem", "old-secret.key", None, [("private_key", PROTECTED, "old-secret.key")]),
        ("one.pem", "one.key", "text.pem", [("client_ca", NO_CERTIFICATE, "text.pem")]),
        ("one.pem", "one.key", "one.key", [("client_ca", NO_CERTIFICATE, "one.key")]),
        ("text.pem", "secret.key", "empty.pem", [
            ("certificate", NO_CERTIFICATE, "text.pem"), ("private_key", PROTECTED, "secret.key"),
            ("client_ca", NO_CERTIFICATE, "empty.pem")]),
        ("one.pem", "other.key", None, [
            ("private_key", "{} is not the key of {folder}/one.pem; write the one that belongs to it", "other.key")]),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_all_named(
    files: Path, certificate: str, key: str, ca: str | None, problems: list[tuple[str, str, str]]
) -> None:
    tls = TlsSettings(
        enabled=True,
        certificate=files / certificate,
        private_key=files / key,
        client_ca=None if ca is None else files / ca,
    )
    expected = [(option, message.format(files / name, folder=files)) for option, message, name in problems]
    assert list(load_problems(tls)) == expected
