"""Tables of docs/service.md and panels of conf/grafana-dashboard.json, made from the declared metrics."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from wsdaemon.admin.snapshot import DECLARING, Watched
from wsdaemon.observe.metric import Metric
from wsdaemon.observe.tally import Cause

_SUFFIXES = {"counter": "_total", "gauge": "", "histogram": "_bucket", "info": "_info"}
_SELECTED = '{job=~"$job", instance=~"$instance"}'
_END = "\n  ]\n}\n"


def declared() -> tuple[Metric[Any], ...]:
    """Return all metrics, those of `Watched.sources()`."""
    return *Watched.METRICS, *(metric for each in DECLARING for metric in each.METRICS)


def sample_name(metric: Metric[Any]) -> str:
    """Return the name that a query asks for."""
    return metric.name + _SUFFIXES[metric.kind]


def markdown() -> str:
    """Return a table of the metrics, and one of the causes of refusals."""
    metrics = (
        f"| `{sample_name(each).removesuffix('_bucket')}` | {each.kind} | {', '.join(each.labels)} | {each.help} |"
        for each in declared()
    )
    causes = (f"| `{each}` | {each.meaning}{' Slow reader.' if each.is_slow else ''} |" for each in Cause)
    heads = "| metric | type | labels | what it says |", "|---|---|---|---|", "", "| cause | meaning |", "|---|---|"
    return "\n".join(chain(heads[:2], metrics, heads[2:], causes)) + "\n"


def dashboard(text: str) -> str:
    """Return the dashboard with a plain panel at its end for each metric that no panel asks for."""
    panels = json.loads(text)["panels"]
    asked = json.dumps(panels)
    end = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    last = max(panel["id"] for panel in panels)
    missing = [each for each in declared() if f"{sample_name(each)}{{" not in asked]
    added = [_panel(each, last + number, end + 8 * (number - 1)) for number, each in enumerate(missing, 1)]
    shown = (json.dumps(panel, indent=2).replace("\n", "\n    ") for panel in added)
    return ",\n    ".join(chain([text.removesuffix(_END)], shown)) + _END


def _panel(metric: Metric[Any], number: int, top: int) -> dict[str, Any]:
    labels = metric.labels or ("instance",)
    read = sample_name(metric) + _SELECTED
    if metric.kind in ("counter", "histogram"):
        read = f"rate({read}[$__rate_interval])"
    if metric.kind == "histogram":
        read = f"histogram_quantile(0.99, sum by ({', '.join(labels)}, le) ({read}))"
    else:
        read = f"sum by ({', '.join(labels)}) ({read})"
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    return {
        "id": number, "type": "timeseries", "title": metric.name.removeprefix("wsdaemon_").replace("_", " "),
        "description": metric.help, "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": 0, "y": top, "w": 24, "h": 8},
        "fieldConfig": {"defaults": {"min": 0}, "overrides": []}, "options": {},
        "targets": [{"refId": "A", "expr": read, "legendFormat": legend}],
    }  # fmt: skip
