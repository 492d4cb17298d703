"""`wsdaemon load` as a person starts it, against real servers."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import Start
from tests.support.patience import PATIENCE
from tests.support.wsping import peer

pytestmark = pytest.mark.traced
WSDAEMON = Path(sys.executable).with_name("wsdaemon")


def load(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WSDAEMON, "load", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def url(served: Start) -> str:
    """Return the URL of an echo."""
    return f"{served().ws}/echo"


def test_closed_loop(url: str, tmp_path: Path) -> None:
    """A closed loop: every reply is right, the summary says so, and the files are written."""
    done = load(url, "--clients=5", "--in-flight=4", "--duration=1", f"--json={tmp_path / 'a.json'}", "--size=10-2000")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "a.json").read_text())
    messages = found["messages"]
    assert messages["right"] == messages["sent"] > 500
    assert found["errors"] == {}
    assert found["configuration"]["url"] == url
    assert f"{messages['right']:,} right of {messages['sent']:,} sent" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80

    done = load(
        url, "--clients=5", "--binary", "--compress", "--duration=0.5", "--quiet", f"--report={tmp_path / 'r.html'}",
        f"--compare={tmp_path / 'a.json'}",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "opcode: text then, binary now" in done.stdout
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "Compared with an earlier run" in page
    assert url in page


def test_open_loop(url: str) -> None:
    """An open loop sends exactly as many messages as asked for; standard output has the document alone."""
    done = load(url, "--rate=200", "--duration=2", "--clients=4", "--ramp=0", "--json=-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["messages"]["sent"] == found["messages"]["right"] == 400
    assert found["latency_counted_from"] == "due"
    assert "Throughput" in done.stderr


def test_connects(url: str) -> None:
    """Handshakes per second, split into their parts."""
    done = load(url, "--connects", "--clients=4", "--duration=1", "--json=-", "-q")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    opened, rate = found["connections"]["opened"], found["rates"]["handshakes_per_second"]
    in_time = rate * found["load_seconds"]  # the rate is rounded, and the end finds one of each client on its way
    assert opened > 0
    assert opened - 4.5 <= in_time <= opened + 0.5
    assert found["messages"] is None
    assert found["handshake_ms"]["upgrade"]["count"] == opened
    assert found["handshake_ms"]["tls"]["count"] == 0


def test_no_connection() -> None:
    """No client connects: 3, at once, with status and reason if the server refuses the handshake."""
    with peer("refuse") as port:
        refused = load(f"ws://127.0.0.1:{port}/", "--clients=2", "--duration=3600", "-q")
    assert "401 Unauthorized" in refused.stdout
    assert "handshakes refused: HTTP status 401" in refused.stdout
    unreachable = [load(f"ws://127.0.0.1:{port}/", "--duration=3600", "-q", *more) for more in ([], ["--connects"])]
    assert ["nothing listens on" in done.stdout for done in unreachable] == [True, True]
    assert [done.returncode for done in (refused, *unreachable)] == [3, 3, 3]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["nonsense"], ["ws://h/", "--size=x"], ["ws://h/", "--clients=0"], ["ws://h/", "--rate=5", "--in-flight=2"],
        ["ws://h/", "--connects", "--rate=5"], ["ws://h/", "--compare=/no/such.json"],
        ["ws://h/", "--report=/no/such/folder/r.html"], ["ws://h/", "--compare=/dev/null"], ["ws://h/", "--json=/"],
    ],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)  # fmt: skip
def test_usage(arguments: list[str]) -> None:
    """Wrong usage ends before the run begins: 2, with a sentence."""
    done = load(*arguments)
    assert done.returncode == 2
    assert "wsdaemon load: " in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_replies(served: Start) -> None:
    """A server that also sends each client the messages of the other: 1, and the errors are named."""
    done = load(served().ws, "--subprotocol=echo-broadcast", "--duration=0.2", "--clients=2", "-q")
    assert done.returncode == 1, done.stdout
    assert re.search(r"Errors\n +[1-9]", done.stdout)


def test_interrupted(url: str) -> None:
    """Ctrl-C ends early with the summary of what was done: 130."""
    with subprocess.Popen(
        [WSDAEMON, "load", url, "--duration=60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert re.match(r"\d+ s of 60 s: [\d,]+ messages/s   p50 .*   p99 .*   errors 0", first)
    assert process.returncode == 130
    assert "Interrupted after" in out
    assert re.search(r"Messages +[1-9][\d,]* right of", out)


def test_terminal(url: str) -> None:
    """On a terminal of 80 columns, progress takes two lines in place, and only the summary is left."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    with subprocess.Popen(
        [WSDAEMON, "load", url, "--duration=2.5"], stdout=slave, stderr=slave, stdin=slave, env=environment
    ) as process:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # all of the process's ends are closed
            while data := os.read(master, 65536):
                shown += data
    os.close(master)
    assert process.returncode == 0
    text = shown.decode()
    assert "1 s of 2.5 s" in text
    assert re.search(r"[1-9][\d,]* messages/s   p50 .*errors 0", text)
    assert text.rindex("Throughput") > text.rindex("2 s of 2.5 s")
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") > 0  # the cursor is shown again


def test_password_stays_here(url: str) -> None:
    """A password in the URL is in no result that may be handed on."""
    done = load(url.replace("://", "://user:secret@"), "--duration=0.2", "--clients=1", "--json=-")
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stdout + done.stderr
