"""Promise 17: exceptions raised by a subprotocol, and a log that cannot be written."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.support.daemon import Daemon
from tests.support.memory import MemorySite
from tests.support.patience import PATIENCE, wait_until
from tests.support.raw import RawClient
from tests.support.serving import assert_serves, troubles
from tests.support.wire import CLOSE, PONG, TEXT, Frame, close, close_code, request
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.outbox import Outbox

HELLO = Frame(TEXT, b"hello")
TWISTD = Path(sys.executable).with_name("twistd")


# -- what a subprotocol raises --------------------------------------------------------------------------------------

SUBPROTOCOL = '''
import builtins
from wsdaemon.websocket.connection import Connection

class Raises(Connection):
    """Raises the exception that it is told to, in the hook that it is told to."""

    names = ("raises",)

    def opened(self):
        self.tell("opened")

    def message_received(self, message, is_binary):
        where, _, what = message.decode().partition(" ")
        self.where, self.what = where, what
        self.tell("message")
        self.send_message(message, is_binary)

    def pong_received(self, payload):
        self.tell("pong")

    def closed(self):
        self.tell("closed")

    def tell(self, where):
        if "opened" in self.target and where == "opened":
            raise KeyError("secret")
        if getattr(self, "where", "") == where:
            raise getattr(builtins, self.what)("secret")
'''


@pytest.fixture
def raising(daemon: Callable[..., Daemon], docroot: Path, tmp_path: Path) -> Daemon:
    """A daemon with a third-party subprotocol that raises."""
    folder = tmp_path / "packages"
    info = folder / "wsdaemon_raises-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "wsdaemon_raises.py").write_text(SUBPROTOCOL)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wsdaemon-raises\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wsdaemon.subprotocols]\nraises = wsdaemon_raises:Raises\n")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return daemon(ini=f"[server]\ndocroot = {docroot}\n", environment={"PYTHONPATH": path})


RAISED = ["MemoryError", "RecursionError", "ValueError", "OSError", "KeyError", "AssertionError"]


@pytest.mark.parametrize("kind", RAISED)
def test_promise_17_a_subprotocol_that_raises(raising: Daemon, kind: str) -> None:
    """Whatever a subprotocol raises ends its own connection, is logged once, and affects nobody else."""
    with RawClient(raising, "/raises") as inside, RawClient(raising, "/raises") as hit:
        inside.echo(HELLO)
        hit.echo(HELLO)
        hit.send(Frame(TEXT, f"message {kind}".encode()))
        assert hit.frame() == close(1011, "internal error")
        assert_others_go_on(raising, inside)
    raising.wait_for("connection 2 from [^ ]*: closed, raises")
    assert raising.stop() == 0
    assert raising.output.count("Traceback") == 1
    assert len(troubles(raising)) == 1
    assert "connection 2" in troubles(raising)[0]
    assert kind in troubles(raising)[0]


@pytest.mark.parametrize("where", ["opened", "pong", "closed"])
def test_promise_17_a_subprotocol_that_raises_elsewhere(raising: Daemon, where: str) -> None:
    """The same if it raises when the connection opens, at a pong, or when the connection is gone."""
    with RawClient(raising, "/raises") as inside, RawClient(raising, None) as hit:
        inside.echo(HELLO)
        hit.send(request(f"/raises?{where}"))
        if where != "opened":
            assert hit.read_head().startswith(b"HTTP/1.1 101 ")
            hit.send(Frame(TEXT, f"{where} KeyError".encode()))
            assert hit.frame().payload.endswith(b"KeyError")
            hit.send(Frame(PONG if where == "pong" else CLOSE))
        if where == "opened":
            assert hit.read_head().startswith(b"HTTP/1.1 101 ")
        assert hit.frame() == (Frame(CLOSE) if where == "closed" else close(1011, "internal error"))
        assert_others_go_on(raising, inside)
    raising.wait_for("connection 2 from [^ ]*: closed, raises")
    assert raising.stop() == 0
    assert raising.output.count("Traceback") == 1
    assert len(troubles(raising)) == 1
    assert "KeyError" in troubles(raising)[0]


def assert_others_go_on(daemon: Daemon, other: RawClient) -> None:
    other.echo(HELLO)
    assert_serves(daemon)
    other.socket.close()


# -- broadcast ------------------------------------------------------------------------------------------------------


def test_promise_17_a_member_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of the room that a message cannot be delivered to leaves it; all others get the message, and the next.

    The sender is not to blame for it.
    """
    site = MemorySite("[subprotocol:echo-broadcast]\nallowed_origins = *\n")
    peers = [site.open("/echo-broadcast") for _ in range(5)]
    real = Outbox.write

    def write(outbox: Outbox, data: bytes) -> None:
        if cast(Connection, outbox._connection).number == 3 and data.endswith(HELLO.payload):
            raise MemoryError("no more")
        real(outbox, data)

    monkeypatch.setattr(Outbox, "write", write)
    for _ in range(3):
        peers[0].send(HELLO)
    for number, peer in enumerate(peers, 1):
        if number == 3:
            assert [close_code(each) for each in peer.frames()] == [1011]
            assert peer.is_ended()
        else:
            assert peer.frames() == [HELLO] * 3, number
            assert not peer.is_ended()


# -- the log --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_promise_17_the_log_cannot_be_written(tmp_path: Path, kind: str) -> None:
    """Where the disk is full, or nobody reads the log any more, the daemon serves on, takes no more memory, and stops.

    The exit code is 0 then, as ever.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    reading, writing = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)
    command = [str(TWISTD), "--nodaemon", "--pidfile=", "wsdaemon", f"--port={port}"]
    with subprocess.Popen(
        command, stdout=full if kind == "full" else writing, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        os.close(full)
        os.close(writing)
        try:
            wait_for_port(process, port)
            os.close(reading)
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                client.sendall(request("/echo", more="") + HELLO.masked())
                received = b""
                while not received.endswith(HELLO.payload):
                    piece = client.recv(4096)
                    assert piece, "it is gone"
                    received += piece
                ask_often(port)
                before = resident(process)
                ask_often(port)
                assert resident(process) - before < 1 << 20
                client.sendall(HELLO.masked())
                assert client.recv(4096).endswith(HELLO.payload)
            process.terminate()
            _, complaint = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert b"Traceback" not in complaint


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    def is_listening() -> bool:
        assert process.poll() is None, f"it has ended with {process.returncode}"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    wait_until(is_listening, "it does not listen")  # it has no log to wait for


def ask_often(port: int) -> None:
    """Cause a thousand log lines."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(1000):
        connection.request("GET", "/nothing")
        assert connection.getresponse().read()
    connection.close()


def resident(process: subprocess.Popen[bytes]) -> int:
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
