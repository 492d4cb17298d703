"""JSON document of a run: versioned, stable, with the unit of each number in its name.

docs/load.md lists the fields. Within a version fields may be added, but none is removed or changes its meaning.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from wsdaemon.client import Target
from wsdaemon.load.measurement import Measurement
from wsdaemon.load.plan import LoadPlan, Mode
from wsdaemon.load.record import HANDSHAKE_PARTS

KIND = "wsdaemon-load"
VERSION = 1

Document = dict[str, Any]


class DocumentError(ValueError):
    """Text that is not the document of a run; the message says why."""


def make(measured: Measurement, target: Target, started: datetime) -> Document:
    """Return the document of a run; `started` has a time zone."""
    plan, health = measured.plan, measured.health
    record, total = measured.record, measured.record.total()
    echo = plan.mode is Mode.ECHO
    seconds = measured.load_seconds
    return {
        "document": KIND,
        "version": VERSION,
        "wsdaemon_version": version("wsdaemon"),
        "started": started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "configuration": _configuration(plan, target),
        "interrupted": measured.interrupted,
        "load_seconds": round(seconds, 3),
        "connections": {
            "opened": measured.opened,
            "failed": measured.failed,
            "closed_early": measured.closed_early,
            "failures": measured.failures,
        },
        "handshake_ms": {part: record.handshakes[part].results() for part in HANDSHAKE_PARTS},
        "messages": {
            "sent": total.sent,
            "right": total.received,
            "lost": total.errors["lost"],
            "unsent": total.errors["unsent"],
            "in_flight_when_interrupted": measured.still_in_flight,
            "sent_bytes": total.bytes_sent,
            "received_bytes": total.bytes_received,
        }
        if echo
        else None,
        "rates": {
            "messages_per_second": _rate(measured.received_under_load, seconds) if echo else None,
            "received_bytes_per_second": _rate(measured.bytes_under_load, seconds) if echo else None,
            "handshakes_per_second": None if echo else _rate(measured.received_under_load, seconds),
        },
        "latency_ms": total.latencies.results(),
        "latency_counted_from": ("sent" if plan.rate is None else "due") if echo else "connecting",
        "latency_curve": total.latencies.curve(),
        "latency_histogram_us": total.latencies.histogram().encode().decode("ascii"),
        "errors": dict(sorted(total.errors.items())),
        "slices": [each.results() for each in record.slices],
        "client": {
            "limited": bool(health.reasons),
            "reasons": health.reasons,
            "cpu_percent_of_a_core": round(100 * health.cpu_share, 1),
            "late_timers_percent": round(100 * health.late_share, 2),
            "worst_lag_ms": round(1000 * health.worst_lag, 2),
        },
    }


def dump(document: Document) -> str:
    """Return the document as JSON text."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read(text: str) -> Document:
    """Return the document that a text holds; raises `DocumentError`."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DocumentError(f"it is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("document") != KIND:
        raise DocumentError("it is not a result of `wsdaemon load --json`")
    if document.get("version") != VERSION:
        raise DocumentError(f"its version is {document.get('version')!r}, and only {VERSION} is known here")
    for name in ("configuration", "rates", "latency_ms", "errors"):
        if not isinstance(document.get(name), dict):
            raise DocumentError(f"its {name} is missing")
    return document


def _configuration(plan: LoadPlan, target: Target) -> dict[str, Any]:
    echo = plan.mode is Mode.ECHO
    url = urlsplit(target.url)
    return {
        "mode": plan.mode.value,
        "clients": plan.clients,
        "duration_seconds": plan.duration,
        "ramp_seconds": plan.ramp,
        "rate_messages_per_second": plan.rate,
        "in_flight_messages": plan.in_flight if echo and plan.rate is None else None,
        "size_min_bytes": plan.sizes.least if echo else None,
        "size_max_bytes": plan.sizes.greatest if echo else None,
        "opcode": ("binary" if plan.binary else "text") if echo else None,
        "seed": plan.seed,
        # without a password: it may be published
        "url": urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2])),
        "subprotocols": list(target.subprotocols),
        "compression": target.compression,
        "connect_to": target.connect_to,
        "proxy": target.proxy is not None,
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds else 0.0
