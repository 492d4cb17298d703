"""Loading of a daemon's configuration: checks that need all subprotocols, and options that need a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactor

from wsdaemon.config import Configuration
from wsdaemon.loading import load, needing_a_restart


def read(folder: Path, text: str) -> Configuration:
    path = folder / "ws.ini"
    path.write_text(text)
    return load(str(path), MemoryReactor())


@pytest.mark.parametrize("words", ["all", "none", "look, status", "ticker close", "echo"])
def test_families_and_behaviours_can_be_enabled(tmp_path: Path, words: str) -> None:
    assert read(tmp_path, f"[behaviours]\nenabled = {words}\n").problems == ()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tickers", "'tickers' is not a family or behaviour; did you mean ticker?"),
        ("streams", "'streams' is not a family or behaviour; did you mean stream?"),
        (
            "qqq",
            "'qqq' is not a family or behaviour; known are all, none, look, close, handshake, time, stream",
        ),
    ],
)
def test_an_unknown_family_is_a_problem_at_its_place(tmp_path: Path, word: str, message: str) -> None:
    (problem,) = read(tmp_path, f"[behaviours]\n\nenabled = look {word}\n").problems
    assert str(problem).startswith(f"{tmp_path}/ws.ini:3: [behaviours] enabled: {message}")


def test_a_default_that_is_not_enabled_is_a_problem_at_its_place(tmp_path: Path) -> None:
    (problem,) = read(tmp_path, "[server]\ndefault_subprotocol = ticker\n[behaviours]\nenabled = look\n").problems
    message = "[server] default_subprotocol: 'ticker' is not enabled in [behaviours]; write another"
    assert str(problem) == f"{tmp_path}/ws.ini:2: {message}"


def test_what_needs_a_restart_is_named_with_its_place(tmp_path: Path) -> None:
    old = read(tmp_path, "")
    new = read(tmp_path, "[server]\nport = 1\nlisting = no\n[log]\nlevel = warn\n[admin]\nport = 8081\n")
    path = f"{tmp_path}/ws.ini"
    assert list(needing_a_restart(old, new)) == [(f"{path}:2", "[server] port"), (f"{path}:5", "[log] level")]
