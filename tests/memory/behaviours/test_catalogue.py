"""One source: the command, the JSON, the page, the docs and the reading of parameters cannot disagree."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.behaviours import CATALOGUE, DOCUMENT, enabled_in, parameters_of, status
from tests.support.daemon import ROOT
from tests.support.http_client import Server
from tests.support.memory import MemorySite
from tools.options_reference import behaviours_markdown
from wsdaemon.cli import main

SITE = MemorySite()
BEHAVIOURS: list[dict[str, Any]] = DOCUMENT["behaviours"]
GROUPS: list[dict[str, Any]] = list(DOCUMENT["groups"].values())
PARAMETERS: list[dict[str, Any]] = [each for part in (*BEHAVIOURS, *GROUPS) for each in part["parameters"]]
COOKBOOK = re.findall(r"^\| [^|]+ \| `(/[^`]*)` \|", (ROOT / "docs/cookbook.md").read_text(), re.MULTILINE)


def is_read(target: str) -> bool:
    """Whether a target's parameters are accepted: then the handshake is refused with its own `status`, or with 418."""
    asked = re.search("[?&]status=([0-9]+)", target)
    if asked is None:
        target += ("&" if "?" in target else "?") + "status=418"
    return status(SITE, target)[0] in (0, int(asked[1]) if asked else 418)  # 0 where it waits


def test_every_family_is_declared_once() -> None:
    """By a group of parameters, or beside the behaviours; it has a rank of its own in every list."""
    found = {each["family"] for each in BEHAVIOURS} | DOCUMENT["groups"].keys()
    assert found == set(DOCUMENT["families"])
    assert all(group["parameters"] for group in GROUPS)
    for kind in (lambda each: each.rank, lambda each: each.name):
        assert len({kind(each) for each in CATALOGUE.families}) == len(CATALOGUE.families)


@pytest.mark.parametrize("each", PARAMETERS, ids=lambda each: each["name"])
def test_every_parameter_says_what_it_does_and_what_to_write(each: dict[str, Any]) -> None:
    assert each["why"].endswith(".")
    assert each["what"]
    assert each["example"]
    assert re.fullmatch("[a-z][a-z0-9_]*", each["name"])


@pytest.mark.parametrize(
    ("path", "each"),
    [(behaviour["path"], each) for behaviour in BEHAVIOURS for each in parameters_of(behaviour)],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_the_example_and_the_default_of_every_parameter_are_taken(path: str, each: dict[str, Any]) -> None:
    """By every behaviour that lists the parameter."""
    for value in {each["example"], each["default"]} - {None}:
        if value or each["name"] != "json":
            assert is_read(f"{path}?{urlencode({each['name']: value})}")


@pytest.mark.parametrize(
    "target", [each["example"] for each in BEHAVIOURS] + COOKBOOK, ids=lambda target: str(target).replace("/", "")
)
def test_every_example_and_every_url_of_the_cookbook_is_right(target: str) -> None:
    assert is_read(target)


def test_the_cookbook_has_twenty_questions_and_every_family() -> None:
    assert len(COOKBOOK) >= 20
    paths = {each["path"]: each for each in BEHAVIOURS}
    used = {paths[target.partition("?")[0]]["family"] for target in COOKBOOK}
    assert used >= {"look", "close", "handshake", "time", "stream", "frames", "compression"}


def test_the_docs_are_what_the_code_says() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs/behaviours.md").read_text().endswith(behaviours_markdown(DOCUMENT))


def test_the_page_the_json_and_the_command_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(tmp_path)
    shown = json.loads(server.ask("/behaviours.json").body)
    assert main(["behaviours", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown
    page = unescape(re.sub("<[^>]*>", " ", server.ask("/behaviours").body.decode()))
    found = {each["path"]: each for each in shown["behaviours"]} | shown["groups"]
    for name, told_of in found.items():
        assert main(["behaviours", name]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert told_of.get("example", "") in page
        assert told_of.get("example", "") in told
        for each in told_of["parameters"]:
            assert each["what"] in page
            assert f"{each['why']} Write {each['what']}" in told


def test_the_command_says_that_a_name_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["behaviours", "nothing"]) == 1
    assert capsys.readouterr().err.startswith("'nothing' is not a behaviour or family")


def test_a_file_of_the_docroot_goes_before_our_pages(tmp_path: Path) -> None:
    """The docroot keeps its URL space."""
    server = Server(tmp_path)
    (tmp_path / "behaviours").write_text("mine")
    (tmp_path / "ticker").write_text("a file")
    assert server.ask("/behaviours").body == b"mine"
    assert server.ask("/ticker").body == b"a file"
    assert server.ask("/behaviours.json").status == 200
    assert server.ask("/close").status == 404


@pytest.mark.parametrize(
    ("enabled", "there", "absent"),
    [
        ("none", [], ["close", "ticker", "inspect"]),
        ("close ticker", ["close", "ticker"], ["inspect", "bytes", "bomb"]),
        ("stream", ["ticker", "bytes", "burst", "sink"], ["close", "bomb"]),
        ("all", ["close", "bomb", "status"], []),
    ],
)
def test_only_what_is_enabled_is_there(enabled: str, there: list[str], absent: list[str]) -> None:
    """By family or by name; the others are refused by their paths, unknown by their names, and not listed."""
    ini = f"[behaviours]\nenabled = {enabled}\n"
    site = MemorySite(ini)
    for name in there:
        assert status(site, f"/{name}")[0] == 101
        assert status(site, "/", subprotocols=name)[0] == 101
    for name in absent:
        code, body = status(site, f"/{name}")
        assert (code, body) == (403, f"/{name} is not enabled on this server.\n".encode())
        assert status(site, "/", subprotocols=name)[0] == 400
    listed = {each["name"]: each["enabled"] for each in enabled_in(*enabled.split())["behaviours"]}
    assert all(listed[name] for name in there)
    assert not any(listed[name] for name in absent)


def test_parameters_of_a_family_that_is_not_enabled_are_refused() -> None:
    site = MemorySite("[behaviours]\nenabled = ticker time\n")
    assert status(site, "/ticker?delay=5")[0] == 101
    assert status(site, "/ticker?drop=5") == (400, b"drop: is not enabled on this server\n")
    assert status(site, "/echo?delay=5")[0] == 101


def test_without_behaviours_echo_is_what_it_was() -> None:
    """A query means nothing to it then."""
    site = MemorySite("[behaviours]\nenabled = none\n")
    assert status(site, "/echo?anything=x")[0] == 101
    assert [each.subprotocol for each in site.hub.connections] == []
    assert "subprotocol" not in json.dumps(enabled_in()["groups"])


@pytest.mark.parametrize("each", BEHAVIOURS, ids=lambda each: each["name"])
def test_every_behaviour_says_what_it_is(each: dict[str, Any]) -> None:
    assert each["family"] in DOCUMENT["families"]
    assert each["summary"].endswith(".")
    assert each["example"].startswith(each["path"])
    assert each["rfc"].startswith("RFC ")
    assert each["description"]
    names = [parameter["name"] for parameter in parameters_of(each)]
    assert len(names) == len(set(names))
