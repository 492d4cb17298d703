"""Real TLS handshakes with the real daemon: versions, ALPN, chains, and clients with and without certificates."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from websockets.asyncio.client import connect

from tests.support.certificates import Identity
from tests.support.daemon import Daemon
from tests.support.loops import run
from tests.support.patience import PATIENCE
from wsdaemon.tls import AUTO_FILE, ensure_self_signed


class Served:
    """A daemon with TLS, and what a client needs to know of it."""

    def __init__(self, folder: Path, ini: str) -> None:
        (folder / "pages").mkdir()
        (folder / "pages/index.html").write_text("<p>over TLS</p>")
        ini = f"[server]\ndocroot = pages\n[tls]\nenabled = yes\nport = 0\n{ini}"
        self.folder = folder
        self.daemon = Daemon(folder / "ws.ini", ini)

    def client(self, identity: str = "", *, trust: str = AUTO_FILE) -> ssl.SSLContext:
        """Return a client that trusts the daemon, and shows a certificate where `identity` names one."""
        context = ssl.create_default_context(cafile=self.folder / trust)
        context.set_alpn_protocols(["h2", "http/1.1"])
        if identity:
            context.load_cert_chain(self.folder / f"{identity}.pem", self.folder / f"{identity}.key")
        return context

    def get(self, context: ssl.SSLContext, host: str = "localhost") -> bytes:
        connection = http.client.HTTPSConnection(host, self.daemon.tls_port, context=context, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read()
        finally:
            connection.close()

    def echo(self, context: ssl.SSLContext, *messages: str | bytes) -> list[str | bytes]:
        """Return the echoes of messages."""

        async def talk() -> list[str | bytes]:
            async with connect(f"{self.daemon.wss}/echo", ssl=context) as client:
                echoes = []
                for message in messages:
                    await client.send(message)
                    echoes.append(await client.recv())
                return echoes

        return run(talk)

    def handshake(self, context: ssl.SSLContext) -> tuple[str | None, str | None]:
        """Return the version and the ALPN protocol that were agreed on."""
        address = ("127.0.0.1", self.daemon.tls_port)
        with (
            socket.create_connection(address, timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return secure.version(), secure.selected_alpn_protocol()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A daemon with `certificate = auto`."""
    served = Served(tmp_path_factory.mktemp("own"), "certificate = auto\n")
    yield served
    assert served.daemon.stop() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A daemon with a chain of certificates, which asks its clients for one."""
    folder = tmp_path_factory.mktemp("guarded")
    root, clients, strangers = (Identity(name, is_ca=True) for name in ("root", "clients", "strangers"))
    middle = Identity("middle", root, is_ca=True)
    for name, identity in (("root", root), ("clients", clients), ("self-signed", Identity("self-signed"))):
        identity.write(folder, name)
    Identity("server", middle).write(folder, "server", middle)
    Identity("ann", clients).write(folder, "ann")
    Identity("late", clients, days=-0.5).write(folder, "late")
    Identity("eve", strangers).write(folder, "eve", strangers)
    served = Served(folder, "certificate = server.pem\nprivate_key = server.key\nclient_ca = clients.pem\n")
    yield served
    assert served.daemon.stop() == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_own_certificate_gets_the_pages(own: Served, host: str) -> None:
    assert own.get(own.client(), host) == b"<p>over TLS</p>"


def test_the_own_certificate_stands_beside_the_file_and_its_fingerprint_in_the_log(own: Served) -> None:
    (certificate,), _ = ensure_self_signed(own.folder / AUTO_FILE)
    shown = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert f"self-signed certificate in {own.folder / AUTO_FILE}, SHA-256 fingerprint {shown}\n" in own.daemon.output


def test_a_client_that_does_not_trust_the_own_certificate_ends(own: Served) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        own.get(ssl.create_default_context())


def test_a_websocket_over_tls_echoes(own: Served) -> None:
    messages: list[str | bytes] = ["héllo", bytes(100_000)]
    assert own.echo(own.client(), *messages) == messages


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_modern_versions_are_spoken_and_alpn_says_http_1_1(own: Served, version: ssl.TLSVersion, name: str) -> None:
    context = own.client()
    context.minimum_version = context.maximum_version = version
    assert own.handshake(context) == (name, "http/1.1")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # an old version is what is tested
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_the_daemon_refuses_old_versions(own: Served, version: ssl.TLSVersion) -> None:
    context = own.client()
    context.set_ciphers("ALL:@SECLEVEL=0")  # or this client itself would refuse
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError) as caught:
        own.handshake(context)
    assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION", "an alert comes from the peer"


def test_the_whole_chain_is_sent_and_a_known_client_is_served(guarded: Served) -> None:
    """The client trusts the root only, so the authority in the middle must come from the daemon."""
    context = guarded.client("ann", trust="root.pem")
    assert guarded.get(context) == b"<p>over TLS</p>"
    assert guarded.echo(context, "hello") == ["hello"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("identity", ["", "eve", "late", "self-signed"])
def test_a_client_without_a_certificate_of_ours_is_refused(
    guarded: Served, identity: str, version: ssl.TLSVersion
) -> None:
    context = guarded.client(identity, trust="root.pem")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
        guarded.get(context)
    assert not isinstance(caught.value, ssl.SSLCertVerificationError), "it is the daemon that refuses"
