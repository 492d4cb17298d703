"""`wsping` against servers that nobody here wrote, over TLS and through a proxy.

Servers that are broken on purpose are in memory: tests/memory/test_ping.py.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Identity
from tests.support.connect_proxy import ConnectProxy
from tests.support.daemon import ROOT
from tests.support.wsping import measure, peer, serving, wsping

NODE = ROOT / "tests" / "node"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (ca.pem), a server's certificate and a client's."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Identity("authority", is_ca=True)
    authority.write(folder, "ca")
    Identity("server", authority).write(folder, "server")
    Identity("client", authority).write(folder, "client")
    return folder


@contextmanager
def any_peer(kind: str, *files: Path) -> Iterator[int]:
    """A server by its kind: `node`, or one of tests/support/peer_servers.py."""
    if kind != "node":
        with peer(kind, *files) as port:
            yield port
        return
    if not (NODE / "node_modules" / "ws").exists() or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("Node's ws is not installed, and CI must not leave its tests out")
        pytest.skip("Node's ws is not installed; `make test` installs it where npm is")
    with serving("node", NODE / "server.mjs", *files) as port:
        yield port


class TestPeers:
    """Right replies and right counts, whoever wrote the server."""

    @pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
    @pytest.mark.parametrize("kind", ["websockets", "aiohttp", "node"])
    def test_right(self, certificates: Path, kind: str, is_secure: bool) -> None:
        """Text and binary, small, fragmented and large, compressed, and pings."""
        files = (certificates / "server.pem", certificates / "server.key") if is_secure else ()
        with any_peer(kind, *files) as port:
            url = f"wss://localhost:{port}/" if is_secure else f"ws://localhost:{port}/"
            trust = ("--ca", certificates / "ca.pem")
            runs: list[tuple[str, ...]] = [
                (), ("-b",), ("-s", "0"), ("-s", "100", "-f", "7"), ("-s", "65536", "-f", "0"),
                ("-s", "300000", "-f", "65535"), ("--compress",), ("-C", "3"), ("--ping",), ("-P", "what-ever"),
            ]  # fmt: skip
            for options in runs:
                code, document, errors = measure(url, *trust, "-c", "4", "-d", "1", *options)
                clients = document["clients"]
                assert (code, errors) == (0, ""), (options, document)
                assert document["replies_expected"] == document["replies_answered"] == 4 * clients, options
                assert document["messages_sent"] == document["messages_received"] == 4 * clients, options
                assert document["payload_received_bytes"] == document["size_bytes"] * 4 * clients, options
                assert (document["handshake_tls_ms"] is not None) == is_secure
                if options == ("--compress",):
                    assert document["extensions"].startswith("permessage-deflate")
                if options == ("-P", "what-ever"):
                    assert document["subprotocol"] == "what-ever"


class TestTls:
    """What is verified, and what the client shows."""

    def files(self, folder: Path) -> tuple[Path, Path]:
        return folder / "server.pem", folder / "server.key"

    def test_an_authority_that_is_not_the_systems(self, certificates: Path) -> None:
        """It is refused by default, in words; trusted with --ca."""
        with peer("websockets", *self.files(certificates)) as port:
            url = f"wss://localhost:{port}/"
            refused = wsping(url)
            trust = ("-c", "1", "--ca", certificates / "ca.pem")
            assert wsping(url, *trust).returncode == 0
            assert wsping(f"wss://127.0.0.1:{port}/", *trust).returncode == 0  # by the address in the certificate
            assert wsping("wss://127.0.0.2/", *trust, "--connect-to", f"127.0.0.1:{port}").returncode == 3
        assert refused.returncode == 3
        assert "the server's certificate cannot be verified: its authority is not known" in refused.stderr

    def test_another_hosts_certificate(self, certificates: Path) -> None:
        """--connect-to keeps the URL's name for TLS."""
        with peer("websockets", *self.files(certificates)) as port:
            trust = ("--ca", certificates / "ca.pem", "--connect-to", f"127.0.0.1:{port}", "-c", "1")
            wrong = wsping("wss://example.org/", *trust)
            assert wsping("wss://localhost/", *trust).returncode == 0
        assert wrong.returncode == 3
        assert "the server's certificate is not for example.org" in wrong.stderr

    def test_expired(self, certificates: Path, tmp_path: Path) -> None:
        old = Identity("old", days=-1).write(tmp_path, "old")
        with peer("websockets", *old) as port:
            shown = wsping(f"wss://localhost:{port}/", "--ca", old[0])
        assert shown.returncode == 3
        assert "the server's certificate cannot be verified: it has expired" in shown.stderr

    def test_client_certificates(self, certificates: Path) -> None:
        """A server that asks for one gets it; without one, the failure is named."""
        with peer("websockets", *self.files(certificates), certificates / "ca.pem") as port:
            url, trust = f"wss://localhost:{port}/", ("--ca", certificates / "ca.pem", "-c", "1")
            own = ("--cert", certificates / "client.pem", "--key", certificates / "client.key")
            assert wsping(url, *trust, *own).returncode == 0
            without = wsping(url, *trust)
        assert without.returncode == 3
        assert "maybe it wants a client's certificate" in without.stderr


class TestWays:
    """Other ways to a server."""

    @pytest.mark.skipif(not socket.has_ipv6 and not os.environ.get("CI"), reason="no IPv6 here; CI must have it")
    def test_ipv6(self) -> None:
        with peer("ipv6") as port:
            for arguments in ([f"ws://[::1]:{port}/"], ["-h", "::1", "-p", str(port)]):
                code, document, errors = measure(*arguments, "-c", "1")
                assert (code, document["replies_answered"]) == (0, 1), errors

    def test_connect_to(self) -> None:
        """The name in the URL need not lead there."""
        with peer("websockets") as port:
            assert wsping("ws://nonexistent.invalid/", "-c", "1", "--connect-to", f"127.0.0.1:{port}").returncode == 0

    @pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
    def test_proxy(self, certificates: Path, is_secure: bool) -> None:
        """By --proxy, with credentials, or by the environment; the proxy resolves the name."""
        files = (certificates / "server.pem", certificates / "server.key") if is_secure else ()
        scheme = "wss" if is_secure else "ws"
        with peer("websockets", *files) as port, ConnectProxy() as proxy:
            url, common = f"{scheme}://localhost:{port}/", ("-c", "1", "--ca", certificates / "ca.pem")
            address = f"http://me:secret@127.0.0.1:{proxy.port}"
            assert wsping(url, *common, "--proxy", address).returncode == 0
            assert proxy.seen[-1][0] == f"CONNECT localhost:{port} HTTP/1.1"
            assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.seen[-1]
            name = "HTTPS_PROXY" if is_secure else "http_proxy"
            assert wsping(url, *common, environment={name: address}).returncode == 0
            assert len(proxy.seen) == 2
            assert wsping(url, *common, environment={name: address, "no_proxy": "localhost"}).returncode == 0
            assert wsping(url, *common, "--no-proxy", environment={name: address}).returncode == 0
            assert len(proxy.seen) == 2
