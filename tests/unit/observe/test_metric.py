"""A metric is declared once; everything that shows metrics follows the declaration."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.daemon import ROOT
from tests.support.memory import MemorySite
from tools.metrics_reference import dashboard, declared, markdown
from wsdaemon.admin.metrics import Metrics
from wsdaemon.admin.snapshot import Watched
from wsdaemon.observe.lag import LoopLag
from wsdaemon.observe.metric import Metric
from wsdaemon.observe.traffic import Traffic

DOCS, DASHBOARD = ROOT / "docs/service.md", ROOT / "conf/grafana-dashboard.json"


def watched() -> Watched:
    site = MemorySite()
    site.open("/echo")
    return Watched(site.hub, site.site, LoopLag(site.clock, 1.0))


def test_all_that_is_declared_is_shown() -> None:
    """`/metrics` has each declared metric, with its help, type and labels, and otherwise only those of the process."""
    text = Metrics(watched()).text().decode()
    shown = {
        (family.name, family.type, family.documentation)
        for family in text_string_to_metric_families(text)
        if family.name.startswith("wsdaemon")
    }
    types = {"info": ("gauge", "_info")}
    assert shown == {
        (each.name + types.get(each.kind, ("", ""))[1], types.get(each.kind, (each.kind,))[0], each.help)
        for each in declared()
    }
    for family in text_string_to_metric_families(text):
        of_it = [each for each in declared() if each.name == family.name and each.kind != "info"]
        for sample in family.samples if of_it else ():
            assert set(sample.labels) - {"le"} == set(of_it[0].labels), sample


def test_what_is_written_is_current() -> None:
    """docs/service.md holds the tables of metrics and causes, and the dashboard a panel of each; see `make docs`."""
    assert DOCS.read_text().endswith(markdown())
    assert dashboard(DASHBOARD.read_text()) == DASHBOARD.read_text()


@pytest.mark.parametrize(
    ("new", "total", "expression"),
    [
        (
            Metric[Traffic]("counter", "wsdaemon_pings", "Pings.", ("direction",),
                            lambda _: {"in": 3, "out": 4}, "pings"),
            {"pings_in": 3, "pings_out": 4},
            "sum by (direction) (rate(wsdaemon_pings_total{job=~\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
        ),
        (
            Metric[Traffic]("counter", "wsdaemon_pings", "Pings.", ("size",), lambda _: {1: 3, 2: 4}, "pings"),
            {"pings": 7},
            "sum by (size) (rate(wsdaemon_pings_total{job=~\"$job\", instance=~\"$instance\"}[$__rate_interval]))",
        ),
        (
            Metric[Traffic]("gauge", "wsdaemon_pings", "Pings.", (), lambda _: {(): 7}),
            {},
            "sum by (instance) (wsdaemon_pings{job=~\"$job\", instance=~\"$instance\"})",
        ),
        (
            Metric[Traffic]("histogram", "wsdaemon_pings", "Pings.", (), lambda _: {(): ([("+Inf", 7)], 1.0)}),
            {},
            "histogram_quantile(0.99, sum by (instance, le) "
            "(rate(wsdaemon_pings_bucket{job=~\"$job\", instance=~\"$instance\"}[$__rate_interval])))",
        ),
    ],
    ids=["by direction", "by size", "gauge", "histogram"],
)  # fmt: skip
def test_a_new_one_is_one_declaration(
    monkeypatch: pytest.MonkeyPatch, new: Metric[Traffic], total: dict[str, int], expression: str
) -> None:
    """It is on `/metrics`, in the documentation, on the dashboard, and with a `total` on the live page."""
    before = watched().snapshot()["totals"]
    monkeypatch.setattr(Traffic, "METRICS", (*Traffic.METRICS, new))
    assert "# HELP wsdaemon_pings" in Metrics(watched()).text().decode()
    assert watched().snapshot()["totals"] == before | total
    assert "| Pings. |" in markdown()
    *panels, panel = json.loads(dashboard(DASHBOARD.read_text()))["panels"]
    assert panels == json.loads(DASHBOARD.read_text())["panels"]
    assert (panel["title"], panel["targets"][0]["expr"]) == ("pings", expression)
