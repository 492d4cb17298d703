"""Promise 17, TLS: certificates that cannot be loaded, and handshakes that fail."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Identity
from tests.support.daemon import Start
from tests.support.faults import Faults
from tests.support.patience import PATIENCE
from tests.support.raw import RawClient
from tests.support.serving import assert_serves, log_lines, stop_and_check
from tests.support.wire import TEXT, Frame

HELLO = Frame(TEXT, b"hello")
TWISTD = Path(sys.executable).with_name("twistd")


def start_in_vain(folder: Path, ini: str, environment: dict[str, str] | None = None) -> str:
    """Start a daemon that cannot start; returns the one line that it prints."""
    (folder / "ws.ini").write_text(ini)
    command = [str(TWISTD), "--nodaemon", "--pidfile=", "wsdaemon", "--config=ws.ini", "--port=0"]
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **(environment or {})}
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert "ready" not in result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


TLS = "[tls]\nenabled = yes\nport = 0\n"
FILES_OF_TLS = {"certificate": "server.pem", "private_key": "server.key", "client_ca": "clients.pem"}
FILES_INI = TLS + "".join(f"{option} = {name}\n" for option, name in FILES_OF_TLS.items())


@pytest.fixture
def identities(tmp_path: Path) -> Path:
    """A folder with the files that `FILES_INI` names."""
    folder = tmp_path / "tls"
    folder.mkdir()
    Identity("server").write(folder, "server")
    Identity("clients", is_ca=True).write(folder, "clients")
    return folder


@pytest.mark.parametrize("option", FILES_OF_TLS)
@pytest.mark.parametrize("left", [0, 0.5, 0.97], ids=["empty", "half", "all but the end"])
def test_promise_17_a_tls_file_that_is_half_written(identities: Path, option: str, left: float) -> None:
    """A truncated certificate or key: one line names option and file, and the daemon does not start."""
    path = identities / FILES_OF_TLS[option]
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    line = start_in_vain(identities, FILES_INI)
    assert re.fullmatch(rf"ws\.ini:\d: \[tls\] {option}: {re.escape(str(path))} holds no .* in PEM; .*\n", line), line


@pytest.mark.parametrize("option", FILES_OF_TLS)
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE], ids=errno.errorcode.get)
def test_promise_17_a_tls_file_that_cannot_be_read(identities: Path, faults: Faults, option: str, code: int) -> None:
    """A file that cannot be read: one line with option, file and reason."""
    path = identities / FILES_OF_TLS[option]
    faults.arm("io.open", code, path.name)
    line = start_in_vain(identities, FILES_INI, faults.environment)
    assert re.match(rf"ws\.ini:\d: \[tls\] {option}: ", line), line
    assert str(path) in line
    assert os.strerror(code).lower() in line.lower()


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_promise_17_an_own_certificate_that_cannot_be_kept(tmp_path: Path, faults: Faults, code: int) -> None:
    """If `certificate = auto` cannot save its file, one line says where and why."""
    faults.arm("open", code, times=1, match=".pem")
    faults.arm("open", code, "")
    line = start_in_vain(tmp_path, TLS + "certificate = auto\n", faults.environment)
    assert "[tls] certificate: " in line
    assert os.strerror(code).lower() in line.lower()


def garbage(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")


def random_record(client: socket.socket) -> None:
    client.sendall(b"\x16\x03\x01\x02\x00" + os.urandom(512))


def nothing(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def distrust(client: socket.socket) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")


def old_version(client: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(client)


def half_a_hello(client: socket.socket) -> None:
    outgoing = ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    client.sendall(outgoing.read()[:100])
    client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("way", [garbage, random_record, nothing, distrust, old_version, half_a_hello])
def test_promise_17_a_tls_handshake_that_fails(faulty: Start, way: Callable[[socket.socket], None]) -> None:
    """The connection ends at once, without a traceback, and twenty of them do not flood the log."""
    daemon = faulty()
    with RawClient(daemon, tls=True) as inside:
        lines = len(log_lines(daemon))
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", daemon.tls_port), timeout=PATIENCE) as client:
                way(client)
                with contextlib.suppress(ConnectionResetError):
                    while client.fileno() >= 0 and client.recv(4096):
                        pass
        inside.echo(HELLO)
        assert len(log_lines(daemon)) - lines <= 1
        assert_serves(daemon, tls=True)
        inside.socket.close()
    assert len(stop_and_check(daemon)) <= 1
