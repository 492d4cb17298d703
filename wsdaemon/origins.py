"""Hosts that are this server's, and web origins (RFC 6454) that may open a WebSocket.

A browser sends the page's origin with every upgrade, so an allow-list keeps the pages of other sites out. It keeps no
other client out: those can send any origin.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a host in lower case and a port; `str` always writes the port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@lru_cache(maxsize=256)
def parse_host(text: str, default_port: int) -> tuple[str, int]:
    """Return the host and port in a Host header or in the authority of an origin.

    Raises `ValueError` if `text` is not `host`, `host:port`, or the same with an IPv6 address in brackets.
    """
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@?#\\\x00-\x20\x7f-\U0010ffff]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a host")
    host = match[1].lower()
    if host.startswith("["):
        host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
    port = default_port if match[2] is None else int(match[2])
    if not 0 < port < 65536:
        raise ValueError(f"{text!r} has no valid port")
    return host, port


def names_server(target: bytes, hosts: Sequence[bytes], is_secure: bool, names: Sequence[str]) -> bool:
    """Return whether a request names this server, in its Host and in a target that is a URL (RFC 9112 section 3.2).

    `names` are normal forms of hosts, with a port or for all ports; if there are none, any name will do.
    """
    if not names:
        return True
    scheme, separator, rest = target.partition(b"://")
    if separator and not scheme.startswith(b"/"):
        hosts = [*hosts, rest.partition(b"/")[0].partition(b"?")[0]]
    default_port = _DEFAULT_PORTS["https" if is_secure else "http"]
    try:
        given = [parse_host(host.decode("latin-1").strip(" \t"), default_port) for host in hosts]
    except ValueError:
        return False
    return bool(given) and all(host in names or f"{host}:{port}" in names for host, port in given)


def parse_origin(text: str) -> Origin:
    """Parse a serialized origin (RFC 6454 section 6.2); raises `ValueError` for anything else."""
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise ValueError(f"{text!r} is not an origin as https://example.org")
    scheme = scheme.lower()
    try:
        host, port = parse_host(rest, _DEFAULT_PORTS.get(scheme, 0) or 1)
    except ValueError:
        raise ValueError(f"{text!r} is not an origin as https://example.org") from None
    return Origin(scheme, host, port if ":" in rest.rpartition("]")[2] else _DEFAULT_PORTS.get(scheme, 0))


def origin_allowed(origin: str | None, host: str, is_secure: bool, allowed: Sequence[str]) -> bool:
    """Return whether a client that sent this Origin header may connect.

    `allowed` contains normal forms of origins, `same` (the scheme of this transport with the Host header), or `*`. A
    client without an Origin is not a browser and is allowed; `null` (a sandboxed or local page) needs `*`.
    """
    if origin is None or "*" in allowed:
        return True
    try:
        normal = parse_origin(origin)
    except ValueError:
        return False
    if str(normal) in allowed:
        return True
    if "same" not in allowed:
        return False
    scheme = "https" if is_secure else "http"
    try:
        return normal == Origin(scheme, *parse_host(host, _DEFAULT_PORTS[scheme]))
    except ValueError:
        return False
