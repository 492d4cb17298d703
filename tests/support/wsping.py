"""Running the real `wsping`, and the servers that it measures, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.daemon import ROOT
from tests.support.patience import PATIENCE

WSPING = Path(sys.executable).with_name("wsping")


def without_proxy() -> dict[str, str]:
    """Return the environment without a proxy."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def wsping(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `wsping` to its end; what it wrote is in stdout and stderr."""
    return subprocess.run(
        [WSPING, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=without_proxy() | (environment or {}),
    )


def measure(*arguments: str | Path, environment: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """Run `wsping --json`; returns the exit code, the document, and what was said on standard error."""
    result = wsping("--json", *arguments, environment=environment)
    document: dict[str, Any] = json.loads(result.stdout or "{}")
    return result.returncode, document, result.stderr


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run `wsping` meanwhile; its output is in pipes."""
    with subprocess.Popen(
        [WSPING, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=without_proxy()
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # where the test has failed


def first_reply(process: subprocess.Popen[str]) -> None:
    """Wait for the next reply that `wsping --verbose` shows."""
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("< text"))


@contextmanager
def serving(*command: str | Path) -> Iterator[int]:
    """Run a server's command, which prints its port first; gives the port."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()


def peer(kind: str, *files: Path) -> Any:
    """Return a context with the port of a server out of tests/support/peer_servers.py."""
    return serving(sys.executable, "-m", "tests.support.peer_servers", kind, *files)
