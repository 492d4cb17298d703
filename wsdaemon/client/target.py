"""What to connect to and how: a URL and options -> a checked `Target`."""

from __future__ import annotations

import base64
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import idna
from autobahn.websocket.compress import PerMessageDeflateOffer

_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_OURS = {
    "connection": "it is always Upgrade",
    "upgrade": "it is always websocket",
    "sec-websocket-key": "it is random",
    "sec-websocket-version": "it is always 13",
    "sec-websocket-protocol": "offer subprotocols instead",
    "sec-websocket-extensions": "offer compression instead",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A WebSocket endpoint and how to reach it; `parse_target` makes one and checks it."""

    url: str
    host: str
    """A name in its ASCII form, or an address, an IPv6 one without brackets."""
    port: int
    is_secure: bool
    resource: str
    """What the request asks for: path and query."""
    headers: tuple[tuple[str, str], ...] = ()
    """More headers for the handshake; Host and User-Agent take the place of ours."""
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    compression: str | None = None
    """None: no offer; else the parameters of permessage-deflate that are offered, "" for none."""
    timeout: float = 10.0
    """How long it may take until the connection is open, and how long a closing handshake may take, in seconds."""
    ca: Path | None = None
    """The authorities to trust, in PEM, in place of the system's."""
    certificate: Path | None = None
    """The certificate, with its chain, that the client shows, in PEM."""
    private_key: Path | None = None
    """The certificate's key, in PEM; None: it is in the certificate's file."""
    insecure: bool = False
    """Do not verify the server's certificate."""
    connect_to: str | None = None
    """ADDRESS or ADDRESS:PORT to open TCP to, in place of the URL's."""
    proxy: str | None = None
    """The HTTP proxy to ask for a tunnel by CONNECT: http://[user:password@]host:port."""

    @property
    def authority(self) -> str:
        """The host, and the port where it is not the scheme's own, as the Host header has them."""
        host = bracketed(self.host)
        return host if self.port == _PORTS["wss" if self.is_secure else "ws"] else f"{host}:{self.port}"

    @property
    def tcp_address(self) -> tuple[str, int]:
        """The host and port to open TCP to: the proxy's, else those of `connect_to`, else the URL's."""
        if self.proxy is not None:
            return parse_proxy(self.proxy)[:2]
        return (self.host, self.port) if self.connect_to is None else parse_address(self.connect_to, self.port)


def parse_target(url: str, **options: Any) -> Target:
    """Return the target that a ws, wss, http or https URL names; `options` are `Target`'s other fields.

    A user and password in the URL become an Authorization header. Raises `ValueError`, with a sentence that says what
    is wrong.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not a WebSocket URL; write ws://HOST/PATH or wss://HOST/PATH")
    if "#" in url:
        raise ValueError(f"{url!r} has a fragment, which a WebSocket URL cannot have; write # as %23")
    if port == 0:
        raise ValueError(f"{url!r} names no possible port")
    resource = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query or url.endswith("?"):
        resource += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    headers = tuple(options.pop("headers", ()))
    if parts.username is not None:
        headers = (("Authorization", basic_credentials(parts)), *headers)
    target = Target(
        url=url,
        host=ascii_host(parts.hostname),
        port=port or _PORTS[parts.scheme],
        is_secure=parts.scheme in ("wss", "https"),
        resource=resource,
        headers=headers,
        **options,
    )
    _check(target)
    return target


def parse_proxy(url: str) -> tuple[str, int, str | None]:
    """Return a proxy's host, port and the value of its Proxy-Authorization header, if any; raises `ValueError`."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a proxy's URL: {error}") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not a proxy that can be used; write http://HOST:PORT")
    return ascii_host(parts.hostname), port or 80, None if parts.username is None else basic_credentials(parts)


def proxy_from_environment(target: Target) -> str | None:
    """Return the proxy that the environment names for a target: https_proxy, http_proxy, all_proxy and no_proxy.

    For wss it is `https_proxy`, for ws `http_proxy`, else `all_proxy`; the names may be upper-case too, as urllib
    reads them.
    """
    proxies: Mapping[str, str] = urllib.request.getproxies()
    if urllib.request.proxy_bypass(f"{bracketed(target.host)}:{target.port}") or urllib.request.proxy_bypass(
        target.host
    ):
        return None
    return proxies.get("https" if target.is_secure else "http") or proxies.get("all") or None


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """Return the host and port that ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT names; raises `ValueError`."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([^:\s]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        try:
            return str(IPv6Address(text)), default_port
        except ValueError:
            raise ValueError(f"{text!r} is not an address; write ADDRESS or ADDRESS:PORT") from None
    port = int(match[2] or match[4] or default_port)
    if not 0 < port < 65536:
        raise ValueError(f"{text!r} names no possible port")
    return ascii_host(match[1] or match[3]), port


def ascii_host(host: str) -> str:
    """Return a host's name as DNS and TLS have it (IDNA 2008); raises `ValueError`."""
    if host.isascii():
        if not re.fullmatch(r"[!-~]+", host):
            raise ValueError(f"{host!r} is not a host's name")
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} is not a host's name: {error}") from None


def bracketed(host: str) -> str:
    """Return the host as URLs and headers have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def basic_credentials(parts: SplitResult) -> str:
    """Return the credentials (RFC 7617) of the user and password that a URL names."""
    text = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def parse_deflate(text: str) -> PerMessageDeflateOffer:
    """Return the offer that permessage-deflate's parameters, divided by semicolons, make; raises `ValueError`."""
    parameters: dict[str, list[str | bool]] = {}
    for part in filter(None, (each.strip() for each in text.split(";"))):
        name, separator, value = part.partition("=")
        parameters.setdefault(name.strip(), []).append(value.strip().strip('"') if separator else True)
    try:
        offer: PerMessageDeflateOffer = PerMessageDeflateOffer.parse(parameters)
    except Exception as error:  # Autobahn raises bare Exception
        raise ValueError(f"{text!r} are not parameters of permessage-deflate: {error}") from None
    return offer


def _check(target: Target) -> None:
    """Raise `ValueError` for what a handshake cannot carry, or what cannot be followed."""
    for name, value in (*target.headers, *([("Origin", target.origin)] if target.origin is not None else [])):
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"{name}: {value!r} is not a header")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} cannot be given: {_OURS[name.lower()]}")
    for subprotocol in target.subprotocols:
        if not _TOKEN.fullmatch(subprotocol):
            raise ValueError(f"{subprotocol!r} is not a subprotocol's name: it may hold no space and no separator")
    if len(set(target.subprotocols)) != len(target.subprotocols):
        raise ValueError("a subprotocol is offered twice")
    if target.compression is not None:
        parse_deflate(target.compression)
    if not target.timeout > 0:
        raise ValueError("the timeout has to be over 0 seconds")
    if target.private_key is not None and target.certificate is None:
        raise ValueError("there is a private key, but no certificate")
    _ = target.tcp_address  # raises for a wrong one
    if target.proxy is not None and target.connect_to is not None:
        raise ValueError("a proxy and another address to connect to exclude each other")
