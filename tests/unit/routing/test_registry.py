"""Registry of subprotocols: our own and those of installed packages."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.daemon import ROOT, Daemon
from tests.support.scenarios import ALL_NAMES
from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.routing import registry
from wsdaemon.routing.registry import SubprotocolError, find_all, short_name
from wsdaemon.websocket.connection import Connection

EXAMPLE = ROOT / "docs" / "examples" / "wsdaemon-shout"


class Nameless(Connection):
    """Has no names."""


class Taken(Connection):
    """Has a name that another has."""

    names = ("echo", "mine")


def test_own() -> None:
    """The project's own subprotocols are found in its packages, with all of the table's names."""
    own = [each for each in registry._own() if not issubclass(each, Behaviour)]
    assert {short_name(each): each.names for each in own} == ALL_NAMES


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("no.such.module:Thing", "cannot be loaded"),
        (f"{__name__}:NoSuchThing", "cannot be loaded"),
        (f"{__name__}:ROOT", "is not a subclass"),
        (f"{__name__}:Nameless", "has no names"),
        (
            f"{__name__}:Taken",
            "the name 'echo' belongs to wsdaemon.subprotocols.echo:Echo already",
        ),
    ],
)
def test_unusable(value: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point that cannot be used is an error that names it."""
    entry_point = EntryPoint("thing", value, registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: (entry_point,))
    with pytest.raises(SubprotocolError) as caught:
        find_all()
    assert complaint in str(caught.value)
    assert value in str(caught.value)


@pytest.fixture(scope="module")
def installed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of docs/subprotocols.md, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("site-packages")
    source = folder / "source"
    source.mkdir()
    for file in EXAMPLE.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", folder, source], check=True)
    return folder


def test_example(installed_example: Path, tmp_path: Path) -> None:
    """An installed subprotocol is served by each of its names and by its path, with options from the INI file."""
    ini = "[subprotocol:shout]\nmarks = 3\n"
    daemon = Daemon(tmp_path / "ws.ini", ini, environment={"PYTHONPATH": str(installed_example)})
    try:
        for path, offered in (("/", "shout.example.org"), ("/", "shout"), ("/shout", None)):
            with connect(daemon.ws + path, subprotocols=[offered] if offered else None) as client:  # type: ignore[list-item]
                assert client.recv() == "WELCOME"
                client.send("hello")
                assert client.recv() == "HELLO!!!"
                client.send(b"\0")
                with pytest.raises(ConnectionClosed):
                    client.recv()
                assert client.close_code == 1003
    finally:
        assert daemon.stop() == 0
