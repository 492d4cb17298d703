"""The daemon that the browser's tests share, and what it says of its behaviours."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.admin_page import INI
from tests.support.daemon import Daemon, Start
from tests.support.patience import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def operated(served: Start) -> Daemon:
    """One daemon with an admin listener, for all tests that count nothing."""
    return served(INI.format(0))


@pytest.fixture(scope="module")
def listed(browser: Browser, server: Daemon) -> dict[str, Any]:
    """What the daemon says of its behaviours."""
    found: dict[str, Any] = browser.new_context().request.get(f"{server.http}/behaviours.json").json()
    return found
