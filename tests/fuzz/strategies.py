"""Hypothesis strategies for what a client sends: requests, upgrades and whole connections."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.docroot import LARGE
from tests.fuzz.target import CUT, END, FILL, READ, WAIT
from tests.support.wire import KEY, Frame

Octets = st.SearchStrategy[bytes]

SIZES = (0, 1, 2, 5, 1999, 2000, 2001, LARGE - 1, LARGE, LARGE + 1, 10**18, 10**19)
PATHS = (
    b"", b"text.txt", b"empty", b"one", b"large.bin", b"sub", b"sub/", b"with-index/", b"link-inside",
    b"folder-inside/", b"link-out", b"folder-out/secret.txt", b"folder-to-hidden/secret.txt", b"loop", b"dangling",
    b"fifo", b"socket", b".env", b".hidden/", b"caf%e9.txt", b"evil.example", b"with-index-out/", b"n" * 255,
    b"link-to-root", b"echo", b"echo-broadcast", b"echo-assemble", b"log", b"page.html.gz", b"empty-folder/",
    b"after-9999", b"before-1970",
)  # fmt: skip
SUBPROTOCOLS = (b"echo", b"echo-broadcast", b"echo-assemble", b"echo-fragment", b"", b"log")
PIECES = (
    b"/", b"//", b".", b"..", b"%2e", b"%2E%2e", b"%2f", b"%5c", b"\\", b"%00", b"%", b"%zz", b"%c0%ae", b"%ed%a0%80",
    b"\x7f", b"\x80", b"\x85", b"\xb0", b"\xb1", b"?", b"#", b";", b":", b"@", b"*", b"http://", b"HTTPS://x", b"ws:///",
    b"[::1]", b"a" * 300, b"<b>", b'"', b"%0d%0aX:y", b"%22",
)  # fmt: skip
NAMES = (
    b"Range", b"If-Range", b"If-None-Match", b"If-Modified-Since", b"Host", b"Content-Length", b"Transfer-Encoding",
    b"Connection", b"Upgrade", b"Expect", b"Cookie", b"Origin", b"Content-Type", b"X-Forwarded-For",
    b"Accept-Encoding", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol", b"",
    b"Sec-WebSocket-Extensions", b"\xff", b"If-Match", b"If-Unmodified-Since", b"X", b"HOST ", b"Content-length\t",
)  # fmt: skip
VALUES = (
    b"", b"*", b'"x"', b'W/"x"', b"close", b"keep-alive", b"upgrade", b"websocket", b"h2c, websocket", b"13", b"8",
    b"chunked", b"identity", b"gzip, chunked", b"0", b"00", b"+0", b"-1", b"1000000000000", b"9" * 5000, b"\xb2", KEY,
    b"100-continue", b"permessage-deflate; client_max_window_bits", b"permessage-deflate; server_max_window_bits=9",
    b"permessage-deflate; client_max_window_bits=7", b"echo", b"echo, log", b"nobody", b"null", b"http://site.test",
    b"http://evil.example", b"site.test:80", b"[::1", b"a:99999", b"a b", b"multipart/form-data", b"x\x85y", b"x\x00y",
    b"Thu, 01 Jan 1970 00:00:00 GMT", b"Fri, 31 Dec 9999 23:59:59 GMT", b"Mon, 01 Jan 0001 00:00:00 +2359", b"\xff\xfe",
    b";", b";x, 01 Jan 2100 00:00:00 GMT", b"Mon", b"Mon, 01 Jan 2100 24:61:61 -9999",
)  # fmt: skip


def _escaped(data: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in data)


octet_strings: Octets = st.binary(max_size=12)
targets: Octets = st.one_of(
    st.sampled_from(PATHS).map(lambda path: b"/" + path),
    st.lists(st.one_of(st.sampled_from(PATHS), st.sampled_from(PIECES)), max_size=6).map(b"/".join),
    st.lists(st.one_of(st.sampled_from(PIECES), octet_strings, octet_strings.map(_escaped)), max_size=6).map(
        lambda pieces: b"/" + b"".join(pieces)
    ),
    octet_strings,
)
numbers: Octets = st.one_of(st.just(b""), st.sampled_from(SIZES).map(lambda size: b"%d" % size), octet_strings)
spans: Octets = st.tuples(numbers, st.sampled_from((b"-", b"-", b"-", b"", b"--", b" - ")), numbers).map(b"".join)
ranges: Octets = st.tuples(
    st.sampled_from((b"bytes=", b"bytes=", b"Bytes =", b"lines=", b"bytes", b"")),
    st.lists(spans, max_size=8).map(b",".join),
    st.sampled_from((b"", b",", b",0-" * 100)),
).map(b"".join)
headers: Octets = st.one_of(
    ranges.map(lambda value: b"Range: " + value),
    st.tuples(st.sampled_from(NAMES), st.just(b": "), st.one_of(st.sampled_from(VALUES), octet_strings)).map(b"".join),
    st.tuples(octet_strings, st.sampled_from((b":", b"", b"\t: ", b"\r\n ")), octet_strings).map(b"".join),
)
hosts: Octets = st.one_of(
    st.just(b"Host: site.test"),
    st.just(b"Host: site.test"),
    st.sampled_from((b"", b"Host:", b"Host: [::1]:80", b"Host: a\r\nHost: b", b"host: \xff", b"Host: a:b:c")),
)
methods: Octets = st.sampled_from((b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"get", b"T\xe9", b"", b"!"))
versions: Octets = st.sampled_from((b"HTTP/1.1",) * 5 + (b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"", b"HTTP/1.1 x"))
ends: Octets = st.sampled_from((b"\r\n",) * 8 + (b"\n", b"\r"))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, valid or nearly."""
    line = b" ".join((draw(methods), draw(targets), draw(versions)))
    lines = [line, *filter(None, (draw(hosts), *draw(st.lists(headers, max_size=5)))), b"", b""]
    body = draw(st.one_of(st.just(b""), st.just(b""), st.just(b"0\r\n\r\n"), octet_strings))
    return draw(ends).join(lines) + body


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame, valid or nearly."""
    payload = draw(
        st.one_of(octet_strings, st.integers(0, 600).map(bytes), st.just(b"\x03\xe8bye"), st.text().map(str.encode))
    )
    frame = Frame(
        opcode=draw(st.sampled_from((0, 0, 1, 1, 1, 2, 2, 8, 9, 10, 3, 15))),
        payload=payload,
        fin=draw(st.booleans()),
        rsv=draw(st.sampled_from((0, 0, 0, 4, 4, 2, 7))),
    )
    masked = frame.masked()
    return masked if draw(st.integers(0, 9)) else masked[: draw(st.integers(0, len(masked)))]


@st.composite
def websockets(draw: st.DrawFn) -> bytes:
    """An upgrade, valid or nearly, and frames behind it."""
    lines = [
        b"GET /%s HTTP/1.1" % draw(st.sampled_from(SUBPROTOCOLS)),
        b"Host: site.test", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY,
    ]  # fmt: skip
    if draw(st.booleans()):
        lines.append(b"Sec-WebSocket-Extensions: permessage-deflate")
    if not draw(st.integers(0, 3)):
        lines.insert(draw(st.integers(1, len(lines))), draw(headers))
    return b"\r\n".join((*lines, b"", b"")) + b"".join(draw(st.lists(frames(), max_size=6)))


@st.composite
def connections(draw: st.DrawFn) -> bytes:
    """All that a client sends on a connection, cut into packets anywhere, and its other actions (see `target`)."""
    marks = st.sampled_from((CUT, CUT, FILL, READ, WAIT, END))
    parts = draw(st.lists(st.one_of(requests(), requests(), websockets(), octet_strings, marks), max_size=5))
    stream = b"".join(parts)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(stream)))
        stream = stream[:at] + draw(marks) + stream[at:]
    return stream
