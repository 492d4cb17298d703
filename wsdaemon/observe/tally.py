"""What was refused, cut or went wrong: counted by cause each time, logged once and then at most once a minute."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


class Tally:
    """Counts by cause. A cause is one of a small set of texts, never anything that a peer sent."""

    def __init__(self, clock: IReactorTime, log_every: float = 60.0) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self.log_every = log_every
        self._logged: dict[str, float] = {}
        self._log = Logger(namespace="wsdaemon")

    def count(self, cause: str) -> None:
        """Count something that has a log line of its own."""
        self.counts[cause] += 1

    def note(self, cause: str, text: str, **fields: Any) -> None:
        """Count, and log `text` (a format for `fields`) unless the same cause was logged less than a minute ago."""
        self.counts[cause] += 1
        now = self._clock.seconds()
        logged = self._logged.get(cause)
        if logged is None or now - logged >= self.log_every:
            self._logged[cause] = now
            count = self.counts[cause]
            more = "" if count == 1 else " ({count} times so far)"
            self._log.warn(text + more, count=count, cause=cause, event="refused", **fields)

    def summary(self) -> str:
        """Return all counts in one line, the most frequent first."""
        return ", ".join(f"{cause}: {count}" for cause, count in self.counts.most_common())
