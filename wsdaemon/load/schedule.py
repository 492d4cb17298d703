"""Due times of an open loop: pure arithmetic, no clock.

Message k is due k / rate seconds after the beginning of the run, and sent by client k modulo the number of clients,
whatever the server, the network or this program do: nothing moves a due time.
"""

from __future__ import annotations

import math

_ROUNDING = 1e-9
"""How many seconds early a message is due, so that rounding does not delay it by a tick."""


class Schedule:
    """Due times of a run, taken in order.

    Args:
        rate: messages a second, of all clients together.
        clients: how many clients send them, in turn.
        duration: for how many seconds messages are due; none is at the very end.

    """

    def __init__(self, rate: float, clients: int, duration: float) -> None:
        self._rate = rate
        self._clients = clients
        self.total = math.ceil(round(rate * duration, 6))
        """How many messages the run has."""
        self._next = 0

    def take(self, elapsed: float) -> range:
        """Return the numbers of the messages that are due by `elapsed` seconds and were not taken before."""
        first = self._next
        self._next = max(first, min(self.total, math.floor((elapsed + _ROUNDING) * self._rate) + 1))
        return range(first, self._next)

    def due(self, number: int) -> float:
        """Return when a message is due, in seconds since the beginning of the run."""
        return number / self._rate

    def client(self, number: int) -> int:
        """Return the index of the client that sends a message."""
        return number % self._clients

    def next_due(self) -> float | None:
        """Return when the next message is due, in seconds since the beginning; None at the end."""
        return None if self._next >= self.total else self.due(self._next)


def start_of(client: int, clients: int, ramp: float) -> float:
    """Return when a client connects, in seconds since the beginning of a ramp of `ramp` seconds."""
    return ramp * client / clients
