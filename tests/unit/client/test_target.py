"""A target: the URL and the options of a connection, checked before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsdaemon.client import parse_target
from wsdaemon.client.target import parse_address, proxy_from_environment


class TestTarget:
    """URLs and options are checked before anything is sent."""

    @pytest.mark.parametrize(
        ("url", "host", "port", "is_secure", "resource", "authority"),
        [
            ("ws://localhost", "localhost", 80, False, "/", "localhost"),
            ("WSS://Example.org:443/a?b=c", "example.org", 443, True, "/a?b=c", "example.org"),
            ("http://localhost:8080/echo", "localhost", 8080, False, "/echo", "localhost:8080"),
            ("https://localhost:80/", "localhost", 80, True, "/", "localhost:80"),
            ("ws://[::1]:81/x", "::1", 81, False, "/x", "[::1]:81"),
            ("ws://bücher.example/ä b?q=ö%20", "xn--bcher-kva.example", 80, False, "/%C3%A4%20b?q=%C3%B6%20",
             "xn--bcher-kva.example"),
        ],
    )  # fmt: skip
    def test_urls(self, url: str, host: str, port: int, is_secure: bool, resource: str, authority: str) -> None:
        target = parse_target(url)
        assert (target.host, target.port, target.is_secure) == (host, port, is_secure)
        assert (target.resource, target.authority) == (resource, authority)

    @pytest.mark.parametrize(
        ("url", "options", "message"),
        [
            ("localhost:8080", {}, "is not a WebSocket URL; write ws://HOST/PATH"),
            ("ftp://localhost/", {}, "is not a WebSocket URL"),
            ("ws:///path", {}, "is not a WebSocket URL"),
            ("ws://localhost:99999/", {}, "is not a URL: Port out of range"),
            ("ws://localhost:0/", {}, "names no possible port"),
            ("ws://[::1/", {}, "is not a URL"),
            ("ws://localhost/#x", {}, "has a fragment"),
            ("ws://a b/", {}, "is not a host's name"),
            ("ws://localhost/", {"headers": [("X", "a\r\nY: b")]}, "is not a header"),
            ("ws://localhost/", {"headers": [("X Y", "a")]}, "is not a header"),
            ("ws://localhost/", {"origin": "a\nb"}, "is not a header"),
            ("ws://localhost/", {"headers": [("sec-websocket-key", "a")]}, "cannot be given: it is random"),
            ("ws://localhost/", {"subprotocols": ("a b",)}, "is not a subprotocol's name"),
            ("ws://localhost/", {"subprotocols": ("a", "a")}, "offered twice"),
            ("ws://localhost/", {"compression": "nonsense"}, "are not parameters of permessage-deflate"),
            ("ws://localhost/", {"compression": "server_max_window_bits=99"}, "are not parameters"),
            ("ws://localhost/", {"timeout": 0}, "timeout is a number over 0, not 0"),
            ("ws://localhost/", {"private_key": Path("x")}, "but no certificate"),
            ("ws://localhost/", {"proxy": "socks5://x:1"}, "is not a proxy that can be used"),
            ("ws://localhost/", {"proxy": "http://x", "connect_to": "y"}, "exclude each other"),
            ("ws://localhost/", {"connect_to": "a:b:c"}, "is not an address"),
            ("ws://localhost/", {"connect_to": "a:99999"}, "names no possible port"),
            ("ws://localhost/", {"connect_to": "[fe80::1%]"}, "'fe80::1%' is not a host's name"),
            ("ws://[fe80::1%]/", {}, "is not a"),
            ("ws://[v1.x:y]/", {}, "is not a host's name"),
        ],
    )  # fmt: skip
    def test_what_is_wrong(self, url: str, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            parse_target(url, **options)

    def test_addresses(self) -> None:
        assert parse_address("127.0.0.1", 80) == ("127.0.0.1", 80)
        assert parse_address("name:81", 80) == ("name", 81)
        assert parse_address("::1", 80) == parse_address("[::1]", 80) == ("::1", 80)
        assert parse_address("[::1]:81", 80) == ("::1", 81)

    @pytest.mark.parametrize(
        ("url", "environment", "proxy"),
        [
            ("ws://a/", {"http_proxy": "http://p:1"}, "http://p:1"),
            ("ws://a/", {"https_proxy": "http://p:1"}, None),
            ("wss://a/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
            ("wss://a/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
            ("wss://a/", {"all_proxy": "http://p:1", "no_proxy": "b,a"}, None),
            ("wss://a:8443/", {"all_proxy": "http://p:1", "NO_PROXY": "a:8443"}, None),
            ("wss://a/", {"all_proxy": "http://p:1", "no_proxy": "a:8443"}, "http://p:1"),
            ("wss://x.a/", {"all_proxy": "http://p:1", "no_proxy": "*"}, None),
        ],
    )
    def test_proxies_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], proxy: str | None
    ) -> None:
        for name in ("http", "https", "all", "no"):
            monkeypatch.delenv(f"{name}_proxy", raising=False)
            monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert proxy_from_environment(parse_target(url)) == proxy
