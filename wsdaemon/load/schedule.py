"""When each message of an open loop is due: pure arithmetic, no clock.

Message k of the run is due k / rate seconds after its beginning, and falls to client k modulo the number of clients.
That holds whatever the server, the network or this program do: nothing here moves a due time.
"""

from __future__ import annotations

import math

_ROUNDING = 1e-9
"""A message is due this many seconds early, so that the rounding of floats does not make it a tick late."""


class Schedule:
    """The due times of a run, taken in order.

    Args:
        rate: messages a second, of all clients together.
        clients: how many clients share them, in turn.
        duration: the seconds in which messages become due; at its very end none is.

    """

    def __init__(self, rate: float, clients: int, duration: float) -> None:
        self._rate = rate
        self._clients = clients
        self.total = math.ceil(round(rate * duration, 6))
        """How many messages the run has."""
        self._next = 0

    def take(self, elapsed: float) -> range:
        """Return the numbers of the messages that came due by `elapsed` seconds and were not taken before."""
        first = self._next
        self._next = max(first, min(self.total, math.floor((elapsed + _ROUNDING) * self._rate) + 1))
        return range(first, self._next)

    def due(self, number: int) -> float:
        """Return when a message is due, in seconds from the beginning of the run."""
        return number / self._rate

    def client(self, number: int) -> int:
        """Return the index of the client that a message falls to."""
        return number % self._clients

    def next_due(self) -> float | None:
        """Return when the next message is due that was not taken, in seconds from the beginning; None at the end."""
        return None if self._next >= self.total else self.due(self._next)


def start_of(client: int, clients: int, ramp: float) -> float:
    """Return when a client is to connect, in seconds from the beginning of a ramp of `ramp` seconds."""
    return ramp * client / clients
