"""The checks of `answers` see each way of breaking a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.answers import Asked, check_answers
from tests.fuzz.docroot import SECRET, Tree, make_docroot
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, close
from wsdaemon.websocket.frames import frame_header

ASKED = Asked(b"GET", b"/text.txt", {})
CONDITIONAL = Asked(b"GET", b"/text.txt", {b"range": [b"bytes=0-1"], b"if-none-match": [b"*"]})
COMMON = "Date: Sun, 22 Nov 2026 19:41:01 GMT\r\nX-Content-Type-Options: nosniff\r\n"
TYPE = "Content-Type: text/plain; charset=utf-8\r\n"
FILE = f'{COMMON}{TYPE}ETag: "1-7d0"\r\n'
PAGE = f"{COMMON}Content-Type: text/html; charset=utf-8\r\n"
REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
PARTS = 'Content-Type: multipart/byteranges; boundary="b"\r\n'
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_docroot(tmp_path_factory.mktemp("site"))


def response(status: int, headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return f"HTTP/1.1 {status} Reason\r\n{headers}Content-Length: {length}\r\n\r\n".encode("latin-1") + body


def part(first: int, last: int, body: bytes) -> bytes:
    return b"\r\n--b\r\nContent-type: text/plain\r\nContent-range: bytes %d-%d/2000\r\n\r\n" % (first, last) + body


def sent(*frames: Frame) -> bytes:
    """Return frames as a server sends them."""
    return b"".join(
        bytes((frame_header(each.opcode, len(each.payload), fin=each.fin)[0] | each.rsv << 4,))
        + frame_header(each.opcode, len(each.payload))[1:]
        + each.payload
        for each in frames
    )


def check(data: bytes, tree: Tree, asked: Asked = ASKED, *, whole: bool = True) -> None:
    check_answers(data, [asked], tree, whole=whole, sent=b"")


def test_right_answers(tree: Tree) -> None:
    """Correct responses pass."""
    text = tree.contents[2000]
    parts = part(0, 1, text[:2]) + part(5, 9, text[5:10]) + b"\r\n--b--\r\n"
    check(response(200, FILE, text), tree)
    check(response(200, FILE, text) + REFUSAL, tree)
    check(response(301, PAGE + "Location: /sub/?a=b\r\n", b"moved"), tree)
    check(response(206, f"{FILE}Content-Range: bytes 3-5/2000\r\n", text[3:6]), tree, CONDITIONAL)
    check(response(206, FILE.replace(TYPE, PARTS), parts), tree, CONDITIONAL)
    check(response(416, f"{FILE}Content-Range: bytes */2000\r\n"), tree, CONDITIONAL)
    check(response(304, FILE), tree, CONDITIONAL)
    check(response(200, PAGE, b'<a href="../"><a href="./sub/"><a href="./caf%E9.txt">'), tree)
    check(UPGRADED + sent(Frame(TEXT, b"a", fin=False), Frame(PING), Frame(CONTINUATION, b"b"), close(1000)), tree)
    check(response(200, FILE, text)[:300], tree, whole=False)


FILES = {
    "5xx": response(500, PAGE, b"sorry"),
    "5xx-instead-of-a-refusal": REFUSAL.replace(b"400", b"503"),
    "nothing": b"",
    "half-a-head": b"HTTP/1.1 200 OK\r\nDate",
    "no-http": b"hello\r\n\r\n",
    "http/2": response(200, PAGE).replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a-second-answer": response(200, PAGE) * 2,
    "something-behind-a-refusal": response(200, PAGE) + REFUSAL * 2,
    "a-refusal-that-says-more": response(200, PAGE) + REFUSAL.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n"),
    "secret": response(200, PAGE, SECRET),
    "less-than-announced": response(200, PAGE, b"short", length=6),
    "more-than-announced": response(200, PAGE, b"long", length=3),
    "no-length": response(200, PAGE).replace(b"Content-Length: 0\r\n", b""),
    "two-lengths": response(200, f"{PAGE}Content-Length: 0\r\n"),
    "chunked": response(200, f"{PAGE}Transfer-Encoding: chunked\r\n"),
    "not-the-file": response(200, FILE, bytes(2000)),
    "larger-than-the-file": response(200, FILE, bytes(2001)),
    "no-such-file": response(200, FILE.replace("7d0", "7d1"), bytes(2001)),
    "header-injected": response(200, f"{PAGE}Set-Cookie: a=b\r\n"),
    "software-told": response(200, f"{PAGE}Server: Twisted/26.10\r\n"),
    "software-told-elsewhere": response(200, PAGE.replace("text/html", "text/html; by=Twisted/26.10")),
    "no-nosniff": response(200, PAGE.replace("X-Content-Type-Options: nosniff\r\n", "")),
    "no-date": response(200, PAGE.replace("Date", "X-Date")),
    "to-another-host": response(301, f"{PAGE}Location: //evil.example/\r\n"),
    "to-another-url": response(301, f"{PAGE}Location: http://evil.example/\r\n"),
    "backslash": response(301, f"{PAGE}Location: /\\evil.example/\r\n"),
    "control-character": response(301, f"{PAGE}Location: /sub/?\x85a\r\n"),
    "endless-page": response(200, PAGE, bytes(40_000)),
    "hidden-file-listed": response(200, PAGE, b'<a href="./.env">'),
    "link-to-outside-listed": response(200, PAGE, b'<a href="./link-out">'),
    "304-to-no-condition": response(304, FILE),
    "206-to-no-range": response(206, f"{FILE}Content-Range: bytes 0-0/2000\r\n", b"J"),
}

RANGES = {
    "other-bytes": response(206, f"{FILE}Content-Range: bytes 0-1/2000\r\n", b"\xff\xff"),
    "other-length": response(206, f"{FILE}Content-Range: bytes 0-1/2000\r\n", b"J"),
    "no-range": response(206, FILE, b"J"),
    "beyond-the-end": response(206, f"{FILE}Content-Range: bytes 1999-2000/2000\r\n", b"ab"),
    "416-with-a-body": response(416, f"{FILE}Content-Range: bytes */2000\r\n", b"x"),
    "other-part": response(206, FILE.replace(TYPE, PARTS), part(0, 1, b"\xff\xff") + b"\r\n--b--\r\n"),
    "no-end": response(206, FILE.replace(TYPE, PARTS), part(0, 0, b"J")),
}

FRAMES = {
    "masked": Frame(TEXT, b"x").masked(),
    "half-a-frame": b"\x81\x05hell",
    "longer-length": b"\x81\x7e\x00\x01x",
    "unknown-opcode": sent(Frame(3, b"x")),
    "reserved-bit": sent(Frame(BINARY, b"x", rsv=2)),
    "compressed": sent(Frame(BINARY, b"x", rsv=4)),
    "long-ping": sent(Frame(PING, bytes(126))),
    "ping-in-fragments": sent(Frame(PING, fin=False)),
    "continues-nothing": sent(Frame(CONTINUATION, b"x")),
    "begins-inside": sent(Frame(TEXT, b"x", fin=False), Frame(TEXT, b"x")),
    "behind-a-close": sent(close(1000), Frame(TEXT, b"x")),
    "part-behind-a-close": sent(close(1000)) + b"\x81",
    "close-code": sent(close(1006)),
    "half-a-close-code": sent(Frame(CLOSE, b"\x03")),
    "close-reason": sent(Frame(CLOSE, b"\x03\xe8\xff")),
}


@pytest.mark.parametrize("wrong", FILES)
def test_wrong_answers(tree: Tree, wrong: str) -> None:
    """A response that breaks a promise fails."""
    with pytest.raises((AssertionError, ValueError)):
        check(FILES[wrong], tree)


@pytest.mark.parametrize("wrong", RANGES)
def test_wrong_ranges(tree: Tree, wrong: str) -> None:
    """So does a part that differs from its Content-Range."""
    with pytest.raises((AssertionError, ValueError)):
        check(RANGES[wrong], tree, CONDITIONAL)


def test_parts_larger_than_the_file(tree: Tree) -> None:
    """So do parts that are larger than the file together."""
    text = tree.contents[2000]
    body = part(0, 1999, text) + part(0, 0, text[:1]) + b"\r\n--b--\r\n"
    with pytest.raises(AssertionError, match="larger than the file"):
        check(response(206, FILE.replace(TYPE, PARTS), body), tree, CONDITIONAL)


@pytest.mark.parametrize("wrong", FRAMES)
def test_wrong_frames(tree: Tree, wrong: str) -> None:
    """So do frames that a server must not send."""
    with pytest.raises((AssertionError, ValueError)):
        check(UPGRADED + FRAMES[wrong], tree)


def test_docroot(tmp_path: Path) -> None:
    """All files differ in size, so the size of a response tells which file it must be."""
    tree = make_docroot(tmp_path)
    files = [each for each in tree.root.rglob("*") if each.is_file() and not each.is_symlink()]
    served = [each for each in files if each.read_bytes() != SECRET]
    assert len(served) == len(tree.contents)
