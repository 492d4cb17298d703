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


@pytest.fixture(scope="module")
def tls_port(certificates: Path) -> Iterator[int]:
    """The port of a server with that certificate."""
    with peer("websockets", certificates / "server.pem", certificates / "server.key") as port:
        yield port


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
        """Text and binary, small, fragmented and large, compressed, and pings; over TLS, several records too."""
        files = (certificates / "server.pem", certificates / "server.key") if is_secure else ()
        with any_peer(kind, *files) as port:
            url = f"wss://localhost:{port}/" if is_secure else f"ws://localhost:{port}/"
            trust = ("--ca", certificates / "ca.pem")
            runs: list[tuple[str, ...]] = [("-C", "3"), ("-s", "300000", "-f", "65535"), ("--compress",)]
            if not is_secure:
                runs += [
                    (), ("-b",), ("-s", "0"), ("-s", "100", "-f", "7"), ("-s", "65536", "-f", "0"), ("--ping",),
                    ("-P", "what-ever"),
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

    @pytest.mark.parametrize(
        ("url", "options", "cause"),
        [
            ("wss://localhost:{port}/", "", "cannot be verified: its authority is not known"),
            ("wss://localhost:{port}/", "--ca {ca}", ""),
            ("wss://127.0.0.1:{port}/", "--ca {ca}", ""),  # by the address in the certificate
            ("wss://127.0.0.2/", "--ca {ca} --connect-to 127.0.0.1:{port}", "is not for 127.0.0.2"),
            ("wss://localhost/", "--ca {ca} --connect-to 127.0.0.1:{port}", ""),
            ("wss://example.org/", "--ca {ca} --connect-to 127.0.0.1:{port}", "is not for example.org"),
        ],
    )
    def test_verified(self, tls_port: int, certificates: Path, url: str, options: str, cause: str) -> None:
        """The authority is the system's or that of --ca; --connect-to keeps the URL's name, which need not resolve."""
        found = {"port": tls_port, "ca": certificates / "ca.pem"}
        shown = wsping(url.format(**found), "-c", "1", *options.format(**found).split())
        assert shown.returncode == (3 if cause else 0)
        assert f"the server's certificate {cause}" in shown.stderr or not cause

    def test_expired(self, certificates: Path, tmp_path: Path) -> None:
        old = Identity("old", days=-1).write(tmp_path, "old")
        with peer("websockets", *old) as port:
            shown = wsping(f"wss://localhost:{port}/", "--ca", old[0])
        assert shown.returncode == 3
        assert "the server's certificate cannot be verified: it has expired" in shown.stderr

    def test_client_certificates(self, certificates: Path) -> None:
        """A server that asks for one gets it; without one, the failure is named."""
        with peer(
            "websockets", certificates / "server.pem", certificates / "server.key", certificates / "ca.pem"
        ) as port:
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
