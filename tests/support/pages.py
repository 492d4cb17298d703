"""What every page keeps to: it fits its width, follows the colour scheme, and asks nothing of other hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, Request, Response, WebSocket


def wide_parts(page: Page, selector: str = "body, body *:not(option, optgroup)") -> Any:
    """What reaches beyond the right edge, whether one could scroll there or not."""
    return page.evaluate(
        """(selector) => [document.documentElement, ...document.querySelectorAll(selector)]
            .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5
                || (element === document.documentElement && element.scrollWidth > innerWidth))
            .map((element) => `${element.tagName} ${element.id} ${element.className}`)""",
        selector,
    )


def brightness(page: Page, selector: str, colour: str) -> float:
    """The mean of red, green and blue of an element's `color` or `backgroundColor`, 0 to 255."""
    value = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{colour}")
    return sum(float(number) for number in re.findall(r"[\d.]+", value)[:3]) / 3


@contextmanager
def nothing_foreign(page: Page, origin: str) -> Iterator[list[str]]:
    """Watch a page's requests: all go to its own origin, under a strict policy, without an error in the console.

    Gives the list of the addresses that are asked for.
    """
    asked: list[str] = []
    complaints: list[str] = []
    policies: list[str] = []

    def on_request(request: Request) -> None:
        asked.append(request.url)

    def on_websocket(websocket: WebSocket) -> None:
        asked.append(websocket.url)

    def on_response(response: Response) -> None:
        if response.request.resource_type == "document":
            policies.append(response.headers.get("content-security-policy", ""))

    page.on("request", on_request)
    page.on("websocket", on_websocket)
    page.on("response", on_response)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield asked
    feeds = origin.replace("http", "ws", 1) + "/"
    assert [url for url in asked if not url.startswith((f"{origin}/", feeds))] == []
    assert any(url.startswith(feeds) for url in asked)
    assert policies
    assert all(each.startswith("default-src 'self';") and "unsafe" not in each for each in policies)
    assert complaints == []
