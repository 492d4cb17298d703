"""What the tests share: the real daemon as a process of its own, and a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import CHROMIUM_FLAGS, Daemon, find_browser


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """A factory of daemons: `daemon(port=0, ini="", arguments=(), ready=True)`; all are stopped at the test's end."""
    started: list[Daemon] = []

    def start(*arguments: str, port: int = 0, ini: str = "", **options: Any) -> Daemon:
        config = tmp_path / f"ws{len(started)}.ini"
        config.write_text(ini)
        daemon = Daemon([f"--config={config}", f"--port={port}", *arguments], **options)
        started.append(daemon)
        return daemon

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, driven by Playwright."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium is installed, and CI must not leave the browser's tests out")
        pytest.skip("no Chromium is installed; `make browser` installs one where it can")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture(autouse=True)
def no_page_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the pages of a test: one that plots goes on plotting, and takes a third of a core from all that follow."""
    if "browser" not in request.fixturenames:
        yield
        return
    browser = request.getfixturevalue("browser")
    before = browser.contexts  # those of a whole module
    yield
    for context in browser.contexts:
        if context not in before:
            context.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--conformance`."""
    parser.addoption("--conformance", action="store_true", help="run all 517 cases of the Autobahn suite, alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the whole suite's tests with `--conformance` and no others, and never without it: they take half an hour."""
    alone = bool(config.getoption("--conformance"))
    items[:] = [item for item in items if alone == (item.get_closest_marker("conformance") is not None)]
