"""Figures and daemons of the promises. Each figure is held to its bound and shown at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import WITH_TLS, Daemon, Start
from tests.support.faults import Faults

Figure = Callable[..., None]
PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@pytest.fixture
def figure(tell: Callable[[str], None]) -> Figure:
    """A function that reports a figure and asserts its bound: `figure(5, "p99", 3.1, "ms", 100)`."""

    def note(promise: int, what: str, value: float, unit: str, at_most: float) -> None:
        line = f"promise {promise:2}: {what}: {value:.4g} {unit} (at most {at_most:g})"
        tell(line)
        assert value <= at_most, line

    return note


@pytest.fixture
def tls_daemon(daemon: Start) -> Start:
    """A factory of daemons that also serve TLS: `tls_daemon("[websocket]\\n...")`."""

    def start(ini: str = "", *arguments: str, **options: Any) -> Daemon:
        return daemon(*arguments, ini=WITH_TLS + ini, **options)

    return start


@pytest.fixture(scope="session")
def default_daemon(served: Start) -> Daemon:
    """The shared daemon with TLS and otherwise the defaults."""
    return served(WITH_TLS)


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    """A folder to serve, with a page and a file of 4 MiB."""
    folder = tmp_path / "docroot"
    folder.mkdir()
    (folder / "page.html").write_text("a page")
    (folder / "big.bin").write_bytes(bytes(4 << 20))
    return folder


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """System calls that fail in the daemons of `faulty` once they are armed."""
    return Faults(tmp_path / "faults")


@pytest.fixture
def faulty(tls_daemon: Start, docroot: Path, faults: Faults) -> Start:
    """A factory of daemons in which `faults` make system calls fail: `faulty("[websocket]\\n...")`."""

    def start(ini: str = "", *arguments: str) -> Daemon:
        return tls_daemon(f"[server]\ndocroot = {docroot}\n{ini}", *arguments, environment=faults.environment)

    return start
