"""What a request names: its target (RFC 9112 section 3.2) and its Host. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from wsdaemon.origins import host_allowed


def origin_form(target: bytes) -> bytes:
    """Return the path and query of a request target, which may be a whole URL (RFC 9112 section 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https", b"ws", b"wss"):
        return target
    ends = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
    path = rest[min(ends) :] if ends else b""
    return path if path.startswith(b"/") else b"/" + path


def names_server(target: bytes, hosts: Sequence[bytes], is_secure: bool, names: Sequence[str]) -> bool:
    """Say whether a request names this server, in its Host and in a target that is a URL; any name will do if none
    are configured."""
    if not names:
        return True
    scheme, separator, rest = target.partition(b"://")
    if separator and not scheme.startswith(b"/"):
        hosts = [*hosts, rest.partition(b"/")[0].partition(b"?")[0]]
    return bool(hosts) and all(host_allowed(host.decode("latin-1").strip(" \t"), is_secure, names) for host in hosts)
