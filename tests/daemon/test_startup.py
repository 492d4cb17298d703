"""Start-up and end of the real process: one clear line and exit 1, or all places listening; then 1001 and exit 0."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from zope.interface import implementer

from tests.support.certificates import Identity
from tests.support.daemon import Daemon
from tests.support.memory import MemorySite
from tests.support.patience import PATIENCE
from wsdaemon.config import parse
from wsdaemon.errors import StartupError
from wsdaemon.listening import Listener
from wsdaemon.service import DaemonService

pytestmark = pytest.mark.traced
TWISTD = Path(sys.executable).with_name("twistd")
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z "


def run(folder: Path, *arguments: str, ini: str | None = None, twistd: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run a daemon that ends by itself, in `folder`; returns exit code, standard output and error."""
    if ini is not None:
        (folder / "ws.ini").write_text(ini)
        arguments = ("--config=ws.ini", *arguments)
    command: list[str | Path] = [TWISTD, "--nodaemon", "--pidfile=", *twistd, "wsdaemon", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


# -- it cannot start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "ini", "line"),
    [
        (("--docroot=none",), None, "--docroot: there is no {folder}/none"),
        (("--port=http",), "", "--port: 'http' is not a whole number; write a whole number from 0 to 65535"),
        (("--config=none.ini",), None, "none.ini: cannot be read: no such file or directory"),
        ((), "[server]\nprot = 1\n\n[log]\nlevel = loud\n",
            "ws.ini:2: [server] prot: unknown option; did you mean port?\n"
            "ws.ini:5: [log] level: 'loud' is not one of them; write debug or info or warn or error or critical"),
        (("--port=0",), "[tls]\nenabled = yes\ncertificate = none.pem\nprivate_key = one.key\n",
            "ws.ini:3: [tls] certificate: there is no {folder}/none.pem"),
        (("--port=0",), "[tls]\nenabled = yes\ncertificate = one.key\nprivate_key = one.key\n",
            "ws.ini:3: [tls] certificate: {folder}/one.key holds no certificate in PEM; "
            "write the path of one that does"),
    ],
    ids=["docroot", "port", "config", "ini", "certificate", "pem"],
)  # fmt: skip
def test_problems_are_plain_lines_and_nothing_else(
    tmp_path: Path, arguments: tuple[str, ...], ini: str | None, line: str
) -> None:
    Identity("one").write(tmp_path, "one")
    assert run(tmp_path, *arguments, ini=ini) == (1, "", line.format(folder=tmp_path) + "\n")


IN_USE = "cannot listen on {scheme}://127.0.0.1:{port}/ and {ws}://127.0.0.1:{port}/: address already in use"


def test_a_port_in_use_is_named_by_its_option(tmp_path: Path, taken: int) -> None:
    """The line is on the standard error, and in the log."""
    code, out, err = run(tmp_path, f"--port={taken}", ini="[log]\nlevel = error\n")
    message = IN_USE.format(scheme="http", ws="ws", port=taken)
    assert (code, err) == (1, f"--port: {message}\n")
    assert re.fullmatch(f"{TIME}error    --port: {re.escape(message)}\n", out)


def test_a_port_in_use_is_one_json_line_where_the_log_is_json(tmp_path: Path, taken: int) -> None:
    code, out, _ = run(tmp_path, ini=f"[server]\nport = {taken}\n[log]\nlevel = error\nformat = json\n")
    assert code == 1
    shown = json.loads(out)
    message = IN_USE.format(scheme="http", ws="ws", port=taken)
    assert (shown["level"], shown["text"]) == ("error", f"ws.ini:2: [server] port: {message}")


def test_the_first_port_is_closed_where_the_second_is_in_use_and_the_logfile_says_why(
    tmp_path: Path, taken: int
) -> None:
    port = free_port()
    ini = f"[server]\nport = {port}\n[tls]\nenabled = yes\nport = {taken}\ncertificate = auto\n"
    code, out, err = run(tmp_path, ini=ini, twistd=("--logfile=ws.log",))
    message = IN_USE.format(scheme="https", ws="wss", port=taken)
    assert (code, out, err) == (1, "", f"ws.ini:5: [tls] port: {message}\n")
    lines = (tmp_path / "ws.log").read_text().splitlines()
    assert any(f"listening on http://127.0.0.1:{port}/" in line for line in lines), "it was open for a moment"
    assert [line[25:] for line in lines if " error " in line] == [f"error    ws.ini:5: [tls] port: {message}"]
    assert not any("Traceback" in line for line in lines)
    assert refuses(port)


def test_an_address_of_another_machine_is_named_by_its_option(tmp_path: Path) -> None:
    address = "192.0.2.1"  # RFC 5737: nobody's
    _, out, _ = run(tmp_path, "--port=0", ini=f"[server]\ninterface = {address}\n[log]\nlevel = error\n")
    assert re.fullmatch(f"{TIME}error    ws.ini:2: \\[server\\] interface: cannot listen on .*{address}.*\n", out)


def test_a_logfile_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    assert run(tmp_path, "--port=0", twistd=("--logfile=none/ws.log",)) == (
        1, "", "--logfile: cannot write none/ws.log: no such file or directory\n",
    )  # fmt: skip


@implementer(IStreamServerEndpoint)
class Place:
    """A fake place to listen on, free or taken."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.is_open = False

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        self.is_open = self.error is None
        return fail(self.error) if self.error else succeed(cast(IListeningPort, self))

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 80)

    def stopListening(self) -> None:
        self.is_open = False


def test_it_listens_on_all_its_places_or_on_none() -> None:
    first, busy, third = Place(), Place(CannotListenError("", 8443, OSError(98, "Address already in use"))), Place()
    configuration = parse("[server]\nport = 80\n[tls]\n\nport = 8443\n", {}, file="ws.ini", base=Path("/"))

    def service_of(*places: Place) -> DaemonService:
        names = zip(places, ("server", "tls", "tls"), strict=False)
        listeners = [Listener(place, section, "port", "x://h:{port}/") for place, section in names]
        memory = MemorySite()
        return DaemonService(configuration, listeners, memory.site, memory.hub, MemoryReactorClock())

    with pytest.raises(StartupError) as caught:
        service_of(first, busy, third).privilegedStartService()
    assert str(caught.value) == "ws.ini:5: [tls] port: cannot listen on x://h:8443/: address already in use"
    assert (first.is_open, third.is_open) == (False, False)

    service = service_of(first, third)
    service.privilegedStartService()
    service.startService()
    assert (first.is_open, third.is_open) == (True, True)
    service.stopService()
    assert (first.is_open, third.is_open) == (False, False)


# -- twistd's help ------------------------------------------------------------------------------------------------


def test_twistd_lists_the_daemon() -> None:
    result = subprocess.run([TWISTD, "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert re.search(r"^ +wsdaemon +A WebSocket test server", result.stdout, re.MULTILINE)


def test_the_help_shows_the_options(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "--help")
    assert code == 0
    for option in ("-c, --config=", "-p, --port=", "-d, --docroot=", "-v, --verbose"):
        assert re.search(rf"^ +{option} +[A-Z].+", out, re.MULTILINE), option


# -- it starts, serves and ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_orderly(daemon: Callable[..., Daemon], number: signal.Signals) -> None:
    """Every WebSocket gets 1001, the exit code is 0, and nothing listens any more."""
    running = daemon()
    url = running.ws
    with connect(f"{url}/echo") as first, connect(f"{url}/echo-broadcast") as second, connect(f"{url}/log") as third:
        running.process.send_signal(number)
        for client in (first, second, third):
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(timeout=PATIENCE)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
    assert running.process.wait(timeout=PATIENCE) == 0
    assert refuses(running.port)
    assert running.stop() == 0
    assert "Traceback" not in running.output


def test_the_command_line_wins_over_the_file_and_paths_are_relative_to_it(
    tmp_path: Path, daemon: Callable[..., Daemon], taken: int
) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/name.txt").write_text("the file's folder")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/name.txt").write_text("the command line's")
    ini = f"[server]\nport = {taken}\ndocroot = {{}}\n"

    def name_of(running: Daemon) -> bytes:
        assert running.port not in (0, taken)
        with urllib.request.urlopen(f"{running.http}/name.txt", timeout=PATIENCE) as response:  # noqa: S310  # it is http
            body: bytes = response.read()
            return body

    assert name_of(daemon(ini=ini.format("pages"), cwd=Path("/"))) == b"the file's folder"
    assert name_of(daemon("-d", "here", ini=ini.format("none"), cwd=tmp_path)) == b"the command line's"


def test_every_line_of_a_json_log_is_json(daemon: Callable[..., Daemon]) -> None:
    running = daemon("--verbose", ini="[log]\nformat = json\n")
    with connect(f"{running.ws}/echo") as client:
        client.send("hello")
        client.recv(timeout=PATIENCE)
    running.stop()
    lines = [json.loads(line) for line in running.output.splitlines()]
    assert all({"time", "level", "logger", "text"} <= set(line) for line in lines)
    assert [line["text"] for line in lines if line.get("event") == "ready"] == ["ready"]
    assert "debug" in {line["level"] for line in lines}


def test_verbose_shows_the_level_debug(daemon: Callable[..., Daemon]) -> None:
    for arguments, said in (((), False), (("-v",), True)):
        running = daemon(*arguments)
        with connect(f"{running.ws}/echo") as client:
            client.send("hello")
            client.recv(timeout=PATIENCE)
        running.stop()
        assert (" debug " in running.output) is said


def test_further_endpoints_serve_the_same(tmp_path: Path, daemon: Callable[..., Daemon]) -> None:
    (tmp_path / "index.html").write_text("here too")
    path = tmp_path / "ws.sock"
    daemon(ini=f"[server]\ndocroot = .\nendpoints =\n    unix:{path}\n")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        assert (response.status, response.read()) == (200, b"here too")
        response.close()
