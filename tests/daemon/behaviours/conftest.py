"""The daemon that the clients of this folder visit."""

from __future__ import annotations

import pytest

from tests.support.clients import INI
from tests.support.daemon import Daemon, Start


@pytest.fixture(scope="session")
def server(served: Start) -> Daemon:
    return served(INI)
