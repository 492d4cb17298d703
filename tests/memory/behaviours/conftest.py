"""A client that does not keep up."""

from __future__ import annotations

import pytest

from tests.support.memory import Transport


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every write fill the transport, until it is told to drain."""

    def write(transport: Transport, data: bytes) -> None:
        transport.io.write(data)
        transport.fill()

    monkeypatch.setattr(Transport, "write", write)
