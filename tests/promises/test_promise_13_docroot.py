"""Promise 13: nothing outside the docroot is served, a 404 is quick, ranges are exact, types are not guessed."""

from __future__ import annotations

import email
import itertools
import os
import socket
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import WITH_TLS, Daemon, Start
from tests.support.http_client import Response, request, take_response
from tests.support.patience import Stopwatch
from tests.support.raw import RawClient

SECRET = b"nobody outside may read this"
CONTENT = bytes(range(256)) * 400
INI = f"{WITH_TLS}[server]\ndocroot = {{folder}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A docroot beside folders that must not be served."""
    base = tmp_path_factory.mktemp("site")
    root, outside = base / "docroot", base / "docroot-not"
    for each in (root / "sub" / "deep", root / ".hidden", outside):
        each.mkdir(parents=True)
    for each in (base, outside, root / ".hidden", root / "sub" / ".hidden"):
        each.mkdir(exist_ok=True)
        (each / "secret.txt").write_bytes(SECRET)
    (root / ".env").write_bytes(SECRET)
    (root / "file").write_bytes(CONTENT)
    (root / "sub" / "deep" / "file.txt").write_bytes(b"deep down")
    links: dict[str, str | Path] = {
        "link-out": outside / "secret.txt", "folder-out": outside, "relative-out": "../secret.txt",
        "link-to-hidden": ".env", "folder-to-hidden": ".hidden", "link-to-device": "/dev/zero", "top": "/",
        "proc": "/proc/self/root", "dangling": "nowhere", "loop": "loop", "link-inside": "sub/deep/file.txt",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root)  # a socket's path may have only 107 bytes
        listening.bind("socket")
        os.chdir(here)
    return root


class Asker:
    """A client that sends requests on one connection. `seconds` has the time of each response."""

    def __init__(self, server: Daemon, *, tls: bool = False) -> None:
        self._server = server
        self._client = RawClient(server, None, tls=tls)
        self.seconds: list[float] = []

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.socket.close()

    def ask(self, target: str | bytes, *headers: str, method: str = "GET") -> Response:
        watch = Stopwatch(self._server)
        self._client.send(request(target, *headers, method=method))
        received = b""
        while (taken := take_response(received, method)) is None or not taken[0].complete:
            chunk = self._client.socket.recv(1 << 16)
            assert chunk, received
            received += chunk
            assert len(received) < 4 * SIZE, "far too much"
        self.seconds.append(watch.seconds())
        assert taken[1] == b""
        return taken[0]


@pytest.fixture
def asker(server: Daemon) -> Iterator[Asker]:
    with Asker(server) as asker:
        yield asker


# -- the wall ---------------------------------------------------------------------------------------------------------

UP = [
    "..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
    "%f0%80%80%ae", "%uff0e%uff0e", "%u002e%u002e", "..;", "..%00", "..%20",
    "..%09", "..%0d%0a", "...", "....", ". .", "..;a=b", "%2e%2e;", "\xae\xae", ".%00.", "..%ef%bc%8e",
]  # fmt: skip
SLASH = [
    "/", "//", "/./", "%2f", "%2F", "%252f", "%5c", "%255c", "\\", "\\\\", "%c0%af", "%e0%80%af", "%ef%bc%8f", "%u2215",
    ";/", "/%00/", "%00", "/%2e/",
]  # fmt: skip
BEFORE = ["/", "/sub/", "//", "/nothing/", "/%2f", "http://site.test/", "/file/"]
TARGETS = [
    *(f"{before}{up}{slash}secret.txt" for before, up, slash in itertools.product(BEFORE, UP, SLASH)),
    *(f"/sub/{(up + slash) * 2}secret.txt" for up, slash in itertools.product(UP, SLASH)),
    *(f"/{(up + '/') * depth}etc/passwd" for up in UP for depth in (1, 8, 40)),
    *(f"/{up}{end}" for up in UP for end in ("", "/", "/docroot/file", "/docroot-not/", "/docroot/.env")),
]
NOT_THERE = [
    "/link-out", "/folder-out", "/folder-out/", "/folder-out/secret.txt", "/relative-out", "/top/", "/top/etc/passwd",
    "/proc/", "/proc/etc/passwd", "/top/dev/zero", "/link-to-device", "/fifo", "/fifo/", "/socket", "/dangling",
    "/loop", "/loop/x", "/.env", "/%2eenv", "/%2Eenv", "/sub/../.env", "/.hidden", "/.hidden/", "/.hidden/secret.txt",
    "/%2ehidden/secret.txt", "/sub/.hidden/secret.txt", "/link-to-hidden", "/folder-to-hidden/",
    "/folder-to-hidden/secret.txt", "/file/", "/file/x", "/sub//deep/file.txt", "/%00", "/file%00", "/file%00.html",
    "/file%20", "/file.", "/FILE", "/file::$DATA", "/%", "/%zz", "/%2", "/%2fetc%2fpasswd", "//etc/passwd",
    "file:///etc/passwd", "/" + "x" * 255, "/" + "x" * 256, "/" + "x/" * 5000, "/" + "%2e" * 3000, "/\x80", "/%ff",
]  # fmt: skip


@PLAIN_AND_TLS
def test_promise_13_wall(server: Daemon, figure: Figure, tls: bool) -> None:
    """However a path out, a hidden name or a special file is spelled: a 404 that reveals nothing, within 50 ms."""
    milliseconds = []
    with Asker(server, tls=tls) as asker:
        for target in [*TARGETS, *NOT_THERE * 5]:
            response = asker.ask(target.replace(" ", "%20"))
            assert response.status == 404, target
            assert SECRET not in response.body
            assert b"root:" not in response.body
            if asker.seconds[-1] > 0.01:
                asker.ask(target.replace(" ", "%20"))  # it was this machine, if it is quick now
            milliseconds.append(1000 * min(asker.seconds))
            asker.seconds.clear()
    over = "TLS" if tls else "plain"
    assert len(milliseconds) > 4000
    figure(13, f"404, the slowest of {len(milliseconds)}, {over}", max(milliseconds), "ms", 50)
    figure(13, f"404, median, {over}", statistics.median(milliseconds), "ms", 5)


@pytest.mark.parametrize("target", ["/null", "/zero", "/full", "/random", "/urandom", "/tty", "/ptmx", "/fd/0"])
def test_promise_13_devices(served_devices: Daemon, target: str) -> None:
    """A device in the docroot is not found."""
    with Asker(served_devices) as asker:
        assert asker.ask(target).status == 404


@pytest.fixture(scope="module")
def served_devices(served: Start) -> Daemon:
    return served("[server]\ndocroot = /dev\n")


def test_promise_13_fifo_holds_nobody_up(server: Daemon, asker: Asker) -> None:
    """The daemon never opens a FIFO: its writer keeps waiting."""
    with Asker(server) as other:
        for target in ("/fifo", "/fifo?x", "/%66ifo", "/fifo/"):
            assert asker.ask(target).status == 404
            assert other.ask("/link-inside").body == b"deep down"


def test_promise_13_inside(asker: Asker) -> None:
    """Files inside are served, through links that stay inside and by any spelling of their name."""
    for target in ("/link-inside", "/sub/deep/file.txt", "/%73ub/d%65ep/file.txt?/../../secret.txt", "/link-inside?"):
        assert asker.ask(target).body == b"deep down", target


# -- ranges -----------------------------------------------------------------------------------------------------------

FIVE = "bytes=0-0,2-2,4-4,6-6,8-8"
SIZE = len(CONTENT)
RANGES = [
    FIVE, "bytes=0-,0-", "bytes=0-" + ",0-" * 5328, f"bytes=0-{SIZE}", "bytes=0-99999999999", "bytes=-99999999999",
    "bytes=0-60000,50000-", "bytes=-50000,0-60000", "bytes=0-,-1", "bytes=1-1,1-1", "bytes=0-20000,30000-40000,50000-",
    f"{FIVE},10-10", "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 2000, 2)), "bytes=,", "bytes=-", "bytes=9-1",
    "bytes=-0", f"bytes={SIZE}-", "bytes=0-0,-1", "bytes=0-0," + "9" * 5000 + "-", "x=0-1", "bytes=0-1,\t3-4",
]  # fmt: skip


@pytest.mark.parametrize("ranges", RANGES, ids=lambda each: each[:30])
def test_promise_13_ranges(asker: Asker, ranges: str) -> None:
    """At most five ranges are answered, in correct parts that together do not exceed the file."""
    response = asker.ask("/file", f"Range: {ranges}")
    parts = parts_of(response)
    assert len(parts) <= 5
    assert sum(len(body) for _, body in parts) <= SIZE
    assert len(response.body) <= SIZE + 200 * len(parts), "nor is there much between the parts"
    for first, body in parts:
        assert body == CONTENT[first : first + len(body)]
    if ranges == FIVE:
        assert parts == [(at, CONTENT[at : at + 1]) for at in range(0, 10, 2)]
    elif response.status != 416:
        assert ranges not in ("bytes=-0", f"bytes={SIZE}-")


def parts_of(response: Response) -> list[tuple[int, bytes]]:
    """Return where each part of a response begins, and its bytes."""
    if response.status == 416:
        assert response.body == b""
        return []
    if response.status == 200:
        assert response.body == CONTENT
        return [(0, response.body)]
    assert response.status == 206
    kind = response["content-type"] or ""
    if not kind.startswith("multipart/byteranges"):
        return [(first_of(response["content-range"], len(response.body)), response.body)]
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + response.body)
    parts = []
    for part in message.walk():
        if not part.is_multipart():
            body = part.get_payload(decode=True)
            assert isinstance(body, bytes)
            parts.append((first_of(part["content-range"], len(body)), body))
    return parts


def first_of(content_range: str | None, length: int) -> int:
    """Return where a part begins, as its Content-Range says."""
    assert content_range is not None
    span, _, size = content_range.removeprefix("bytes ").partition("/")
    first, _, last = span.partition("-")
    assert (int(size), int(last) - int(first) + 1) == (SIZE, length)
    return int(first)


def test_promise_13_tags(asker: Asker, folder: Path) -> None:
    """An ETag changes only with its file; If-Range and If-None-Match match only the current tag."""
    path = folder / "changing"
    path.write_bytes(b"first content")
    first = asker.ask("/changing")
    tag, date = first["etag"], first["last-modified"]
    assert tag is not None
    assert asker.ask("/changing", method="HEAD")["etag"] == tag
    assert asker.ask("/changing", f"If-None-Match: {tag}").status == 304
    assert asker.ask("/changing", f'If-None-Match: "x", W/{tag}').status == 304
    assert asker.ask("/changing", 'If-None-Match: "x"').status == 200
    for condition, status in {tag: 206, f"{date}": 206, f"W/{tag}": 200, '"x"': 200, "": 200, "*": 200}.items():
        response = asker.ask("/changing", "Range: bytes=0-4", f"If-Range: {condition}")
        assert (response.status, response.body) == (status, b"first" if status == 206 else b"first content"), condition
    path.write_bytes(b"other content")
    changed = asker.ask("/changing", "Range: bytes=0-4", f"If-Range: {tag}")
    assert (changed.status, changed.body) == (200, b"other content")
    assert changed["etag"] != tag
    assert asker.ask("/changing", f"If-None-Match: {tag}").body == b"other content"


# -- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["noending", "a.unheard-of", "html", "a.", "a.html.x", "caf\udce9.\udcff"])
def test_promise_13_types(asker: Asker, folder: Path, name: str) -> None:
    """A file of unknown type is application/octet-stream, even if it looks like a page."""
    (folder / name).write_bytes(b"<!DOCTYPE html><script>alert(1)</script>")
    target = b"/" + b"".join(b"%%%02x" % byte for byte in os.fsencode(name))
    assert asker.ask(target)["content-type"] == "application/octet-stream"
    (folder / name).unlink()
