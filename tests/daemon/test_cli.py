"""The `wsdaemon` command: check-config, serve, and its messages for wrong arguments."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest
from twisted.scripts import twistd

from tests.support.certificates import Identity
from tests.support.patience import PATIENCE
from wsdaemon.cli import main

pytestmark = pytest.mark.traced
WSDAEMON = Path(sys.executable).with_name("wsdaemon")


@pytest.mark.parametrize("text", ["", "[server]\nport = 81\n", "[server]\nendpoints =\n    tcp:1\n    unix:/x\n"])
def test_check_config_says_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = tmp_path / "ws.ini"
    path.write_text(text)
    assert main(["check-config", str(path)]) == 0
    assert capsys.readouterr() == ("OK\n", "")


def test_check_config_shows_every_error_of_the_text_the_machine_and_the_endpoints_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Identity("one").write(tmp_path, "one")
    Identity("two").write(tmp_path, "two")
    path = tmp_path / "ws.ini"
    path.write_text(
        "[sever]\n[server]\nport = x\ndocroot = none\nendpoints =\n    nonsense:1\n"
        "[tls]\nenabled = yes\nport = 8080\ncertificate = one.pem\nprivate_key = two.key\nclient_ca = two.key\n"
    )
    assert main(["check-config", str(path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [line.removeprefix(f"{path}:") for line in shown.err.splitlines()]
    assert lines[:3] + lines[4:] == [
        "1: [sever] unknown section; did you mean server?",
        "3: [server] port: 'x' is not a whole number; write a whole number from 0 to 65535",
        f"4: [server] docroot: there is no {tmp_path}/none",
        f"11: [tls] private_key: {tmp_path}/two.key is not the key of {tmp_path}/one.pem; "
        "write the one that belongs to it",
        f"12: [tls] client_ca: {tmp_path}/two.key holds no certificate in PEM; write the path of one that does",
    ]
    assert lines[3].startswith("5: [server] endpoints: 'nonsense:1' is not a Twisted endpoint: ")


def test_an_unusable_certificate_does_not_hide_what_is_wrong_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret.key").write_bytes(Identity("one").key_pem(b"secret"))
    path = tmp_path / "ws.ini"
    path.write_text("[tls]\nenabled = yes\nport = 8080\ncertificate = none.pem\nprivate_key = secret.key\n")
    assert main(["check-config", str(path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:3: [tls] port: 8080 is also the port of [server]; write another",
        f"{path}:4: [tls] certificate: there is no {tmp_path}/none.pem",
        f"{path}:5: [tls] private_key: {tmp_path}/secret.key is protected by a passphrase; "
        "write the path of a key without one",
    ]


def test_check_config_names_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", str(tmp_path / "none.ini")]) == 1
    assert capsys.readouterr() == ("", f"{tmp_path}/none.ini: cannot be read: no such file or directory\n")


def test_check_config_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ws.ini"
    path.write_text("[server]\nprot = 1\n")
    result = subprocess.run([WSDAEMON, "check-config", "ws.ini"], cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "ws.ini:2: [server] prot: unknown option; did you mean port?\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"wsdaemon {version('wsdaemon')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["sevre"], "invalid choice: 'sevre'"),
        (["check-config"], "the following arguments are required: FILE"),
        (["serve", "--prot=1"], "unrecognized arguments: --prot=1"),
        (["serve", "--port"], "argument --port/-p: expected one argument"),
    ],
)
def test_a_wrong_call_is_explained_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ([], []),
        (["-p", "0", "-d", "x y", "-v", "-c", "ws.ini"], ["--config=ws.ini", "--port=0", "--docroot=x y", "--verbose"]),
        (["--port=", "--docroot=-odd"], ["--port=", "--docroot=-odd"]),
    ],
)
def test_serve_is_twistd_in_the_foreground(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], passed: list[str]
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["wsdaemon"])
    monkeypatch.setattr(twistd, "run", lambda: calls.append(sys.argv))
    assert main(["serve", *arguments]) == 0
    assert calls == [["twistd", "--nodaemon", "--pidfile=", "wsdaemon", *passed]]


def test_serve_serves_a_folder_without_any_file(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("from the docroot")
    arguments: list[str | Path] = [WSDAEMON, "serve", "--port", "0", "--docroot", tmp_path]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            listening = (re.search(r"listening on (http://127\.0\.0\.1:[0-9]+/)", line) for line in process.stdout)
            (url,) = next(filter(None, listening)).groups()
            with urllib.request.urlopen(f"{url}hello.txt", timeout=PATIENCE) as response:  # noqa: S310  # it is http
                assert response.read() == b"from the docroot"
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0
