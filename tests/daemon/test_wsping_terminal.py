"""What a person sees in a terminal of 80 columns, in a real one: tmux."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, Daemon
from tests.support.patience import PATIENCE
from tests.support.wsping import WSPING, peer, without_proxy


class Terminal:
    """A tmux session of 80 columns and 24 lines, on a server of its own."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        environment = {**without_proxy(), "TERM": "xterm-256color", "PS1": "$ "}
        shell = "exec bash --norc --noprofile"
        self.run("new-session", "-d", "-x", "80", "-y", "24", shell, environment=environment)
        self.run("set-option", "-g", "history-limit", "5000")

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        return subprocess.run(
            [*self._tmux, *arguments], check=True, capture_output=True, text=True, env=environment
        ).stdout

    def type(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def start(self, *arguments: str | Path) -> None:
        """Run a command; `exit=CODE` follows what it prints."""
        command = shlex.join(map(str, arguments))
        self.type("-l", f"clear; {command}; echo exit=$?")
        self.type("Enter")

    def lines(self, *, with_colours: bool = False) -> list[str]:
        """Return all that is and was on the screen, line by line as it is on the screen."""
        flags = ["-e"] if with_colours else []
        return self.run("capture-pane", "-p", "-S", "-", *flags).rstrip("\n").split("\n")

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> list[str]:
        """Return the lines once one of them matches: a screen can only be looked at again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines = self.lines()
            if any(re.search(pattern, line) for line in lines):
                return lines
            time.sleep(0.05)  # tmux tells nobody when a screen changes: this is how often it is asked, not a wait
        raise AssertionError(f"no {pattern!r} on the screen:\n" + "\n".join(self.lines()))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        if os.environ.get("CI"):
            pytest.fail("tmux is not installed, and CI must not leave the terminal's tests out")
        pytest.skip("tmux is not installed")
    made = Terminal(tmp_path / "tmux")
    yield made
    made.run("kill-server")


def of_the_run(lines: list[str]) -> list[str]:
    """Return the lines that the command printed."""
    end = next(index for index, line in enumerate(lines) if line.startswith("exit="))
    return [line for line in lines[:end] if not line.startswith("$ ")]


def test_a_run_to_its_end(daemon: Callable[..., Daemon], terminal: Terminal) -> None:
    """No line is broken at 80 columns; each is as it would be in a pipe; the progress line is gone."""
    own = daemon()
    terminal.start(WSPING, "-p", str(own.port), "-c", "4", "-d", "900", "-s", "123456")
    shown = terminal.wait_for(r"^[0-9]/4 sent, [0-9] answered, 0 lost, p50 [0-9.]+ p99 [0-9.]+ ms, [0-9] s left$")
    assert max(map(len, shown)) <= 80
    lines = of_the_run(terminal.wait_for("^exit=0$"))
    assert [line.split(" time=")[0] for line in lines[:4]] == [
        f"123456 bytes from localhost: frames=31 req={number}" for number in range(1, 5)
    ]
    assert lines[4:6] == [
        "--- localhost websocket ping statistics using 1 connection ---",
        "124/124 frames sent/recv, 4/4 mesg sent/recv, 0 lost",
    ]
    assert len(lines) == 10
    assert not any("answered" in line for line in lines)


def test_large_numbers_fit(daemon: Callable[..., Daemon], terminal: Terminal) -> None:
    """Tens of thousands of messages, many clients: no line is over 80 columns, so none is broken."""
    own = daemon()
    terminal.start(WSPING, "-p", str(own.port), "-c", "20000", "-d", "0", "-C", "4", "-q")
    lines = of_the_run(terminal.wait_for("^exit=0$", 3 * PATIENCE))
    assert len(lines) == 6
    assert lines[1] == "80000/80000 frames sent/recv, 80000/80000 mesg sent/recv, 0 lost"


def test_ctrl_c(daemon: Callable[..., Daemon], terminal: Terminal) -> None:
    """The summary of what was done, and no traceback."""
    own = daemon()
    terminal.start(WSPING, "-p", str(own.port), "-c", "0", "-d", "100")
    terminal.wait_for("req=3 ")
    terminal.type("C-c")
    lines = terminal.wait_for("^exit=130$")
    assert any(line.startswith("--- localhost websocket ping statistics") for line in lines), lines
    assert any(re.fullmatch(r"([0-9]+)/\1 frames sent/recv, \1/\1 mesg sent/recv, 0 lost", line) for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_ctrl_c_while_connecting(terminal: Terminal) -> None:
    """A server that does not answer need not be waited for."""
    with peer("silence") as port:
        terminal.start(WSPING, f"ws://127.0.0.1:{port}/", "--reconnect", "--timeout", "0.6")
        terminal.wait_for("^connecting again in 1 s$")
        terminal.type("C-c")
        terminal.wait_for("^exit=130$")


def test_colours_only_where_wanted(terminal: Terminal) -> None:
    """What is wrong is red on a terminal, unless NO_COLOR asks for none."""
    with peer("opcode") as port:
        url = f"ws://127.0.0.1:{port}/"
        terminal.start(WSPING, url, "-c", "1")
        terminal.wait_for("^exit=1$")
        red = [line for line in terminal.lines(with_colours=True) if "\x1b[31m" in line]
        assert [re.sub(r"\x1b\[[0-9;]*m", "", line)[:22] for line in red] == [
            "req=1: wrong opcode: s",
            "replies: 1 with the wr",
        ]
        terminal.start("env", "NO_COLOR=1", WSPING, url, "-c", "2", "-d", "1")
        terminal.wait_for("req=2: wrong opcode")
        terminal.wait_for("^exit=1$")
        assert not any("\x1b[31m" in line for line in terminal.lines(with_colours=True)[-12:])


def test_a_refusal_is_folded_not_cut(terminal: Terminal) -> None:
    """The server's headers and body, which may be long, stay readable, without control characters."""
    with peer("refuse") as port:
        terminal.start(WSPING, f"ws://127.0.0.1:{port}/{'x' * 100}")
        lines = terminal.wait_for("^exit=3$")
    assert any(line.startswith("  WWW-Authenticate: Basic") for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_page_shows_what_is_printed() -> None:
    """docs/wsping.md's examples have lines of at most 80 columns too."""
    page = (ROOT / "docs" / "wsping.md").read_text()
    shown = [line for line in page.splitlines() if re.match(r"    ([0-9]+ bytes|---|rtt|time|handshake|[0-9]+/)", line)]
    assert len(shown) >= 8
    assert max(len(line) - 4 for line in shown) <= 80
