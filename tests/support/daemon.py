"""The real daemon as a process, and the path of a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
TRACING: dict[str, str] = {}
"""Environment variables that make a child measure its coverage, at half its speed; conftest takes them out."""
WITH_TLS = "[tls]\nenabled = yes\nport = 0\ncertificate = auto\n"
"""INI text of a daemon that also serves TLS, with a self-signed certificate."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Daemon:
    """A `twistd -n wsdaemon` process that is ready: its ports and its log.

    It is configured by the file `config`, which gets the text `ini` unless that is None. With `traced`, it counts
    towards the coverage where that is measured, and runs at half its speed.
    """

    def __init__(
        self,
        config: Path,
        ini: str | None = None,
        *arguments: str,
        port: int = 0,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
        traced: bool = False,
    ) -> None:
        if ini is not None:
            config.write_text(ini)
        self.folder = config.parent
        twistd = Path(sys.executable).with_name("twistd")
        self.process = subprocess.Popen(
            [twistd, "--nodaemon", "--pidfile=", "wsdaemon", f"--config={config}", f"--port={port}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
            env={**os.environ, **(TRACING if traced else {}), **(environment or {})},
        )  # fmt: skip
        self.output = ""
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for(r"info +ready|\"text\": \"ready\"")
        except AssertionError:
            self.process.kill()
            raise
        self.port = self._listening("http")
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}"
        self.tls_port = self._listening("https")
        self.https = f"https://localhost:{self.tls_port}"
        self.wss = f"wss://localhost:{self.tls_port}"

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """Return the first match of `pattern` in the log, now or later."""
        with self._grown:
            self._grown.wait_for(lambda: re.search(pattern, self.output) or not self._reader.is_alive(), seconds)
            match = re.search(pattern, self.output)
        if match is None:
            state = "goes on" if self.process.poll() is None else f"ended with {self.process.returncode}"
            raise AssertionError(f"no {pattern!r}; the daemon {state}:\n{self.output}")
        return match

    def stop(self) -> int:
        """Stop it by SIGTERM, as the system does; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return code

    def stop_well(self) -> None:
        """Stop it; it must exit with 0 and have logged no traceback."""
        assert self.stop() == 0, self.output
        assert "Traceback" not in self.output

    def _read(self) -> None:
        """Read the log: a full pipe would block the daemon."""
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


Start = Callable[..., Daemon]
"""Starts a daemon: the fixtures `daemon` and `served`."""


def find_browser() -> str | None:
    """Return the path of a Chromium-like browser, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)
