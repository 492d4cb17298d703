"""What the tests share: the real daemon as a process of its own, and a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Daemon:
    """A `twistd -n wsdaemon` process that is ready: its ports, and all that it logged."""

    def __init__(
        self, arguments: list[str], *, cwd: Path | None = None, environment: dict[str, str] | None = None
    ) -> None:
        twistd = Path(sys.executable).with_name("twistd")
        self.process = subprocess.Popen(
            [twistd, "--nodaemon", "--pidfile=", "wsdaemon", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.output = ""
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for(r"info +ready|\"text\": \"ready\"")
        self.port = self._listening("http")
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}"
        self.tls_port = self._listening("https")
        self.https = f"https://localhost:{self.tls_port}"
        self.wss = f"wss://localhost:{self.tls_port}"

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Return the first match of `pattern` in what is logged, now or later."""
        with self._grown:
            self._grown.wait_for(lambda: re.search(pattern, self.output) or not self._reader.is_alive(), seconds)
            match = re.search(pattern, self.output)
        if match is None:
            state = "goes on" if self.process.poll() is None else f"ended with {self.process.returncode}"
            raise AssertionError(f"no {pattern!r}; the daemon {state}:\n{self.output}")
        return match

    def stop(self) -> int:
        """End it as the system does, with SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        return code

    def _read(self) -> None:
        """Take all that is logged: a full pipe would hold the daemon up."""
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            for line in pipe:
                with self._grown:
                    self.output += line.decode()
                    self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def rss(self) -> int:
        """Return the resident memory, in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _listening(self, scheme: str) -> int:
        match = re.search(rf"listening on {scheme}://[^ ]*?:([0-9]+)/", self.output)
        return int(match[1]) if match else 0


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """A factory of daemons: `daemon(port=0, ini="", arguments=(), ready=True)`; all are stopped at the test's end."""
    started: list[Daemon] = []

    def start(*arguments: str, port: int = 0, ini: str = "", **options: Any) -> Daemon:
        config = tmp_path / f"ws{len(started)}.ini"
        config.write_text(ini)
        daemon = Daemon([f"--config={config}", f"--port={port}", *arguments], **options)
        started.append(daemon)
        return daemon

    yield start
    for each in started:
        each.stop()


def find_browser() -> str | None:
    """Return the path of a Chromium-like browser, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, driven by Playwright."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium is installed, and CI must not leave the browser's tests out")
        pytest.skip("no Chromium is installed; `make browser` installs one where it can")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture(autouse=True)
def no_page_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the pages of a test: one that plots goes on plotting, and takes a third of a core from all that follow."""
    if "browser" not in request.fixturenames:
        yield
        return
    browser = request.getfixturevalue("browser")
    before = browser.contexts  # those of a whole module
    yield
    for context in browser.contexts:
        if context not in before:
            context.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--conformance`."""
    parser.addoption("--conformance", action="store_true", help="run all 517 cases of the Autobahn suite, alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the whole suite's tests with `--conformance` and no others, and never without it: they take half an hour."""
    alone = bool(config.getoption("--conformance"))
    items[:] = [item for item in items if alone == (item.get_closest_marker("conformance") is not None)]
