"""The figures of the promises: each is held to its bound, and all are shown at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon

_figures: list[str] = []
Figure = Callable[..., None]


@pytest.fixture
def figure() -> Figure:
    """A function that notes a figure and holds it to its bound: `figure(5, "p99", 3.1, "ms", 100)`."""

    def note(promise: int, what: str, value: float, unit: str, at_most: float) -> None:
        _figures.append(f"promise {promise}: {what}: {value:.4g} {unit} (at most {at_most:g})")
        assert value <= at_most, _figures[-1]

    return note


@pytest.fixture
def tls_daemon(daemon: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """A factory as `daemon`, of daemons that serve TLS too: `tls_daemon("[websocket]\\n...")`."""

    def start(ini: str = "", *arguments: str, **options: Any) -> Daemon:
        return daemon(*arguments, ini=f"[tls]\nenabled = yes\nport = 0\ncertificate = auto\n{ini}", **options)

    return start


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with TLS and the defaults, one for all tests of a file that do not look at its memory or log."""
    config = tmp_path_factory.mktemp("served") / "ws.ini"
    config.write_text("[tls]\nenabled = yes\nport = 0\ncertificate = auto\n")
    running = Daemon([f"--config={config}", "--port=0"])
    yield running
    running.stop()


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    """An empty folder to serve."""
    folder = tmp_path / "docroot"
    folder.mkdir()
    return folder


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the figures."""
    if _figures:
        terminalreporter.section("figures of the promises")
        for line in _figures:
            terminalreporter.write_line(line)
