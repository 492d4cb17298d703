"""`python -m tests.run lint|check|test [PYTEST ARGUMENTS]`: the checks in their order, and how long each took.

All of them run, whichever fail. `check` is for every commit: style, types, layers, and the tests without processes.
`test` is everything. Where CI_TIME_BUDGET is set, more time than the budget is a failure too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
BUDGETS = {"lint": 30, "check": 75, "test": 540}
"""Seconds on two cores that nothing else uses."""
NOTHING_COLLECTED = 5


class Step(NamedTuple):
    """A command, and what it is called where the times are told."""

    name: str
    command: list[str]

    def run(self) -> int:
        """Run it to its end and return its exit code."""
        return subprocess.run([BIN / self.command[0], *self.command[1:]], cwd=ROOT).returncode


def tests(processes: int, *arguments: str) -> Step:
    """Return a run of tests, in a random order on two cores; no test takes a quarter of an hour."""
    spread = (f"--numprocesses={processes}", "--dist=worksteal", "--timeout=900")
    return Step("tests", ["python", "-m", "pytest", *spread, *arguments])


LINT = [
    Step("style", ["ruff", "check", "."]),
    Step("format", ["ruff", "format", "--check", "."]),
    Step("spelling", ["codespell"]),
    Step("types", ["mypy"]),
    Step("layers", ["lint-imports"]),
    Step("news", ["towncrier", "build", "--draft", "--version", "next"]),
]
CHECKED = [
    "tests/unit",
    "tests/memory",
    "tests/library_facts/test_private_names.py",
    "tests/packaging/test_docs.py",
    "tests/packaging/test_house.py",
]


def steps_of(kind: str, more: list[str]) -> list[Step]:
    """Return the steps of `lint`, `check` or `test`."""
    if kind == "lint":
        return LINT
    if kind == "check":
        return [*LINT, tests(2, *CHECKED, *more)]
    # A third process works while the others wait for a deadline of the daemon's.
    measured = tests(3, "--cov", "--cov-report=", "--durations=20", *more)
    return [*LINT, measured, Step("coverage", ["coverage", "report"])]


def main(kind: str, *more: str) -> int:
    """Run the steps; returns the exit code."""
    failed, told = [], []
    begun = time.monotonic()
    for step in steps_of(kind, list(more)):
        before = time.monotonic()
        code = step.run()
        told.append(f"{step.name} {time.monotonic() - before:.0f} s")
        if code and not (more and code == NOTHING_COLLECTED):
            failed.append(step.name)
    seconds = time.monotonic() - begun
    print(f"\ntime: {', '.join(told)}; {seconds:.0f} s in all, and the budget is {BUDGETS[kind]} s")
    if seconds > BUDGETS[kind] and os.environ.get("CI_TIME_BUDGET"):
        failed.append("time budget")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
