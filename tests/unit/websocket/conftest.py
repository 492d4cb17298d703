"""A port whose connections send at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.support.eager import Listening, reactor
from wsdaemon.websocket.readers import Readers


@pytest.fixture(params=[True, False], ids=["read together", "read by the reactor"])
def listening(request: pytest.FixtureRequest) -> Iterator[Listening]:
    """A port, with readers and without."""
    readers = Readers(reactor) if request.param else None
    listening = Listening(readers)
    yield listening
    listening.close()
    if readers is not None:
        assert readers not in reactor.getReaders(), "the reactor is let go of with the last connection"
        readers.connectionLost(Failure(ConnectionDone()))
