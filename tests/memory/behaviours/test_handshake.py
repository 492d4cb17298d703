"""/handshake: the response to the opening handshake, byte for byte. In memory."""

from __future__ import annotations

import base64
import hashlib
from http import HTTPStatus
from urllib.parse import quote

import pytest

from tests.support.behaviours import ECHOED, HELLO, RIGHT, accepted, ask, is_over, refused, why
from tests.support.memory import MemorySite, pass_time
from tests.support.wire import TEXT, Frame, request

# -- refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "line", "body"),
    [
        *[
            (f"{status}", f"{status} {HTTPStatus(status).phrase}", "")
            for status in (200, 204, 300, 304, 400, 401, 403, 404, 407, 418, 426, 429, 500, 503)
        ],
        *[(f"{status}", f"{status} Refused", "") for status in (299, 420, 599)],  # unassigned
        *[
            (f"503&body={quote(body)}", "503 Service Unavailable", body)
            for body in ("come back later", "für später €", "a&b=c", "line\nline", "x" * 4096, "é" * 2048)
        ],
        *[(f"{line[:3]}&body=never+seen", line, "") for line in ("204 No Content", "304 Not Modified")],
    ],
)
def test_status(query: str, line: str, body: str) -> None:
    """Any status but 101 refuses, with its phrase and the body in UTF-8, where it has one (RFC 9110 section 6.4.1)."""
    peer = ask(f"/handshake?status={query}")
    assert peer.take() == refused(line, body)
    assert peer.is_ended()
    assert not peer.is_aborted()


def test_after_a_refusal() -> None:
    """Input after a refused handshake is ignored, and TCP ends within `close_timeout`."""
    peer = ask("/handshake?status=503", "[websocket]\nclose_timeout = 2")
    assert peer.take() == refused("503 Service Unavailable")
    peer.send(HELLO.masked() + request("/"))
    assert peer.take() == b""
    pass_time(peer.site.clock, 2.1)
    assert peer.is_aborted()
    assert is_over(peer)


# -- redirected --------------------------------------------------------------------------------------------------------

STAYS = [
    "/", "/echo", "/echo?delay=5", "echo", "./echo", "?x=1", "#x", "/a//b", "/a?u=//evil", "/a?to=user@evil",
    "/a:80", "ws://localhost/x", "wss://localhost/x", "http://localhost", "https://localhost/?x", "WS://LOCALHOST/x",
    "hTTps://LocalHost/",
]  # fmt: skip
LEAVES = [
    "//evil", "//evil/x", "///evil", "////evil/x", "\\\\evil", "/\\evil", "\\/evil", "/\\/evil", "http:evil",
    "http:/evil", "http:///evil", "https:evil", "http:\\\\evil", "http://evil", "https://evil/", "ws://evil/x",
    "wss://localhost.evil/", "ws://evil.localhost/", "ws://localhost:81/", "ws://localhost:evil/", "HTTP://EVIL/",
    "http://localhost@evil/", "http://user@localhost/", "ws://evil\\@localhost/", "ws://localhost\\@evil/", "ws://evil#@localhost/",
    "ws://evil?@localhost/", "javascript:alert(1)", "data:,x", "ftp://localhost/", "file:///etc/passwd", "echo:80",
    " //evil", "  http://evil", "http://[::1", "ws://localhost /", "ws:localhost", "ws:///localhost",
]  # fmt: skip


@pytest.mark.parametrize(
    ("location", "query", "line", "body"),
    [
        *[(location, "", "302 Found", "") for location in STAYS],
        *[
            ("/echo", f"&status={status}&body=there", f"{status} {HTTPStatus(status).phrase}", "there")
            for status in (301, 303, 307, 308, 503, 200)
        ],
    ],
)
def test_redirect(location: str, query: str, line: str, body: str) -> None:
    """A redirect within this site has the Location as given, and the status as given, or 302."""
    peer = ask(f"/handshake?location={quote(location)}{query}")
    assert peer.take() == refused(line, body, location=location)
    assert peer.is_ended()


@pytest.mark.parametrize("location", LEAVES)
def test_redirect_elsewhere(location: str) -> None:
    """A redirect to another site, in any reading of the URL, needs `redirect = anywhere`; by path or by name."""
    path = f"/handshake?location={quote(location)}"
    name = "handshake&location~" + quote(location, safe="")
    for peer in (ask(path), ask("/", subprotocols=name)):
        assert why(peer).startswith("location: leaves this site")
    peer = ask(path, "[behaviours]\nredirect = anywhere")
    assert peer.take() == refused("302 Found", location=location)


@pytest.mark.parametrize(
    "text", ["/%09/evil", "%09//evil", "/%0d%0aSet-Cookie:+a", "/%0a", "/%00", "/%7f", "/%C3%A9", "%0b//evil"]
)
@pytest.mark.parametrize("redirect", ["site", "anywhere"])
def test_no_control_characters(text: str, redirect: str) -> None:
    """A Location that no header can hold is refused, even with `redirect = anywhere`."""
    assert "location: " in why(ask(f"/handshake?location={text}", f"[behaviours]\nredirect = {redirect}"))


@pytest.mark.parametrize(
    ("host", "location", "stays"),
    [
        ("Example.ORG:8080", "ws://example.org:8080/x", True),
        ("example.org:8080", "WSS://EXAMPLE.ORG:8080/x", True),
        ("example.org:8080", "ws://example.org/x", False),
        ("example.org", "ws://example.org:8080/x", False),
        ("[::1]:9000", "ws://[::1]:9000/x", True),
        ("[::1]:9000", "ws://[::2]:9000/x", False),
    ],
)
def test_site(host: str, location: str, stays: bool) -> None:
    """This site is the request's Host, port included; letter case does not matter."""
    peer = MemorySite().connect()
    path = f"/handshake?location={quote(location)}"
    peer.send(request(path).replace(b"Host: localhost", f"Host: {host}".encode()))
    if stays:
        assert peer.take() == refused("302 Found", location=location)
    else:
        assert why(peer).startswith("location: ")


@pytest.mark.parametrize("path", ["/echo", "/ticker", "/close", "/inspect", "/bytes", "/sink", "/bomb", "/status"])
def test_every_behaviour_can_be_refused(path: str) -> None:
    """Every behaviour takes the handshake's parameters."""
    assert ask(path + "?status=418").take() == refused("418 I'm a Teapot")
    assert ask(path + "?location=/x").take() == refused("302 Found", location="/x")


# -- accepted, rightly or wrongly --------------------------------------------------------------------------------------

WRONG = base64.b64encode(hashlib.sha1(b"wrong", usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("right", RIGHT),
        ("wrong", f"Sec-WebSocket-Accept: {WRONG}\r\n"),
        ("missing", ""),
        ("double", RIGHT * 2),
        ("empty", "Sec-WebSocket-Accept: \r\n"),
    ],
)
def test_accept(accept: str, lines: str) -> None:
    """The Sec-WebSocket-Accept header is right, wrong, missing, doubled or empty; after it comes an echo."""
    peer = ask(f"/handshake?accept={accept}")
    assert peer.take() == accepted(accept=lines)
    peer.send(HELLO)
    assert peer.take() == ECHOED


@pytest.mark.parametrize(
    ("query", "offered", "named"),
    [
        ("", "", ""),
        ("", "mqtt", "mqtt"),
        ("", "mqtt, chat, echo", "mqtt"),
        ("?subprotocol=", "mqtt, chat", ""),
        ("?subprotocol=chat", "mqtt, chat", "chat"),
        ("?subprotocol=nobody.offered.this", "mqtt", "nobody.offered.this"),
        ("?subprotocol=nobody.offered.this", "", "nobody.offered.this"),
        ("?subprotocol=not+a%2C+token", "mqtt", "not a, token"),
        ("?subprotocol=" + "x" * 256, "", "x" * 256),
    ],
)
def test_subprotocol(query: str, offered: str, named: str) -> None:
    """The response names the given subprotocol, offered or not; without one, the first that was offered."""
    peer = ask("/handshake" + query, subprotocols=offered)
    assert peer.take() == accepted(named)
    peer.send(HELLO)
    assert peer.take() == ECHOED


@pytest.mark.parametrize("offered", ["", "permessage-deflate; client_max_window_bits"])
@pytest.mark.parametrize("extension", ["", "x-nobody-offered-this", "permessage-deflate", "a; b=c, d"])
def test_extension(extension: str, offered: str) -> None:
    """The Sec-WebSocket-Extensions header is as given, whatever was offered; nothing is compressed."""
    peer = ask(f"/handshake?extension={quote(extension)}", extensions=offered)
    assert peer.take() == accepted(extensions=extension)
    peer.send(Frame(TEXT, b"a" * 125))
    assert peer.take() == b"\x81\x7d" + b"a" * 125


@pytest.mark.parametrize(("pad", "size"), [("1", 1), ("100", 100), ("64k", 65536), ("1m", 1 << 20)])
def test_pad(pad: str, size: int) -> None:
    """The padding header has exactly that many bytes, in a 101 and in a refusal."""
    header = f"X-Padding: {'x' * size}\r\n"
    assert ask(f"/handshake?pad={pad}").take() == accepted(more=header)
    assert ask(f"/handshake?pad={pad}&status=503").take() == refused("503 Service Unavailable", more=header)


@pytest.mark.parametrize(
    ("extra", "sent"),
    [("8102 6869", b"\x81\x02hi"), ("81:02:68:69", b"\x81\x02hi"), ("FF", b"\xff"), ("ab" * 1024, b"\xab" * 1024)],
)
def test_extra(extra: str, sent: bytes) -> None:
    """The extra bytes follow the response directly, before anything the connection sends, in a refusal too."""
    assert ask(f"/handshake?extra={quote(extra)}").take() == accepted() + sent
    assert ask(f"/burst?count=1&size=0&extra={quote(extra)}").take() == accepted() + sent + b"\x81\x00"
    assert ask(f"/handshake?status=503&body=b&extra={quote(extra)}").take() == (
        refused("503 Service Unavailable", "b") + sent
    )
