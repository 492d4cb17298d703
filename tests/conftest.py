"""Fixtures of all tests: real daemons and a real browser; and what is told at the end of a run."""

from __future__ import annotations

import functools
import importlib.metadata
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.daemon import CHROMIUM_FLAGS, TRACING, Daemon, find_browser
from tests.support.http_client import failures
from tests.support.patience import PATIENCE

LONGEST = ("test_conformance", "test_promise_18_soak", "test_promise_05_small_frames", "test_cases", "test_behaviours")
"""Modules that come first: those with the longest tests and fixtures, so that no core is left idle at the end."""
ELSEWHERE = ("browser", "conformance", "packaging", "promises")
"""Folders of tests in which the product runs in other processes."""

# Neither a deadline nor a check of the time that data take: a busy machine makes no test fail.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")

# Before each test pytest asks for Twisted's version (its support of Trial), which reads and parses a file each time.
importlib.metadata.version = functools.cache(importlib.metadata.version)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Take the coverage variables out of the environment, so that children are not traced by default."""
    TRACING.update({name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS_")})


@pytest.fixture(autouse=True)
def traced_where_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace the children of a test marked `traced`, where coverage is measured."""
    if request.node.get_closest_marker("traced"):
        for name, value in TRACING.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def no_earlier_failures() -> None:
    """Forget the tracebacks that earlier tests had logged: tests run in any order."""
    failures()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """A factory of daemons: `daemon("--verbose", ini="", port=0)`; all are stopped after the test."""
    started: list[Daemon] = []

    def start(*arguments: str, ini: str = "", **options: Any) -> Daemon:
        config = tmp_path / f"ws{len(started)}.ini"
        started.append(Daemon(config, ini, *arguments, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Daemon]]:
    """Daemons shared by INI text: `served("[websocket]\\nclose_timeout = 1\\n")`.

    Each is started when it is first asked for, and stopped at the end of the run, when all must have gone well. Tests
    that look at a daemon's log, memory or counters, or that stop it, start one of their own by `daemon`.
    """
    running: dict[tuple[str, bool], Daemon] = {}

    def serve(ini: str = "", *, traced: bool = False) -> Daemon:
        key = ini, traced
        if key not in running:
            running[key] = Daemon(tmp_path_factory.mktemp("served") / "ws.ini", ini, traced=traced)
        return running[key]

    yield serve
    for each in running.values():
        each.stop_well()


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, served: Callable[..., Daemon]) -> Daemon:
    """The shared daemon of a module's `INI`, or one as it comes; {folder} there is the module's fixture `folder`."""
    ini: str = getattr(request.module, "INI", "")
    return served(ini.format(folder=request.getfixturevalue("folder")) if "{folder}" in ini else ini)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A function that reports a measured result: its line is shown at the end of the run."""

    def note(line: str) -> None:
        record_property("told", line)

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the measured results."""
    reports = [each for some in terminalreporter.stats.values() for each in some if getattr(each, "when", "") == "call"]
    lines = sorted(str(line) for each in reports for name, line in each.user_properties if name == "told")
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, driven by Playwright."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium is installed, and CI must not leave the browser's tests out")
        pytest.skip("no Chromium is installed; `make browser` installs one where it can")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        launched.on("context", lambda context: context.set_default_timeout(1000 * PATIENCE))
        yield launched
        launched.close()


@pytest.fixture(autouse=True)
def no_page_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the pages of a test: a page that plots takes a third of a core from all later tests."""
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


@pytest.hookimpl(trylast=True)  # behind what puts them into a random order
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--conformance` run only the whole Autobahn suite, which takes half an hour; without it everything else.

    Coverage is not measured, as that doubles the time, where the product runs in other processes, and where Hypothesis
    chooses the examples: what they happen to reach is not the same in every run.
    """
    alone = bool(config.getoption("--conformance"))
    items[:] = [item for item in items if alone == (item.get_closest_marker("conformance") is not None)]
    items.sort(key=lambda item: (*LONGEST, item.path.stem).index(item.path.stem))
    for item in items:
        kind = item.path.relative_to(Path(__file__).parent).parts[0]
        if kind in ELSEWHERE or hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")
