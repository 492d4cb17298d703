"""Promise 18: under load, churn and faults the daemon leaks nothing; seconds here, minutes in `make soak`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.promises.conftest import Figure
from tests.support.daemon import ROOT
from tests.support.patience import PATIENCE

GROWTH = 20
"""MB that memory may grow from the middle to the end: in so few seconds it has not yet reached what the load needs, as
it has after a minute. What may be left once all are gone is counted in descriptors, objects and blocks of memory."""


def test_promise_18_short_soak(tmp_path: Path, figure: Figure) -> None:
    """150 connections of every kind, good and bad: no errors, and no descriptors, objects or memory left at the end.

    Where the machine is too busy for the clients to keep to the daemon's deadlines, the deadlines are longer.
    """
    figures = tmp_path / "figures.json"
    for deadlines in (1, 4, 16):
        load = ["--connections=150", "--seconds=10", "--life=4", f"--deadlines={deadlines}", f"--growth={GROWTH}"]
        command = [sys.executable, "-m", "tests.soak", *load, f"--json={figures}"]
        ran = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3 * PATIENCE
        )
        if ran.returncode == 0 or not figures.exists() or json.loads(figures.read_text())["lag"] < deadlines / 4:
            break
    assert ran.returncode == 0, ran.stdout
    measured = json.loads(figures.read_text())
    figure(18, f"errors of {measured['connections']} connections", measured["errors"], "", 0)
    left = measured["descriptors_after"] - measured["descriptors_before"]
    figure(18, "descriptors left after the short soak", left, "", 0)
    figure(18, "growth from the middle of the short soak to its end", measured["memory_growth"] / 1e6, "MB", GROWTH)
