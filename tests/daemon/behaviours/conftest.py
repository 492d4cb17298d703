"""The daemon that the clients of this folder visit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.clients import INI
from tests.support.daemon import Daemon


@pytest.fixture(scope="session")
def server(served: Callable[..., Daemon]) -> Daemon:
    return served(INI)
