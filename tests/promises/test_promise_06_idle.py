"""Promise 6: an idle connection costs 10 KiB plain, 64 KiB with TLS, 64 KiB once it has used deflate."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.promises.conftest import Figure
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.wire import TEXT, Frame

COUNT = 250
JSON = json.dumps([{"number": number, "name": f"item {number}"} for number in range(1500)]).encode()


def _open(served: Daemon, tls: bool, extensions: str) -> RawClient:
    client = RawClient(served, tls=tls, extensions=extensions)
    if extensions:
        engine = zlib.compressobj(wbits=-15)
        data = engine.compress(JSON) + engine.flush(zlib.Z_SYNC_FLUSH)
        client.send(Frame(TEXT, data[:-4], rsv=4))
        while not client.frame().fin:
            pass
    return client


@pytest.mark.parametrize(
    ("what", "tls", "extensions", "bound"),
    [
        ("plain", False, "", 10),
        ("TLS", True, "", 64),
        ("deflate, once used", False, "permessage-deflate", 64),
        ("TLS and deflate, once used", True, "permessage-deflate", 100),
    ],
)
def test_promise_6_idle(
    tls_daemon: Callable[..., Daemon], figure: Figure, what: str, tls: bool, extensions: str, bound: float
) -> None:
    """Each of many connections costs at most this much right after it was opened and used."""
    served = tls_daemon()
    with ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(_open(served, tls, extensions))
        before = served.rss()
        for _ in range(COUNT):
            clients.enter_context(_open(served, tls, extensions))
        figure(6, f"an idle connection, {what}", (served.rss() - before) / COUNT / 1024, "KiB", bound)
