"""Static files: correct responses, and nothing outside the docroot."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.http_client import Response, Server, request, wait
from wsdaemon.site.files import Docroot

SECRET = b"nobody outside may read this"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A docroot and a folder beside it that must not be served."""
    base = tmp_path_factory.mktemp("site")
    root, outside = base / "docroot", base / "docroot-not"
    for each in (root / "sub" / "deep", root / "with-index", root / ".hidden", root / "\\evil", outside):
        each.mkdir(parents=True)
    (root / "evil.example").mkdir()
    (root / "plain.txt").write_bytes(b"plain text")
    (root / "sub" / "deep" / "file.txt").write_bytes(b"deep down")
    (root / "with-index" / "index.html").write_bytes(b"<h1>index</h1>")
    (root / "secret.txt").write_bytes(b"not the secret")
    for secret in (outside / "secret.txt", root / ".hidden" / "secret.txt", root / ".env", base / "secret.txt"):
        secret.write_bytes(SECRET)
    (root / "link-out").symlink_to(outside / "secret.txt")
    (root / "folder-out").symlink_to(outside)
    (root / "relative-out").symlink_to("../secret.txt")
    (root / "link-to-hidden").symlink_to(".env")
    (root / "folder-to-hidden").symlink_to(".hidden")
    (root / "link-to-device").symlink_to("/dev/zero")
    (root / "link-inside").symlink_to("sub/deep/file.txt")
    (root / "folder-inside").symlink_to("sub")
    (root / "link-to-root").symlink_to(".")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (root / "with-index-out").mkdir()
    (root / "with-index-out" / "index.html").symlink_to(outside / "secret.txt")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root)  # a socket's path may have only 107 bytes
        listening.bind("socket")
        os.chdir(here)
    (root / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"latin-1 name")
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Server:
    return Server(folder)


def assert_safe_headers(response: Response) -> None:
    """Every response forbids content sniffing and does not name the software."""
    assert response["x-content-type-options"] == "nosniff"
    assert response["server"] is None
    assert "twisted" not in str(response.headers).lower()


TYPES = {
    "a.html": "text/html; charset=utf-8",
    "a.js": "text/javascript; charset=utf-8",
    "a.mjs": "text/javascript; charset=utf-8",
    "a.css": "text/css; charset=utf-8",
    "a.svg": "image/svg+xml; charset=utf-8",
    "a.json": "application/json; charset=utf-8",
    "a.png": "image/png",
    "a.wasm": "application/wasm",
    "a.tar.gz": "application/gzip",
    "a.html.gz": "application/gzip",
    "A.HTML": "text/html; charset=utf-8",
    "a.unheard-of": "application/octet-stream",
    "noending": "application/octet-stream",
    "html": "application/octet-stream",
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("name", "expected"), TYPES.items())
def test_type_and_length(tmp_path: Path, name: str, expected: str, method: str) -> None:
    """A file is sent unchanged, with its length and the type of its name; HEAD differs only in the body."""
    content = os.urandom(3000)
    (tmp_path / name).write_bytes(content)
    response = Server(tmp_path).ask(f"/{name}", method=method)
    assert response.status == 200
    assert response["content-type"] == expected
    assert response["content-length"] == "3000"
    assert response["content-encoding"] is None
    assert response["accept-ranges"] == "bytes"
    assert response.body == (content if method == "GET" else b"")
    assert_safe_headers(response)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_any_size(tmp_path: Path, size: int) -> None:
    """The body is the file, byte for byte, whatever its size."""
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert Server(tmp_path).ask("/file").body == content


@pytest.mark.parametrize("change", [b"", b"x" * 300_000], ids=["shorter", "longer"])
@pytest.mark.parametrize("ranges", [None, "bytes=0-200000", "bytes=0-9,100000-200000"])
def test_file_that_changes_while_it_is_sent(tmp_path: Path, change: bytes, ranges: str | None) -> None:
    """No more is sent than was announced; if the file has shrunk, the end of the connection tells the client.

    Either way the next response on the connection cannot be taken for a part of this one.
    """
    path = tmp_path / "log"
    path.write_bytes(b"a" * 250_000)
    server = Server(tmp_path)
    peer = server.connect()
    peer.transport.fill()
    peer.send(request("/log", *([] if ranges is None else [f"Range: {ranges}"])))
    wait(lambda: bool(peer.transport.value()))
    path.write_bytes(b"a" * 250_000 + change if change else b"")
    peer.transport.drain()
    response = peer.response()
    assert response.complete != peer.closing
    assert peer.take() == b""
    assert response.complete == bool(change)


@pytest.mark.parametrize("time", [-(2**60), -1, 0, 10**12, 2**55, 2**60])
def test_file_of_any_time(time: int) -> None:
    """A file is served even if its time cannot be expressed as an HTTP date."""
    memory = "/dev/shm"  # noqa: S108  # a file system that takes any time
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        path = Path(name, "file")
        path.touch()
        os.utime(path, (time, time))
        response = Server(path.parent).ask("/file", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT")
        assert response.status == 304
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", response["last-modified"] or "")
        assert Server(path.parent).ask("/file", "Range: bytes=0-").status == 416
        assert Server(path.parent).ask("/").status == 200


def test_index(server: Server) -> None:
    """A folder with an index.html is that page; if its index.html leads out of the docroot, it is a listing."""
    assert server.ask("/with-index/").body == b"<h1>index</h1>"
    assert server.ask("/with-index/")["content-type"] == "text/html; charset=utf-8"
    response = server.ask("/with-index-out/")
    assert b"Index of" in response.body
    assert SECRET not in response.body


REDIRECTS = {
    "/sub": "/sub/",
    "/sub/deep": "/sub/deep/",
    "/sub?a=/b//c&d": "/sub/?a=/b//c&d",
    "/s%75b": "/sub/",
    "/evil.example": "/evil.example/",
    "/\\evil": "/%5Cevil/",
    "/%5cevil": "/%5Cevil/",
    "/link-to-root": "/link-to-root/",
    "/folder-inside/deep?x": "/folder-inside/deep/?x",
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("target", "location"), REDIRECTS.items())
def test_redirect_to_the_slash(server: Server, target: str, location: str, method: str) -> None:
    """A folder's URL without its slash gets a 301 to the URL with it, query included."""
    response = server.ask(target, method=method)
    assert (response.status, response["location"]) == (301, location)
    assert_safe_headers(response)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "//evil.example/sub", "///evil.example", "/\\evil.example", "/%5Cevil.example", "/\\/evil",
        "/%2fevil.example", "/%2f%2fevil.example", "//sub", "//sub/deep", "/%2fsub", "/./sub", "/sub/../sub",
        "/evil.example/..", "http://evil.example/sub", "https://evil.example//sub", "//evil.example/%2e%2e", "/;/sub",
        "/sub/%2f", "/@evil.example", "/\\evil", "\\evil", "sub", "?sub", "*",
    ],
)  # fmt: skip
def test_no_redirect_leaves_the_site(server: Server, target: str) -> None:
    """Whatever the target, Location is a path on this site as a browser reads it."""
    response = server.ask(target)
    assert response.status in (200, 301, 404)
    location = response["location"] or "/"
    assert urlsplit(urljoin("http://site.test/x/", location.replace("\\", "/"))).netloc == "site.test"
    assert not location.startswith(("//", "/\\"))


NOT_THERE = [
    "/nothing", "/plain.txt/", "/plain.txt/x", "/sub//", "//", "//plain.txt", "/sub//deep/file.txt",
    # out of the docroot
    "/link-out", "/folder-out", "/folder-out/", "/folder-out/secret.txt", "/relative-out",
    "/..", "/../", "/../secret.txt", "/../docroot-not/secret.txt", "/sub/../../secret.txt", "/sub/..", "/sub/../",
    "/sub/../plain.txt", "/./plain.txt", "/.", "/%2e%2e/secret.txt", "/%2E%2e/secret.txt", "/.%2e/secret.txt",
    "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/..%5csecret.txt", "/..\\secret.txt", "\\..\\secret.txt",
    "/%252e%252e/secret.txt", "/%c0%ae%c0%ae/secret.txt", "/%uff0e%uff0e/secret.txt", "/..;/secret.txt",
    "/%2fetc%2fpasswd", "/%2fetc/passwd", "//etc/passwd", "/sub%2fdeep%2ffile.txt", "/sub%5cdeep%5cfile.txt",
    "file:///etc/passwd",
    # hidden
    "/.env", "/%2eenv", "/.hidden/", "/.hidden", "/.hidden/secret.txt", "/link-to-hidden", "/folder-to-hidden/",
    "/folder-to-hidden/secret.txt", "/link-to-root/.env", "/sub/.nothing",
    # no file
    "/fifo", "/socket", "/link-to-device", "/dangling", "/loop", "/loop/x",
    # bytes that mean something elsewhere
    "/plain.txt%00", "/%00", "/plain.txt%00.html", "/plain.txt%0d%0aSet-Cookie:x", "/%0a", "/\x80", "/%80", "/%ff%fe",
    "/caf\xa9.txt", "/plain.txt%20", "/plain.txt.", "/PLAIN.TXT", "/plain.txt::$DATA", "/%", "/%zz", "/%2",
    "/" + "x" * 255, "/" + "x" * 256, "/" + "x" * 5000, "/" + "x/" * 5000, "/sub" + "/x" * 3000, "/" + "%2e" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", NOT_THERE, ids=lambda target: repr(target[:30]))
def test_the_docroot_is_a_wall(server: Server, target: str, method: str) -> None:
    """A target that is outside, hidden, no file, or spelled in an unknown way gets a plain 404."""
    response = server.ask(target, method=method)
    assert response.status == 404
    assert response["content-security-policy"] is not None
    assert response["content-type"] == "text/html; charset=utf-8"
    assert SECRET not in response.body
    assert b"docroot" not in response.body
    assert_safe_headers(response)


@pytest.mark.parametrize("name", [b"fifo", b"socket", b"link-to-device", b"loop", b"dangling", b"link-out"])
def test_what_is_no_file_is_not_even_opened(folder: Path, name: bytes) -> None:
    """Opening a device or a FIFO can have effects, so it is not done."""
    assert Docroot(folder).resolve([name]) is None


INSIDE = {
    "/link-inside": b"deep down",
    "/folder-inside/deep/file.txt": b"deep down",
    "/link-to-root/link-to-root/plain.txt": b"plain text",
    "/%70lain.txt": b"plain text",
    "/plain.txt?/../../x": b"plain text",
    "/secret.txt": b"not the secret",
    "/caf%E9.txt": b"latin-1 name",
    "/caf%e9.txt?": b"latin-1 name",
}


@pytest.mark.parametrize(("target", "content"), INSIDE.items())
def test_inside_the_wall(server: Server, target: str, content: bytes) -> None:
    """Links that stay inside are followed, escapes are decoded, any name can be requested."""
    response = server.ask(target)
    assert (response.status, response.body) == (200, content)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "BREW", "!"]
)
@pytest.mark.parametrize("target", ["/plain.txt", "/sub/", "/nothing"])
def test_other_methods(server: Server, method: str, target: str) -> None:
    """Only GET and HEAD are allowed; anything else, known or not, is a 405."""
    response = server.ask(target, method=method)
    assert (response.status, response["allow"]) == (405, "GET, HEAD")
    assert response["content-security-policy"] is not None
    assert_safe_headers(response)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A docroot that this process may read only as anyone may, even if root runs the tests."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)  # noqa: S103  # for the user below
        user = os.geteuid()
        yield Path(name)
        os.seteuid(user)


@pytest.mark.parametrize("target", ["/file.txt", "/folder/", "/folder/file.txt"])
def test_unreadable(unprivileged: Path, target: str) -> None:
    """An unreadable file or folder is a 404."""
    (unprivileged / "file.txt").write_bytes(SECRET)
    (unprivileged / "folder").mkdir()
    (unprivileged / "folder" / "file.txt").write_bytes(SECRET)
    os.chmod(unprivileged / "file.txt", 0)
    os.chmod(unprivileged / "folder", 0)
    server = Server(unprivileged)
    if os.geteuid() == 0:
        os.seteuid(65534)
    assert server.ask(target).status == 404
    os.seteuid(os.getuid())


STRICT = "default-src 'none'"


def test_policies(folder: Path) -> None:
    """Our own pages always have a strict policy; files have the configured one, or none."""
    ours = "/nothing", "/sub/", "/sub", "/fifo"
    for ini in ("", "[server]\ncontent_security_policy = script-src 'self'\n"):
        server = Server(folder, ini)
        for target in ours:
            policy = server.ask(target)["content-security-policy"] or ""
            assert policy.startswith(STRICT), target
            assert "script-src" not in policy
        expected = "script-src 'self'" if ini else None
        assert server.ask("/plain.txt")["content-security-policy"] == expected
        assert server.ask("/with-index/")["content-security-policy"] == expected
    assert "default-src 'self'" in (Server().ask("/")["content-security-policy"] or "")


@settings(max_examples=200)
@given(path=st.binary(max_size=60), escaped=st.binary(max_size=20))
@example(path=b"", escaped=b"\0")
def test_any_path(server: Server, path: bytes, escaped: bytes) -> None:
    """No path causes a 5xx or a traceback, or leads out of the docroot."""
    target = b"/" + path + quote(escaped, safe="").encode()
    if any(byte <= 32 or byte > 176 for byte in target):
        target = b"/" + quote(path).encode() + quote(escaped, safe="").encode()
    response = server.ask(target)
    assert response.status in (200, 301, 404)
    assert SECRET not in response.body
