"""Downloads and refusals over real sockets, with the standard library's client; the promises have the rest."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.http_client import request, take_response
from tests.support.patience import PATIENCE
from tests.support.wire import request as handshake

SIZE = 20 << 20
CONTENT = os.urandom(1 << 20) * 20
INI = "[server]\ndocroot = {folder}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docroot")
    (folder / "big.bin").write_bytes(CONTENT)
    (folder / "page.html").write_bytes(b"<h1>page</h1>")
    return folder


@pytest.fixture
def client(server: Daemon) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    yield connection
    connection.close()


Ask = Callable[..., tuple[http.client.HTTPResponse, bytes]]


@pytest.fixture
def ask(client: http.client.HTTPConnection) -> Ask:
    """Send many requests on one connection."""

    def ask(target: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        client.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
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


def test_ranges(ask: Ask) -> None:
    """A download can be resumed if the file is still the same."""
    first, body = ask("/big.bin", Range="bytes=0-9999999")
    assert (first.status, body) == (206, CONTENT[:10_000_000])
    rest, more = ask("/big.bin", Range="bytes=10000000-", If_Range=first.headers["etag"])
    assert (rest.status, body + more == CONTENT) == (206, True)
    assert ask("/big.bin", Range="bytes=-5")[1] == CONTENT[-5:]
    assert ask("/big.bin", Range=f"bytes={SIZE}-")[0].status == 416


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
