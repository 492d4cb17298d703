"""A client's opening handshake (RFC 6455 section 4.1). Pure: bytes in and out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version

from wsdaemon.client.errors import CannotConnect
from wsdaemon.client.target import Target, bracketed, parse_proxy

HEAD_LIMIT = 64 << 10
"""The longest head of a server's or a proxy's response, in bytes."""

BODY_LIMIT = 2 << 10
"""How much is kept of a refusal's body, in bytes."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?")
_KEPT = ("upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions")
_AGENT = f"wsdaemon/{version('wsdaemon')}"


@dataclass(frozen=True, slots=True)
class Response:
    """The head of an HTTP response; `headers` have the order and spelling of their sender."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Return the values of all headers with the name `name`, which is in lower case."""
        return [value for each, value in self.headers if each.lower() == name]

    @property
    def body_length(self) -> int:
        """How much of the body to wait for, in bytes: what Content-Length says, at most `BODY_LIMIT`."""
        lengths = self.values("content-length")
        return min(int(lengths[0]), BODY_LIMIT) if len(lengths) == 1 and lengths[0].isdecimal() else BODY_LIMIT

    def for_autobahn(self) -> bytes:
        """Return the head with only the headers that Autobahn reads, and no value that breaks its parser."""
        lines = [f"HTTP/{self.version} {self.status} -"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() in _KEPT and value.isprintable()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def request(target: Target, key: str) -> bytes:
    """Return the handshake's request; `key` is Sec-WebSocket-Key's value."""
    given = {name.lower() for name, _ in target.headers}
    headers = [("Host", target.authority), ("User-Agent", _AGENT), ("Origin", target.origin or "")]
    lines = [f"GET {target.resource} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers if value and name.lower() not in given]
    lines += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    if target.subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(target.subprotocols)}")
    if target.compression is not None:
        offer = "; ".join(["permessage-deflate", *filter(None, map(str.strip, target.compression.split(";")))])
        lines.append(f"Sec-WebSocket-Extensions: {offer}")
    lines += [f"{name}: {value}" for name, value in target.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def proxy_request(target: Target) -> bytes:
    """Return the request for a tunnel (RFC 9110 section 9.3.6) to the target."""
    authority = f"{bracketed(target.host)}:{target.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    _, _, credentials = parse_proxy(target.proxy or "")
    if credentials is not None:
        lines.append(f"Proxy-Authorization: {credentials}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def read_response(data: bytes, step: str) -> tuple[Response, int] | None:
    """Return the head of a response and its length; None while it is incomplete.

    Raises `CannotConnect` for `step` if `data` is no HTTP/1 response, or its head is over `HEAD_LIMIT`.
    """
    end = data.find(b"\r\n\r\n", 0, HEAD_LIMIT)
    if not b"HTTP/1.".startswith(data[:7]) or (end >= 0 and _STATUS_LINE.fullmatch(data[: data.find(b"\r\n")]) is None):
        raise CannotConnect(step, f"the answer is not HTTP: it begins with {data[:40]!r}")
    if end < 0:
        if len(data) >= HEAD_LIMIT:
            raise CannotConnect(step, f"the head of the answer is over {HEAD_LIMIT >> 10} KiB")
        return None
    status_line, *lines = data[:end].split(b"\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    assert match is not None  # noqa: S101  # checked above
    headers = tuple(
        (name.decode("latin-1").strip(), value.decode("latin-1").strip())
        for name, separator, value in (line.partition(b":") for line in lines)
        if separator
    )
    response = Response(f"1.{match[1].decode()}", int(match[2]), (match[3] or b"").decode("latin-1").strip(), headers)
    return response, end + 4


def chosen_subprotocol(response: Response, offered: tuple[str, ...]) -> str | None:
    """Return the subprotocol that the server chose; raises `CannotConnect` for one that was not offered."""
    chosen = response.values("sec-websocket-protocol")
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in offered:
        raise CannotConnect("upgrade", f"the server chose the subprotocol {', '.join(chosen)!r}, which was not offered")
    return chosen[0]
