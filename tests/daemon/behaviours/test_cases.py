"""What Python's `websockets` and Node's `ws` see of each behaviour of a real daemon."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cases import ALL
from tests.cases.vocabulary import Case, cases_for, check, selected
from tests.support.clients import node, websockets
from tests.support.daemon import Daemon

Seen = dict[Case, dict[str, Any]]


@pytest.fixture(scope="module")
def seen_by_websockets(request: pytest.FixtureRequest, server: Daemon) -> Seen:
    return websockets.visit_all(server, selected(request, test_websockets_sees))


@pytest.fixture(scope="module")
def seen_by_node(request: pytest.FixtureRequest, server: Daemon) -> Seen:
    return node.visit_all(server, selected(request, test_node_sees))


@pytest.mark.parametrize("case", cases_for("websockets", ALL), ids=str)
def test_websockets_sees(seen_by_websockets: Seen, case: Case) -> None:
    check(case, "websockets", seen_by_websockets[case])


@pytest.mark.parametrize("case", cases_for("ws", ALL), ids=str)
def test_node_sees(seen_by_node: Seen, case: Case) -> None:
    check(case, "ws", seen_by_node[case])
