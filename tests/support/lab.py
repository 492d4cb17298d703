"""The lab page, found through what a person finds: labels, roles and texts; ids where several things share a role."""

from __future__ import annotations

from typing import Literal

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.daemon import Daemon


def open_lab(
    browser: Browser, server: Daemon, link: str = "", *, width: int = 1200, scheme: Literal["light", "dark"] = "light"
) -> Page:
    """The lab page with the set-up of `link`, in a browser context of its own; `width` in CSS pixels."""
    page = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
    page.goto(f"{server.http}/lab.html{link}")
    expect(page.get_by_label("Behaviour", exact=True)).to_be_visible()
    return page


def connect(page: Page) -> Page:
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#status")).to_have_text("Connected")
    return page


def open_connected(browser: Browser, server: Daemon, link: str = "#/echo") -> Page:
    return connect(open_lab(browser, server, link))


def say(page: Page, text: str) -> None:
    page.get_by_label("Text to send").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def repeat(page: Page, text: str, count: int, every: int) -> None:
    page.get_by_label("Repeat", exact=True).fill(str(count))
    page.get_by_label("messages, every").fill(str(every))
    say(page, text)


def lines(page: Page, way: str, *parts: str) -> Locator:
    """The lines of the log of what was `sent`, `received` or a `note`, that hold all of `parts`."""
    found = page.locator(f"#messages .{way}")
    for part in parts:
        found = found.filter(has_text=part)
    return found
