"""The documentation agrees with the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.options_reference import flags_markdown, ini, markdown
from wsdaemon.client.flags import Sections
from wsdaemon.client.options import PING
from wsdaemon.config import read_file
from wsdaemon.load.command import LOAD
from wsdaemon.routing.registry import _own, settings_classes
from wsdaemon.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
KNOWN = settings_classes(_own())  # wsdaemon's own, whatever else is installed
EXAMPLE = ROOT / "docs" / "examples" / "wsdaemon-shout"
FOLDERS = ("wsdaemon", "tests", "benchmarks", "tools", "docs/examples")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_ini_is_current() -> None:
    """conf/ws.ini documents every option beside its default; `make docs` writes it."""
    assert (ROOT / "conf" / "ws.ini").read_text() == ini(KNOWN)


def test_ini_holds_the_defaults() -> None:
    """conf/ws.ini sets nothing but defaults, except the docroot."""
    settings = read_file(ROOT / "conf" / "ws.ini", KNOWN).check_machine().require()
    assert settings.server.docroot == ROOT / "static"
    defaults = Settings()
    assert (settings.tls, settings.websocket, settings.log) == (defaults.tls, defaults.websocket, defaults.log)
    assert settings.subprotocols == {name: each() for name, each in KNOWN.items()}


def test_reference_is_current() -> None:
    """docs/configuration.md holds the tables that the code generates."""
    assert (ROOT / "docs" / "configuration.md").read_text().endswith(markdown(KNOWN))


@pytest.mark.parametrize(("page", "options"), [("wsping", PING), ("load", LOAD)])
def test_options_are_current(page: str, options: Sections) -> None:
    """The pages of the commands that connect hold the tables that the declarations of their options generate."""
    assert (ROOT / "docs" / f"{page}.md").read_text().endswith(flags_markdown(options))


@pytest.mark.parametrize("name", ["pyproject.toml", "wsdaemon_shout.py"])
def test_example_is_current(name: str) -> None:
    """docs/subprotocols.md shows the example's files as they are."""
    assert f"\n{(EXAMPLE / name).read_text()}```" in (ROOT / "docs" / "subprotocols.md").read_text()


def test_examples_are_typed(tmp_path: Path) -> None:
    """The Python on each page passes `mypy --strict`."""
    blocks = [block for page in PAGES for block in re.findall(r"(?ms)^```python\n(.*?)^```", page.read_text())]
    files = [tmp_path / f"block_{number}.py" for number in range(len(blocks))]
    for file, block in zip(files, blocks, strict=True):
        file.write_text(block)
    checked = subprocess.run([sys.executable, "-m", "mypy", *files], cwd=ROOT, capture_output=True, text=True)
    assert (len(blocks) > 1, checked.returncode) == (True, 0), checked.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link in the documentation names a file that exists."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_exist(page: Path) -> None:
    """Every module and test that the documentation names exists."""
    there = [each.as_posix() for folder in FOLDERS for each in (ROOT / folder).rglob("*.py")]
    for name in re.findall(r"`([a-z_./]*[a-z_]+\.py)`", page.read_text()):
        assert [each for each in there if each.endswith(f"/{name}")], name
