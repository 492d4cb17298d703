"""Folder listing: all that a client may fetch, with links that work for any name."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.http_client import Server, failures, request
from wsdaemon.site.listing import Entry, listing_page


class Page(HTMLParser):
    """The links of a page, the texts of its table's rows, and all its tags."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.headline = ""
        self._in_headline = False
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._in_headline = tag == "h1"
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_headline = False

    def handle_data(self, data: str) -> None:
        if self._in_headline:
            self.headline += data
        elif self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data.removesuffix("\n") if len(self.rows[-1]) > 1 else data

    def names(self) -> list[str]:
        """Return the texts of the first column, without the head."""
        return [row[0] for row in self.rows[1:]]


def listing(docroot: Path, target: str = "/") -> Page:
    response = Server(docroot).ask(target)
    assert response.status == 200
    return Page(response.body)


def test_sizes_times_and_order(tmp_path: Path) -> None:
    """Folders first, then files, each in alphabetical order ignoring case, with size and time (UTC)."""
    for name, size in {"b.txt": 0, "A.txt": 999, "c.bin": 1536, "d.bin": 5_000_000, "é.txt": 1}.items():
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (1_600_000_000, 1_600_000_000))
    for name in ("zoo", "Bar", "apple"):
        (tmp_path / name).mkdir()
    page = listing(tmp_path)
    assert page.names() == ["apple/", "Bar/", "zoo/", "A.txt", "b.txt", "c.bin", "d.bin", "é.txt"]
    assert page.rows[0] == ["Name", "Size", "Changed (UTC)"]
    assert [row[1] for row in page.rows[1:]] == ["", "", "", "999 B", "0 B", "1.5 KiB", "4.8 MiB", "1 B"]
    assert page.rows[4][2] == "2020-09-13 12:26"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", row[2]) for row in page.rows[1:])


def test_headers(tmp_path: Path) -> None:
    """A listing has a type, a length and a policy that runs no script; so has the response to HEAD."""
    (tmp_path / "file").touch()
    server = Server(tmp_path)
    response, head = server.ask("/"), server.ask("/", method="HEAD")
    for each in (response, head):
        assert each["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in (each["content-security-policy"] or "")
        assert each["x-content-type-options"] == "nosniff"
        assert each["content-length"] == str(len(response.body))
    assert (head.status, head.body) == (200, b"")


def test_parent(tmp_path: Path) -> None:
    """Every folder but the docroot links to its parent."""
    (tmp_path / "one" / "two").mkdir(parents=True)
    assert "../" not in listing(tmp_path).links
    for target in ("/one/", "/one/two/"):
        page = listing(tmp_path, target)
        assert page.links[0] == "../"
        assert page.names()[0] == "../"
        assert page.headline == f"Index of {target}"


def test_what_is_left_out(tmp_path: Path) -> None:
    """Hidden names, devices and the like, and links that are not followed are left out: they would reveal a size."""
    root = tmp_path / "docroot"
    (root / ".git").mkdir(parents=True)
    for name in ("file", ".hidden", "../outside"):
        (root / name).write_bytes(b"12345")
    links: dict[str, str | Path] = {
        "link": "file", "dangling": "nowhere", "loop": "loop", "device": "/dev/null",
        "out": tmp_path / "outside", "folder-out": tmp_path, "hidden": ".hidden",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    assert listing(root).names() == ["file", "link"]


def test_empty(tmp_path: Path) -> None:
    """An empty folder says so; below the docroot it still links to its parent."""
    (tmp_path / "empty").mkdir()
    assert b"This folder is empty" in Server(tmp_path / "empty").ask("/").body
    assert listing(tmp_path, "/empty/").links == ["../"]


def test_switched_off(tmp_path: Path) -> None:
    """With `listing = no`, a folder without an index.html is a 404; its files and its index are served."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"here")
    server = Server(tmp_path, "[server]\nlisting = no\n")
    assert server.ask("/").status == server.ask("/sub/").status == 404
    assert server.ask("/sub/file").body == b"here"
    (tmp_path / "index.html").write_bytes(b"index")
    assert server.ask("/").body == b"index"


HOSTILE = [
    b"<script>alert(1)", b"<b>bold", b"a&b", b"a&amp;b", b'"quoted"', b"it's", b"a'onclick='x", b"a b",
    b"javascript:alert(1)", b"http:", b"c:d", b"mailto:x@y", b"#fragment", b"?query", b"a?b=c#d", b"100%", b"%41",
    b"%2e%2e", b"back\\slash", b"\\\\host", b"new\nline", b"tab\t", b"\x01\x1b[31m", b"\x7f", "é ü 漢字 😀".encode(),
    "\u202egpj.exe".encode(), "\u2028".encode(), b"\xff\xfe", b"caf\xe9", b"\x80", b"~tilde", b"-dash", b"a;b", b"@a",
    b"x" * 255, b"{title}", b"{0}", b"+plus", b"semi;colon=1",
]  # fmt: skip


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_hostile_names(tmp_path: Path, name: bytes, is_folder: bool) -> None:
    """A name is shown as text and its link leads to it, whatever its bytes."""
    path = os.path.join(os.fsencode(tmp_path), name)
    if is_folder:
        os.mkdir(path)
        (Path(os.fsdecode(path)) / "inner").write_bytes(b"content of " + name)
    else:
        Path(os.fsdecode(path)).write_bytes(b"content of " + name)
    page = listing(tmp_path)
    assert page.tags <= {
        "html", "meta", "title", "style", "h1", "table", "thead", "tbody", "tr", "th", "td", "a", "bdi",
    }  # fmt: skip
    expected = name.decode("utf-8", "replace") + ("/" if is_folder else "")
    assert "".join(page.names()[0].split()) == "".join(expected.split())
    target = urljoin("http://site.test/", page.links[0])
    assert urlsplit(target).netloc == "site.test"
    assert not urlsplit(target).query
    server = Server(tmp_path)
    response = server.ask(urlsplit(target).path)
    if is_folder:
        inner = Page(response.body)
        assert inner.tags <= page.tags
        response = server.ask(urlsplit(urljoin(target, inner.links[1])).path)
    assert response.body == b"content of " + name


@pytest.mark.parametrize("modified", [-1.0, -1e11, 1e11, 1e12, 1e15, 1e300])
def test_times_that_no_calendar_has(modified: float) -> None:
    """A time without a date in the calendar is left out."""
    page = Page(listing_page("/", [Entry("file", False, 1, modified)]))
    assert page.names() == ["file"]
    assert re.fullmatch(r"|\d{4}-\d\d-\d\d \d\d:\d\d", page.rows[1][2])


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (1023, "1.0 KiB"), (1 << 30, "1.0 GiB"), (1 << 60, "TiB")])
def test_sizes(size: int, shown: str) -> None:
    """A size of any magnitude is readable."""
    assert shown in Page(listing_page("/", [Entry("file", False, size, 0.0)])).rows[1][1]


def test_many_entries(tmp_path: Path) -> None:
    """A folder of thousands is listed completely."""
    for number in range(3000):
        (tmp_path / f"{number:04}").touch()
    assert listing(tmp_path).names() == [f"{number:04}" for number in range(3000)]


def test_client_that_leaves_while_the_folder_is_read(tmp_path: Path) -> None:
    """A listing whose client has left causes no error."""
    server = Server(tmp_path)
    left, stays = server.connect(), server.connect()
    left.send(request("/"))
    left.transport.lose()
    stays.send(request("/"))
    assert stays.response().status == 200
    assert left.transport.value() == b""
    assert failures() == []


@pytest.mark.parametrize("leave", [False, True], ids=["all wait", "all but the last leave"])
def test_hundreds_who_wait_for_the_same_folder(tmp_path: Path, leave: bool) -> None:
    """All requests that wait while a listing is made, and later ones, get one, unless their client leaves."""
    (tmp_path / "file").touch()
    server = Server(tmp_path)
    peers = [server.connect() for _ in range(400)]
    for peer in peers:
        peer.send(request("/"))
    if leave:
        for peer in peers[:-1]:
            peer.transport.lose()
    for peer in peers[-1:] if leave else peers:
        assert Page(peer.response().body).names() == ["file"]
        peer.transport.lose()
    (tmp_path / "later").touch()
    assert Page(server.ask("/").body).names() == ["file", "later"], "an old page is kept"
    assert failures() == []
