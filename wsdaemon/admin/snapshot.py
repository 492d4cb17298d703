"""Snapshot of the daemon as JSON values, for the live page; and the metrics that are read from the daemon itself."""

from __future__ import annotations

import platform
import time
from collections import Counter
from heapq import nlargest
from importlib.metadata import version
from typing import Any, ClassVar

from wsdaemon.observe.lag import LoopLag
from wsdaemon.observe.log import shorten
from wsdaemon.observe.metric import Measured, Metric
from wsdaemon.observe.tally import Tally
from wsdaemon.observe.traffic import Traffic
from wsdaemon.site.site import Site
from wsdaemon.websocket.hub import Hub, Member
from wsdaemon.websocket.transport import carried

MOST_LISTED = 200
EVERY = 1.0
"""Interval between two snapshots for the page, in seconds."""

_BEGAN = time.monotonic()

DECLARING: tuple[type[Measured], ...] = (Traffic, Tally, LoopLag)
"""The classes that declare metrics, beside `Watched`."""


class Watched:
    """Daemon as its operator sees it: connections, site and event loop."""

    METRICS: ClassVar[tuple[Metric[Watched], ...]] = (
        Metric("gauge", "wsdaemon_connections", "WebSockets now.", ("subprotocol", "state"),
               lambda it: it.connections()),
        Metric("gauge", "wsdaemon_http_connections", "Connections that speak HTTP, or have said nothing yet.", (),
               lambda it: {(): it.http_connections}),
        Metric("gauge", "wsdaemon_backlog_bytes", "Bytes that wait for peers which read too slowly.", (),
               lambda it: {(): it.hub.queued}),
        Metric("gauge", "wsdaemon_compressors", "Compressors that are kept between messages.", (),
               lambda it: {(): it.hub.compressors.count}),
        Metric("info", "wsdaemon_build", "Versions of what runs.", (),
               lambda it: {(): {"version": version("wsdaemon"), "python": platform.python_version(),
                                "twisted": version("twisted"), "autobahn": version("autobahn")}}),
    )  # fmt: skip

    def __init__(self, hub: Hub, site: Site, lag: LoopLag) -> None:
        self.hub: Hub = hub
        self.site = site
        self.lag = lag
        self._made: tuple[float, dict[str, Any]] | None = None

    def sources(self) -> tuple[Measured, ...]:
        """Return all objects that declare metrics: this one, and one of each class of `DECLARING`."""
        return self, self.hub.traffic, self.hub.tally, self.lag

    def connections(self) -> Counter[tuple[str, str]]:
        """Return the number of WebSockets by subprotocol and state, 0 included for subprotocols that had some."""
        counts = Counter({(each, state): 0 for each in self.hub.traffic.opened for state in ("open", "closing")})
        counts.update((each.subprotocol, state_of(each)) for each in self.hub.connections)
        return counts

    @property
    def http_connections(self) -> int:
        """Connections that have not become WebSockets."""
        return len(self.site.channels) + len(self.hub.answering)

    def snapshot(self) -> dict[str, Any]:
        """Return everything that the live page shows; made once a second, however many pages are open."""
        now = self.hub.clock.seconds()
        if self._made is None or now - self._made[0] >= EVERY * 0.9:
            self._made = (now, self._snapshot())
        return self._made[1]

    def _snapshot(self) -> dict[str, Any]:
        hub = self.hub
        by_subprotocol: Counter[str] = Counter()
        by_state = Counter({"open": 0, "closing": 0})
        for (subprotocol, state), count in self.connections().items():
            by_subprotocol[subprotocol] += count
            by_state[state] += count
        codes: dict[str, dict[str, int]] = {"sent": {}, "received": {}}
        for (side, code), count in sorted(hub.traffic.closed.items()):
            codes[side][code] = count
        process = _process()
        return {
            "time": time.time(),
            "uptime": time.monotonic() - _BEGAN,
            "version": version("wsdaemon"),
            "draining": hub.draining,
            "connections": {
                "open": len(hub.connections), "http": self.http_connections,
                "by_subprotocol": dict(+by_subprotocol), "by_state": dict(by_state),
            },
            "totals": {
                name: total for source in self.sources() for metric in source.METRICS if metric.total
                for name, total in metric.totals(source).items()
            },
            "close_codes": codes,
            "refusals": dict(hub.tally.counts.most_common(50)),
            "loop_lag": {"last": self.lag.last, "max": self.lag.take_most()},
            "backlog": hub.queued,
            "memory": process.get("process_resident_memory_bytes", 0),
            "descriptors": {"open": process.get("process_open_fds", 0), "limit": process["limit"]},
            "list": [self._listed(each) for each in nlargest(MOST_LISTED, hub.connections, lambda each: each.number)],
            "list_limit": MOST_LISTED,
        }  # fmt: skip

    def _listed(self, each: Member) -> dict[str, Any]:
        bytes_in, bytes_out = carried(each.transport)
        return {
            "number": each.number, "peer": each.peer, "subprotocol": each.subprotocol, "target": shorten(each.target),
            "state": state_of(each), "age": self.hub.clock.seconds() - each.opened_at,
            "bytes_in": bytes_in, "bytes_out": bytes_out, "waits": each.outbox.queued,
        }  # fmt: skip


def state_of(connection: Member) -> str:
    """Return `open`, or `closing` once a Close frame was sent or received or the connection was dropped."""
    return "open" if connection.can_send else "closing"


def _process() -> dict[str, int]:
    """Return the limit of descriptors, and what Prometheus' library can read of the process on this system."""
    import resource

    from prometheus_client import ProcessCollector  # takes 30 ms to import, and is not needed without [admin]

    found = {family.name: int(family.samples[0].value) for family in ProcessCollector(registry=None).collect()}
    return {**found, "limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}
