"""One source: the command, the JSON, the page, the docs, and what reads the parameters, cannot disagree."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.daemon import ROOT
from tests.support.http_client import Server
from tests.support.memory import MemorySite
from tests.support.wire import request
from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.parameters import Given, describe
from wsdaemon.cli import main
from wsdaemon.reference import behaviours_markdown
from wsdaemon.routing.catalogue import Catalogue, find_parts, path_of
from wsdaemon.routing.registry import _own
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.handshake import read_handshake

OWN = tuple(_own())
CATALOGUE = Catalogue(OWN, BehaviourSettings())
DOCUMENT = CATALOGUE.document()
HEADERS = [
    (name.strip(), value.strip())
    for name, _, value in (line.partition(b":") for line in request().split(b"\r\n")[1:-2])
]
BEHAVIOURS: list[dict[str, Any]] = DOCUMENT["behaviours"]
PARAMETERS: list[dict[str, Any]] = [
    *(each for behaviour in BEHAVIOURS for each in behaviour["parameters"]),
    *(each for group in DOCUMENT["groups"].values() for each in group["parameters"]),
]
COOKBOOK = re.findall(r"^\| [^|]+ \| `(/[^`]*)` \|", (ROOT / "docs/cookbook.md").read_text(), re.MULTILINE)


def taken(behaviour: dict[str, Any]) -> list[dict[str, Any]]:
    """All parameters that a behaviour takes."""
    groups = [DOCUMENT["groups"][name]["parameters"] for name in behaviour["groups"]]
    return [*behaviour["parameters"], *(each for group in groups for each in group)]


def status(site: MemorySite, target: str, **options: str) -> tuple[int, bytes]:
    """Return the status that a handshake is answered with, and the rest of the answer."""
    peer = site.connect()
    peer.send(request(target, **options))
    head, _, body = peer.take().partition(b"\r\n\r\n")
    peer.hang_up()
    return int(head.split()[1]), body


def read(target: str) -> Given:
    """Return what a target asks for; raises `HandshakeRefused`."""
    handshake = read_handshake(b"/", b"HTTP/1.1", HEADERS)
    path, _, query = target.partition("?")
    return CATALOGUE.read(CATALOGUE.by_path[path.strip("/")], query, handshake).given


def test_every_family_is_declared_once() -> None:
    """By a group of parameters, or beside the behaviours; it has a rank of its own in every list."""
    found = {each["family"] for each in BEHAVIOURS} | DOCUMENT["groups"].keys()
    assert found == set(DOCUMENT["families"])
    for kind in (lambda each: each.rank, lambda each: each.name):
        assert len({kind(each) for each in CATALOGUE.families}) == len(CATALOGUE.families)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda each: each["name"])
def test_the_parameters_of_a_behaviour_have_names_of_their_own(behaviour: dict[str, Any]) -> None:
    names = [each["name"] for each in taken(behaviour)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("each", PARAMETERS, ids=lambda each: each["name"])
def test_every_parameter_says_what_it_does_and_what_to_write(each: dict[str, Any]) -> None:
    assert each["why"].endswith(".")
    assert each["what"]
    assert each["example"]
    assert re.fullmatch("[a-z][a-z0-9_]*", each["name"])


@pytest.mark.parametrize(
    ("path", "each"),
    [(behaviour["path"], each) for behaviour in BEHAVIOURS for each in taken(behaviour)],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_the_example_and_the_default_of_every_parameter_are_taken(path: str, each: dict[str, Any]) -> None:
    """By every behaviour that is said to take it."""
    for value in {each["example"], each["default"]} - {None}:
        if value or each["name"] != "json":
            assert read(f"{path}?{urlencode({each['name']: value})}").names == {each["name"]}


@pytest.mark.parametrize(
    "target", [each["example"] for each in BEHAVIOURS] + COOKBOOK, ids=lambda target: str(target).replace("/", "")
)
def test_every_example_and_every_url_of_the_cookbook_is_right(target: str) -> None:
    assert read(target) is not None


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
    for behaviour in shown["behaviours"]:
        assert main(["behaviours", behaviour["path"]]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert behaviour["example"] in page
        assert behaviour["example"] in told
        for each in behaviour["parameters"]:
            assert each["what"] in page
            assert f"{each['why']} Write {each['what']}" in told
    for name, group in shown["groups"].items():
        assert main(["behaviours", name]) == 0
        told = " ".join(capsys.readouterr().out.split())
        for each in group["parameters"]:
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
    settings = BehaviourSettings(enabled=tuple(enabled.split()))
    listed = {each["name"]: each["enabled"] for each in Catalogue(OWN, settings).document()["behaviours"]}
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
    assert "subprotocol" not in json.dumps(Catalogue(OWN, BehaviourSettings(enabled=())).document()["groups"])


@pytest.mark.parametrize(
    ("option", "value", "target", "complaint"),
    [
        ("max_bytes", "1m", "/bytes?size=2m", "size: 2m is out of range; write bytes from 0 to 1m"),
        ("max_bomb", "1m", "/bomb?size=2m", "size: 2m is out of range; write bytes from 0 to 1m"),
        ("max_count", "10", "/burst?count=11", "count: 11 is out of range; write a whole number from 1 to 10"),
        ("max_count", "10", "/ticker?count=11", "count: 11 is out of range; write a whole number from 0 to 10"),
        ("max_rate", "10", "/echo?ping_rate=11", "ping_rate: 11 is out of range; write a whole number from 0 to 10"),
        ("max_wait", "1.5", "/echo?delay=1501", "delay: 1501 is out of range; write milliseconds"),
        ("max_wait", "1.5", "/close?after=1501", "after: 1501 is out of range; write milliseconds"),
    ],
)
def test_caps_hold_and_can_be_raised(option: str, value: str, target: str, complaint: str) -> None:
    """The INI file says how far strangers may go, and the 400 what the bound is."""
    code, body = status(MemorySite(f"[behaviours]\n{option} = {value}\n"), target)
    assert code == 400
    assert body.decode().startswith(complaint)
    assert status(MemorySite(f"[behaviours]\n{option} = {value[0]}00{value[1:].strip('.5')}\n"), target)[0] == 101


@pytest.mark.parametrize("group", [part.parameters for part in find_parts()], ids=lambda group: group.family.name)
def test_every_part_belongs_to_a_family(group: type[Any]) -> None:
    assert group.family in CATALOGUE.families
    assert describe(group, BehaviourSettings())


@pytest.mark.parametrize("each", [each for each in OWN if issubclass(each, Behaviour)], ids=lambda each: path_of(each))
def test_every_behaviour_says_what_it_is(each: type[Behaviour]) -> None:
    assert each.family in CATALOGUE.families
    assert each.summary.endswith(".")
    assert each.example.startswith(f"/{path_of(each)}")
    assert each.rfc.startswith("RFC ")
    assert each.__doc__
