"""The house's own rules.

Layers and circles are import-linter's to hold (pyproject.toml), private names `library_facts/test_private_names.py`'s.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.support.daemon import ROOT
from tests.support.memory import all_subprotocols
from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.factory import ConnectionFactory
from wsdaemon.websocket.hub import Hub

FOLDERS = ("benchmarks", "docs", "static", "tests", "tools", "twisted", "wsdaemon")
SOURCES = {".py", ".js", ".mjs", ".css", ".html"}
MAX_LINES = 400

MAX_CONNECTION, MAX_BEHAVIOUR = 4, 6


def sources() -> list[Path]:
    found = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in SOURCES]
    return [file for file in found if not {"node_modules", "build", "__pycache__"} & set(file.parts)]


def test_no_file_is_too_long() -> None:
    """Every source file fits in the head."""
    assert len(sources()) > 300
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in sources()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("subprotocol", all_subprotocols(), ids=lambda each: each.names[-1])
def test_a_connection_is_no_tower(subprotocol: type) -> None:
    """The classes of this project that one connection is made of can be read one after the other.

    A subprotocol that is built on another has one more.
    """
    made = ConnectionFactory(subprotocol, WebSocketSettings(), Hub(Clock())).protocol
    own = [each for each in made.__mro__ if each.__module__.startswith("wsdaemon.")]
    bound = MAX_BEHAVIOUR if issubclass(subprotocol, Behaviour) else MAX_CONNECTION
    bound += sum(bool(vars(each).get("names")) for each in own) - 1
    assert len(own) <= bound, " < ".join(each.__name__ for each in own)
