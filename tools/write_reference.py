"""Writes what is generated from the code: `conf/ws.ini` and the tables of `docs/configuration.md`."""

from __future__ import annotations

from pathlib import Path

from wsdaemon.reference import ini, markdown
from wsdaemon.subprotocols.registry import find_all, settings_classes

ROOT = Path(__file__).resolve().parent.parent
MARK = "<!-- What follows is written by `make docs` from the code. -->\n"


def main() -> None:
    """Write both files; what stands above the mark in the docs is kept."""
    known = settings_classes(find_all())
    (ROOT / "conf" / "ws.ini").write_text(ini(known))
    docs = ROOT / "docs" / "configuration.md"
    docs.write_text(docs.read_text().partition(MARK)[0] + MARK + "\n" + markdown(known))


if __name__ == "__main__":
    main()
