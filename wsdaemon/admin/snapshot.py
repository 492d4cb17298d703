"""What is going on now, as plain values: for the live page."""

from __future__ import annotations

import os
import time
from collections import Counter
from importlib.metadata import version
from typing import Any

from wsdaemon.observe.lag import LoopLag
from wsdaemon.observe.log import shorten
from wsdaemon.site.site import Site
from wsdaemon.websocket.engine import Engine
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.transport import carried

MOST_LISTED = 200
EVERY = 1.0
"""How often the live page hears what is so, in seconds."""

_BEGAN = time.monotonic()


class Watched:
    """What is looked at: the daemon's connections, its site, and its loop."""

    def __init__(self, hub: Hub, site: Site, lag: LoopLag) -> None:
        self.hub = hub
        self.site = site
        self.lag = lag
        self._made: tuple[float, dict[str, Any]] | None = None

    def connections(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many WebSockets there are, by subprotocol and by state."""
        by_subprotocol: Counter[str] = Counter()
        by_state = Counter({"open": 0, "closing": 0})
        for each in self.hub.connections:
            by_subprotocol[each.subprotocol] += 1
            by_state[state_of(each)] += 1
        return by_subprotocol, by_state

    def snapshot(self) -> dict[str, Any]:
        """Return all that the live page shows, in values that JSON has: the same for all who ask within a second."""
        now = self.hub.clock.seconds()
        if self._made is None or now - self._made[0] >= EVERY * 0.9:
            self._made = (now, self._snapshot())
        return self._made[1]

    def _snapshot(self) -> dict[str, Any]:
        hub, traffic = self.hub, self.hub.traffic
        by_subprotocol, by_state = self.connections()
        codes: dict[str, dict[str, int]] = {"sent": {}, "received": {}}
        for (side, code), count in sorted(traffic.closed.items()):
            codes[side][code] = count
        newest = sorted(hub.connections, key=lambda each: each.number, reverse=True)[:MOST_LISTED]
        open_files, most_files = descriptors()
        return {
            "time": time.time(),
            "uptime": time.monotonic() - _BEGAN,
            "version": version("wsdaemon"),
            "draining": hub.draining,
            "connections": {
                "open": len(hub.connections), "http": len(self.site.channels) + len(hub.answering),
                "by_subprotocol": dict(by_subprotocol), "by_state": dict(by_state),
            },
            "totals": {
                "opened": sum(traffic.opened.values()),
                "messages_in": traffic.messages_in, "messages_out": traffic.messages_out,
                "frames_in": sum(traffic.frames_in), "frames_out": sum(traffic.frames_out),
                "bytes_in": sum(traffic.bytes_in), "bytes_out": sum(traffic.bytes_out),
                "http_responses": sum(traffic.responses.values()),
            },
            "close_codes": codes,
            "refusals": dict(hub.tally.counts.most_common(50)),
            "loop_lag": {"last": self.lag.last, "max": self.lag.take_most()},
            "backlog": hub.backlog,
            "memory": memory(),
            "descriptors": {"open": open_files, "limit": most_files},
            "list": [self._listed(each) for each in newest],
            "list_limit": MOST_LISTED,
        }  # fmt: skip

    def _listed(self, each: Engine) -> dict[str, Any]:
        bytes_in, bytes_out = carried(each.transport)
        return {
            "number": each.number, "peer": each.peer, "subprotocol": each.subprotocol, "target": shorten(each.target),
            "state": state_of(each), "age": self.hub.clock.seconds() - each.opened_at,
            "bytes_in": bytes_in, "bytes_out": bytes_out, "waits": each.waiting,
        }  # fmt: skip


def state_of(connection: Engine) -> str:
    """Return `open`, or `closing` from the first Close or drop on."""
    return "open" if connection.state == Engine.STATE_OPEN else "closing"


def memory() -> int:
    """Return the resident memory in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def descriptors() -> tuple[int, int]:
    """Return how many descriptors are open, and how many may be; 0 for what the system does not tell."""
    import resource

    try:
        count = len(os.listdir("/proc/self/fd"))
    except OSError:
        count = 0
    return count, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
