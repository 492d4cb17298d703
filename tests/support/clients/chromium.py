"""Chromium as a client of a daemon: all connections are made by one page, and the console says what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

from tests.cases.vocabulary import Case, asked
from tests.support.daemon import ROOT, Daemon

AT_ONCE = 4
"""With more connections at a time, Chromium makes them wait."""
SCRIPT = (ROOT / "tests" / "cases" / "visit.js").read_text()
VISIT = f"(cases) => ({SCRIPT})(cases, {AT_ONCE}, ({{ url, offers }}) => new WebSocket(url, offers))"


def visit_all(page: Page, daemon: Daemon, cases: Sequence[Case]) -> dict[Case, dict[str, Any]]:
    """Return what was seen of each case, with what the console said of it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    asks = [asked(case, "chromium", daemon.wss if case.tls else daemon.ws) for case in cases]
    times: Counter[str] = Counter()
    for each in asks:  # no two URLs are equal, so that what the console says can be told apart
        url = each["url"]
        each["url"] += "&" * times[url] if "?" in url or not times[url] else "?" + "&" * times[url]
        times[url] += 1
    found: list[dict[str, Any]] = page.evaluate(VISIT, asks)
    for seen in found:
        start = f"WebSocket connection to '{seen['url']}' failed: "
        seen["error"] = "".join(text.removeprefix(start) for text in said if text.startswith(start)) or None
    return dict(zip(cases, found, strict=True))
