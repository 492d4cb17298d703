"""systemd units: they keep the promises of docs/service.md, agree with the settings, and are sealed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import ROOT
from wsdaemon.cli import _parser
from wsdaemon.settings import Settings

SERVICE, SOCKET = ROOT / "conf" / "wsdaemon.service", ROOT / "conf" / "wsdaemon.socket"
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")

EXPOSURE = 2.0
"""How exposed the service may be, from 0 to 10, as `systemd-analyze security` counts."""

SEALED = {
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "NoNewPrivileges": "yes",
    "RestrictSUIDSGID": "yes",
    "PrivateUsers": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateMounts": "yes",
    "PrivateDevices": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "LockPersonality": "yes",
    "RestrictRealtime": "yes",
    "RestrictNamespaces": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}


class Unit(dict[tuple[str, str], list[str]]):
    """A unit file: (section, name) -> its values, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        section = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.name}:{number}"
            assert len(line) <= 120, where
            assert line == line.rstrip(), where
            if found := re.fullmatch(r"\[(Unit|Service|Socket|Install)\]", line):
                section = found[1]
            elif line and not line.startswith("#"):
                setting = re.fullmatch(r"([A-Z][A-Za-z0-9]+)=(.*)", line)
                assert setting, f"{where}: {line!r} is no setting"
                assert section, where
                self.setdefault((section, setting[1]), []).append(setting[2])

    def one(self, section: str, name: str) -> str:
        (value,) = self[section, name]
        return value


@pytest.fixture(scope="module")
def service() -> Unit:
    return Unit(SERVICE)


@pytest.fixture(scope="module")
def sockets() -> Unit:
    return Unit(SOCKET)


class TestService:
    def test_it_runs_the_command_that_there_is(self, service: Unit) -> None:
        program, *arguments = service.one("Service", "ExecStart").split()
        assert program == "/opt/wsdaemon/bin/wsdaemon"
        options = _parser().parse_args(arguments)
        assert options.config == "/etc/wsdaemon/ws.ini"

    def test_a_reload_says_what_is_wrong_with_the_file_then_sends_sighup(self, service: Unit) -> None:
        check, reload = service["Service", "ExecReload"]
        program, *arguments = check.split()
        assert program == service.one("Service", "ExecStart").split()[0]
        assert _parser().parse_args(arguments).file == "/etc/wsdaemon/ws.ini"
        assert reload == "/bin/kill -HUP $MAINPID"
        assert service.one("Service", "Type") == "notify"

    def test_its_times_leave_room_for_ours(self, service: Unit) -> None:
        """systemd kills only after `shutdown_timeout`, and its watchdog waits longer than our notifications take."""
        assert float(service.one("Service", "TimeoutStopSec")) > Settings().server.shutdown_timeout * 1.5
        assert float(service.one("Service", "WatchdogSec")) >= 10
        assert int(service.one("Service", "LimitNOFILE")) >= 4 * Settings().server.max_connections

    def test_it_comes_back_after_a_failure_and_never_gives_up(self, service: Unit) -> None:
        assert service.one("Service", "Restart") == "on-failure"
        assert service.one("Unit", "StartLimitIntervalSec") == "0"

    def test_it_has_its_sockets_before_it_starts(self, service: Unit) -> None:
        for key in (("Unit", "Requires"), ("Unit", "After"), ("Install", "Also")):
            assert service.one(*key) == SOCKET.name

    @pytest.mark.parametrize(("name", "value"), SEALED.items())
    def test_it_is_sealed(self, service: Unit, name: str, value: str) -> None:
        assert service.one("Service", name) == value

    def test_it_keeps_what_a_service_needs_of_the_system_calls(self, service: Unit) -> None:
        allowed, denied = service["Service", "SystemCallFilter"]
        assert allowed == "@system-service"
        assert denied.startswith("~")
        assert {"@privileged", "@resources"} <= set(denied[1:].split())

    def test_tls_can_have_the_memory_that_its_callbacks_need(self, service: Unit) -> None:
        """pyOpenSSL's callbacks are cffi's, which need memory that is writable and executable."""
        assert service.one("Service", "MemoryDenyWriteExecute") == "no"

    def test_it_has_a_place_for_its_certificate(self, service: Unit) -> None:
        assert service.one("Service", "StateDirectory") == "wsdaemon"
        assert service.one("Service", "StateDirectoryMode") == "0700"


class TestSockets:
    def test_the_ports_are_those_of_the_settings(self, sockets: Unit) -> None:
        """Or the daemon could not tell its sockets apart."""
        settings = Settings()
        assert sockets["Socket", "ListenStream"] == [str(settings.server.port), str(settings.tls.port)]
        assert ("Socket", "FileDescriptorName") not in sockets

    def test_as_many_can_wait_as_in_a_socket_of_our_own(self, sockets: Unit) -> None:
        assert int(sockets.one("Socket", "Backlog")) == Settings().limits.backlog

    def test_one_service_takes_them_all(self, sockets: Unit) -> None:
        assert ("Socket", "Accept") not in sockets
        assert SOCKET.stem == SERVICE.stem
        assert sockets.one("Install", "WantedBy") == "sockets.target"


def test_systemd_finds_nothing_wrong(tmp_path: Path, service: Unit) -> None:
    """`systemd-analyze verify` is silent, and the exposure is low; the other tests need no systemd."""
    if SYSTEMD_ANALYZE is None:
        assert set(SEALED) <= {name for _, name in service}
        return
    # What is to be run has to be there.
    program = service.one("Service", "ExecStart").split()[0]
    command = str(Path(sys.executable).with_name("wsdaemon"))
    units = [tmp_path / SERVICE.name, tmp_path / SOCKET.name]
    units[0].write_text(SERVICE.read_text().replace(program, command))
    units[1].write_text(SOCKET.read_text())
    verified = subprocess.run([SYSTEMD_ANALYZE, "verify", "--man=no", *units], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    said = subprocess.run([SYSTEMD_ANALYZE, "--version"], check=True, capture_output=True, text=True).stdout
    number = re.match(r"systemd ([0-9]+)", said)
    if number is None or int(number[1]) < 250:  # it cannot look at a file before
        return
    shown = subprocess.run(
        [SYSTEMD_ANALYZE, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE * 10:.0f}", units[0]],
        capture_output=True, text=True,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    overall = re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown.stdout)
    assert overall is not None
    assert float(overall[1]) <= EXPOSURE
