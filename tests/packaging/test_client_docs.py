"""The example in docs/client.md runs, and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

from tests.support.daemon import ROOT, Daemon
from tests.support.patience import PATIENCE

PROGRAM, PRINTED = re.findall(
    r"^```(?:python)?\n(.*?)^```", (ROOT / "docs" / "client.md").read_text(), re.MULTILINE | re.DOTALL
)


def run(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_the_example(daemon: Callable[..., Daemon]) -> None:
    """Against the daemon it prints the lines below it on the page."""
    result = run(daemon().ws)
    assert (result.returncode, result.stdout, result.stderr) == (0, PRINTED, "")


def test_the_example_without_a_server() -> None:
    """Without a server it says why it cannot connect."""
    result = run("ws://127.0.0.1:1/")
    assert result.returncode == 1
    assert result.stderr.strip() == "cannot connect: connecting by TCP failed: nothing listens on 127.0.0.1:1"
