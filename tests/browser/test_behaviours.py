"""What Chromium sees of each behaviour of a real daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.cases import ALL
from tests.cases.vocabulary import LONG, Case, cases_for, check, refused, replies, selected
from tests.support import clients
from tests.support.clients.chromium import visit_all
from tests.support.daemon import Daemon

INI = clients.INI


@pytest.fixture(scope="module")
def page(browser: Browser, server: Daemon) -> Iterator[Page]:
    """A page of the daemon's."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(server.http)
    yield page
    context.close()


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, page: Page, server: Daemon) -> dict[Case, dict[str, Any]]:
    return visit_all(page, server, selected(request, test_chromium_sees))


@pytest.mark.parametrize("case", cases_for("chromium", ALL), ids=str)
def test_chromium_sees(seen: dict[Case, dict[str, Any]], case: Case) -> None:
    check(case, "chromium", seen[case])


def test_inspect_shows_the_browser(browser: Browser, server: Daemon) -> None:
    """Its headers, TLS and masking keys."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(server.https)
    case = Case("/inspect", replies(*[""] * 3), sends=("hello", LONG), offers=("a", "b"), tls=True)
    seen = visit_all(page, server, [case])[case]
    context.close()
    handshake, hello = (json.loads(message) for message in seen["messages"][:2])
    headers = dict(handshake["headers"])
    assert headers["Origin"] == server.https
    assert "HeadlessChrome" in headers["User-Agent"]
    assert headers["Sec-WebSocket-Extensions"] == "permessage-deflate; client_max_window_bits"
    assert headers["Sec-WebSocket-Protocol"] == "a, b"
    assert (handshake["subprotocol"], handshake["extensions"]) == ("a", "permessage-deflate")
    assert handshake["tls"]["version"] == "TLSv1.3"
    assert (hello["text"], hello["size"], hello["frame_count"]) == ("hello", 5, 1)
    assert len(hello["frames"][0]["masking_key"]) == 8


def test_status_tells_pages_of_other_sites_nothing(browser: Browser, server: Daemon) -> None:
    context = browser.new_context()
    case = Case("/status", refused(403))
    check(case, "chromium", visit_all(context.new_page(), server, [case])[case])
    context.close()
