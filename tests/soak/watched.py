"""The daemon under soak from outside: counts of its log, and memory, descriptors and CPU time from /proc."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.daemon import ROOT, Daemon
from tests.support.serving import descriptors

KEPT = 50
"""How many unexpected log lines are kept for display; the rest is counted."""


PIPE = 1 << 20
"""Size of the log's pipe: the maximum of Linux."""


class DaemonGone(Exception):
    """The daemon ended by itself."""


@dataclass(frozen=True)
class Sample:
    """Sample of the daemon: `at` in seconds, memory in bytes, times in seconds."""

    at: float
    memory: int
    descriptors: int
    cpu: float
    waited: float  # for a CPU that others used


class WatchedDaemon(Daemon):
    """A daemon with an endless log: lines are counted by event, and only unexpected ones are kept."""

    def __init__(self, config: Path) -> None:
        self.events: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()  # of WebSockets: the code that was sent, and the cause in words
        self.odd: list[str] = []  # what is no event, or worse than info
        self.odd_count = 0
        super().__init__(config, environment=_with_census(config.parent))

    def _read(self) -> None:
        """Read the log in large pieces, so that the clients' work does not block the daemon."""
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE)
            rest = b""
            while data := os.read(pipe.fileno(), PIPE):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line.decode("utf-8", "replace") + "\n")
        with self._grown:
            self._grown.notify_all()

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = {}
        name = event.get("event", "")
        self.events[name] += 1
        if name == "close":
            self.endings[f"sent {event['sent']}: {event['cause']}"] += 1
        elif event.get("level") != "info" and name != "refused":
            self.odd_count += 1
            if len(self.odd) < KEPT:
                self.odd.append(line.rstrip())
        if not self.events["ready"] or name == "ready" or not event:
            with self._grown:  # what the base class waits for
                self.output = (self.output + line)[-100_000:]
                self._grown.notify_all()

    def sample(self, at: float) -> Sample:
        """Take a sample now; raises `DaemonGone`."""
        if self.process.poll() is not None:
            raise DaemonGone("\n".join([f"the daemon is gone, with {self.process.returncode}", *self.odd]))
        ran, waited, _ = Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
        return Sample(at, self.rss(), descriptors(self), int(ran) / 1e9, int(waited) / 1e9)


def _with_census(folder: Path) -> dict[str, str]:
    """Install one more subprotocol by its entry point; returns the daemon's environment."""
    info = folder / "soak-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: soak\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[wsdaemon.subprotocols]\ncensus = tests.soak.census:Census\n")
    paths: list[Any] = [ROOT, folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(map(str, paths))}
