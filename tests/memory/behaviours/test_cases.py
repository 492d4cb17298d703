"""What wsproto sees of each behaviour, in memory; and the proof that each client visits them all."""

from __future__ import annotations

import re

import pytest

from tests.cases import ALL
from tests.cases.vocabulary import CANNOT_SEE, Case, cases_for, check
from tests.support.behaviours import DOCUMENT
from tests.support.clients.memory import Visit
from tests.support.memory import MemorySite


@pytest.fixture(scope="module")
def site() -> MemorySite:
    return MemorySite()


@pytest.mark.parametrize("case", cases_for("wsproto", ALL), ids=str)
def test_wsproto_sees(site: MemorySite, case: Case) -> None:
    check(case, "wsproto", Visit(site, case).run())


@pytest.mark.parametrize("client", CANNOT_SEE)
def test_every_client_visits_every_path_parameter_and_choice(client: str) -> None:
    """Also with each of the frames that are wrong."""
    visited = "\n".join(case.url for case in cases_for(client, ALL))
    wanted = {f"{re.escape(each['path'])}\\b" for each in DOCUMENT["behaviours"]}
    for group in (*DOCUMENT["groups"].values(), *DOCUMENT["behaviours"]):
        for each in group["parameters"]:
            choices = [choice for choice in each.get("choices", ()) if choice != each["default"]]
            wanted |= {rf"[?&]{each['name']}={choice}(&|$)" for choice in choices} or {f"[?&]{each['name']}="}
    assert sorted(each for each in wanted if re.search(each, visited, re.MULTILINE) is None) == []
