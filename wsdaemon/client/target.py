"""The target of a connection: an endpoint and how to reach it, from a URL and options."""

from __future__ import annotations

import base64
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import idna
from autobahn.websocket.compress import PerMessageDeflateOffer

from wsdaemon.client.flags import Number, check, flag

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


def read_header(text: str) -> tuple[str, str]:
    """Return the name and value of a header; raises `ValueError`."""
    name, separator, value = text.partition(":")
    if not separator:
        raise ValueError(f"{text!r} is not a header; write NAME:VALUE")
    return name.strip(), value.strip()


@dataclass(frozen=True, kw_only=True)
class Target:
    """A WebSocket endpoint and how to reach it; `parse_target` makes one and checks it."""

    url: str
    host: str
    """A name in its ASCII form, or an IP address without brackets."""
    port: int
    is_secure: bool
    resource: str
    """Path and query."""
    headers: tuple[tuple[str, str], ...] = flag(
        (), "--header", metavar="NAME:VALUE", read=read_header, many=True,
        text="send one more header; repeatable", more="`Host` and `User-Agent` replace ours.",
    )  # fmt: skip
    origin: str | None = flag(None, "--origin", metavar="ORIGIN", text="send an Origin header, as a browser does")
    subprotocols: tuple[str, ...] = flag(
        (), "--subprotocol", metavar="NAME", many=True, text="offer a subprotocol; repeatable, in order of preference",
    )  # fmt: skip
    compression: str | None = flag(
        None, "--compress", metavar="PARAMETERS", bare="", text="offer permessage-deflate, with these parameters",
        more="For example `--compress 'server_max_window_bits=10; client_max_window_bits'`.",
        off=("--no-compress", "offer no compression (default)", None),
    )  # fmt: skip
    ca: Path | None = flag(
        None, "--ca", metavar="FILE", read=Path, shown="the system's",
        text="trust the authorities in this PEM file, and no others",
    )  # fmt: skip
    certificate: Path | None = flag(
        None, "--cert", metavar="FILE", read=Path,
        text="show the server this certificate, with its chain, in PEM",
    )  # fmt: skip
    private_key: Path | None = flag(
        None, "--key", metavar="FILE", read=Path, shown="in the file of --cert", text="its private key, in PEM",
    )  # fmt: skip
    insecure: bool = flag(False, "--insecure", text="do not verify the server's certificate")
    connect_to: str | None = flag(
        None, "--connect-to", metavar="ADDRESS[:PORT]", text="open TCP to this address instead of the URL's",
        more="TLS and the Host header keep the URL's name.",
    )  # fmt: skip
    proxy: str | None = flag(
        None, "--proxy", metavar="URL", shown="the environment's", text="go through an HTTP proxy, by CONNECT",
        more="`http://[user:password@]host:port`. The environment's are `https_proxy` for wss, `http_proxy` for ws, "
        "else `all_proxy`, and `no_proxy` lists exceptions; upper-case names count too.",
        off=("--no-proxy", "use no proxy, whatever the environment says", None),
    )  # fmt: skip
    timeout: float = flag(
        10.0, "--timeout", metavar="S", read=Number(float, 0, exceeds=True),
        text="seconds that connecting may take, and a closing handshake",
        more="Connecting lasts from looking up the name to the 101.",
    )  # fmt: skip

    @property
    def authority(self) -> str:
        """The Host header's value: the host, and the port unless it is the scheme's default."""
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

    A user and password in the URL become an Authorization header. Raises `ValueError` with a sentence for people.
    """
    parts, port = _split(url, "a URL")
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
    """Return a proxy's host, port and Proxy-Authorization value, None without one; raises `ValueError`."""
    parts, port = _split(url, "a proxy's URL", scheme="" if "://" in url else "http://")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not a proxy that can be used; write http://HOST:PORT")
    return ascii_host(parts.hostname), port or 80, None if parts.username is None else basic_credentials(parts)


def _split(url: str, what: str, scheme: str = "") -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(scheme + url)
        return parts, parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not {what}: {error}") from None


def proxy_from_environment(target: Target) -> str | None:
    """Return the proxy that the environment names for a target, or None.

    That is `https_proxy` for wss or `http_proxy` for ws, else `all_proxy`, unless `no_proxy` lists the target;
    upper-case names count too.
    """
    proxies: Mapping[str, str] = urllib.request.getproxies()
    if any(map(urllib.request.proxy_bypass, (f"{bracketed(target.host)}:{target.port}", target.host))):
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
    """Return a host's name in its ASCII form (IDNA 2008); raises `ValueError`."""
    if host.isascii():
        if not re.fullmatch(r"[!-~]+", host) or (":" in host and address_of(host) is None):
            raise ValueError(f"{host!r} is not a host's name")
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} is not a host's name: {error}") from None


def address_of(host: str) -> str | None:
    """Return the IP address that a host is, without an IPv6 zone, which no certificate has; None for a name."""
    try:
        ip_address(host)
    except ValueError:
        return None
    return host.partition("%")[0]


def bracketed(host: str) -> str:
    """Return the host as a URL has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def basic_credentials(parts: SplitResult) -> str:
    """Return the Basic credentials (RFC 7617) of a URL's user and password."""
    text = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def parse_deflate(text: str) -> PerMessageDeflateOffer:
    """Return the offer of permessage-deflate with parameters separated by semicolons; raises `ValueError`."""
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
    """Raise `ValueError` for options that a handshake cannot carry, or that exclude each other."""
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
    check(target)
    if target.private_key is not None and target.certificate is None:
        raise ValueError("there is a private key, but no certificate")
    _ = target.tcp_address  # raises for a wrong one
    if target.proxy is not None and target.connect_to is not None:
        raise ValueError("a proxy and another address to connect to exclude each other")
