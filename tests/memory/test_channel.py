"""HTTP connection: its deadlines, what it refuses itself, and many requests one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.http_client import Peer, Server, failures, request, take_response, wait
from tests.support.memory import pass_time

DEADLINES = """
[server]
idle_timeout = 60
stall_timeout = 30
[websocket]
handshake_timeout = 10
close_timeout = 8
"""
BIG = 3_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docroot")
    (folder / "file").write_bytes(b"content")
    (folder / "big").write_bytes(b"b" * BIG)
    return folder


@pytest.fixture
def server(folder: Path) -> Server:
    return Server(folder, DEADLINES)


@pytest.fixture(scope="module")
def kept(folder: Path) -> Server:
    """A server for all examples."""
    return Server(folder, DEADLINES)


def assert_refused(peer: Peer, status: int) -> None:
    """The peer gets one short response, then the server ends and reads nothing more."""
    taken = take_response(peer.take(), ended=peer.closing)
    assert taken is not None
    response, rest = taken
    assert (response.status, response.body, rest) == (status, b"", b"")
    assert response["server"] is None
    assert peer.closing
    assert not peer.transport.aborted
    for _ in range(4):
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert peer.take() == b"", "it takes nothing more"
    assert failures() == []


def assert_gone_after(server: Server, peer: Peer, seconds: float) -> None:
    pass_time(server.clock, seconds - 0.1)
    assert not peer.transport.gone
    pass_time(server.clock, 0.2)
    assert peer.transport.aborted
    assert server.clock.getDelayedCalls() == []


# -- deadlines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("half", "behind"),
    [
        *[(half, False) for half in (b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n")],
        *[(half, True) for half in (b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n")],
    ],
)
def test_headers_that_never_end(server: Server, half: bytes, behind: bool) -> None:
    """A request, first or later, has `handshake_timeout`, not `idle_timeout`; then it gets a 408 and the end."""
    peer = server.connect()
    peer.send(request("/nothing") + half if behind else half)
    assert not behind or peer.response().status == 404
    server.clock.advance(9.9)
    assert not peer.closing
    server.clock.advance(0.2)
    assert_refused(peer, 408)
    assert_gone_after(server, peer, 8)


@pytest.mark.parametrize("again", [False, True], ids=["first request", "second request"])
def test_headers_at_a_byte_a_second(server: Server, again: bool) -> None:
    """The deadline is for all headers together: a byte now and then does not push it back."""
    peer = server.connect()
    if again:
        peer.send(request("/nothing"))
        assert peer.response().status == 404
        server.clock.advance(55)
    for octet in request("/file", "X: " + "x" * 100)[:10]:
        assert not peer.closing
        peer.send(bytes((octet,)))
        server.clock.advance(1)
    assert_refused(peer, 408)


def test_idle(server: Server) -> None:
    """Between requests a connection may wait for `idle_timeout`; then it ends without a response."""
    peer = server.connect()
    for _ in range(3):
        server.clock.advance(9)
        peer.send(request("/nothing"))
        assert peer.response().status == 404
        server.clock.advance(50)
        assert not peer.closing
    server.clock.advance(10.1)
    assert peer.closing
    assert peer.take() == b""
    server.clock.advance(7)
    for line in request("/nothing", "Connection: close").splitlines(keepends=True):
        peer.transport.protocol.dataReceived(line)  # TLS goes on handing on what it decrypts
    assert_gone_after(server, peer, 1)


def test_stalled_download(server: Server) -> None:
    """A client that reads nothing for `stall_timeout` is aborted, and its file is closed."""
    peer = server.connect()
    peer.transport.fill()
    peer.send(request("/big"))
    wait(lambda: bool(peer.transport.value()))
    assert len(peer.take()) < BIG
    assert_gone_after(server, peer, 30)


def test_slow_download(server: Server) -> None:
    """A client that reads slowly but steadily gets everything, however long it takes, and may send more requests."""
    peer = server.connect()
    peer.send(request("/nothing") + request("/big"))
    peer.transport.fill()
    received = 0
    while received < BIG:
        wait(lambda: bool(peer.transport.value()))
        received += peer.take().count(b"b")
        assert not peer.closing
        server.clock.advance(25)
        peer.transport.drain()
        peer.transport.fill()
    assert received - BIG < 50, "some in the headers, and in the 404"
    assert server.clock.seconds() > 100
    peer.transport.drain()
    peer.send(request("/file"))
    assert peer.response().body == b"content"


@pytest.mark.parametrize("reads_at_once", [True, False])
def test_client_that_pauses_before_its_response_begins(server: Server, reads_at_once: bool) -> None:
    """A transport that is full from the start and pauses its producer twice delays the response but loses nothing."""
    peer = server.connect()
    peer.transport.fill()
    peer.send(request("/nothing") * 50 + request("/big"))
    if reads_at_once:
        peer.transport.drain()
    else:
        turns = iter(range(20))
        before = len(peer.transport.value())
        wait(lambda: next(turns, None) is None)
        assert len(peer.transport.value()) == before, "nothing of the file is sent, or read, in vain"
        peer.transport.drain()
    for _ in range(50):
        assert peer.response().status == 404
    assert len(peer.response().body) == BIG


def test_slow_reader_of_a_last_response(server: Server) -> None:
    """`close_timeout` does not cut a last response that is read slowly: it begins once all has been read."""
    peer = server.connect()
    peer.transport.fill()
    peer.send(request("/nothing", "Connection: close"))
    pass_time(server.clock, 25)
    assert not peer.transport.gone
    peer.transport.drain()
    assert peer.response().status == 404
    assert peer.closing
    assert_gone_after(server, peer, 8)


@pytest.mark.parametrize("ending", ["Connection: close", "Connection: Close", "HTTP/1.0"])
def test_close_timeout(server: Server, ending: str) -> None:
    """After the last response the connection is gone within `close_timeout`, whatever the client does."""
    peer = server.connect()
    data = request("/nothing", "Connection: keep-alive" if ending == "HTTP/1.0" else ending)
    peer.send(data.replace(b"HTTP/1.1", b"HTTP/1.0") if ending == "HTTP/1.0" else data)
    assert peer.response().status == 404
    assert peer.closing
    for _ in range(15):  # TLS goes on handing on what it decrypts
        server.clock.advance(0.5)
        peer.transport.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n\0")
    assert not peer.transport.gone
    server.clock.advance(0.6)
    assert peer.transport.aborted


@pytest.mark.parametrize(
    "junk", [b"\0\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"x" * 20000 + b"\r\n", b"GET / HTTP/9\r\n"]
)
def test_close_timeout_after_a_bad_request(server: Server, junk: bytes) -> None:
    """Input after a refusal gets no response and does not keep the connection open."""
    peer = server.connect()
    peer.send(junk)
    assert peer.closing
    peer.take()
    for _ in range(7):
        server.clock.advance(1)
        peer.transport.protocol.dataReceived(junk)
        assert peer.take() == b""
    assert not peer.transport.gone
    server.clock.advance(4)
    assert peer.transport.aborted


# -- many requests ----------------------------------------------------------------------------------------------------


def test_keep_alive(server: Server) -> None:
    """A connection serves many requests, with GET and HEAD and errors among them."""
    peer = server.connect()
    for _ in range(20):
        peer.send(request("/file"))
        assert peer.response().body == b"content"
        peer.send(request("/file", method="HEAD"))
        assert peer.response("HEAD")["content-length"] == "7"
        peer.send(request("/nothing"))
        assert peer.response().status == 404
        peer.send(request("/file", method="POST"))
        assert peer.response().status == 405
        peer.send(request("/file", "If-None-Match: *"))
        assert peer.response().status == 304
        peer.send(request("/file", "Range: bytes=99-"))
        assert peer.response().status == 416
        peer.send(request("/"))
        assert b"Index of" in peer.response().body
    assert not peer.closing
    assert peer.take() == b""


@pytest.mark.parametrize("piece", [1, 7, 100, 10**6])
def test_pipelining(server: Server, piece: int) -> None:
    """Pipelined requests are answered in order, however the bytes are cut."""
    targets = ["/file", "/nothing", "/big", "/", "/file", "/nothing", "/nothing", "/file"]
    data = b"".join(map(request, targets))
    peer = server.connect()
    for start in range(0, len(data), piece):
        peer.send(data[start : start + piece])
    responses = [peer.response() for _ in targets]
    assert [each.status for each in responses] == [200, 404, 200, 200, 200, 404, 404, 200]
    assert [len(each.body) for each in responses if each["etag"]] == [7, BIG, 7, 7]
    assert peer.take() == b""


def test_a_thousand_pipelined_requests(server: Server) -> None:
    """A thousand pipelined requests are all answered."""
    peer = server.connect()
    peer.send(request("/nothing") * 1000)
    data = peer.take()
    assert data.count(b"HTTP/1.1 404 ") == 1000
    assert failures() == []


def test_download_behind_an_error_is_not_cut_short_when_idle_time_is_over(server: Server) -> None:
    """`idle_timeout` does not run while a request is answered."""
    peer = server.connect()
    peer.transport.fill()
    peer.send(request("/nothing") + request("/big"))
    for _ in range(7):
        peer.transport.drain()
        peer.transport.fill()
        server.clock.advance(10)
    assert not peer.closing
    peer.transport.drain()
    assert peer.response().status == 404
    assert len(peer.response().body) == BIG


def test_client_that_leaves_in_the_middle(server: Server) -> None:
    """A client that leaves at any point causes no error and leaves nothing behind."""
    for data in (b"", b"GET", request("/big"), request("/"), request("/big") * 3):
        peer = server.connect()
        peer.send(data)
        peer.transport.lose()
        assert server.clock.getDelayedCalls() == []
    assert server.ask("/file").body == b"content"
    assert failures() == []


# -- refusals ---------------------------------------------------------------------------------------------------------

START = b"GET /file HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
REFUSED = {
    "no Host": (START + b"\r\n", 400),
    "two Hosts": (START + HOST + b"Host: y\r\n\r\n", 400),
    "the same Host twice": (START + HOST + HOST + b"\r\n", 400),
    "two Hosts in 1.0": (b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
    "a body": (START + HOST + b"Content-Length: 3\r\n\r\nabc", 413),
    "a huge body": (START + HOST + b"Content-Length: 1000000000000\r\n\r\n", 413),
    "a form": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\na=b", 413),
    "a chunked body": (b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 413),
    "an empty chunked body": (START + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    "no waiting for a body": (b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", 413),
    "two lengths": (START + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    "length and chunks": (START + HOST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "no length": (START + HOST + b"Content-Length: \r\n\r\n", 400),
    "a length below zero": (START + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "a length of 5000 digits": (START + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    "another coding": (START + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
    "a name with a space": (START + HOST + b"A b: c\r\n\r\n", 400),
    "a space before the colon": (START + HOST + b"A : c\r\n\r\n", 400),
    "no colon": (START + HOST + b"Abc\r\n\r\n", 400),
    "a NUL": (START + HOST + b"A: b\0c\r\n\r\n", 400),
    "a bare CR": (START + HOST + b"A: b\rc\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "spaces": (b"GET  / HTTP/1.1\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    "headers over 16 KiB": (START + HOST + b"A: " + b"x" * 15000 + b"\r\nB: " + b"x" * 2000 + b"\r\n\r\n", 431),
    "many small headers": (START + HOST + b"A: b\r\n" * 5000 + b"\r\n", 431),
    "more than 100 headers": (START + HOST + b"A:\r\n" * 101 + b"\r\n", 431),
    "more than 100 headers, the last malformed": (START + HOST + b"A:\r\n" * 99 + b"A b: c\r\n\r\n", 400),
    "a line that never ends": (b"x" * 20_000, 431),
    "a header that never ends": (START + HOST + b"A: " + b"x" * 20_000, 431),
    "NULs that never end": (b"\0" * 100_000, 431),
    "a folded header": (START + HOST + b"A: b\r\n  c\r\n\r\n", 400),
}


@pytest.mark.parametrize("piece", [10**6, 4096, 1000, 1])
@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
def test_refused(server: Server, data: bytes, status: int, piece: int) -> None:
    """A malformed request, or one with a body, is refused at once; nothing more of it is read or kept."""
    peer = server.connect()
    for start in range(0, len(data), piece):
        peer.send(data[start : start + piece])
    assert_refused(peer, status)
    assert_gone_after(server, peer, 8)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /file HTTP/1.0\r\n\r\n",
        START + HOST + b"Content-Length: 0\r\n\r\n",
        request("/file", "A: " + "x" * 8000, "B: " + "x" * 8000),
    ],
)
def test_not_refused(server: Server, data: bytes) -> None:
    """HTTP/1.0 needs no Host, a body of length 0 is allowed, and so are 16 KiB of headers."""
    peer = server.connect()
    peer.send(data)
    assert peer.response().body == b"content"


OCTETS = st.binary(max_size=80)
LINE = st.one_of(OCTETS, st.sampled_from([b"Host: x", b"Content-Length: 0", b"Connection: close", b" folded", b""]))


@settings(max_examples=300)
@given(
    start=st.one_of(OCTETS, st.just(b"GET /nothing HTTP/1.1")), lines=st.lists(LINE, max_size=6), cut=st.integers(1, 50)
)
def test_any_bytes(kept: Server, start: bytes, lines: list[bytes], cut: int) -> None:
    """No bytes cause a 5xx or a traceback, and no connection is left in the end."""
    peer = kept.connect()
    data = b"\r\n".join([start, *lines, b"", b""])
    for piece in (data[:cut], data[cut:]):
        peer.send(piece)
    if b"HTTP/1." in peer.transport.value():
        assert 400 <= peer.response().status < 500
    kept.clock.pump([5] * 40)
    assert peer.transport.gone
    assert kept.clock.getDelayedCalls() == []
    assert failures() == []
