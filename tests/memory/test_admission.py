"""Caps on connections: in total, for each address, and new ones per second."""

from __future__ import annotations

import pytest

from tests.support.memory import MemorySite
from wsdaemon.settings import ServerSettings
from wsdaemon.site.admission import Admission, address_group
from wsdaemon.websocket.handshake import Lease


def admit(admission: Admission, host: str, now: float = 0.0) -> Lease:
    lease = admission.admit(host, now)
    assert isinstance(lease, Lease)
    return lease


def test_total() -> None:
    """Beyond max_connections nobody is admitted, from any address; a released place is free again."""
    admission = Admission(ServerSettings(max_connections=2))
    first = admit(admission, "10.0.0.1")
    admit(admission, "10.0.0.2")
    assert admission.admit("10.0.0.3", 0.0) == "max_connections"
    assert admission.admit("", 0.0) == "max_connections"
    first.release()
    first.release()
    admit(admission, "10.0.0.3")
    assert admission.admit("10.0.0.4", 0.0) == "max_connections"
    assert admission.total == 2


def test_per_address() -> None:
    """Each address has max_per_address places of its own."""
    admission = Admission(ServerSettings(max_per_address=2))
    first = admit(admission, "10.0.0.1")
    admit(admission, "::ffff:10.0.0.1")
    assert admission.admit("10.0.0.1", 0.0) == "max_per_address"
    admit(admission, "10.0.0.2")
    first.release()
    admit(admission, "10.0.0.1")


def test_ipv6_by_prefix() -> None:
    """The addresses of one /64 share their places."""
    admission = Admission(ServerSettings(max_per_address=1))
    admit(admission, "2001:db8:0:1::1")
    assert admission.admit("2001:db8:0:1:ffff:ffff:ffff:ffff", 0.0) == "max_per_address"
    admit(admission, "2001:db8:0:2::1")


def test_new_per_second() -> None:
    """An address may open max_new_per_second connections a second, all of one second at once."""
    admission = Admission(ServerSettings(max_new_per_second=10))
    for _ in range(10):
        admit(admission, "10.0.0.1", 5.0).release()
    assert admission.admit("10.0.0.1", 5.0) == "max_new_per_second"
    admit(admission, "10.0.0.2", 5.0)
    admit(admission, "10.0.0.1", 5.125)
    assert admission.admit("10.0.0.1", 5.125) == "max_new_per_second"
    for _ in range(10):
        admit(admission, "10.0.0.1", 7.0)


def test_nothing_is_kept_of_those_who_left() -> None:
    """Millions of addresses leave nothing behind."""
    admission = Admission(ServerSettings(max_new_per_second=5, max_connections=10))
    for number in range(10_000):
        admit(admission, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number / 10).release()
    assert len(admission._by_group) == 0
    assert len(admission._buckets) <= 21


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_groups(host: str, group: str) -> None:
    assert address_group(host) == group


def test_503_beyond_a_cap() -> None:
    """A connection beyond the cap gets a 503, whatever it sends; once another has ended, there is a place again."""
    site = MemorySite("[server]\nmax_connections = 2")
    websocket, http = site.open("/echo"), site.connect()
    late = site.connect()
    late.send(b"GET / HTTP/1.1\r\n")
    assert late.take().startswith(b"HTTP/1.1 503 ")
    assert late.is_ended()
    late.hang_up()
    websocket.hang_up()
    site.open("/echo")
    http.hang_up()
    site.open("/echo")
    assert site.site.hub.tally.counts == {"over max_connections": 1}


def test_refused_connection_that_stays() -> None:
    """A refused connection that does not end is cut; beyond max_refusing, it gets no response at all."""
    site = MemorySite("[server]\nmax_connections = 1")
    site.connect()
    late = [site.connect() for _ in range(100)]
    quiet = site.connect()
    assert quiet.is_aborted()
    assert quiet.take() == b""
    site.clock.advance(10.1)
    assert all(peer.is_aborted() for peer in late)
    assert site.connect().take().startswith(b"HTTP/1.1 503 ")
