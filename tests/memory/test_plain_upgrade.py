"""A plain upgrade request that is read at once: the same response and log as with Twisted's parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import provider

from tests.support.memory import MemorySite, Peer
from tests.support.wire import PING, TEXT, Frame, request
from wsdaemon.websocket.handshake import split_plain_upgrade

LIMITS = "[limits]\nheader_limit = 4096\nmax_headers = 20\n"
NAMES = LIMITS + "[server]\nhost_names = localhost\n"
PLAIN = request("/echo", subprotocols="echo")
EARLY = Frame(TEXT, b"hello").masked() + Frame(PING, b"now").masked()
HEADERS = [
    b"Host: localhost", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]  # fmt: skip


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what is logged."""
    lines: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        level: Any = event.get("log_level")
        lines.append(f"{level} {eventAsText(event, includeTimestamp=False, includeSystem=False)}")

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


def outcome(data: bytes, piece: int, ini: str = LIMITS, *, verbose: bool = False) -> tuple[Any, ...]:
    """Return all visible effects of a request: bytes, ends, log, deadlines and connections."""
    site = MemorySite(ini, verbose=verbose)
    with logged() as lines:
        peer = site.connect()
        peer.send(data, piece=piece)
        peer.settle()
    sent = re.sub(rb"(?i)\r\ndate: [^\r]*", b"", peer.take())
    deadlines = sorted(round(call.getTime(), 3) for call in site.clock.getDelayedCalls())
    seen = (sent, peer.is_ended(), peer.is_aborted(), lines, deadlines, len(list(site.hub.connections)))
    peer.hang_up()
    peer.settle()
    return seen


def is_the_same(data: bytes, ini: str = LIMITS, *, verbose: bool = False) -> tuple[Any, ...]:
    """Check that a request has the same outcome at once and byte by byte; returns the outcome."""
    one, other = (outcome(data, piece, ini, verbose=verbose) for piece in (0, 1))
    if not is_plain(data):  # Twisted itself may begin to wait for a next request, or not, by how bytes come
        one, other = one[:4], other[:4]
    assert other == one
    return one


def is_plain(data: bytes) -> bool:
    return split_plain_upgrade(data, limit=4096, max_headers=20) is not None


def test_plain() -> None:
    """A plain request is split into its target, its headers as written, and what follows."""
    target, headers, rest = split_plain_upgrade(PLAIN + EARLY, limit=4096, max_headers=20) or (b"", [], b"")
    assert (target, rest) == (b"/echo", EARLY)
    assert headers[0] == (b"Host", b"localhost")
    assert [b"%s: %s" % each for each in headers] == PLAIN.split(b"\r\n")[1:-2]


@pytest.mark.parametrize("verbose", [False, True])
def test_the_way_does_not_show(verbose: bool) -> None:
    """A plain request gets the same response and the same log either way."""
    assert is_plain(PLAIN)
    sent, ended, *_ = is_the_same(PLAIN, verbose=verbose)
    assert sent.startswith(b"HTTP/1.1 101 ")
    assert not ended


def test_either_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one chunk a plain request does not reach Twisted's parser; in two it does."""
    lines: list[bytes] = []
    for piece in (0, 100):
        peer = MemorySite().connect()
        received = peer.transport.protocol.lineReceived

        def note(line: bytes, received: Any = received) -> None:
            lines.append(line)
            received(line)

        peer.transport.protocol.lineReceived = note
        peer.send(PLAIN, piece=piece)
        assert peer.take().startswith(b"HTTP/1.1 101 ")
        assert bool(lines) is (piece > 0)


def test_a_second_request_is_left_to_twisted() -> None:
    """Only a connection's first request is read at once: a later one may have to wait for earlier responses."""
    for piece in (0, 1):
        peer: Peer = MemorySite().connect()
        peer.send(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n" + PLAIN, piece=piece)
        assert peer.take().startswith(b"HTTP/1.1 ")


VARIATIONS = [
    b"X: y", b"X-Empty:", b"X-Empty: ", b"X-Spaces:   a b  ", b"X-Tab:\ta\tb\t", b"X-High: caf\xe9", b"X-C1: \x85",
    b"X-Nul: a\0b", b"X-Bell: \x07", b"X-Del: \x7f", b"X-VT: a\x0bb", b"X-FF: \x0c", b"X-CR: a\rb", b"X-LF: a\nb",
    b"X-LF-Header: a\nHost: other", b" folded", b"\tfolded", b"no colon", b": no name", b"Name : space", b"N\xe9: y",
    b"N(: y", b"Host: localhost", b"host: other", b"HOST:", b"Host: a b", b"Host: local_host:80", b"Host: [::1]:80",
    b"Content-Length: 0", b"Content-Length: 5", b"content-length: x", b"Content-Length: 0\r\nContent-Length: 0",
    b"Transfer-Encoding: chunked", b"transfer-encoding: identity", b"Expect: 100-continue", b"Trailer: X",
    b"Connection: close", b"Connection: keep-alive, Upgrade", b"Connection: keep-alive", b"Upgrade: h2c",
    b"upgrade: WebSocket, h2c", b"Upgrade:", b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: short", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"sec-websocket-protocol: echo",
    b"Sec-WebSocket-Protocol: echo, echo", b"Sec-WebSocket-Protocol: no-such-thing", b"Sec-WebSocket-Protocol: ,",
    b"Sec-WebSocket-Extensions: permessage-deflate", b"Sec-WebSocket-Extensions: permessage-deflate; nonsense=1",
    b"Sec-WebSocket-Extensions: ;;;,,", b"Sec-WebSocket-Extensions: " + b"x," * 200, b"Origin: http://localhost",
    b"Origin: http://other", b"Origin: null", b"Origin: http://a\r\nOrigin: http://b", b"X-Long: " + b"x" * 3000,
    b"X-Too-Long: " + b"x" * 4200, b"X: " + b"y" * 1500 + b"\r\nX: " + b"y" * 2600, b"\r\nX: y" * 30, b"",
    b"X-Forwarded-For: 1.2.3.4", b"Cookie: a=b; c=d", b"Sec-WebSocket-Version:", b"Keep-Alive: 1",
]  # fmt: skip
TARGETS = [
    b"/", b"/echo", b"/echo?x=y", b"//echo", b"/echo#x", b"/%65cho", b"/ echo", b"/e\tcho", b"/caf\xe9", b"*", b"",
    b"http://localhost/echo", b"http://other/echo", b"//other/echo", b"/://other/", b"/http://other/", b"echo",
    b"/" + b"x" * 3000, b"/" + b"x" * 5000, b"/\x00", b"/no-such-thing", b"/broadcast", b"/..", b"/\x7f",
]  # fmt: skip
METHODS = [b"GET", b"get", b"POST", b"HEAD", b"GET ", b" GET", b"\r\nGET", b"G\0T", b"", b"OPTIONS"]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1.1\t", b" HTTP/1.1", b"", b"X"]


def build(
    headers: list[bytes], method: bytes = b"GET", target: bytes = b"/echo", version: bytes = b"HTTP/1.1"
) -> bytes:
    """Return a request."""
    return b"\r\n".join([method + b" " + target + b" " + version, *headers, b"", b""])


WHOLE = build(HEADERS)
ODD = {
    "header": [build(more) for each in VARIATIONS for more in ([*HEADERS, each], [each, *HEADERS])],
    "target": [build(more, target=each) for each in TARGETS for more in (HEADERS, [b"Host: other", *HEADERS[1:]])],
    "version": [build(HEADERS, version=each) for each in VERSIONS],
    "method": [build(HEADERS, method=each) for each in METHODS],
    "header missing": [build([each for each in HEADERS if each != missing]) for missing in HEADERS],
    "names in another case": [
        build([change(name) + b":" + value for name, _, value in (each.partition(b":") for each in HEADERS)])
        for change in (bytes.lower, bytes.upper)
    ],
    "bare line feeds": [WHOLE.replace(b"\r\n", b"\n")]
    + [WHOLE[: each.start()] + WHOLE[each.start() + 1 :] for each in re.finditer(b"\r\n", WHOLE)],
    "around the limit on the size of headers": [
        build([*HEADERS, b"X: " + b"x" * (size - len(build([*HEADERS, b"X: "])))]) for size in range(4080, 4110)
    ],
    "around the limit on the number of headers": [
        build(HEADERS + [b"X: y"] * (count - len(HEADERS))) for count in range(18, 23)
    ],
}


@pytest.mark.parametrize(
    ("data", "ini"),
    [
        pytest.param(data, ini, id=f"{kind}-{number}")
        for kind, all_ in ODD.items()
        for number, data in enumerate(all_)
        for ini in ([LIMITS, NAMES] if kind == "target" else [LIMITS])
    ],
)
def test_an_odd_request(data: bytes, ini: str) -> None:
    """An odd request has the same outcome either way; a target also where the server has names."""
    is_the_same(data, ini)


def test_none_but_get_is_read_at_once() -> None:
    assert [method for method in METHODS if is_plain(build(HEADERS, method=method))] == [b"GET"]


PARTS = st.tuples(
    st.lists(st.sampled_from(VARIATIONS), max_size=3).flatmap(lambda more: st.permutations(HEADERS + more)),
    st.sampled_from(METHODS[:1] * 8 + METHODS),
    st.sampled_from(TARGETS[:3] * 8 + TARGETS),
    st.sampled_from(VERSIONS[:1] * 16 + VERSIONS),
)


@given(
    PARTS, st.sampled_from([b"", EARLY, EARLY[:9], b"\r\n", b"GET / HTTP/1.1\r\n"]), st.sampled_from([LIMITS, NAMES])
)
@example((HEADERS, b"GET", b"/echo", b"HTTP/1.1"), EARLY, LIMITS)
@settings(max_examples=300)
def test_any_request(parts: tuple[list[bytes], bytes, bytes, bytes], behind: bytes, ini: str) -> None:
    """Any combination of oddities has the same outcome, with or without more input behind it."""
    is_the_same(build(*parts) + behind, ini)


@given(st.integers(0, len(PLAIN) - 1), st.binary(max_size=2), st.integers(0, 2))
@settings(max_examples=300)
def test_any_change(at: int, put: bytes, taken: int) -> None:
    """A plain request has the same outcome even if bytes are changed, added or removed."""
    is_the_same(PLAIN[:at] + put + PLAIN[at + taken :])
