"""Caps on connections: in total, per address, and new ones per second. No I/O, reads no clock."""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache

from wsdaemon.settings import ServerSettings
from wsdaemon.websocket.handshake import Lease

PREFIX_V6 = 64
"""A provider gives an IPv6 customer at least a /64, so a /64 counts as one address."""


class Admission:
    """Counts connections, HTTP and WebSocket alike."""

    def __init__(self, settings: ServerSettings) -> None:
        self.total = 0
        self.settings = settings
        self._by_group: Counter[str] = Counter()
        self._buckets: dict[str, tuple[float, float]] = {}  # group -> (tokens left, when that was)

    def admit(self, host: str, now: float) -> Lease | str:
        """Return a lease for a connection from the address `host` at `now` (seconds), or the cap that refuses it.

        An empty host stands for a local socket, which counts in total but for no address.
        """
        group = address_group(host)
        cause = self._refusal(group, now)
        if cause is not None:
            return cause
        self.total += 1
        self._by_group[group] += 1
        return Lease(lambda: self._leave(group))

    def _refusal(self, group: str, now: float) -> str | None:
        settings = self.settings
        if self.total >= settings.max_connections:
            return "max_connections"
        if not group:
            return None
        if self._by_group[group] >= settings.max_per_address:
            return "max_per_address"
        if settings.max_new_per_second and not self._take_token(group, now):
            return "max_new_per_second"
        return None

    def _take_token(self, group: str, now: float) -> bool:
        """Take a token from the group's bucket, which fills up in one second."""
        rate = float(self.settings.max_new_per_second)
        tokens, since = self._buckets.get(group, (rate, now))
        tokens = min(rate, tokens + (now - since) * rate)
        if tokens < 1:
            self._buckets[group] = (tokens, now)
            return False
        self._buckets[group] = (tokens - 1, now)
        if len(self._buckets) > 2 * self.settings.max_connections:
            # After a second without use a bucket is full again: forget it.
            self._buckets = {key: value for key, value in self._buckets.items() if now - value[1] < 1}
        return True

    def _leave(self, group: str) -> None:
        self.total -= 1
        self._by_group[group] -= 1
        if not self._by_group[group]:
            del self._by_group[group]


@lru_cache(maxsize=1024)
def address_group(host: str) -> str:
    """Return what counts as one address: an IPv4 address, even if mapped into IPv6, or an IPv6 /64."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, PREFIX_V6), strict=False))
    return str(address)
