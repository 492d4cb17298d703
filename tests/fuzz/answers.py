"""Checks that every byte of a connection's responses keeps the promises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from tests.fuzz.docroot import SECRET, Tree
from tests.support.http_client import Response, take_response
from tests.support.wire import CLOSE, CONTINUATION, PING, PONG, Frame, take_frames
from wsdaemon.site.pages import POLICY

SITE_POLICY = "default-src 'self'"
"""The Content-Security-Policy that the fuzzed site is configured with."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MAX_PAGE = 32 << 10
_DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
_DEFLATE = r"permessage-deflate(; (server|client)_(no_context_takeover|max_window_bits=(9|1[0-5])))*"
_NAMES = "(org.ietf.websocket.test-)?echo(-(broadcast|assemble|fragment))?|lws-mirror-protocol|echo-broadcast-ping|log"

# All headers that there may be, and what they may say: none is there that the server did not mean.
_HEADERS = {
    "date": _DATE,
    "x-content-type-options": "nosniff",
    "content-length": "[0-9]{1,9}",
    "content-type": r'[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?|multipart/byteranges; boundary="[0-9A-Za-z]+"',
    "content-security-policy": "|".join(map(re.escape, (POLICY, SITE_POLICY))),
    "etag": '"-?[0-9a-f]+-[0-9a-f]+"',
    "last-modified": _DATE,
    "accept-ranges": "bytes",
    "content-range": r"bytes ([0-9]+-[0-9]+|\*)/[0-9]+",
    "location": r"/([!-.0-[\]-~][!-[\]-~]*)?(\?[!-~]*)?",
    "allow": "GET, HEAD",
    "connection": "close",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
}
_UPGRADED = {
    "upgrade": "WebSocket",
    "connection": "Upgrade",
    "sec-websocket-accept": "[A-Za-z0-9+/]{27}=",
    "sec-websocket-protocol": _NAMES,
    "sec-websocket-extensions": _DEFLATE,
}


@dataclass(frozen=True)
class Asked:
    """A request as the server parsed it; kept in the order of arrival."""

    method: bytes
    target: bytes
    headers: Mapping[bytes, list[bytes]]


def check_answers(data: bytes, asked: list[Asked], tree: Tree, *, whole: bool, sent: bytes) -> None:
    """Assert that `data` is one right answer to each request, and at most a refusal behind them.

    `whole` says that the client took all it got; else it may break off anywhere. `sent` is what the client sent.
    """
    assert SECRET not in data or SECRET in sent, "bytes from outside of the docroot"
    waiting = list(asked)
    while data:
        data = data.removeprefix(_CONTINUE)
        request = waiting.pop(0) if waiting else None
        taken = take_response(data, request.method.decode() if request else "GET", ended=True)
        if taken is None:
            assert not whole, f"not a response: {data[:200]!r}"
            return
        response, data = taken
        assert response.status < 500, f"{response.status} for {request}"
        if request is None:
            check_refusal(response)
            assert data == b"", f"something follows a refusal: {data[:200]!r}"
        elif response.status == 101:
            _check_headers(response, _UPGRADED)
            check_frames(data, deflate=response["sec-websocket-extensions"] is not None, whole=whole)
            return
        else:
            assert response.complete or not whole, f"less than was announced for {request}"
            _check_response(response, request, tree)
    assert not waiting or not whole, f"no answer to {waiting}"


def check_refusal(response: Response) -> None:
    """Assert that it is the short response to input that is not HTTP, comes too late or has a body."""
    assert response.status in (400, 408, 413, 431), response
    expected = {"X-Content-Type-Options": "nosniff", "Content-Length": "0", "Connection": "close"}
    assert (len(response.headers), dict(response.headers)) == (3, expected), response
    assert response.body == b""


def check_frames(data: bytes, *, deflate: bool, whole: bool) -> None:
    """Assert that `data` is valid WebSocket frames of a server (RFC 6455 section 5), with nothing behind a Close."""
    frames, rest = take_frames(data)
    inside = False
    for index, frame in enumerate(frames):
        if frame.opcode in (CLOSE, PING, PONG):
            assert frame.fin, frame
            assert not frame.rsv, frame
            assert len(frame.payload) <= 125, frame
        else:
            assert frame.opcode in (0, 1, 2), frame
            assert (frame.opcode == CONTINUATION) == inside, f"fragments in a wrong order: {frame}"
            assert not frame.rsv or (frame.rsv == 4 and deflate and not inside), frame
            inside = not frame.fin
        if frame.opcode == CLOSE:
            _check_close(frame)
            assert (index, rest) == (len(frames) - 1, b""), "something follows the Close frame"
    # A large frame goes back while it comes in, so that it may be cut off as what came in was; others go out at once.
    assert not rest or not whole or rest[1] in (126, 127), f"not a frame: {rest[:20]!r}"


def _check_close(frame: Frame) -> None:
    if frame.payload:
        code = int.from_bytes(frame.payload[:2], "big")
        assert len(frame.payload) > 1, frame
        assert code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code < 5000, frame
        frame.payload[2:].decode()


def _check_headers(response: Response, allowed: Mapping[str, str]) -> None:
    for name, value in response.headers:
        pattern = allowed.get(name.lower())
        assert pattern is not None, f"a header that nobody meant: {name!r}: {value!r}"
        assert re.fullmatch(pattern, value), f"{name!r}: {value!r}"
        assert response[name] == value  # once


def _check_response(response: Response, request: Asked, tree: Tree) -> None:
    _check_headers(response, _HEADERS)
    assert response["x-content-type-options"] == "nosniff", response.headers
    assert response["date"] is not None
    assert response.status in (200, 206, 301, 304, 400, 403, 404, 405, 416, 426), response
    if response.status == 304:
        assert b"if-none-match" in request.headers or b"if-modified-since" in request.headers
        return
    assert response["content-length"] is not None
    if response.status in (206, 416):
        assert b"range" in request.headers
    if response.status == 301:
        location = urlsplit(urljoin("http://site.test/a/b", response["location"]))
        assert (location.scheme, location.netloc) == ("http", "site.test"), response.headers
    if response["etag"] is not None:
        _check_file(response, request, tree)
    else:
        assert len(response.body) <= _MAX_PAGE
        if response.status == 200:
            _check_listing(response.body, tree)


def _check_file(response: Response, request: Asked, tree: Tree) -> None:
    """Assert that the body is the file, or the announced parts of it, and not a byte more."""
    size = int((response["etag"] or "").strip('"').rpartition("-")[2], 16)
    content = tree.contents.get(size)
    assert content is not None, f"no file has {size} bytes"
    announced = int(response["content-length"] or "")
    kind = response["content-type"] or ""
    if response.status == 416:
        assert (announced, response["content-range"]) == (0, f"bytes */{size}")
    elif response.status == 206 and kind.startswith("multipart/"):
        _check_parts(response, kind, content)
    elif response.status == 206:
        part = _part(response["content-range"] or "", content)
        assert announced == len(part)
        assert response.body == part[: len(response.body)]
    else:
        assert response.status == 200
        assert announced == size
        assert response.body == (content[: len(response.body)] if request.method != b"HEAD" else b"")


def _check_parts(response: Response, kind: str, content: bytes) -> None:
    if not response.complete:
        return
    boundary = kind.partition('boundary="')[2].rstrip('"').encode()
    before, *parts, end = response.body.split(b"\r\n--" + boundary)
    assert (before, end) == (b"", b"--\r\n")
    assert len(parts) <= 5
    total = 0
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        found = re.fullmatch(rb"(?i)\r\nContent-type: ([ -~]+)\r\nContent-range: (bytes [0-9]+-[0-9]+/[0-9]+)", head)
        assert found, head
        assert body == _part(found[2].decode(), content)
        total += len(body)
    assert total <= len(content), "the parts together are larger than the file"


def _part(content_range: str, content: bytes) -> bytes:
    found = re.fullmatch("bytes ([0-9]+)-([0-9]+)/([0-9]+)", content_range)
    assert found, content_range
    first, last, size = map(int, found.groups())
    assert 0 <= first <= last < size == len(content), content_range
    return content[first : last + 1]


def _check_listing(page: bytes, tree: Tree) -> None:
    """Assert that a listing names only what a client may fetch."""
    for link in re.findall(rb'href="([^"]*)"', page):
        name = unquote_to_bytes(link.removeprefix(b"./").removesuffix(b"/"))
        assert link == b"../" or name in tree.names, f"{name!r} is listed"
