"""The opening handshake as the server reads it (RFC 6455 section 4.2.1): headers in, a `Handshake` or a refusal out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from wsdaemon.origins import parse_host

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"expect", b"trailer"))
_VERSION = "13"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MOST_EXTENSIONS = 32
"""Offers of extensions beyond this number are declined unread: parsing a header full of them takes long."""

_SPACE = " \t"  # optional whitespace (RFC 9110 section 5.6.3); Python's strip() would remove a no-break space too


class HandshakeRefused(Exception):
    """The request cannot become a WebSocket: the status to answer with, why, and headers for the answer."""

    def __init__(self, status: int, reason: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)


@dataclass(frozen=True, slots=True)
class Handshake:
    """A complete and correct opening handshake."""

    target: str
    host: str
    origin: str | None
    key: str
    subprotocols: tuple[str, ...]  # in the client's order
    extensions: str  # the Sec-WebSocket-Extensions headers, joined by commas
    headers: Sequence[tuple[bytes, bytes]] = field(default=(), compare=False)  # all, as they came

    @property
    def first_segment(self) -> str:
        """The first segment of the target's path: `echo` for /echo/x?y=z."""
        return self.target.partition("?")[0].lstrip("/").partition("/")[0]


@dataclass(slots=True)
class Lease:
    """A connection's place under `max_connections`, from accept until the socket is gone; may be released twice."""

    _release: Callable[[], None] | None

    def release(self) -> None:
        """Give the place back."""
        release, self._release = self._release, None
        if release is not None:
            release()


@dataclass(frozen=True, slots=True)
class Request:
    """What a connection is given when it begins."""

    handshake: Handshake
    subprotocol: str | None
    """The subprotocol to name in the answer: one of those offered, or None to name none."""
    lease: Lease | None = None
    """The connection's place under `max_connections`, to be released when the transport is gone."""
    early: bytes = b""
    """Input that arrived behind the request."""


def split_plain_upgrade(
    data: bytes, *, limit: int, max_headers: int
) -> tuple[bytes, list[tuple[bytes, bytes]], bytes] | None:
    """Split a whole and plainly right request for an upgrade into target, headers and the bytes behind it.

    None for any other request, which an HTTP parser has to read: one with a body, over `limit` bytes or `max_headers`,
    with a line that is no plain header, or without an upgrade. `read_handshake` checks the values.
    """
    end = data.find(b"\r\n\r\n")
    if not 0 < end <= limit - 4 or not data.startswith(b"GET /"):
        return None
    first, *lines = data[:end].split(b"\r\n")
    _, _, rest = first.partition(b" ")
    target, _, version = rest.partition(b" ")
    if version != b"HTTP/1.1" or len(lines) > max_headers:
        return None
    headers = []
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.strip(b" \t")
        if not value or not name or name.translate(None, _TOKEN_BYTES):
            return None
        headers.append((name, value))
    names = {name.lower() for name, _ in headers}
    if names & _NOT_PLAIN or not wants_upgrade(b"GET", headers):
        return None
    return target, headers, data[end + 4 :]


def wants_upgrade(method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Say whether a request asks for a WebSocket: a GET whose Upgrade header has the token `websocket`."""
    return method == b"GET" and any(
        name.lower() == b"upgrade" and any(token.strip().lower() == b"websocket" for token in value.split(b","))
        for name, value in headers
    )


def read_handshake(target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Handshake:
    """Check a request that wants an upgrade; raises `HandshakeRefused` with 400, or 426 for another version."""
    if version != b"HTTP/1.1":
        raise HandshakeRefused(400, "A WebSocket handshake needs HTTP/1.1.")
    for name, value in headers:
        if _FORBIDDEN.search(value):
            raise HandshakeRefused(400, f"The {_printable(name)} header holds a control character.")
    if b"#" in target or not target.startswith(b"/") or not all(0x21 <= byte <= 0x7E for byte in target):
        raise HandshakeRefused(400, "The request's target is not a path.")
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip(_SPACE))
    if "upgrade" not in _list(by_name, "connection", lower=True):
        raise HandshakeRefused(400, "The Connection header does not name upgrade.")
    if "transfer-encoding" in by_name or any(length.strip("0") for length in by_name.get("content-length", ())):
        raise HandshakeRefused(400, "A WebSocket handshake has no body.")
    host = _single(by_name, "host", "Host")
    try:
        parse_host(host, 80)
    except ValueError:
        raise HandshakeRefused(400, "The Host header names no host.") from None
    if _single(by_name, "sec-websocket-version", "Sec-WebSocket-Version") != _VERSION:
        raise HandshakeRefused(426, "Only WebSocket version 13 is spoken here.", [("Sec-WebSocket-Version", _VERSION)])
    if len(by_name.get("origin", ())) > 1:
        raise HandshakeRefused(400, "There is more than one Origin header.")
    return Handshake(
        target=target.decode("ascii"),
        host=host,
        origin=by_name.get("origin", [None])[0],
        key=_key(by_name),
        subprotocols=_subprotocols(by_name),
        extensions=",".join(",".join(by_name.get("sec-websocket-extensions", ())).split(",")[:MOST_EXTENSIONS]),
        headers=headers,
    )


def accept_token(key: str) -> str:
    """Return the Sec-WebSocket-Accept header's value for a key (RFC 6455 section 4.2.2, item 5.4)."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def switching_response(
    accepts: Iterable[str], subprotocol: str | None, extensions: str, more: Iterable[str] = ()
) -> bytes:
    """Return a 101 (RFC 6455 section 4.2.2) with these Sec-WebSocket-Accept headers and `more` header lines."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: WebSocket", "Connection: Upgrade"]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    lines += [f"Sec-WebSocket-Accept: {accept}" for accept in accepts]
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return "\r\n".join([*lines, *more, "", ""]).encode()


def _key(by_name: dict[str, list[str]]) -> str:
    key = _single(by_name, "sec-websocket-key", "Sec-WebSocket-Key")
    try:
        length = len(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if length != 16 or len(key) != 24:
        raise HandshakeRefused(400, "The Sec-WebSocket-Key header is not 16 bytes in base64.")
    return key


def _subprotocols(by_name: dict[str, list[str]]) -> tuple[str, ...]:
    if "sec-websocket-protocol" not in by_name:
        return ()
    offered = _list(by_name, "sec-websocket-protocol")
    if not all(_TOKEN.fullmatch(name) for name in offered) or len(set(offered)) != len(offered):
        raise HandshakeRefused(400, "The Sec-WebSocket-Protocol header is not a list of distinct names.")
    return tuple(offered)


def _list(by_name: dict[str, list[str]], name: str, *, lower: bool = False) -> list[str]:
    return [
        (word.lower() if lower else word).strip(_SPACE) for value in by_name.get(name, ()) for word in value.split(",")
    ]


def _single(by_name: dict[str, list[str]], name: str, written: str) -> str:
    values = by_name.get(name, ())
    if len(values) != 1:
        raise HandshakeRefused(400, f"There is {'more than one' if values else 'no'} {written} header.")
    return values[0]


def _printable(name: bytes) -> str:
    return name.decode("ascii", "replace")
