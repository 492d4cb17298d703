"""The metrics, as Prometheus' client library writes them. They are read from the counters when somebody asks."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from wsdaemon.admin.snapshot import Watched, state_of
from wsdaemon.observe.lag import BOUNDS
from wsdaemon.observe.tally import Cause
from wsdaemon.websocket.codes import Opcode

_OPCODES = {int(each): each.name.lower() for each in Opcode}


class Metrics(Collector):
    """All metrics of one daemon. What labels a value is one of a few words, never anything that a peer sent."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Return nothing: which there are is known once they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what is so now (called by the library)."""
        yield from self._connections()
        yield from self._traffic()
        yield from self._daemon()

    def _connections(self) -> Iterator[Metric]:
        hub, traffic = self._watched.hub, self._watched.hub.traffic
        now = GaugeMetricFamily("wsdaemon_connections", "WebSockets now.", labels=["subprotocol", "state"])
        counts: dict[tuple[str, str], int] = {}
        for each in hub.connections:
            key = (each.subprotocol, state_of(each))
            counts[key] = counts.get(key, 0) + 1
        for subprotocol in traffic.opened:
            for state in ("open", "closing"):
                now.add_metric([subprotocol, state], counts.get((subprotocol, state), 0))
        yield now
        http = len(self._watched.site.channels) + len(hub.answering)
        yield GaugeMetricFamily("wsdaemon_http_connections", "Connections that are HTTP, or not anything yet.", http)
        opened = CounterMetricFamily("wsdaemon_opened", "WebSockets that were opened.", labels=["subprotocol"])
        for subprotocol, count in traffic.opened.items():
            opened.add_metric([subprotocol], count)
        yield opened
        handshakes = CounterMetricFamily(
            "wsdaemon_handshakes", "Opening handshakes, by the status of the answer.", labels=["result"]
        )
        for status, count in traffic.handshakes.items():
            handshakes.add_metric([str(status)], count)
        yield handshakes
        closed = CounterMetricFamily(
            "wsdaemon_closed", "WebSockets that ended, by the close code of either side.", labels=["side", "code"]
        )
        for (side, code), count in traffic.closed.items():
            closed.add_metric([side, code], count)
        yield closed

    def _traffic(self) -> Iterator[Metric]:
        traffic = self._watched.hub.traffic
        messages = CounterMetricFamily("wsdaemon_messages", "Whole messages.", labels=["direction"])
        messages.add_metric(["in"], traffic.messages_in)
        messages.add_metric(["out"], traffic.messages_out)
        yield messages
        frames = CounterMetricFamily("wsdaemon_frames", "Frames.", labels=["direction", "opcode"])
        octets = CounterMetricFamily(
            "wsdaemon_payload_bytes", "Payload of frames, as it is on the wire.", labels=["direction", "opcode"]
        )
        for direction, counts, sizes in (
            ("in", traffic.frames_in, traffic.bytes_in),
            ("out", traffic.frames_out, traffic.bytes_out),
        ):
            for opcode, name in _OPCODES.items():
                frames.add_metric([direction, name], counts[opcode])
                octets.add_metric([direction, name], sizes[opcode])
            others = [each for each in range(16) if each not in _OPCODES]
            frames.add_metric([direction, "reserved"], sum(counts[each] for each in others))
            octets.add_metric([direction, "reserved"], sum(sizes[each] for each in others))
        yield frames
        yield octets
        responses = CounterMetricFamily("wsdaemon_http_responses", "HTTP responses.", labels=["status"])
        for status, count in traffic.responses.items():
            responses.add_metric([str(status)], count)
        yield responses

    def _daemon(self) -> Iterator[Metric]:
        hub, lag = self._watched.hub, self._watched.lag
        refusals = CounterMetricFamily("wsdaemon_refusals", "What was refused or cut, by cause.", labels=["cause"])
        for cause, count in hub.tally.counts.items():
            refusals.add_metric([cause], count)
        yield refusals
        slow = sum(hub.tally.counts[cause] for cause in Cause if cause.is_slow)
        yield CounterMetricFamily("wsdaemon_slow_readers_dropped", "Peers that read too slowly and were dropped.", slow)
        yield GaugeMetricFamily("wsdaemon_backlog_bytes", "What waits for peers that do not keep up.", hub.backlog)
        yield GaugeMetricFamily(
            "wsdaemon_compressors", "Compressors that are kept between messages.", hub.compressors.count
        )
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), lag.counts, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            "wsdaemon_loop_lag_seconds", "How late the loop makes its calls.", buckets=buckets, sum_value=lag.total
        )
        yield InfoMetricFamily(
            "wsdaemon_build", "What runs here.",
            {
                "version": version("wsdaemon"), "python": platform.python_version(),
                "twisted": version("twisted"), "autobahn": version("autobahn"),
            },
        )  # fmt: skip
