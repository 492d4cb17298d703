"""Promise 17: each failure of the daemon's system calls is logged, answered and survived."""

from __future__ import annotations

import errno
import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS
from tests.support.daemon import Start
from tests.support.faults import Faults
from tests.support.http_client import Response, Server, failures, request, take_response, wait
from tests.support.patience import PATIENCE
from tests.support.raw import RawClient
from tests.support.serving import ask, ask_on, assert_serves, stop_and_check

PAGE = b"a page"
BIG = b"".join(number.to_bytes(4, "big") for number in range(1 << 18)) * 4  # nothing in it looks like our own words
SECRET = b"nobody outside may read this"


@pytest.fixture
def docroot(docroot: Path, tmp_path: Path) -> Path:
    """A docroot with a page, a large file, a folder, and a link that leads out."""
    (docroot / "page.html").write_bytes(PAGE)
    (docroot / "other.html").write_bytes(PAGE)
    (docroot / "big.bin").write_bytes(BIG)
    (docroot / "sub").mkdir()
    (docroot / "sub" / "one").touch()
    (docroot / "sub" / "two").touch()
    (tmp_path / "outside").write_bytes(SECRET)
    (docroot / "link").symlink_to(tmp_path / "outside")
    return docroot


# -- files --------------------------------------------------------------------------------------------------------

STATUSES = {  # by what a call fails with: the status, and whether the log tells of it
    **dict.fromkeys((errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR), (404, False)),
    **dict.fromkeys((errno.EACCES, errno.EPERM), (404, True)),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN), (503, True)),
    **dict.fromkeys((errno.EIO, errno.ESTALE), (500, True)),
}
FILES = [  # what fails, at which path; what is asked; how it fails
    ("open", "page.html", "/page.html", "ENOENT ELOOP EACCES EPERM EMFILE ENFILE ENOMEM EIO ESTALE"),
    ("fstat", "page.html", "/page.html", "EIO"),
    ("stat", "page.html", "/page.html", "EIO"),
    ("lstat", "page.html", "/page.html", "EIO EACCES ENOMEM ENAMETOOLONG ENOTDIR"),
    ("lstat", "link", "/link", "EIO"),
    ("read", "page.html", "/page.html", "EIO ENOMEM"),
    ("read", "big.bin", "/big.bin", "EIO"),
    ("stat", "sub", "/sub/", "EIO"),
    ("lstat", "index.html", "/sub/", "EIO"),
    ("scandir", "sub", "/sub/", "ENOENT EACCES EMFILE EIO"),
    ("next entry", "sub", "/sub/", "EIO"),
    ("thread", "", "/sub/", "EAGAIN"),
]


@pytest.mark.parametrize(
    ("call", "match", "target", "name"), [(*fault, name) for *fault, names in FILES for name in names.split()]
)
def test_promise_17_files(
    faulty: Start, faults: Faults, docroot: Path, call: str, match: str, target: str, name: str
) -> None:
    """A file or folder that the system does not give is answered by what that means, and with nothing of what it was.

    Where it is trouble the log names path and reason, once and not for each request, and no traceback. All else is
    served meanwhile, and this as soon as it can be.
    """
    daemon = faulty()
    code = getattr(errno, name)
    status, is_told = STATUSES[code]
    faults.arm(call, code, match)
    with RawClient(daemon, None) as kept:
        for _ in range(10):  # one failure does not end the connection
            kept.send(request(target))
        responses = [ask(daemon, target) for _ in range(10)] + rest_of(kept, target)
    for response in responses:
        assert response.status == status
        assert response["retry-after"] == ("1" if status == 503 else None)
        assert response["content-type"] == "text/html; charset=utf-8"
        for header in ("etag", "last-modified", "accept-ranges", "content-range"):
            assert response[header] is None, "it is not the file's"
    assert len(responses) == 21
    assert faults.struck(call) >= 21
    assert ask(daemon, "/other.html").body == PAGE
    faults.clear()
    assert ask(daemon, target).status == (404 if target == "/link" else 200)
    assert_serves(daemon)
    logged = stop_and_check(daemon)
    if not is_told:
        assert logged == []
    else:
        reason = "can't start new thread" if call == "thread" else os.strerror(code).lower()
        place = "sub/index.html" if match == "index.html" else target.strip("/")
        assert logged == [f"warn     {docroot}/{place} cannot be read: {reason}"]


def rest_of(client: RawClient, target: str) -> list[Response]:
    """Send a last request on a connection and return all responses that arrive."""
    client.send(request(target, "Connection: close"))
    data, responses = client.read_to_end(), []
    while data:
        taken = take_response(data, ended=True)
        assert taken is not None, data
        response, data = taken
        responses.append(response)
    return responses


@pytest.mark.parametrize("headers", [(), ("Range: bytes=100-3999999",), ("Range: bytes=0-9,100-3999999",)], ids=len)
@PLAIN_AND_TLS
def test_promise_17_reading_fails_half_way(
    faulty: Start, faults: Faults, docroot: Path, headers: tuple[str, ...], tls: bool
) -> None:
    """A body that cannot be read to its end ends the connection, so that nobody takes it for whole; it is logged."""
    daemon = faulty()
    faults.arm("read", errno.EIO, "big.bin", skip=5)
    for _ in range(3):
        with RawClient(daemon, None, tls=tls) as client:
            response = ask_on(client, "/big.bin", *headers)
        assert response.status == (206 if headers else 200)
        assert not response.complete
        if len(response.body) > 1000 and "," not in str(headers):
            start = 100 if headers else 0
            assert response.body == BIG[start : start + len(response.body)]
        faults.clear()
        faults.arm("read", errno.EIO, "big.bin", skip=5)
    faults.clear()
    assert ask(daemon, "/big.bin", tls=tls).body == BIG
    assert_serves(daemon, tls=tls)
    logged = stop_and_check(daemon)
    assert logged == [f"warn     {docroot}/big.bin could not be sent to its end: input/output error"]


def test_promise_17_a_link_that_cannot_be_read_once(faulty: Start, faults: Faults) -> None:
    """A link out of the docroot is not served, even if reading the link fails."""
    daemon = faulty()
    for _ in range(5):
        faults.arm("lstat", errno.EIO, "link", times=1)
        response = ask(daemon, "/link")
        assert (response.status, SECRET in response.body) == (500, False)
        faults.clear()
        assert ask(daemon, "/link").status == 404


# -- a folder that changes between two calls of ours --------------------------------------------------------------


def vanish(path: Path) -> None:
    path.unlink()


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent / "outside")


@pytest.fixture
def impatient() -> Iterator[None]:
    """A test that hangs fails."""

    def fail(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(int(PATIENCE))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("change", [vanish, become_fifo, become_folder, become_link])
def test_promise_17_changes_before_it_is_opened(
    docroot: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """A file that has vanished or is no regular file any more when it is opened is a 404; nothing blocks."""
    real = os.open

    def open_late(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == str(docroot / "page.html"):
            change(docroot / "page.html")
        return real(path, flags, mode, dir_fd=dir_fd)

    server = Server(docroot)
    monkeypatch.setattr(os, "open", open_late)
    response = server.ask("/page.html")
    assert (response.status, SECRET in response.body) == (404, False)
    monkeypatch.undo()
    assert server.ask("/other.html").body == PAGE
    assert dict(server.site.hub.tally.counts) == {}


def test_promise_17_replaced_while_it_is_opened(docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and body are of the same file, even if its name has been reused meanwhile."""
    real = os.fstat

    def fstat_and_replace(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        (docroot / "new").write_bytes(SECRET * 100)
        (docroot / "new").replace(docroot / "page.html")
        return status

    server = Server(docroot)
    monkeypatch.setattr(os, "fstat", fstat_and_replace)
    assert server.ask("/page.html").body == PAGE


def test_promise_17_shrinks_before_it_is_sent(docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file truncated before its first byte is read gets a 500, not a short body."""
    real = os.fstat

    def fstat_and_shrink(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        (docroot / "page.html").write_bytes(b"")
        return status

    server = Server(docroot)
    monkeypatch.setattr(os, "fstat", fstat_and_shrink)
    response = server.ask("/page.html")
    assert (response.status, response["etag"]) == (500, None)
    assert list(server.site.hub.tally.counts) == ["file cannot be read: EIO"]


def test_promise_17_leaves_while_the_folder_cannot_be_read(docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure after the client has left is not logged."""
    server = Server(docroot)
    asked: list[object] = []

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        asked.append(path)
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "scandir", scandir)
    left, stays = server.connect(), server.connect()
    left.send(request("/sub/"))
    left.transport.lose()
    stays.send(request("/sub/"))
    assert stays.response().status == 500
    wait(lambda: len(asked) == 2)
    assert left.transport.value() == b""
    assert failures() == []


def test_promise_17_a_listing_that_fails_in_our_own_code(docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in our own code is a 500 too, with one traceback in the log."""
    server = Server(docroot)

    def broken(*_: object) -> bytes:
        raise KeyError("broken")

    monkeypatch.setattr("wsdaemon.site.listing.listing_page", broken)
    peer = server.connect()
    peer.send(request("/sub/"))
    wait(lambda: bool(peer.transport.value()))
    taken = take_response(peer.take())
    assert taken is not None
    assert (taken[0].status, b"KeyError" in taken[0].body) == (500, False)
    gc.collect()  # a failure that nobody took up would be logged now
    assert len(failures()) == 1
