"""Each refusal and each cut of a peer is counted by its cause, once, and by no other cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.memory import MemorySite, pass_time
from tests.support.wire import PING, TEXT, Frame, close, request

INI = """
[server]
max_connections = 3
idle_timeout = 300
stall_timeout = 7
[websocket]
ping_interval = 100
ping_timeout = 5
close_timeout = 5
handshake_timeout = 5
stall_timeout = 7
[subprotocol:echo-broadcast]
queue_limit = 1k
"""


def does_not_close(site: MemorySite) -> None:
    site.open("/echo?delay=1")
    for each in site.hub.connections:
        each.close(1000, "")
    pass_time(site.clock, 5)


def stops_reading(site: MemorySite) -> None:
    peer = site.open("/echo")
    peer.transport.fill()
    peer.send(Frame(TEXT, bytes(100)))
    pass_time(site.clock, 10)


def answers_no_ping(site: MemorySite) -> None:
    peer = site.open("/echo")
    pass_time(site.clock, 105)
    assert peer.frames()[0].opcode == PING


def is_a_slow_member(site: MemorySite) -> None:
    slow, quick = site.open("/echo-broadcast"), site.open("/echo-broadcast")
    slow.transport.fill()
    quick.send(Frame(TEXT, bytes(3000)))
    slow.transport.drain()
    slow.send(close(1013))


def breaks_the_protocol(site: MemorySite) -> None:
    site.open("/echo").send(Frame(3, b"reserved"))


def asks_for_a_refusal(site: MemorySite) -> None:
    site.connect().send(request("/handshake?status=503"))


def has_no_version(site: MemorySite) -> None:
    site.connect().send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")


def speaks_before_the_answer(site: MemorySite) -> None:
    peer = site.connect()
    peer.send(request("/handshake?wait=1000"))
    peer.send(bytes(100_000))


def is_no_http(site: MemorySite) -> None:
    site.connect().send(b"\x16\x03\x01 TLS\r\n\r\n")


def sends_headers_too_slowly(site: MemorySite) -> None:
    site.connect().send(b"GET / HTTP/1.1\r\n")
    pass_time(site.clock, 5)


def is_one_too_many(site: MemorySite) -> None:
    for _ in range(4):
        site.connect()


@pytest.mark.parametrize(
    ("peer", "cause"),
    [
        (does_not_close, "cut: did not close in time"),
        (stops_reading, "cut: stopped reading"),
        (answers_no_ping, "cut: no pong"),
        (is_a_slow_member, "left the room: read too slowly"),
        (breaks_the_protocol, "closed with 1002"),
        (asks_for_a_refusal, "handshake answered 5xx, as asked for"),
        (has_no_version, "handshake answered 400"),
        (speaks_before_the_answer, "cut: much data before the handshake's answer"),
        (is_no_http, "answered 400"),
        (sends_headers_too_slowly, "answered 408"),
        (is_one_too_many, "over max_connections"),
    ],
    ids=lambda each: each.__name__ if callable(each) else None,
)
def test_a_peer(peer: Callable[[MemorySite], None], cause: str) -> None:
    """What a peer does is counted under the label that dashboards and logs know."""
    site = MemorySite(INI)
    peer(site)
    assert site.hub.tally.counts == {cause: 1}
