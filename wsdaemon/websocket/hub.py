"""What the connections of one daemon share: numbers, rooms, limits, memory for the slow, and the way out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsdaemon.observe.tally import Tally
from wsdaemon.observe.traffic import Traffic
from wsdaemon.settings import LimitSettings
from wsdaemon.websocket.compression import Compressors
from wsdaemon.websocket.turns import Turns

if TYPE_CHECKING:
    from wsdaemon.websocket.engine import Engine


_Member = TypeVar("_Member")


class Room(set[_Member]):
    """Connections that hear each other. A member may leave while the room is being walked through."""

    def __iter__(self) -> Iterator[_Member]:
        return iter(tuple(super().__iter__()))


class Hub:
    """One for each daemon. `verbose` says whether every frame is logged."""

    def __init__(
        self,
        clock: IReactorTime,
        limits: LimitSettings | None = None,
        tally: Tally | None = None,
        *,
        verbose: bool = False,
    ) -> None:
        self.clock = clock
        self.limits = limits or LimitSettings()
        self.tally = tally or Tally(clock)
        self.verbose = verbose
        self.connections: Room[Engine] = Room()
        self.changes = 0
        """How often someone came or went."""
        self.answering: Room[Engine] = Room()
        """Those whose handshake waits for its answer."""
        self.watchers: Room[Callable[[], None]] = Room()
        """Called when someone comes or goes."""
        self.backlog = 0  # bytes that wait for peers which do not keep up, see FlowControlled.write
        self.traffic = Traffic()
        self.turns = Turns(clock, self.limits.turn_budget)
        self.compressors = Compressors(clock, self.limits.max_compressors, self.limits.compressor_idle)
        self._rooms: dict[str, Room[Any]] = {}
        self._numbers = itertools.count(1)
        self.draining = False
        self.farewell = ""
        """Why everyone has to go, as the Close says it."""
        self._drained: Deferred[None] | None = None

    def use_limits(self, limits: LimitSettings) -> None:
        """Have other bounds hold from now on."""
        self.limits = limits
        self.turns.budget = limits.turn_budget
        self.compressors.limit, self.compressors.idle = limits.max_compressors, limits.compressor_idle

    def room(self, name: str) -> Room[Any]:
        """Return the room of that name; it comes into being when first asked for."""
        return self._rooms.setdefault(name, Room())

    def add(self, connection: Engine) -> int:
        """Note an open connection; returns its number."""
        self.connections.add(connection)
        self.changes += 1
        if self.watchers:
            self._tell_watchers()
        return next(self._numbers)

    def remove(self, connection: Engine) -> None:
        """Note that a connection is gone."""
        self.connections.discard(connection)
        self.changes += 1
        if self.watchers:
            self._tell_watchers()
        if self._drained is not None and not self.connections:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def _tell_watchers(self) -> None:
        for watcher in self.watchers:
            watcher()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in self.connections:
            connection.transport.abortConnection()

    def drain(self, code: int, reason: str) -> Deferred[None]:
        """Close every connection with `code`, and those that still come once they are open; fires when all are gone.

        Their close timeout bounds that.
        """
        self.draining = True
        self.farewell = reason
        drained: Deferred[None] = Deferred()
        self._drained = drained
        for connection in self.answering:
            connection.transport.abortConnection()
        for connection in self.connections:
            connection.close(code, reason)
        if not self.connections and not drained.called:
            self._drained = None
            drained.callback(None)
        return drained
