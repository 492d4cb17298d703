"""Inputs to which a stock Twisted or Autobahn responds with a 5xx, a traceback or nonsense; and one of each kind.

The fuzzer begins with these, and the tests run each of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tests.fuzz.target import CUT, END, FILL, READ, WAIT
from tests.support.http_client import request
from tests.support.wire import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, Frame, close
from tests.support.wire import request as handshake

_LARGE = (100_000).to_bytes(8, "big") + bytes(4)  # a length, and a mask of zeros
_DEFLATE = "permessage-deflate; client_max_window_bits"

_RANGES = (
    "bytes=" + "0-," * 5328 + "0-", "bytes=" + "0-," * 1000 + "0-", "bytes=-999999", "bytes=-999", "bytes=", "bytes=,",
    "bytes=-", "bytes=-0", "bytes=5-2", "bytes=999999-", "bytes=0-1,5-9", "bytes=0-5,5-9", "bytes=0-,0-,0-,0-,0-",
    "bytes=0-0,2-2,4-4,6-6,8-8", "bytes=0-99999999999999999999999999", "bytes=" + "9" * 5000 + "-", "lines=1-2", "0-1",
    "bytes=\xb2-\xb3",
)  # fmt: skip

_TARGETS = (
    # bytes that mean something elsewhere
    "/%00", "/\x80", "/sub?\x85Set-Cookie:a=b", "/caf%e9.txt", "/caf%C3%A9.txt", "/%", "/%zz%1", "/%ed%a0%80",
    "/%3Cb%3E%22it%27s%22%20%26%20100%25.txt",
    # no file, or a file of an odd time
    "/fifo", "/socket", "/loop", "/loop-a/x", "/dangling", "/link-to-device", "/text.txt/", "/text.txt/x",
    "/after-9999", "/before-1970", "/empty",
    # out of the docroot, and hidden
    "/link-out", "/folder-out/secret.txt", "/with-index-out/", "/../secret.txt", "/%2e%2e/outside/secret.txt",
    "/..%2foutside%2fsecret.txt", "/%c0%ae%c0%ae/secret.txt", "/..\\outside\\secret.txt", "/.env",
    "/.hidden/secret.txt", "/folder-to-hidden/secret.txt",
    # redirects
    "//evil.example/", "//evil.example", "/\\evil", "/%5Cevil", "/sub?a=b",
    # other forms of a target
    "*", "http://evil.example/sub", "http://evil.example?x", "evil.example:80",
    # long
    "/" + "n" * 255, "/" + "n" * 256, "/" + "d/" * 4000, "/text.txt?" + "a=b&" * 50,
)  # fmt: skip

_HEADERS = {
    "length-1e12": "Content-Length: 1000000000000",
    "length-of-5000-digits": "Content-Length: " + "9" * 5000,
    "length-negative": "Content-Length: -1",
    "length-plus": "Content-Length: +0",
    "length-unicode": "Content-Length: \xb2",
    "length-twice": "Content-Length: 0\r\nContent-Length: 5",
    "length-and-chunked": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1",
    "chunked": "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunked-twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "encoding-unknown": "Transfer-Encoding: xchunked",
    "encoding-identity": "Transfer-Encoding: identity",
    "byte-0x85": "X: a\x85Injected: yes",
    "nul": "X: a\0b",
    "carriage-return": "X: a\rInjected: yes",
    "folded": "X: a\r\n b\r\n\tc",
    "space-before-colon": "X : a",
    "no-colon": "nothing",
    "no-name": ": nothing",
    "no-value": "X:",
    "two-hosts": "Host: other",
    "bad-dates": "If-Modified-Since: Mon, 99 Foo 99999 99:99:99 +99999",
    "date-far-away": "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 -2359",
    "date-before-all": "If-Modified-Since: Mon, 01 Jan 0001 00:00:00 +2359",
    "not-ascii-date": "If-Modified-Since: \xff",
    "any-tag": "If-None-Match: *",
    "any-tag-and-odd-date": "If-None-Match: *\r\nIf-Modified-Since: ;",
    "odd-date-that-is-one": "If-Modified-Since: ;x, 01 Jan 2100 00:00:00 GMT",
    "odd-tags": 'If-None-Match: W/"", "a\xff", x, "',
    "if-range": 'Range: bytes=0-1\r\nIf-Range: "x"',
    "two-ranges": "Range: bytes=0-1\r\nRange: bytes=2-3",
    "expect": "Expect: 100-continue",
    "many": "\r\n".join(f"X-{number}: x" for number in range(600)),
    "too-long": "X: " + "x" * 20_000,
    "multipart-without-boundary": "Content-Type: multipart/form-data",
    "cookies": "Cookie: a=b; =; ;;; c",
    "close": "Connection: close",
    "upgrade-to-h2c": "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
}

_LINES = {
    "nothing": b"",
    "end-of-line": b"\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303"),
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http0.9": b"GET /\r\n\r\n",
    "http1.0": b"GET /text.txt HTTP/1.0\r\n\r\n",
    "http1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "bare-line-feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "endless-line": b"GET /" + b"a" * 20_000,
    "half-a-request": b"GET / HTTP/1.1\r\nHo",
    "post": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "head": request("/large.bin", method="HEAD"),
    "head-of-a-listing": request("/", method="HEAD"),
    "methods": b"".join(request(method=method) for method in ("OPTIONS", "PUT", "TRACE", "get", "!#$%&'*+-.^_`|~")),
    "pipelined": request("/large.bin") + request("/") + request("/one") + request("/nothing", "Connection: close"),
    "cut-anywhere": CUT.join(bytes((byte,)) for byte in request("/sub/")),
    "slow": WAIT.join((b"GET / HTTP", b"/1.1\r\n", b"Host: x\r\n")),
    "idle": request("/one") + WAIT * 9,
    "stops-reading": FILL + request("/large.bin") + WAIT * 5,
    "reads-late": FILL + request("/large.bin") + request("/") + WAIT + READ + READ,
    "hangs-up-early": request("/large.bin") + END,
    "reads-no-listing": FILL + request("/") + request("/text.txt", "Range: bytes=0-1,3-4") + READ,
}

_UPGRADES = {
    "http1.0": b"GET /echo HTTP/1.0\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "version-8": handshake("/echo").replace(b"Version: 13", b"Version: 8"),
    "no-key": handshake("/echo").replace(KEY, b""),
    "two-keys": handshake("/echo", more=f"Sec-WebSocket-Key: {KEY.decode()}\r\n"),
    "two-origins": handshake("/echo", more="Origin: http://a\r\nOrigin: http://b\r\n"),
    "bad-origin": handshake("/echo-broadcast", more="Origin: http://[\r\n"),
    "body": handshake("/echo", more="Content-Length: 5\r\n") + b"hello",
    "byte-0x85": handshake("/echo").replace(b"Host: localhost", b"Host: localhost\r\nX: a\x85b"),
    "odd-host": handshake("/echo").replace(b"localhost", b"[::1%25x]:99999"),
    "unknown-subprotocol": handshake("/", subprotocols="nobody, knows"),
    "twice-the-same": handshake("/", subprotocols="echo, echo"),
    "extensions": handshake("/echo", extensions='permessage-deflate; x="\\"; =, ;;, permessage-deflate; a; a'),
    "head": handshake("/echo").replace(b"GET", b"HEAD"),
}

_FRAMES = {
    "echo": ("/echo", "", [Frame(TEXT, b"hello"), Frame(BINARY, bytes(300)), close(1000)]),
    "fragments": ("/echo", "", [Frame(TEXT, b"a", fin=False), Frame(PING, b"p"), Frame(CONTINUATION, b"b")]),
    "not-utf-8": ("/echo", "", [Frame(TEXT, b"\xff")]),
    "deflated": ("/echo", _DEFLATE, [Frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=4)] * 2),
    "final-block": ("/echo", _DEFLATE, [Frame(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=4), Frame(TEXT, b"x")]),
    "corrupt": ("/echo-assemble", _DEFLATE, [Frame(TEXT, b"\xff\xff\xff", rsv=4)]),
    "bomb": ("/echo-assemble", _DEFLATE, [Frame(BINARY, zlib.compress(bytes(1 << 20), wbits=-15), rsv=4)]),
    "reserved-opcode": ("/log", "", [Frame(3, b"x")]),
    "reserved-bit": ("/log", "", [Frame(TEXT, b"x", rsv=2)]),
    "long-ping": ("/log", "", [Frame(PING, b"x" * 126)]),
    "pong": ("/echo-broadcast-ping", "", [Frame(PONG, b""), Frame(TEXT, b"x"), Frame(CLOSE, b"\x03")]),
    "continuation-first": ("/echo-fragment", "", [Frame(CONTINUATION, b"x")]),
    "close-code": ("/echo-fragment", "", [Frame(TEXT, b"xyz"), close(1006)]),
    "close-reason": ("/echo", "", [Frame(CLOSE, b"\x03\xe8\xff")]),
    "too-big": ("/echo-assemble", "", [Frame(BINARY, bytes(513))]),
    "broadcast": ("/echo-broadcast", "", [Frame(TEXT, b"hi"), close(4000, "bye"), Frame(TEXT, b"more")]),
}

_STREAMS = {
    "unmasked": handshake("/echo") + b"\x81\x05hello",
    "length-not-shortest": handshake("/echo") + b"\x81\xfe\x00\x05abcdhello",
    "length-of-2-to-63": handshake("/echo") + b"\x82\xff" + b"\xff" * 8 + b"abcd",
    "large-frame-half": handshake("/echo") + b"\x81\xff" + _LARGE + b"abc\xff" + b"x" * 99,
    "large-frame-never-ends": handshake("/echo") + b"\x82\xff" + _LARGE + b"abc",
    "stops-reading": handshake("/echo") + FILL + Frame(BINARY, bytes(200)).masked() * 3 + WAIT * 5,
    "reads-late": handshake("/echo-broadcast") + FILL + Frame(TEXT, b"x").masked() * 9 + WAIT + READ,
    "cut": CUT.join((handshake("/echo-assemble"), b"\x01", b"\x83abcd", b"xyz", b"\x80\x80abcd")),
    "half-a-message": handshake("/echo-assemble") + b"\x01\x81abcd?" + WAIT * 9,
    "behind-a-file": request("/large.bin") + handshake("/echo") + Frame(TEXT, b"x").masked(),
    "behind-a-refusal": handshake("/echo").replace(b"13", b"12") + Frame(TEXT, b"x").masked(),
}


def _all() -> Iterator[tuple[str, bytes]]:
    for number, ranges in enumerate(_RANGES):
        for file in ("text.txt", "empty", "large.bin"):
            yield f"range-{number}-{file}", request(f"/{file}", f"Range: {ranges}")
    for number, target in enumerate(_TARGETS):
        yield f"target-{number}", request(target)
    for name, header in _HEADERS.items():
        yield f"header-{name}", request("/text.txt", header) + request("/one")
        yield f"upgrade-header-{name}", handshake("/echo")[:-2] + header.encode("latin-1") + b"\r\n\r\n"
    for name, stream in (_LINES | {f"upgrade-{name}": stream for name, stream in _UPGRADES.items()}).items():
        yield f"http-{name}", stream
    for name, (path, extensions, frames) in _FRAMES.items():
        sent = b"".join(frame.masked() for frame in frames)
        yield f"frames-{name}", handshake(path, extensions=extensions) + sent
    for name, stream in _STREAMS.items():
        yield f"frames-{name}", stream


SEEDS: dict[str, bytes] = dict(_all())
