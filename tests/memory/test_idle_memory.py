"""Memory of an idle connection: what our own code allocates for it, without Twisted's part and the kernel's."""

from __future__ import annotations

import gc
import tracemalloc

from tests.support.memory import MemorySite, Peer

CONNECTIONS = 200
MOST = 1000
"""Bytes of one connection: its object, its parts, its peer's address and its place in the hub's sets."""


def test_an_idle_connection_is_small() -> None:
    """A timer of its own for each connection, or a part more, would show."""
    site = MemorySite()
    kept: list[Peer] = [site.open("/log") for _ in range(CONNECTIONS)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        kept += [site.open("/log") for _ in range(CONNECTIONS)]
        gc.collect()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    ours = [tracemalloc.Filter(True, "*/wsdaemon/websocket/*"), tracemalloc.Filter(True, "*/twisted/internet/task.py")]
    grown = after.filter_traces(ours).compare_to(before.filter_traces(ours), "filename")
    assert sum(each.size_diff for each in grown) / CONNECTIONS < MOST, grown
