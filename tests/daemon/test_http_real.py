"""The HTTP side of the real daemon, over real sockets, with the standard library's client."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, Start
from tests.support.http_client import request, take_response
from tests.support.patience import PATIENCE, Stopwatch
from tests.support.wire import TEXT, Frame, take_frames
from tests.support.wire import request as handshake

SIZE = 20 << 20
CONTENT = os.urandom(1 << 20) * 20
INI = """
[server]
docroot = {folder}
[websocket]
handshake_timeout = 1
close_timeout = 1
"""


@pytest.fixture(scope="module")
def docroot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docroot")
    (folder / "big.bin").write_bytes(CONTENT)
    (folder / "page.html").write_bytes(b"<h1>page</h1>")
    (folder / "sub").mkdir()
    (folder / "sub" / "ü & <b>.txt").write_bytes(b"found")
    return folder


@pytest.fixture(scope="module")
def server(docroot: Path, served: Start) -> Daemon:
    return served(INI.format(folder=docroot))


@pytest.fixture
def client(server: Daemon) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    yield connection
    connection.close()


Ask = Callable[..., tuple[http.client.HTTPResponse, bytes]]


@pytest.fixture
def ask(client: http.client.HTTPConnection) -> Ask:
    """Send many requests on one connection."""

    def ask(target: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        client.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = client.getresponse()
        return response, response.read()

    return ask


def connect(server: Daemon, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def read_to_the_end(connection: socket.socket) -> bytes:
    """Return everything until the FIN; a reset is an error."""
    received = b""
    while chunk := connection.recv(1 << 16):
        received += chunk
    return received


def test_large_download(ask: Ask) -> None:
    """20 MB arrive whole."""
    response, body = ask("/big.bin")
    assert response.status == 200
    assert response.headers["content-length"] == str(SIZE)
    assert hashlib.sha256(body).digest() == hashlib.sha256(CONTENT).digest()


def test_downloads_side_by_side(server: Daemon) -> None:
    """Five downloads at once, read in turns and in pieces, arrive whole."""
    connections = [connect(server) for _ in range(5)]
    received = [bytearray() for _ in connections]
    for connection in connections:
        connection.sendall(request("/big.bin", "Connection: close"))
    left = set(range(5))
    while left:
        for number in tuple(left):
            chunk = connections[number].recv(100_000)
            received[number] += chunk
            if not chunk:
                left.discard(number)
                connections[number].close()
    for each in received:
        taken = take_response(bytes(each))
        assert taken is not None
        assert (taken[0].body == CONTENT, taken[1]) == (True, b"")


def test_head(ask: Ask) -> None:
    """HEAD has the headers of GET and no body."""
    response, body = ask("/big.bin", "HEAD")
    assert (response.status, body, response.headers["content-length"]) == (200, b"", str(SIZE))
    assert ask("/page.html")[1] == b"<h1>page</h1>"


def test_ranges(ask: Ask) -> None:
    """A download can be resumed if the file is still the same."""
    first, body = ask("/big.bin", Range="bytes=0-9999999")
    assert (first.status, body) == (206, CONTENT[:10_000_000])
    rest, more = ask("/big.bin", Range="bytes=10000000-", If_Range=first.headers["etag"])
    assert (rest.status, body + more == CONTENT) == (206, True)
    assert ask("/big.bin", Range="bytes=-5")[1] == CONTENT[-5:]
    assert ask("/big.bin", Range=f"bytes={SIZE}-")[0].status == 416


def test_conditional(ask: Ask) -> None:
    """A file that the client has is not sent again."""
    first, _ = ask("/page.html")
    for headers in ({"If_None_Match": first.headers["etag"]}, {"If_Modified_Since": first.headers["last-modified"]}):
        response, body = ask("/page.html", **headers)
        assert (response.status, body) == (304, b"")


def test_listing(server: Daemon, ask: Ask) -> None:
    """A folder is listed, and the link of a name that needs escapes works."""
    response, body = ask("/sub/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    link = body.decode().partition('href="./')[2].partition('"')[0]
    assert ask(f"/sub/{link}")[1] == b"found"
    with urllib.request.urlopen(f"{server.http}/sub") as redirected:  # noqa: S310  # it is our own
        assert redirected.url == f"{server.http}/sub/"


def test_errors(server: Daemon) -> None:
    """A missing file is a 404 for any client."""
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{server.http}/../../etc/passwd")  # noqa: S310
    caught.value.close()


def test_keep_alive(client: http.client.HTTPConnection, ask: Ask) -> None:
    """Many requests share one connection."""
    used = set()
    for _ in range(50):
        assert ask("/page.html")[0].status == 200
        assert ask("/nothing")[0].status == 404
        used.add(client.sock.getsockname())
    assert len(used) == 1


def test_http_1_0(server: Daemon) -> None:
    """A client of HTTP/1.0 gets the file, and then the end of the stream."""
    with connect(server) as connection:
        connection.sendall(b"GET /page.html HTTP/1.0\r\n\r\n")
        assert read_to_the_end(connection).endswith(b"\r\n\r\n<h1>page</h1>")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (request("/", "Upgrade: websocket", "Connection: Upgrade"), 400),
        (handshake("/echo").replace(b"Version: 13", b"Version: 8"), 426),
        (handshake("/echo-broadcast", more="Origin: http://evil.example\r\n"), 403),
    ],
)
def test_refusals(server: Daemon, data: bytes, status: int) -> None:
    """A refusal can be read to its end, and the stream ends with FIN."""
    with connect(server) as connection:
        connection.sendall(data)
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 %d " % status)


def test_slow_headers(server: Daemon) -> None:
    """A client that sends a byte now and then gets a 408 and is gone when the time for headers is over."""
    started, watch = time.monotonic(), Stopwatch(server)
    with connect(server) as connection:
        connection.settimeout(0.1)
        received = b""
        while watch.seconds() < 5:
            try:
                connection.sendall(b"x")
                chunk = connection.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not chunk:
                break
            received += chunk
    assert time.monotonic() - started > 0.9
    assert watch.seconds() < 4
    assert received.startswith(b"HTTP/1.1 408 ")


def test_page_then_websocket_on_one_connection(server: Daemon) -> None:
    """The URL of a page is also a WebSocket's, even on the same connection, with the first frame right behind."""
    hello = Frame(TEXT, b"hello")
    with connect(server) as connection:
        connection.sendall(request("/page.html") + handshake("/page.html", subprotocols="echo") + hello.masked())
        received = b""
        while not received.endswith(b"hello"):
            received += connection.recv(4096)
    page = take_response(received)
    assert page is not None
    assert page[0].body == b"<h1>page</h1>"
    answer = take_response(page[1])
    assert answer is not None
    assert answer[0].status == 101
    assert take_frames(answer[1])[0] == [hello]
