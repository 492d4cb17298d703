"""Service: passed sockets, readiness, restarts that refuse nobody, shutdown, and reloads."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Identity
from tests.support.daemon import Daemon
from tests.support.patience import PATIENCE, Stopwatch
from tests.support.raw import RawClient
from tests.support.service_daemon import Manager, listening, port_of
from tests.support.wire import CLOSE, TEXT, Frame, close, close_code, request, take_frames
from wsdaemon import systemd

pytestmark = pytest.mark.traced


def handshake(port: int) -> bytes:
    """Connect, ask for /echo, and return what comes until the server has answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(request("/echo"))
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(4096)
            if not more:
                break
            data += more
        return data


class TestRestarts:
    """With the sockets held outside, nobody who connects is refused."""

    def test_readiness_is_told_once_everything_listens(self, tmp_path: Path) -> None:
        with Manager(tmp_path, listening(), "[server]\nport = 1\n") as manager:
            manager.start()
            assert handshake(port_of(manager.sockets[0])).startswith(b"HTTP/1.1 101 ")
            assert manager.stop() == 0

    @pytest.mark.parametrize("restarts", [8])
    def test_no_connection_is_refused(self, tmp_path: Path, restarts: int) -> None:
        """Restarts while four clients connect one after the other: each gets its 101."""
        with Manager(tmp_path, listening(), "[websocket]\nclose_timeout = 1\n") as manager:
            port = port_of(manager.sockets[0])
            manager.start()
            wrong: list[str] = []
            right: list[bytes] = []
            progress = threading.Condition()
            done = threading.Event()

            def load() -> None:
                while not done.is_set():
                    try:
                        answer = handshake(port)
                    except OSError as error:
                        wrong.append(repr(error))
                        continue
                    if not answer.startswith(b"HTTP/1.1 101 "):
                        wrong.append(repr(answer[:60]))
                    with progress:
                        right.append(answer)
                        progress.notify_all()

            def restart() -> int:
                with progress:
                    enough = len(right) + 20
                    assert progress.wait_for(lambda: len(right) >= enough, PATIENCE)
                return manager.restart()

            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            try:
                codes = [restart() for _ in range(restarts)]
            finally:
                done.set()
                for thread in threads:
                    thread.join()
            assert codes == [0] * restarts
            assert manager.stop() == 0
        assert wrong == []

    @pytest.mark.parametrize("names", ["", "http:https", "https:http"])
    def test_plain_and_tls_sockets_are_told_apart(self, tmp_path: Path, names: str) -> None:
        """By their names, else by the ports of the INI file, else the second is for TLS."""
        ini = "[tls]\nenabled = yes\ncertificate = auto\nport = 2\n[server]\nport = 1\n"
        with Manager(tmp_path, listening(2), ini, names) as manager:
            manager.start()
            ports = [port_of(each) for each in manager.sockets]
            plain, secure = reversed(ports) if names == "https:http" else ports
            assert handshake(plain).startswith(b"HTTP/1.1 101 ")
            context = ssl.create_default_context(cafile=tmp_path / ".wsdaemon-auto.pem")
            with (
                socket.create_connection(("localhost", secure), timeout=PATIENCE) as client,
                context.wrap_socket(client, server_hostname="localhost") as shown,
            ):
                assert shown.version() == "TLSv1.3"
            assert manager.stop() == 0

    def test_the_watchdog_hears_of_us(self, tmp_path: Path) -> None:
        with Manager(tmp_path, listening()) as manager:
            manager.start(WATCHDOG_USEC="200000")
            for _ in range(3):
                assert manager.hear("WATCHDOG=1") == ["WATCHDOG=1"]
            assert manager.stop() == 0


class TestVariables:
    """sd_listen_fds(3) and sd_watchdog_enabled(3)."""

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"LISTEN_FDS": "1"},
            {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
            {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
            {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
        ],
    )
    def test_what_is_not_for_us_is_left_alone(self, environ: dict[str, str]) -> None:
        assert systemd.inherited_sockets(environ) == []
        assert environ == {}, "and is not asked for again"

    @pytest.mark.parametrize(
        ("environ", "seconds"),
        [
            ({}, 0),
            ({"WATCHDOG_USEC": "3000000"}, 1.5),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0),
            ({"WATCHDOG_USEC": "soon"}, 0),
        ],
    )
    def test_watchdog(self, environ: dict[str, str], seconds: float) -> None:
        assert systemd.watchdog_interval(environ) == seconds

    @pytest.mark.parametrize("address", ["", "nowhere", "/no/such/socket", "@no-such-socket"])
    def test_without_anyone_to_notify_nothing_fails(self, address: str) -> None:
        assert not systemd.notify("READY=1", environ={"NOTIFY_SOCKET": address})

    def test_an_abstract_address_is_notified(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hears:
            name = f"wsdaemon-test-{os.getpid()}"
            hears.bind("\0" + name)
            assert systemd.notify("READY=1", "STATUS=x", environ={"NOTIFY_SOCKET": "@" + name})
            assert hears.recv(100) == b"READY=1\nSTATUS=x"


class TestTheJournal:
    """Lines for systemd's journal begin with their priority (sd-daemon(3))."""

    @pytest.mark.parametrize(("same", "start"), [(True, "<6>20"), (False, "20")])
    def test_priorities(self, tmp_path: Path, same: bool, start: str) -> None:
        """Only if the standard output is the journal, as JOURNAL_STREAM says."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            known = os.fstat(theirs.fileno())
            stream = f"{known.st_dev}:{known.st_ino}" if same else "1:1"
            twistd = Path(sys.executable).with_name("twistd")
            with subprocess.Popen(
                [str(twistd), "-n", "--pidfile=", "wsdaemon", "--port=0"],
                stdout=theirs.fileno(), cwd=tmp_path, env={**os.environ, "JOURNAL_STREAM": stream},
            ) as process:  # fmt: skip
                ours.settimeout(PATIENCE)
                said = b""
                while b"ready" not in said:
                    said += ours.recv(4096)
                process.terminate()
        lines = said.decode().splitlines()
        assert all(line.startswith(start) for line in lines), lines


class TestTheEnd:
    """SIGTERM: 1001 to all, responses finished, exit code 0 within the deadline."""

    def test_every_client_gets_1001_and_a_mute_one_does_not_delay_the_end(self, daemon: Callable[..., Daemon]) -> None:
        """200 clients, one of which never answers the Close."""
        own = daemon(ini="[server]\nshutdown_timeout = 2\n")
        clients = [RawClient(own) for _ in range(200)]
        own.process.send_signal(signal.SIGTERM)
        watch = Stopwatch(own)
        codes = []
        for number, client in enumerate(clients):
            frame = client.frame()
            assert frame.opcode == CLOSE
            codes.append(close_code(frame))
            if number:
                client.send(close(1001))
        assert codes == [1001] * 200
        assert own.process.wait(PATIENCE) == 0
        assert watch.seconds() < 3
        for client in clients:
            client.socket.close()

    def test_a_response_under_way_is_finished(self, daemon: Callable[..., Daemon], tmp_path: Path) -> None:
        """A connection that waits for its next request ends at once."""
        with (tmp_path / "large").open("wb") as file:
            file.truncate(30_000_000)
        own = daemon(f"--docroot={tmp_path}", ini="[server]\nshutdown_timeout = 60\n")
        with RawClient(own, None, receive_buffer=1 << 16) as client, RawClient(own, None) as idle:
            idle.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.read_head().startswith(b"HTTP/1.1 404 ")
            client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            head = client.read_head()
            own.process.send_signal(signal.SIGTERM)
            idle.read_to_end()
            assert int(re.findall(rb"Content-Length: (\d+)", head)[0]) == len(client.read_to_end())
        assert own.process.wait(PATIENCE) == 0

    def test_a_connection_without_a_request_yet_gets_its_response(self, daemon: Callable[..., Daemon]) -> None:
        """With a 101 and a Close with 1001: it is not refused, and knows why."""
        own = daemon()
        with RawClient(own, None) as late:
            late.send(request("/echo")[:20])
            with RawClient(own) as later:  # so the first is accepted
                later.echo(Frame(TEXT, b"here"))
            own.process.send_signal(signal.SIGTERM)
            late.send(request("/echo")[20:])
            data = b""
            while more := late.socket.recv(4096):
                data += more
                if b"\x88" in data:
                    late.send(close(1001))
        head, _, rest = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert [close_code(frame) for frame in take_frames(rest)[0]] == [1001]
        assert own.process.wait(PATIENCE) == 0


class TestReloads:
    """SIGHUP: new connections get the new configuration, open ones stay, and a wrong file changes nothing."""

    @pytest.fixture
    def own(self, tmp_path: Path, daemon: Callable[..., Daemon]) -> Daemon:
        Identity("first").write(tmp_path, "cert")
        (tmp_path / "tls.ini").write_text(
            "[tls]\nenabled = yes\nport = 0\ncertificate = cert.pem\nprivate_key = cert.key\n"
            "[subprotocol:echo-assemble]\nmessage_limit = 100\n"
        )
        return daemon(f"--config={tmp_path}/tls.ini")

    def certificate(self, own: Daemon) -> bytes:
        """Return the certificate that a new handshake shows."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", own.tls_port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""

    def reload(self, own: Daemon, pattern: str) -> str:
        before = len(own.output)
        own.process.send_signal(signal.SIGHUP)
        own.wait_for(rf"(?s)^.{{{before}}}.*{pattern}")
        return own.output[before:]

    def test_new_limits_and_a_new_certificate_for_new_connections(self, own: Daemon, tmp_path: Path) -> None:
        """No open connection is dropped, plain or TLS, and each keeps its settings."""
        first = self.certificate(own)
        large = Frame(TEXT, b"x" * 200)
        with RawClient(own, "/echo-assemble", tls=True) as secure, RawClient(own, "/echo-assemble") as plain:
            Identity("second").write(tmp_path, "cert")
            text = (tmp_path / "tls.ini").read_text()
            (tmp_path / "tls.ini").write_text(text.replace("message_limit = 100", "message_limit = 1000"))
            said = self.reload(own, "reloaded")
            assert "SHA-256 fingerprint" in said
            assert self.certificate(own) != first
            for client in (secure, plain):
                client.echo(Frame(TEXT, b"still here"))
            with RawClient(own, "/echo-assemble") as new:
                new.echo(large)
            plain.send(large)
            assert plain.close_code() == 1009

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ("[sever]\n", r"tls\.ini:\d+: \[sever\] unknown section; did you mean server\?"),
            ("[websocket]\nping_interval = often\n", r"tls\.ini:\d+: \[websocket\] ping_interval: 'often' is not"),
            ("[server]\ndocroot = nowhere\n", r"tls\.ini:\d+: \[server\] docroot: there is no"),
        ],
    )
    def test_a_broken_file_changes_nothing_and_says_where(
        self, own: Daemon, tmp_path: Path, change: str, complaint: str
    ) -> None:
        file = tmp_path / "tls.ini"
        file.write_text(file.read_text().replace("message_limit = 100", "message_limit = 1000") + change)
        assert "reloaded " not in self.reload(own, rf"error +not reloaded: [^\n]*{complaint}")
        with RawClient(own, "/echo-assemble") as client:
            client.send(Frame(TEXT, b"x" * 200))
            assert client.close_code() == 1009

    def test_a_broken_certificate_changes_nothing_and_says_why(self, own: Daemon, tmp_path: Path) -> None:
        first = self.certificate(own)
        (tmp_path / "cert.pem").write_text("no certificate")
        self.reload(own, r"error +not reloaded: [^\n]*tls\.ini:4: \[tls\] certificate: [^\n]* holds no certificate")
        Identity("other").write(tmp_path, "other")
        (tmp_path / "other.pem").rename(tmp_path / "cert.pem")
        self.reload(own, r"error +not reloaded: [^\n]*is not the key of")
        assert self.certificate(own) == first

    def test_what_needs_a_restart_is_named(self, own: Daemon, tmp_path: Path) -> None:
        file = tmp_path / "tls.ini"
        file.write_text("[server]\ninterface = 0.0.0.0\n[log]\nformat = json\n" + file.read_text())
        said = self.reload(own, "reloaded")
        assert re.search(r"warn +[^\n]*tls\.ini:2: \[server\] interface needs a restart\n", said)
        assert re.search(r"warn +[^\n]*tls\.ini:4: \[log\] format needs a restart\n", said)

    def test_a_flood_of_reloads_under_load_drops_nobody(self, own: Daemon) -> None:
        with RawClient(own) as client, RawClient(own, tls=True) as secure:
            for _ in range(20):
                own.process.send_signal(signal.SIGHUP)
                client.echo(Frame(TEXT, b"x"))
                secure.echo(Frame(TEXT, b"x"))
        assert own.stop() == 0
