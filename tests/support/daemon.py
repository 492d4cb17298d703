"""The real daemon as a process of its own, and where a real browser is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
TRACING: dict[str, str] = {}
"""What makes a child measure its coverage, which takes it twice the time; conftest takes it out of the environment."""
WITH_TLS = "[tls]\nenabled = yes\nport = 0\ncertificate = auto\n"
"""INI text of a daemon that serves TLS too, by a certificate that it makes itself."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Daemon:
    """A `twistd -n wsdaemon` process that is ready: its ports, and all that it logged.

    With `traced`, it counts towards the coverage where that is measured, and runs at half its speed.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
        traced: bool = False,
    ) -> None:
        self.folder = cwd or Path.cwd()
        twistd = Path(sys.executable).with_name("twistd")
        self.process = subprocess.Popen(
            [twistd, "--nodaemon", "--pidfile=", "wsdaemon", *arguments],
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

    @classmethod
    def configured(cls, config: Path, ini: str = "", *arguments: str, port: int = 0, **options: Any) -> Daemon:
        """Start a daemon by INI text, which is written to `config`; the text's relative paths start from its folder."""
        config.write_text(ini)
        daemon = cls([f"--config={config}", f"--port={port}", *arguments], **options)
        daemon.folder = config.parent
        return daemon

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
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
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return code

    def stop_well(self) -> None:
        """End it, and make sure that all went well: it ends with 0, and has logged no traceback."""
        assert self.stop() == 0, self.output
        assert "Traceback" not in self.output

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


Start = Callable[..., Daemon]
"""What starts a daemon: the fixtures `daemon` and `served`."""


def find_browser() -> str | None:
    """Return the path of a Chromium-like browser, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)
