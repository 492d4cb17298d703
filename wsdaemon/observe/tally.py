"""Tally of refusals, cuts and failures: each is counted by cause, and logged at most once a minute for each cause."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Any, ClassVar, Self

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsdaemon.observe.metric import Metric


class Cause(StrEnum):
    """Cause of a refusal, a cut or a failure: its label, what it means, and whether the peer read too slowly.

    A new one is declared here, and counted by `hub.tally.count(Cause.NO_PONG)`, or by `note`, which logs it too.
    Keywords fill in the names in braces: `hub.tally.count(Cause.FAILED, code=1002)` counts `closed with 1002`. A name
    takes few values, and none is text that a peer sent.
    """

    meaning: str
    is_slow: bool

    def __new__(cls, label: str, meaning: str, is_slow: bool = False) -> Self:  # noqa: D102  # a member of an Enum
        self = str.__new__(cls, label)
        self._value_, self.meaning, self.is_slow = label, meaning, is_slow
        return self

    OVER_CAP = "over {cap}", "A connection got 503, or was cut at once: this option of `[server]` allows no more."
    ACCEPT = "accept: {errno}", "The system would not let the daemon accept a connection."
    NO_TLS = "cut: no TLS handshake", "A TLS handshake was not done within `handshake_timeout`."
    HTTP_REFUSED = "answered {status}", "A request was too late, too long, or no HTTP, and its connection ended."
    STALLED_DOWNLOAD = "cut: download stood still", "A client took none of an HTTP response for `stall_timeout`.", True
    FILE = "file {what}: {errno}", "The system reported an error for a file below the docroot."
    HANDSHAKE_REFUSED = "handshake answered {status}", "An opening handshake was refused."
    HANDSHAKE_ASKED = "handshake answered {hundreds}xx, as asked for", "The client asked for this refusal by its URL."
    EARLY_DATA = "cut: much data before the handshake's answer", "The client sent too much before its delayed 101."
    FAILED = "closed with {code}", "The daemon failed a WebSocket (RFC 6455 section 7.1.7) with this close code."
    CLOSE_TIMEOUT = "cut: did not close in time", "The closing handshake took longer than `close_timeout`."
    STOPPED_READING = "cut: stopped reading", "The client of a WebSocket took nothing for `stall_timeout`.", True
    NO_PONG = "cut: no pong", "A keep-alive ping was not answered within `ping_timeout`."
    SLOW_MEMBER = "left the room: read too slowly", "A member of a broadcast had more than `queue_limit` queued.", True


class Tally:
    """Counts of causes, by their labels."""

    METRICS: ClassVar[tuple[Metric[Tally], ...]] = (
        Metric("counter", "wsdaemon_refusals", "Refused and cut connections and requests, by cause.", ("cause",),
               lambda it: it.counts),
        Metric("counter", "wsdaemon_slow_readers_dropped", "Peers that read too slowly and were dropped.", (),
               lambda it: {(): sum(it.counts[cause] for cause in Cause if cause.is_slow)}),
    )  # fmt: skip

    def __init__(self, clock: IReactorTime, log_every: float = 60.0) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self.log_every = log_every
        self._logged: dict[str, float] = {}
        self._log = Logger(namespace="wsdaemon")

    def count(self, cause: Cause, **fields: Any) -> str:
        """Count `cause` without logging it; returns its label."""
        label = cause.format(**fields)
        self.counts[label] += 1
        return label

    def note(self, cause: Cause, text: str, **fields: Any) -> None:
        """Count `cause`; log `text`, a format for `fields`, unless the label was logged within `log_every` seconds."""
        label = self.count(cause, **fields)
        now = self._clock.seconds()
        logged = self._logged.get(label)
        if logged is None or now - logged >= self.log_every:
            self._logged[label] = now
            count = self.counts[label]
            more = "" if count == 1 else " ({count} times so far)"
            self._log.warn(text + more, count=count, cause=label, event="refused", **fields)

    def summary(self) -> str:
        """Return all counts in one line, the most frequent first."""
        return ", ".join(f"{label}: {count}" for label, count in self.counts.most_common())
