"""The Grafana dashboard queries all metrics that `/metrics` has, and no others."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.daemon import ROOT
from tests.support.memory import MemorySite
from tools.metrics_reference import declared, sample_name
from wsdaemon.admin.metrics import Metrics
from wsdaemon.admin.snapshot import Watched
from wsdaemon.observe.lag import LoopLag

OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds to every sample."""
OF_THE_PROMQL = {"by", "or", "sum", "count", "rate", "vector", "histogram_quantile", "label_values"}
EVERY = "$__rate_interval"


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "conf/grafana-dashboard.json").read_text())
    return found


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def metrics_of(expression: str) -> dict[str, set[str]]:
    """Return the metrics in an expression, each with the labels that it selects by."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", "", expression)
    found: dict[str, set[str]] = {name: set() for name in re.findall(r"[a-z_]{3,}", bare)}
    for name, inside in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        found[name] |= set(re.findall(r"(\w+)[=!]~?\"", inside))
    return {name: labels for name, labels in found.items() if name not in OF_THE_PROMQL | OF_PROMETHEUS}


def shown() -> dict[str, set[str]]:
    """Return all samples that `/metrics` can have, each with its labels."""
    found = {sample_name(each): set(each.labels) for each in declared()}
    site = MemorySite()
    text = Metrics(Watched(site.hub, site.site, LoopLag(site.clock, 1.0))).text().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_is_there(dashboard: dict[str, Any]) -> None:
    """Each metric and label of a query exists, and each metric is on the dashboard."""
    known = shown()
    asked: set[str] = set()
    for expression in expressions(dashboard):
        metrics = metrics_of(expression)
        asked |= set(metrics)
        for name, labels in metrics.items():
            assert name in known, expression
            assert labels <= known[name] | OF_PROMETHEUS, expression
        for summed_by in re.findall(r"\bby \(([^)]*)\)", expression):
            labels = set.union(*(known[name] for name in metrics)) | OF_PROMETHEUS
            assert set(summed_by.split(", ")) <= labels, expression
    assert {name for name in known if name.startswith("wsdaemon_")} <= asked


def test_everything_can_be_chosen_and_read(dashboard: dict[str, Any]) -> None:
    """Data source, job and instance are variables that all panels use; legends name the labels of a sum."""
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert dashboard["schemaVersion"] >= 38  # that of Grafana 10
    assert "__inputs" not in dashboard  # nothing to fill in at the import
    for panel in dashboard["panels"]:
        assert panel["datasource"] == source
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            expression = target["expr"]
            assert expression.count("{") == expression.count('{job=~"$job", instance=~"$instance"')
            assert set(re.findall(r"\[(.*?)\]", expression)) <= {EVERY}
            by = re.search(r"^sum by \(([^)]*)\)", expression)
            if by:
                assert re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]) == by[1].split(", ")


def test_no_two_panels_share_an_id_or_a_place(dashboard: dict[str, Any]) -> None:
    """Panels stand side by side in Grafana's 24 columns."""
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        for at in (panel["gridPos"] for panel in panels)
    ]
    assert len(set.union(*places)) == sum(map(len, places))
    assert max(x for place in places for x, _ in place) < 24
