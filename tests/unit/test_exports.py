"""The public modules export what they promise, and the documentation imports nothing else."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from wsdaemon.subprotocol import Connection

ROOT = Path(__file__).resolve().parents[2]
EXPORTED = {
    "wsdaemon.client": [
        "CannotConnect", "ClientConnection", "ClientError", "Frame", "HandshakeRefused", "HandshakeTimeout",
        "HandshakeTimes", "Listener", "Target", "connect", "parse_target", "proxy_from_environment",
    ],
    "wsdaemon.subprotocol": [
        "Choice", "CloseCode", "Connection", "Hosts", "Kind", "Lines", "Location", "Number", "Opcode", "Origins",
        "Seconds", "Size", "StreamingSettings", "Switch", "Text", "WebSocketSettings", "Words", "option",
    ],
}  # fmt: skip
"""A name that goes from here has to be deprecated first: CONTRIBUTING.md says how."""
PAGES = {"wsdaemon.client": "client.md", "wsdaemon.subprotocol": "subprotocols.md"}


@pytest.mark.parametrize("module", EXPORTED)
def test_names(module: str) -> None:
    """No name appears or disappears by accident, and each is there."""
    public = importlib.import_module(module)
    assert public.__all__ == EXPORTED[module]
    assert [name for name in public.__all__ if not hasattr(public, name)] == []


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in EXPORTED.items() for name in names])
def test_docstrings(module: str, name: str) -> None:
    """Each name and each public method of it has a docstring that somebody wrote."""
    exported = getattr(importlib.import_module(module), name)
    written = exported.__doc__ or ""
    assert written.strip()
    assert not written.startswith(f"{name}("), "as dataclasses make it"
    methods = inspect.getmembers(exported, inspect.isfunction) if inspect.isclass(exported) else []
    ours = [each for key, each in methods if each.__module__.startswith("wsdaemon.") and not key.startswith("_")]
    assert [each for each in ours if not inspect.getdoc(each) and "<locals>" not in each.__qualname__] == []


@pytest.mark.parametrize("module", EXPORTED)
def test_pages(module: str) -> None:
    """Each exported name stands on the page that documents its module."""
    page = (ROOT / "docs" / PAGES[module]).read_text()
    assert [name for name in EXPORTED[module] if not re.search(rf"\b{name}\b", page)] == []


def test_examples_use_the_public_modules() -> None:
    """What the documentation imports is public."""
    examples = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.py")]
    imported = {
        module
        for each in examples
        for module in re.findall(r"^ *(?:from|import) (wsdaemon[.\w]*)", each.read_text(), re.MULTILINE)
    }
    assert imported == set(EXPORTED)


def test_the_connection_is_as_documented() -> None:
    """What docs/subprotocols.md says that a subprotocol overrides, calls and reads is there."""
    page = (ROOT / "docs" / "subprotocols.md").read_text()
    rows = re.findall(r"^\| (`[a-z].*?) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-zA-Z_]+)", row)}
    there = {name for each in Connection.__mro__ for name in (*vars(each), *vars(each).get("__annotations__", ()))}
    assert {"opened", "send_frame", "deadlines", "target"} <= named
    assert named - there == set()
