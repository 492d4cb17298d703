"""Node's `ws` as a client of a daemon: all connections are made by one process, tests/node/visit.mjs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from tests.cases.vocabulary import Case, asked
from tests.support.daemon import ROOT, Daemon

NODE = ROOT / "tests" / "node"


def visit_all(daemon: Daemon, cases: Sequence[Case]) -> dict[Case, dict[str, Any]]:
    """Return what was seen of each case."""
    asks = [asked(case, "ws", daemon.wss if case.tls else daemon.ws) for case in cases]
    found = run_node("visit.mjs", given=json.dumps(asks))
    return dict(zip(cases, found, strict=True))


def run_node(script: str, *arguments: str, given: str = "") -> Any:
    """Return what a script of tests/node prints, as JSON."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "ws").is_dir():
        if os.environ.get("CI"):
            pytest.fail("Node's ws is not installed, and CI must not leave its tests out; `make test` installs it")
        # A machine without npm can run all the rest; CI cannot come here.
        pytest.skip("Node's ws is not installed; `make test` installs it where there is npm")
    done = subprocess.run(
        ["node", NODE / script, *arguments], input=given, capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(done.stdout)
