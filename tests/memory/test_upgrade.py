"""Upgrade of an HTTP connection: refusals, and no byte lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.http_client import Peer, Response, Server, failures, request, wait
from tests.support.memory import MemorySite
from tests.support.wire import PING, TEXT, Frame, take_frames

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", KEY)
ECHO = "Sec-WebSocket-Protocol: echo"
HELLO = Frame(TEXT, b"hello")
DEFLATE = "permessage-deflate"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docroot")
    (folder / "index.html").write_bytes(b"a page")
    (folder / "echo").write_bytes(b"a file")
    (folder / "big").write_bytes(b"b" * 300_000)
    return folder


@pytest.fixture
def server(folder: Path) -> Server:
    return Server(folder)


@pytest.fixture(scope="module")
def kept(folder: Path) -> Server:
    """A server for all examples."""
    return Server(folder)


def upgrade(server: Server, target: str = "/", *headers: str | bytes) -> tuple[Peer, Response]:
    """Return the connection and the response to an upgrade; after a 101 the connection stays open."""
    peer = server.connect()
    peer.send(request(target, *UPGRADE, *headers))
    response = peer.response()
    if response.status != 101:
        assert response["connection"] == "close"
        assert response["x-content-type-options"] == "nosniff"
        assert response["server"] is None
        assert peer.closing
        assert not peer.transport.aborted, "the peer must be able to read why"
        peer.send(HELLO.masked() + request("/"))
        assert peer.take() == b"", "after a refusal nothing is answered"
        server.clock.advance(10.1)
        assert peer.transport.gone
    return peer, response


def subprotocol_of(server: Server) -> str:
    """Return the short name of the one connection that is open, and end it."""
    (connection,) = server.hub.connections
    connection.transport.abortConnection()
    assert not list(server.hub.connections)
    return connection.subprotocol


def test_sample(server: Server) -> None:
    """The key of RFC 6455 section 1.3 gets the response given there, which names nothing that was not offered."""
    peer, response = upgrade(server)
    assert response.status == 101
    assert response["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert (response["upgrade"] or "").lower() == "websocket"
    assert (response["connection"] or "").lower() == "upgrade"
    for name in ("sec-websocket-protocol", "sec-websocket-extensions", "server", "content-length"):
        assert response[name] is None
    assert "autobahn" not in str(response.headers).lower()
    peer.transport.lose()
    assert server.clock.getDelayedCalls() == []


def test_the_same_url_serves_both(server: Server) -> None:
    """`/` and `/echo` are a page and a file for a plain GET, and a WebSocket for an upgrade."""
    for target, content in (("/", b"a page"), ("/echo", b"a file")):
        assert server.ask(target).body == content
        assert upgrade(server, target)[1].status == 101
        subprotocol_of(server)


@pytest.mark.parametrize(
    "headers",
    [
        UPGRADE[1:], ("Upgrade: h2c", *UPGRADE[1:]), ("Upgrade: websockets", *UPGRADE[1:]),
        ("Upgrade:", *UPGRADE[1:]), ("Connection: websocket", KEY), (ECHO,),
    ],
)  # fmt: skip
def test_no_upgrade_is_a_page(server: Server, headers: tuple[str, ...]) -> None:
    """A request without the token `websocket` in Upgrade is for the files, whatever its other headers."""
    response = server.ask("/", *headers)
    assert (response.status, response.body) == (200, b"a page")
    assert not list(server.hub.connections)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "get"])
def test_other_methods_never_upgrade(server: Server, method: str) -> None:
    """Only a GET can become a WebSocket."""
    assert server.ask("/", *UPGRADE, method=method).status == (200 if method == "HEAD" else 405)


def test_every_split(server: Server) -> None:
    """A frame may arrive with the request, cut anywhere, or byte by byte: it is answered."""
    data = request("/", *UPGRADE, ECHO) + HELLO.masked() + Frame(PING, b"now").masked()
    halves = [[data[:cut], data[cut:]] for cut in range(len(data) + 1)]
    for pieces in [*halves, [bytes((octet,)) for octet in data]]:
        peer = server.connect()
        for piece in pieces:
            peer.send(piece)
        assert peer.response().status == 101
        assert take_frames(peer.take()) == ([HELLO, Frame(10, b"now")], b""), pieces
        peer.transport.lose()


@pytest.mark.parametrize("before", [["/nothing"], ["/"], ["/", "/nothing"], ["/nothing", "/big"], ["/nothing"] * 100])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("reads", [True, False])
def test_upgrade_after_other_requests(server: Server, before: list[str], at_once: bool, reads: bool) -> None:
    """A connection that served files can become a WebSocket, at once or later, even if the client reads late."""
    peer = server.connect()
    tail = request("/", *UPGRADE, ECHO) + HELLO.masked()
    if not reads:
        peer.transport.fill()
    peer.send(b"".join(map(request, before)) + (tail if at_once else b""))
    if not reads:
        peer.transport.drain()
    statuses = [peer.response().status for _ in before]
    assert statuses == [404 if target == "/nothing" else 200 for target in before]
    if not at_once:
        peer.send(tail)
    assert peer.response().status == 101
    wait(lambda: bool(peer.transport.value()) or bool(peer._rest))
    assert take_frames(peer.take())[0] == [HELLO]
    peer.send(HELLO.masked())
    assert take_frames(peer.take())[0] == [HELLO], "the connection is read on"
    server.clock.advance(5)
    assert not peer.closing
    peer.transport.lose()
    assert server.clock.getDelayedCalls() == []


def test_upgrade_behind_a_download_that_is_read_late(server: Server) -> None:
    """If HTTP paused reading, for an earlier response or too much input, the WebSocket still reads."""
    peer = server.connect()
    large = Frame(TEXT, b"x" * 30_000)
    peer.transport.fill()
    peer.send(request("/big") + request("/", *UPGRADE, ECHO) + large.masked())
    while not list(server.hub.connections):
        turns = iter(range(10))
        wait(lambda turns=turns: next(turns, None) is None)  # type: ignore[misc]  # it is bool
        peer.transport.drain()
        server.clock.advance(0)
        peer.transport.fill()
    peer.transport.drain()
    assert len(peer.response().body) == 300_000
    assert peer.response().status == 101
    assert take_frames(peer.take())[0] == [large]
    peer.send(HELLO.masked())
    assert take_frames(peer.take())[0] == [HELLO], "the connection is read on"


@pytest.mark.parametrize(
    ("origin", "target", "status"),
    [
        (None, "/echo-broadcast", 101),
        ("http://site.test", "/echo-broadcast", 101),
        ("http://evil.example", "/echo-broadcast", 403),
        ("http://evil.example", "/echo-broadcast-ping", 403),
        ("http://evil.example", "/echo", 101),
        ("null", "/log", 101),
    ],
)
def test_origin(server: Server, origin: str | None, target: str, status: int) -> None:
    """By default, pages of other sites may not join the room; a subprotocol that only echoes accepts any origin."""
    headers = [] if origin is None else [f"Origin: {origin}"]
    assert upgrade(server, target, *headers)[1].status == status
    if status == 101:
        subprotocol_of(server)
    assert not list(server.hub.connections)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Version: 13", b"Version: 8", 426),
        (b"Version: 13", b"Version: 13, 8", 426),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 400),
        (b"HTTP/1.1", b"HTTP/1.0", 400),
        (b"Connection: Upgrade", b"Connection: close", 400),
        (b"dGhl", b"", 400),
        (KEY.encode(), KEY.encode() + b"\r\n" + KEY.encode(), 400),
        (b"Upgrade: websocket", b"Upgrade: websocket\r\nOrigin: http://a\r\nOrigin: http://a", 400),
        (b"Upgrade: websocket", b"Upgrade: websocket\r\nX: a\x85Sec-WebSocket-Protocol: echo", 400),
        (b"Upgrade: websocket", b"Upgrade: websocket\r\nX: a\x01", 400),
        (b"GET / ", b"GET /#x ", 400),
    ],
)
def test_wrong_handshake(server: Server, old: bytes, new: bytes, status: int) -> None:
    """A wrong handshake gets its status and a sentence that says why; the connection ends."""
    peer = server.connect()
    data = request("/", *UPGRADE)
    assert data.count(old) == 1
    peer.send(data.replace(old, new) + HELLO.masked())
    response = peer.response()
    assert response.status == status
    assert response["sec-websocket-version"] == ("13" if status == 426 else None)
    assert response["upgrade"] == ("websocket" if status == 426 else None)
    assert response.body.endswith(b".\n")
    assert peer.closing
    assert peer.take() == b""
    peer.transport.lose()
    assert server.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *((b"Host: site.test\r\n", hosts) for hosts in (b"", b"Host: a\r\nHost: b\r\n", b"Host: site.test\r\n" * 2)),
        *(
            (KEY.encode(), KEY.encode() + body)
            for body in (b"\r\nContent-Length: 5", b"\r\nTransfer-Encoding: chunked")
        ),
    ],
)
def test_hosts_and_bodies(server: Server, old: bytes, new: bytes) -> None:
    """No Host, several, or a body is a 400 before anything else is checked, and what follows is not read as frames."""
    peer = server.connect()
    peer.send(request("/echo", *UPGRADE).replace(old, new) + HELLO.masked())
    assert peer.response().status == 400
    assert peer.take() == b""
    assert peer.closing


TEXTS = st.one_of(
    st.text("aA1,;=\"' \t.-_*/:[]@\xe9", max_size=30),
    st.sampled_from(["echo", "13", DEFLATE, f"{DEFLATE}; client_max_window_bits", "http://a"]),
    st.lists(st.sampled_from([DEFLATE, "client_max_window_bits", *'=;,"1 ']), max_size=9).map("".join),
)
NAMES = st.sampled_from(["Extensions", "Protocol", "Version", "Key", "Accept"]).map("Sec-WebSocket-".__add__)


@settings(max_examples=300)
@given(more=st.lists(st.tuples(st.one_of(NAMES, st.just("Origin")), TEXTS), max_size=4))
def test_any_headers(kept: Server, more: list[tuple[str, str]]) -> None:
    """No headers cause a 5xx or a traceback: the response is a 101 or says what is wrong."""
    peer = kept.connect()
    peer.send(request("/echo", *UPGRADE, *(f"{name}: {value}" for name, value in more)))
    assert peer.response().status in (101, 400, 403, 426)
    peer.transport.lose()
    assert kept.clock.getDelayedCalls() == []
    assert failures() == []


def test_an_upgrade_by_a_whole_url() -> None:
    """An upgrade may name a whole URL (RFC 6455 section 4.1)."""
    site = MemorySite()
    site.open("http://localhost/echo-assemble/x")
    assert [connection.subprotocol for connection in site.hub.connections] == ["echo-assemble"]
