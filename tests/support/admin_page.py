"""Status page of a daemon, or with a feed of the test's own, and ways to find its elements.

Elements are found as people find them, by labels, roles and texts; by id only where several share a role.
"""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.support.daemon import Daemon

LISTED = 200
INI = "[admin]\nenabled = yes\nport = {}\n"
HOSTILE = "/<img src=x onerror=hacked=1>\"'&amp;</script>"
STATE: dict[str, Any] = {
    "time": 1795400050.0, "uptime": 100.0, "version": "0.1.0", "draining": False,
    "connections": {"open": 0, "http": 1, "by_subprotocol": {}, "by_state": {"open": 0, "closing": 0}},
    "totals": {
        "opened": 0, "messages_in": 0, "messages_out": 0, "frames_in": 0, "frames_out": 0, "bytes_in": 0,
        "bytes_out": 0, "http_responses": 0,
    },
    "close_codes": {"sent": {}, "received": {}}, "refusals": {}, "loop_lag": {"last": 0.0, "max": 0.0},
    "backlog": 0, "memory": 50_000_000, "descriptors": {"open": 20, "limit": 1024}, "list": [], "list_limit": LISTED,
}  # fmt: skip


def admin(daemon: Daemon) -> str:
    """Return the origin of the daemon's admin listener."""
    return "http://127.0.0.1:" + daemon.wait_for(r"listening on http://127\.0\.0\.1:([0-9]+)/, admin")[1]


def blank(browser: Browser, *, width: int = 1200, **options: Any) -> Page:
    return browser.new_context(viewport={"width": width, "height": 844}, **options).new_page()


def look(browser: Browser, daemon: Daemon, *, clock: bool = False) -> Page:
    """Open the page of a real daemon; with `clock`, the test controls its time."""
    page = blank(browser)
    if clock:
        page.clock.install()
    page.goto(admin(daemon))
    expect(page.locator("#status")).to_have_text("Live")
    return page


class Feed:
    """Page with a feed of the test's own: it shows what the test sends, when the test sends it."""

    def __init__(self, page: Page, server: Daemon, **first: Any) -> None:
        self.page = page
        self.said: dict[str, Any] = {**STATE, **first}
        self.silent = False
        self.opened: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/feed$"), self._open)
        page.goto(admin(server))
        expect(page.locator("#status")).to_have_text("Live")

    def _open(self, route: WebSocketRoute) -> None:
        self.opened.append(route)
        if not self.silent:
            route.send(json.dumps(self.said))

    def say(self, after: float = 1, **changes: Any) -> None:
        """Send the previous snapshot with these changes, and a time `after` seconds later."""
        later = {"time": self.said["time"] + after, "uptime": self.said["uptime"] + after}
        self.said = {**self.said, **later, **changes}
        self.opened[-1].send(json.dumps(self.said))

    def list(self, numbers: range, after: float = 1, **more: Any) -> None:
        """Send a list of connections; the higher the number, the younger and the busier."""
        age = self.said["uptime"] + after
        self.say(after, list=[listed(number, age - number / 10, **more) for number in reversed(numbers)])


def listed(number: int, age: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "peer": f"127.0.0.1:{40000 + number}", "subprotocol": "echo", "target": f"/echo?n={number}",
        "state": "open", "age": age, "bytes_in": int(number * age), "bytes_out": int(number * age), "waits": 0, **more,
    }  # fmt: skip


def rows(page: Page) -> Locator:
    return page.locator("#rows tr")


def cell(row: Locator, name: str) -> Locator:
    return row.locator(f"td[data-name='{name}']")


def numbers(page: Page) -> list[int]:
    return [int(text) for text in page.locator("#rows td[data-name='No.']").all_inner_texts()]


def part(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def counts(page: Page, title: str, name: str) -> Locator:
    """The numbers in the row of a table that begins with `name`."""
    heads = page.get_by_role("rowheader", name=name, exact=True)
    return part(page, title).get_by_role("row").filter(has=heads).get_by_role("cell")
