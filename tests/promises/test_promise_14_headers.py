"""Promise 14: no response lets a browser sniff a type, run a script, learn a version, or leave the site."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.promises.conftest import PLAIN_AND_TLS
from tests.support.daemon import ROOT, WITH_TLS, Daemon, Start
from tests.support.http_client import Response, request, take_response
from tests.support.patience import wait_until
from tests.support.raw import RawClient
from tests.support.wire import KEY
from tests.support.wire import request as handshake

VERSION = re.compile(r"twisted|autobahn|python|openssl|wsdaemon|\b\d+\.\d+(\.\d+)?\b", re.IGNORECASE)
INI = f"""{WITH_TLS}
[server]
docroot = {{folder}}
[subprotocol:echo]
allowed_origins = https://example.org
"""
OVER_16_KIB = "A: " + "x" * (17 << 10)
KINDS: dict[str, tuple[int, bytes]] = {
    "a file": (200, request("/file")),
    "a page": (200, request("/page.html")),
    "an index": (200, request("/with-index/")),
    "a listing": (200, request("/folder/")),
    "parts of a file": (206, request("/file", "Range: bytes=0-1,3-4")),
    "a part of a file": (206, request("/file", "Range: bytes=0-1")),
    "a redirect": (301, request("/folder?x=y")),
    "nothing new": (304, request("/file", "If-None-Match: *")),
    "a bad request": (400, request("/", "Host: other")),
    "no HTTP": (400, b"\x16\x03\x01\r\n\r\n"),
    "a bad upgrade": (400, handshake("/").replace(KEY, b"")),
    "an unknown subprotocol": (400, handshake("/", subprotocols="unheard-of")),
    "a wrong origin": (403, handshake("/echo", more="Origin: http://evil.example\r\n")),
    "nothing there": (404, request("/nothing")),
    "something hidden": (404, request("/.hidden")),
    "another method": (405, request("/file", method="DELETE")),
    "no request in time": (408, b"GET"),
    "a body": (413, request("/", "Content-Length: 1", method="POST")),
    "a range beyond": (416, request("/file", "Range: bytes=99-")),
    "another version": (426, handshake("/").replace(b"Version: 13", b"Version: 8")),
    "many headers": (431, request("/", OVER_16_KIB)),
    "an upgrade": (101, handshake("/echo-assemble")),
    "an upgrade with all that can be chosen": (
        101,
        handshake("/", subprotocols="nothing, echo-assemble", extensions="permessage-deflate"),
    ),
}
OURS = ["a listing", "a redirect", "nothing there", "something hidden", "another method"]
"""The pages that wsdaemon makes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site") / "docroot"
    for each in ("folder", "with-index", "evil.example", "\\evil.example"):
        (root / each).mkdir(parents=True)
    for each in ("file", "page.html", "with-index/index.html", ".hidden", "folder/file"):
        (root / each).write_bytes(b"<script>")
    return root


@pytest.fixture(scope="module")
def hasty(served: Start) -> Daemon:
    """A daemon that soon responds with 408; to the other requests it would do so on a busy machine."""
    return served(f"{WITH_TLS}[websocket]\nhandshake_timeout = 0.3\n")


def ask(server: Daemon, data: bytes, *, tls: bool = False) -> Response:
    """Return the response to a request."""
    with RawClient(server, None, tls=tls) as client:
        client.send(data)
        received = client.read_head() + b"\r\n\r\n"
        method = data.partition(b" ")[0].decode("latin-1")
        taken = take_response(received, method)
        assert taken is not None, received
        return taken[0]


def assert_says_nothing_of_versions(response: Response) -> None:
    """No header names software or a version; dates, tags and lengths may look like one."""
    telling = ("server", "x-powered-by", "via", "x-served-by", "x-generator")
    harmless = ("date", "last-modified", "etag", "content-length", "sec-websocket-accept", "sec-websocket-version")
    for name, value in response.headers:
        assert name.lower() not in telling
        assert VERSION.search(name) is None
        assert name.lower() in harmless or VERSION.search(value) is None, f"{name}: {value}"


def assert_strict(policy: str | None) -> None:
    """A policy denies by default; scripts, framing and form targets elsewhere are forbidden."""
    assert policy is not None
    directives = {name: values for name, *values in map(str.split, policy.split(";"))}
    assert directives["default-src"] in (["'none'"], ["'self'"])
    assert "script-src" not in directives
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert directives[name] == ["'none'"]
    values = {value for name in directives if name != "style-src" for value in directives[name]}
    assert values <= {"'none'", "'self'"}


# -- every kind of response -------------------------------------------------------------------------------------------


@PLAIN_AND_TLS
@pytest.mark.parametrize("kind", KINDS)
def test_promise_14_headers(server: Daemon, hasty: Daemon, kind: str, tls: bool) -> None:
    """Every response forbids sniffing and tells no version; generated pages have a strict policy."""
    status, data = KINDS[kind]
    response = ask(hasty if status == 408 else server, data, tls=tls)
    assert response.status == status
    if status != 101:
        assert response.all("x-content-type-options") == ["nosniff"]
    assert_says_nothing_of_versions(response)
    if kind in OURS:
        assert_strict(response["content-security-policy"])
    else:
        assert response["content-security-policy"] is None, "a docroot's own pages have the policy that is configured"


@pytest.mark.parametrize("kind", [kind for kind, (_, data) in KINDS.items() if data.startswith(b"GET /f")] + OURS[2:4])
def test_promise_14_head(server: Daemon, kind: str) -> None:
    """HEAD has the same headers."""
    status, data = KINDS[kind]
    response = ask(server, data.replace(b"GET ", b"HEAD ", 1))
    assert response.status == (200 if status in (206, 416) else status)
    assert response["x-content-type-options"] == "nosniff"
    assert_says_nothing_of_versions(response)
    if kind in OURS:
        assert_strict(response["content-security-policy"])


def test_promise_14_statuses() -> None:
    """The table covers every status except 421, 500 and 503."""
    assert {status for status, _ in KINDS.values()} == {
        101, 200, 206, 301, 304, 400, 403, 404, 405, 408, 413, 416, 426, 431,
    }  # fmt: skip


@PLAIN_AND_TLS
def test_promise_14_no_room(tls_daemon: Callable[..., Daemon], tls: bool) -> None:
    """The same for a 503 and a 421."""
    server = tls_daemon("[server]\nmax_connections = 1\nhost_names = site.test\n")
    other = ask(server, request("/", host="other.test"), tls=tls)
    with ExitStack() as connections:

        def is_in() -> bool:
            client = connections.enter_context(RawClient(server, None))
            client.send(request("/", host="site.test"))
            return client.read_head().startswith(b"HTTP/1.1 200 ")

        wait_until(is_in, "the place of the first is not given to another")
        full = ask(server, request("/"), tls=tls)
    assert (other.status, full.status) == (421, 503)
    for response in (other, full):
        assert response["x-content-type-options"] == "nosniff"
        assert_says_nothing_of_versions(response)


@pytest.mark.parametrize(("header", "status"), [("", 200), ("Range: bytes=0-0", 206), ("If-None-Match: *", 304)])
@pytest.mark.parametrize("path", sorted((ROOT / "static").glob("[!.]*.*")), ids=lambda path: str(path.name))
def test_promise_14_own_pages(default_daemon: Daemon, path: Path, header: str, status: int) -> None:
    """wsdaemon's own pages have a strict policy too, also in partial and 304 responses."""
    response = ask(default_daemon, request(f"/{path.name}", *filter(None, [header])))
    assert response.status == status
    assert response["x-content-type-options"] == "nosniff"
    assert_strict(response["content-security-policy"])
    assert_says_nothing_of_versions(response)


# -- redirects --------------------------------------------------------------------------------------------------------

ELSEWHERE = [
    "//evil.example", "///evil.example", "////evil.example/", "/\\evil.example", "/\\\\evil.example", "\\evil.example",
    "\\\\evil.example", "/%5cevil.example", "/%5Cevil.example", "/%5c%5cevil.example", "/%2fevil.example",
    "/%2f%2fevil.example", "/%2Fevil.example", "%2fevil.example", "//%5cevil.example", "/.//evil.example",
    "/./\\evil.example", "/../evil.example", "/folder/..//evil.example", "/folder/../\\evil.example",
    "/%09/evil.example", "/%0a/evil.example", "/%0d%0a/evil.example", "/folder%0d%0aLocation:%20http://evil.example",
    "/folder%0d%0aSet-Cookie:x=y", "/folder%0aLocation:%20//evil.example", "/folder?%0d%0aLocation:%20//evil.example",
    "/folder?//evil.example", "/folder?\\evil.example", "/folder;//evil.example", "/@evil.example",
    "/folder@evil.example", "/:@evil.example", "http://evil.example/folder", "http://evil.example//folder",
    "https://evil.example/folder", "HTTP://evil.example/folder?x", "ws://evil.example/folder",
    "http://evil.example//evil.example", "http://evil.example/\\evil.example", "http:///evil.example/folder",
    "http://evil.example", "http://user@evil.example/folder", "ftp://evil.example/folder", "evil.example/folder",
    "//evil.example/folder/..", "//evil.example/%2e%2e", "javascript:alert(1)", "data:text/html,x", "*", "?folder",
    "/folder", "/evil.example", "/%5Cevil.example?//x", "/\xa0/evil.example", "/%e2%80%ae/evil.example", "//@/folder",
    "/?redirect=http://evil.example&after=1", "/folder?redirect=http://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("upgrade", [False, True], ids=["page", "upgrade"])
@pytest.mark.parametrize("target", ELSEWHERE)
def test_promise_14_redirects(server: Daemon, target: str, upgrade: bool) -> None:
    """No redirect leads off the site, as a browser reads it, and no header is injected, whatever the request."""
    more = ("Upgrade: websocket", "Connection: Upgrade") if upgrade else ()
    response = ask(server, request(target, "X-Forwarded-Host: evil.example", *more))
    assert response.status in ((400,) if upgrade else (200, 301, 400, 404))
    assert response["set-cookie"] is None
    assert response["refresh"] is None
    location = response["location"]
    assert (location is not None) == (response.status == 301)
    if location is not None:
        assert re.fullmatch(r"/[!-~]*", location)
        assert "\\" not in location.partition("?")[0]
        read_as = urljoin("http://site.test/x/", location.replace("\\", "/"))
        assert urlsplit(read_as).netloc == "site.test"


def test_promise_14_redirect_is_found(server: Daemon) -> None:
    """The table has redirects, and they lead to the folder."""
    for name in ("folder", "evil.example", "%5Cevil.example"):
        response = ask(server, request(f"/{name}?x=%0d%0a"))
        assert (response.status, response["location"]) == (301, f"/{name}/?x=%0d%0a")
        assert ask(server, request(response["location"] or "")).status == 200


@PLAIN_AND_TLS
def test_promise_14_host_is_not_believed(server: Daemon, tls: bool) -> None:
    """The Host is never reflected in a header."""
    for host in ("evil.example", "evil.example:80", "site.test@evil.example", "[::1]", "a/b"):
        response = ask(server, request("/folder", host=host), tls=tls)
        assert response.status in (301, 400)
        assert host not in str(response.headers)
