"""Conditional requests and ranges (RFC 9110 sections 13 and 14), as a client sends them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.http_client import Response, Server

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
MODIFIED = 1_600_000_000.25  # 2020-09-13 12:26:40 and a quarter
AT = "Sun, 13 Sep 2020 12:26:41 GMT"  # as Last-Modified has it: the second in which it was complete
BEFORE = "Sun, 13 Sep 2020 12:26:40 GMT"
AFTER = "Sun, 13 Sep 2020 12:26:42 GMT"
WHOLE, NOT_MODIFIED, PARTIAL, NOT_SATISFIABLE = 200, 304, 206, 416


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("docroot")
    for name, content in {"file": CONTENT, "empty": b"", "one": b"1"}.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (MODIFIED, MODIFIED))
    return Server(folder)


@pytest.fixture(scope="module")
def tag(server: Server) -> str:
    return server.ask("/file")["etag"] or ""


def test_tag(server: Server, tag: str, tmp_path: Path) -> None:
    """A file has a strong tag, the same for HEAD and ranges, which changes with its size or time."""
    assert re.fullmatch('"[!#-~]+"', tag)
    assert {server.ask("/file", method="HEAD")["etag"], server.ask("/file", "Range: bytes=0-1")["etag"]} == {tag}
    path = tmp_path / "file"
    seen = set()
    for content, modified in ((b"a", 1e9), (b"ab", 1e9), (b"a", 1e9 + 1), (b"a", 1e9 + 0.001), (b"a", -5.5)):
        path.write_bytes(content)
        os.utime(path, (modified, modified))
        seen.add(Server(tmp_path).ask("/file")["etag"])
    assert len(seen) == 5


def test_last_modified(server: Server) -> None:
    """Last-Modified is the file's time, rounded up."""
    assert server.ask("/file")["last-modified"] == AT


CONDITIONS = {
    **dict.fromkeys((
        "If-None-Match: {tag}", "If-None-Match: W/{tag}", "If-None-Match: *", 'If-None-Match: "x", {tag}',
        'If-None-Match: "x,y" ,W/"z",,W/{tag},"q"', 'If-None-Match: "x"|If-None-Match: {tag}',
        f"If-Modified-Since: {AT}", f"If-Modified-Since: {AFTER}",
        "If-Modified-Since: Sunday, 13-Sep-20 12:26:41 GMT", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
        # both: the tag counts alone
        f"If-None-Match: {{tag}}|If-Modified-Since: {BEFORE}", "If-None-Match: {tag}|If-Modified-Since: \xff",
        "If-None-Match: {tag}|If-Modified-Since: Sun, 13 Sep 99999999999999999999 12:26:41 GMT",
        # before any range
        "If-None-Match: {tag}|Range: bytes=0-1",
    ), NOT_MODIFIED),
    **dict.fromkeys((
        'If-None-Match: "x"', 'If-None-Match: "*"', 'If-None-Match: ""', "If-None-Match:", "If-None-Match: w/x",
        "If-None-Match: {bare}", 'If-None-Match: "x{bare}"', f"If-Modified-Since: {BEFORE}",
        "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "If-Modified-Since: Fri, 31 Dec 99999 23:59:59 GMT",
        "If-Modified-Since: Sun, 13 Sep 99999999999999999999 12:26:41 GMT",
        "If-Modified-Since: Sun, 99 Sep 2020 12:26:41 GMT", "If-Modified-Since: Sun, 13 Foo 2020 12:26:41 GMT",
        "If-Modified-Since: garbage", "If-Modified-Since: 0", "If-Modified-Since:", "If-Modified-Since: \xff\xfe\x85",
        f'If-None-Match: "x"|If-Modified-Since: {AFTER}', f"If-None-Match:|If-Modified-Since: {AFTER}",
    ), WHOLE),
    'If-None-Match: "x"|Range: bytes=0-1': PARTIAL,
}  # fmt: skip


def fill_in(headers: str, tag: str) -> list[str]:
    return headers.replace("{tag}", tag).replace("{bare}", tag.strip('"')).split("|")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("headers", "status"), CONDITIONS.items())
def test_condition(server: Server, tag: str, headers: str, status: int, method: str) -> None:
    """A client that has the file gets a 304 without a body; any other gets the file."""
    response = server.ask("/file", *fill_in(headers, tag), method=method)
    assert response.status == (WHOLE if method == "HEAD" and status == PARTIAL else status)
    assert response["etag"] == tag
    assert response["last-modified"] == AT
    if response.status == NOT_MODIFIED:
        assert response.body == b""
        assert response["content-type"] is None
        assert response["content-length"] in (None, str(SIZE)), "RFC 9110 section 8.6: the length of a 200, or none"
    elif method == "GET":
        assert response.body == (CONTENT if status == WHOLE else CONTENT[:2])


RANGES: dict[str, tuple[int, int] | int] = {
    "bytes=0-0": (0, 1),
    "bytes=0-9": (0, 10),
    "bytes=500-": (500, SIZE),
    "bytes=1023-": (1023, SIZE),
    "bytes=1000-99999": (1000, SIZE),
    "bytes=0-1023": (0, SIZE),
    "bytes=-1": (1023, SIZE),
    "bytes=-24": (1000, SIZE),
    "bytes=-1024": (0, SIZE),
    "bytes=-9999": (0, SIZE),
    "BYTES=5-6": (5, 7),
    "bytes = 5-6": (5, 7),
    "bytes=5-6,9999-": (5, 7),
    "bytes=9999-,5-6,-0": (5, 7),
    "bytes=0005-0006": (5, 7),
    # none of it is there
    **dict.fromkeys((
        "bytes=1024-", "bytes=1024-1025", "bytes=999999999999999999-", "bytes=-0", "bytes=9999-,-0,1024-1024",
    ), NOT_SATISFIABLE),
    # as if it were not said
    **dict.fromkeys((
        "bytes=", "bytes=-", "bytes", "", "bytes=5-2", "bytes=5-2,0-1", "bytes=a-b", "bytes=0x1-2", "bytes=+1-2",
        "bytes=1_0-20", "bytes=--1", "bytes=1-2-3", "bytes=1", "bytes=\xb2-\xb3", "bytes= 1 - 2", "bytes=0-1;2-3",
        "lines=0-1", "bytes=0-" + "9" * 5000, "bytes=" + "9" * 5000 + "-",
    ), WHOLE),
    # more than is served in parts
    **dict.fromkeys((
        "bytes=0-,0-", "bytes=0-5,5-9", "bytes=5-9,0-5", "bytes=0-9,-1020", "bytes=0-0,2-2,4-4,6-6,8-8,10-10",
        "bytes=" + "0-," * 1000, "bytes=0-0,99999-,99999-,99999-,99999-,99999-",
    ), WHOLE),
}  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), RANGES.items(), ids=lambda each: str(each)[:40])
def test_range(server: Server, value: str, expected: tuple[int, int] | int) -> None:
    """A valid range is sent alone, one beyond the end is a 416, anything else is ignored."""
    response = server.ask("/file", f"Range: {value}")
    if isinstance(expected, tuple):
        first, end = expected
        assert response.status == PARTIAL
        assert response["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
        assert response["content-type"] == "application/octet-stream"
        assert response.body == CONTENT[first:end]
    else:
        assert response.status == expected
        assert response.body == (CONTENT if expected == WHOLE else b"")
        assert response["content-range"] == (f"bytes */{SIZE}" if expected == NOT_SATISFIABLE else None)


@pytest.mark.parametrize("value", ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=5-6", "bytes=0-0,1-1"])
def test_range_of_an_empty_file(server: Server, value: str) -> None:
    """No range of an empty file can be satisfied."""
    response = server.ask("/empty", f"Range: {value}")
    assert (response.status, response["content-range"], response.body) == (NOT_SATISFIABLE, "bytes */0", b"")


def test_two_range_headers_and_head(server: Server) -> None:
    """Several Range headers are ignored, and so is a Range for HEAD (RFC 9110 section 14.2)."""
    assert server.ask("/file", "Range: bytes=0-1", "Range: bytes=4-5").body == CONTENT
    response = server.ask("/file", "Range: bytes=0-1", method="HEAD")
    assert (response.status, response["content-length"]) == (WHOLE, str(SIZE))


def parts(response: Response) -> list[tuple[str, bytes]]:
    """Split a multipart/byteranges body into the Content-Range and bytes of each part."""
    kind = response["content-type"] or ""
    match = re.fullmatch(r'multipart/byteranges; boundary="([^"]+)"', kind)
    assert match is not None, kind
    border = b"--" + match[1].encode()
    assert response.body.endswith(b"\r\n" + border + b"--\r\n")
    found = []
    for part in response.body.split(b"\r\n" + border)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(": ", 1) for line in head.decode().strip().split("\r\n"))
        assert lines["content-type"] == "application/octet-stream"
        found.append((lines["content-range"], content))
    return found


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("bytes=0-1,5-9", [(0, 2), (5, 10)]),
        ("bytes=5-9,0-1", [(5, 10), (0, 2)]),
        ("bytes=0-0, -1", [(0, 1), (1023, 1024)]),
        ("bytes=0-99,200-299,9999-,1000-", [(0, 100), (200, 300), (1000, 1024)]),
        ("bytes=0-0,2-2,4-4,6-6,8-8", [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]),
        ("bytes=0-511,512-1023", [(0, 512), (512, 1024)]),
    ],
)
def test_several_ranges(server: Server, value: str, spans: list[tuple[int, int]]) -> None:
    """Up to five ranges are sent as parts, in the order of the request, each with its Content-Range."""
    response = server.ask("/file", f"Range: {value}")
    assert response.status == PARTIAL
    assert response["content-range"] is None
    assert parts(response) == [(f"bytes {first}-{end - 1}/{SIZE}", CONTENT[first:end]) for first, end in spans]


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{tag}", PARTIAL), (AT, PARTIAL), ("Sunday, 13-Sep-20 12:26:41 GMT", PARTIAL),
        ("W/{tag}", WHOLE), ('"x"', WHOLE), ("*", WHOLE), ("", WHOLE), ("{bare}", WHOLE), ("{tag}, {tag}", WHOLE),
        (BEFORE, WHOLE), (AFTER, WHOLE), ("garbage", WHOLE), ("\xff", WHOLE), ("{tag}|If-Range: {tag}", WHOLE),
    ],
)  # fmt: skip
def test_if_range(server: Server, tag: str, condition: str, status: int) -> None:
    """A range is sent only if If-Range matches the file, by its strong tag or its exact time."""
    headers = fill_in(f"If-Range: {condition}", tag)
    assert server.ask("/file", "Range: bytes=5-9", *headers).status == status
    assert server.ask("/file", *headers).status == WHOLE
    if status == WHOLE:
        assert server.ask("/file", "Range: bytes=9999-", *headers).status == WHOLE


ASCII = st.text('bytes=0123456789-, \t*W/"GMTSunepd:;', max_size=60).map(str.encode)
VALUE = st.one_of(st.binary(max_size=60), ASCII).map(lambda value: value.translate(None, b"\0\r\n"))
SPAN = st.tuples(st.integers(0, 1100), st.integers(0, 1100)).map(lambda span: b"%d-%d" % span)
RANGE = st.one_of(VALUE, VALUE.map(b"bytes=".__add__), st.lists(SPAN, max_size=7).map(b",".join).map(b"bytes=".__add__))


@settings(max_examples=300)
@given(
    name=st.sampled_from(["file", "empty", "one"]),
    headers=st.lists(
        st.one_of(
            RANGE.map(b"Range: ".__add__),
            *(VALUE.map(name.__add__) for name in (b"If-Range: ", b"If-None-Match: ", b"If-Modified-Since: ")),
        ),
        min_size=1,
        max_size=4,
    ),
)
@example(name="one", headers=[b"Range: bytes=-999"])
@example(name="file", headers=[b"Range: bytes=" + b"0-," * 1000])
def test_any_condition(server: Server, name: str, headers: list[bytes]) -> None:
    """No header causes a 5xx or a traceback, or a body larger than the file and the borders of five parts."""
    response = server.ask(f"/{name}", *headers)
    assert response.status in (WHOLE, PARTIAL, NOT_MODIFIED, NOT_SATISFIABLE)
    size = {"file": SIZE, "empty": 0, "one": 1}[name]
    assert len(response.body) <= size + 6 * 200
    if response.status == PARTIAL and (response["content-type"] or "").startswith("multipart"):
        assert sum(len(content) for _, content in parts(response)) <= size
    elif response.status != NOT_MODIFIED:
        assert len(response.body) <= size
