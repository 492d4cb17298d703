"""The Autobahn test suite's fuzzing client against the real daemon: the field's judge of WebSocket servers."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import ROOT, WITH_TLS, Daemon
from tests.support.patience import PATIENCE

CHECK_SERVER = ROOT.parent / "shared" / "tools" / "autobahn-testsuite" / "check-server"
Judge = Callable[..., dict[str, str]]
GOOD = {"OK", "INFORMATIONAL"}
QUICK = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 9, 10)]
# The suite gives a server 1 s to answer its Close and to end TCP; a machine that is busy enough needs more.
PATIENT = {"openHandshakeTimeout": PATIENCE, "closeHandshakeTimeout": PATIENCE, "serverConnectionDropTimeout": PATIENCE}
OUT_OF_TIME = {"KLE", "TIE"}  # in a case's log: its own second was over, and it ended the connection

INI = f"""{WITH_TLS}
[subprotocol:echo-assemble]
message_limit = 17m
"""


@pytest.fixture(scope="module")
def wstest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's command, from the PATH or set up by its installer."""
    found = shutil.which("wstest")
    if found:
        return Path(found)
    if CHECK_SERVER.exists():
        with (tmp_path_factory.getbasetemp().parent / "wstest.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two processes that run tests must not install it at once
            install = subprocess.run([CHECK_SERVER.with_name("install")], check=True, stdout=subprocess.PIPE, text=True)
        return Path(install.stdout.strip())
    if os.environ.get("CI"):
        pytest.fail("the Autobahn test suite was not found, and CI must not leave it out")
    pytest.skip("the Autobahn test suite was not found: no wstest is on the PATH")


@pytest.fixture
def judge(wstest: Path, tmp_path: Path, tell: Callable[[str], None]) -> Judge:
    """A function that runs the cases against `url` and returns what is not good, by case. Fails where none ran."""
    return functools.partial(run_cases, wstest, tmp_path, tell)


def run_cases(
    wstest: Path, folder: Path, tell: Callable[[str], None], url: str, *, cases: list[str], protocols: list[str]
) -> dict[str, str]:
    ran, bad = run_once(wstest, folder, url, cases=cases, protocols=protocols)
    late = [case for case, report in bad.items() if OUT_OF_TIME & {entry[0] for entry in report["wirelog"]}]
    if late:  # a case's own second can't be made longer: each gets another
        _, still_bad = run_once(wstest, folder, url, cases=late, protocols=protocols)
        bad = {case: report for case, report in bad.items() if case not in late} | still_bad
    groups = "groups 1 to 10" if cases == QUICK else ", ".join(cases)
    tell(f"Autobahn test suite, {groups}: {ran - len(bad)} passed, {len(bad)} failed at {url}")
    return {case: describe(report) for case, report in bad.items()}


def describe(report: dict[str, Any]) -> str:
    behavior = f"{report['behavior']} ({report['result']})"
    return f"{behavior}, close {report['behaviorClose']} ({report['resultClose']}; {report['wasNotCleanReason']})"


def run_once(
    wstest: Path, folder: Path, url: str, *, cases: list[str], protocols: list[str]
) -> tuple[int, dict[str, dict[str, Any]]]:
    """The number of cases that ran, and the suite's own reports of those that were not good, by case."""
    outdir = Path(tempfile.mkdtemp(dir=folder))
    spec = outdir / "spec.json"
    server = {"agent": "server", "url": url, **({"protocols": protocols} if protocols else {})}
    spec.write_text(
        json.dumps(
            {
                "outdir": str(outdir), "servers": [server], "cases": cases, "options": PATIENT,
                "exclude-cases": [], "exclude-agent-cases": {},
            }
        )
    )  # fmt: skip
    done = subprocess.run(
        [wstest, "-m", "fuzzingclient", "-s", spec], cwd=outdir, capture_output=True, text=True, timeout=3000
    )
    index = outdir / "index.json"
    assert index.exists(), done.stdout + done.stderr
    results = json.loads(index.read_text())["server"]
    assert results
    bad = {
        case: json.loads((outdir / result["reportfile"]).read_text())
        for case, result in results.items()
        if not {result["behavior"], result["behaviorClose"]} <= GOOD
    }
    return len(results), bad


TARGETS = [
    ("ws", "/echo", []),
    ("ws", "/", ["echo-assemble"]),
    ("wss", "/echo", []),
]


@pytest.mark.parametrize(("scheme", "path", "protocols"), TARGETS, ids=["ws-echo", "ws-echo-assemble", "wss-echo"])
def test_groups_1_to_10(server: Daemon, judge: Judge, scheme: str, path: str, protocols: list[str]) -> None:
    """No case of groups 1 to 10 is worse than OK or INFORMATIONAL."""
    bad = judge(getattr(server, scheme) + path, cases=QUICK, protocols=protocols)
    assert bad == {}


@pytest.mark.conformance
@pytest.mark.parametrize(("scheme", "path", "protocols"), TARGETS, ids=["ws-echo", "ws-echo-assemble", "wss-echo"])
def test_all(server: Daemon, judge: Judge, scheme: str, path: str, protocols: list[str]) -> None:
    """No case of all 517 is worse than OK or INFORMATIONAL."""
    bad = judge(getattr(server, scheme) + path, cases=["*"], protocols=protocols)
    assert bad == {}


def test_compression(server: Daemon, judge: Judge) -> None:
    """A sample of the compression groups: each kind of payload, and each set of parameters."""
    cases = [f"12.{kind}.{size}" for kind in range(1, 6) for size in (1, 3)]
    cases += [f"13.{parameters}.{size}" for parameters in range(1, 8) for size in (1, 5)]
    cases += ["12.2.9", "13.3.8", "13.6.8"]  # messages beyond a window
    assert judge(f"{server.ws}/echo", cases=cases, protocols=[]) == {}
