"""The example in docs/client.md runs, and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.daemon import ROOT, Daemon
from tests.support.patience import PATIENCE

PAGE = (ROOT / "docs" / "client.md").read_text()


def test_the_example(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Against the daemon it prints the lines below it on the page."""
    program, printed = re.findall(r"^```(?:python)?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "example.py"
    path.write_text(program)
    command: list[str | Path] = [sys.executable, "-W", "error", path, daemon().ws]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == printed


def test_the_example_without_a_server(tmp_path: Path) -> None:
    """Without a server it says why it cannot connect."""
    program, _ = re.findall(r"^```(?:python)?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "example.py"
    path.write_text(program)
    result = subprocess.run(
        [sys.executable, path, "ws://127.0.0.1:1/"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert result.returncode == 1
    assert result.stderr.strip() == "cannot connect: connecting by TCP failed: nothing listens on 127.0.0.1:1"
