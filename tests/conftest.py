"""What the tests share: the real daemon as a process of its own, and a real browser."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import sys
import time
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

    def __init__(self, arguments: list[str], *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
        twistd = Path(sys.executable).with_name("twistd")
        self.process = subprocess.Popen(
            [twistd, "--nodaemon", "--pidfile=", "wsdaemon", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.output = ""
        self.wait_for(r"info +ready|\"text\": \"ready\"")
        self.port = self._listening("http")
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}"
        self.tls_port = self._listening("https")
        self.https = f"https://localhost:{self.tls_port}"
        self.wss = f"wss://localhost:{self.tls_port}"

    def wait_for(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """Return the first match of `pattern` in what is logged, now or later."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                match = re.search(pattern, self.output)
                if match:
                    return match
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise AssertionError(f"no {pattern!r} within {seconds} s in:\n{self.output}")
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    raise AssertionError(f"ended with {self.process.wait()} before {pattern!r}:\n{self.output}")
                self.output += chunk.decode()

    def stop(self) -> int:
        """End it as the system does, with SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        rest, _ = self.process.communicate(timeout=30)
        self.output += rest.decode()
        return self.process.returncode

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
