"""The figures of the promises: each is held to its bound, and shown at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import WITH_TLS, Daemon, Start

Figure = Callable[..., None]


@pytest.fixture
def figure(tell: Callable[[str], None]) -> Figure:
    """A function that notes a figure and holds it to its bound: `figure(5, "p99", 3.1, "ms", 100)`."""

    def note(promise: int, what: str, value: float, unit: str, at_most: float) -> None:
        line = f"promise {promise:2}: {what}: {value:.4g} {unit} (at most {at_most:g})"
        tell(line)
        assert value <= at_most, line

    return note


@pytest.fixture
def tls_daemon(daemon: Start) -> Start:
    """A factory as `daemon`, of daemons that serve TLS too: `tls_daemon("[websocket]\\n...")`."""

    def start(ini: str = "", *arguments: str, **options: Any) -> Daemon:
        return daemon(*arguments, ini=WITH_TLS + ini, **options)

    return start


@pytest.fixture(scope="session")
def default_daemon(served: Start) -> Daemon:
    """The shared daemon with TLS and otherwise the defaults."""
    return served(WITH_TLS)


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    """An empty folder to serve."""
    folder = tmp_path / "docroot"
    folder.mkdir()
    return folder
