"""Generate `conf/ws.ini`, the tables of docs/*.md, and panels of the dashboard from the code."""

from __future__ import annotations

from pathlib import Path

from tools import metrics_reference
from tools.options_reference import behaviours_markdown, flags_markdown, ini, markdown
from wsdaemon.client.options import PING
from wsdaemon.load.command import LOAD
from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all, settings_classes
from wsdaemon.settings import BehaviourSettings

ROOT = Path(__file__).resolve().parent.parent
MARK = "<!-- What follows is written by `make docs` from the code. -->\n"


def main() -> None:
    """Write the files; the text above the mark in the docs is kept."""
    found = find_all()
    known = settings_classes(found)
    (ROOT / "conf" / "ws.ini").write_text(ini(known))
    behaviours = behaviours_markdown(Catalogue(found, BehaviourSettings()).document())
    dashboard = ROOT / "conf" / "grafana-dashboard.json"
    dashboard.write_text(metrics_reference.dashboard(dashboard.read_text()))
    tables = {"configuration": markdown(known), "behaviours": behaviours, "service": metrics_reference.markdown()}
    tables |= {"wsping": flags_markdown(PING), "load": flags_markdown(LOAD)}
    for name, text in tables.items():
        docs = ROOT / "docs" / f"{name}.md"
        docs.write_text(docs.read_text().partition(MARK)[0] + MARK + "\n" + text)


if __name__ == "__main__":
    main()
