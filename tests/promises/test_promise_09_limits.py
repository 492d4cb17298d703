"""Promise 9: headers over 16 KiB, unexpected bodies, and a thousand clients at once are all answered."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import selectors
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.promises.conftest import PLAIN_AND_TLS, Figure
from tests.support.daemon import WITH_TLS, Daemon
from tests.support.http_client import request
from tests.support.patience import PATIENCE, Stopwatch
from tests.support.raw import RawClient
from tests.support.wire import TEXT, Frame
from tests.support.wire import request as handshake

MB = 1e6
KIB16 = 16 << 10
CROWD = 1000
CHUNK = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
FORM = b"field=value&" * 5_000_000  # 60 MB


def with_headers(size: int, count: int) -> bytes:
    """Return a request whose headers are `size` bytes, in `count` lines beside the Host."""
    line = (size - len("Host: site.test\r\n")) // count
    return request("/", *["A: " + "x" * (line - len("A: \r\n"))] * count)


def pour(client: RawClient, data: bytes) -> None:
    """Send as much of `data` as the daemon takes."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        client.send(data)


# -- headers ----------------------------------------------------------------------------------------------------------


@PLAIN_AND_TLS
@pytest.mark.parametrize(
    "data",
    [
        with_headers(KIB16 + 100, 1), with_headers(KIB16 + 1000, 50), with_headers(10 * KIB16, 10),
        with_headers(1 << 20, 1), handshake("/echo", more="A: " + "x" * KIB16 + "\r\n"), b"GET /" + b"x" * (1 << 20),
    ],
    ids=["one line", "many lines", "160 KiB", "1 MiB", "an upgrade", "a request line without an end"],
)  # fmt: skip
def test_promise_9_headers(default_daemon: Daemon, data: bytes, tls: bool) -> None:
    """A header block over 16 KiB is answered 431."""
    with RawClient(default_daemon, None, tls=tls) as client:
        pour(client, data)
        assert client.read_head().startswith(b"HTTP/1.1 431 ")


@PLAIN_AND_TLS
@pytest.mark.parametrize("count", [1, 99])
def test_promise_9_headers_below_the_limit(default_daemon: Daemon, count: int, tls: bool) -> None:
    """A header block of nearly 16 KiB is served."""
    with RawClient(default_daemon, None, tls=tls) as client:
        client.send(with_headers(KIB16 - 300, count))
        assert client.read_head().startswith(b"HTTP/1.1 200 ")


# -- bodies -----------------------------------------------------------------------------------------------------------


class Footprint:
    """Resources of a daemon: peak memory, bytes written to files, and files in its temporary folder."""

    def __init__(self, daemon: Daemon, temporary: Path) -> None:
        self._proc = Path(f"/proc/{daemon.process.pid}")
        self._temporary = temporary
        (self._proc / "clear_refs").write_text("5")  # the peak begins anew
        self._memory, self._written = self._peak(), self._bytes_written()

    def grown(self) -> int:
        """Return by how much peak memory grew."""
        return self._peak() - self._memory

    def written(self) -> int:
        """Return how many bytes were written to files, the log included."""
        return self._bytes_written() - self._written

    def temporary_files(self) -> list[str]:
        """Return the files in the temporary folder, including open ones that were unlinked."""
        links = [os.readlink(each) for each in (self._proc / "fd").iterdir() if each.is_symlink()]
        return [*map(str, self._temporary.iterdir()), *(link for link in links if str(self._temporary) in link)]

    def _peak(self) -> int:
        return self._field("status", "VmHWM:") * 1024

    def _bytes_written(self) -> int:
        return self._field("io", "wchar:")

    def _field(self, file: str, name: str) -> int:
        lines = (self._proc / file).read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])


HUGE = {
    "Content-Length 1e12": (request("/", "Content-Length: 1000000000000", method="POST"), bytes(1 << 16)),
    "a GET's Content-Length": (request("/", "Content-Length: 1000000000000"), bytes(1 << 16)),
    "chunks": (request("/", "Transfer-Encoding: chunked", method="PUT"), CHUNK),
    "a form of 60 MB": (
        request(
            "/", f"Content-Length: {len(FORM)}", "Content-Type: application/x-www-form-urlencoded", method="POST"
        ),
        FORM,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The daemon's temporary folder."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def daemon_with_folder(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = tmp_path_factory.mktemp("daemon") / "ws.ini"
    daemon = Daemon(config, WITH_TLS, environment={"TMPDIR": str(temporary)})
    yield daemon
    daemon.stop_well()


@PLAIN_AND_TLS
@pytest.mark.parametrize("kind", HUGE)
def test_promise_9_body(daemon_with_folder: Daemon, temporary: Path, figure: Figure, kind: str, tls: bool) -> None:
    """A body is answered with 413, and is kept neither in memory nor on disk, however long it is."""
    daemon = daemon_with_folder
    with RawClient(daemon, tls=tls) as other, RawClient(daemon, None, tls=tls) as client:
        other.echo(Frame(TEXT, b"warm"))
        footprint = Footprint(daemon, temporary)
        head, body = HUGE[kind]
        client.send(head)
        if body is FORM:
            pour(client, FORM)
        else:
            client.flood(body, 0.5)
        other.echo(Frame(TEXT, b"it has read all that there was"))
        over = "TLS" if tls else "plain"
        assert footprint.temporary_files() == []
        figure(9, f"bytes written for {kind}, {over}", footprint.written() / 1024, "KiB", 64)
        answer = client.read_head()
        figure(9, f"growth by {kind}, {over}", footprint.grown() / MB, "MB", 2)
        assert answer.startswith(b"HTTP/1.1 413 ")


# -- a crowd ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise the limit of open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    """Non-blocking sockets, not connected yet."""
    sockets = [socket.socket() for _ in range(CROWD)]
    for each in sockets:
        each.setblocking(False)
    yield sockets
    for each in sockets:
        each.close()


@pytest.mark.usefixtures("many_files")
def test_promise_9_crowd(daemon: Callable[..., Daemon], figure: Figure, crowd: list[socket.socket]) -> None:
    """A thousand connect at the same moment, while the daemon is too busy to accept any; all get in, and an answer.

    Half ask for a page, half talk. A SYN that finds no room is dropped, and sent again after a second.
    """
    server = daemon()
    server.process.send_signal(signal.SIGSTOP)
    watch = Stopwatch(server)
    try:
        for each in crowd:
            each.connect_ex(("127.0.0.1", server.port))
        slowest = wait_until_connected(crowd, watch)
    finally:
        server.process.send_signal(signal.SIGCONT)
    figure(9, f"the slowest of {CROWD} to connect", slowest, "s", 0.9)
    hello = Frame(TEXT, b"hello")
    talks = handshake("/echo") + hello.masked()
    for talk, each in zip(itertools.cycle((True, False)), crowd, strict=False):
        each.setblocking(True)
        each.settimeout(PATIENCE)
        each.sendall(talks if talk else request("/nothing", "Connection: close"))
    for talk, each in zip(itertools.cycle((True, False)), crowd, strict=False):
        received = b""
        while not (received.endswith(b"hello") if talk else b"</html>" in received):
            chunk = each.recv(1 << 16)
            assert chunk, received
            received += chunk
        assert received.startswith(b"HTTP/1.1 101 " if talk else b"HTTP/1.1 404 ")
    figure(9, f"until all {CROWD} are answered", watch.seconds(), "s", 10)


def wait_until_connected(sockets: list[socket.socket], watch: Stopwatch) -> float:
    """Return the seconds until the last of them is connected."""
    with selectors.DefaultSelector() as waiting:
        for each in sockets:
            waiting.register(each, selectors.EVENT_WRITE)
        while waiting.get_map():
            ready = waiting.select(PATIENCE)
            assert ready, f"{len(waiting.get_map())} have no connection after {PATIENCE:g} s"
            for key, _ in ready:
                waiting.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                assert key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    return watch.seconds()
