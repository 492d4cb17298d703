"""What the connections of one daemon share: numbers, rooms, limits, counters, the loop's time, and drain."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsdaemon.observe.tally import Cause, Tally
from wsdaemon.observe.traffic import Traffic
from wsdaemon.settings import LimitSettings
from wsdaemon.websocket.compression import Compressors
from wsdaemon.websocket.deadlines import SharedTimer
from wsdaemon.websocket.turns import Turns

_Each = TypeVar("_Each")


class Queue(Protocol):
    """Outbox, as far as the status page uses it."""

    queued: int


class Member(Protocol):
    """Connection, as far as code that walks over all connections uses it."""

    number: int
    peer: str
    target: str
    subprotocol: ClassVar[str]
    opened_at: float
    transport: Any

    @property
    def can_send(self) -> bool:
        """Whether it is open, and not closing."""

    @property
    def outbox(self) -> Queue:
        """What is queued for the peer."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    def abort(self) -> None:
        """Cut the stream."""


class Room(set[_Each]):
    """Connections that hear each other. A member may leave while the room is being walked through."""

    def __iter__(self) -> Iterator[_Each]:
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
        self.connections: Room[Member] = Room()
        self.changes = 0
        """How often a connection was opened or went."""
        self.answering: Room[Member] = Room()
        """Connections whose handshake is not answered yet."""
        self.watchers: Room[Callable[[], None]] = Room()
        """Called when a connection is opened or goes."""
        self.queued = 0
        """Bytes queued for peers that do not keep up, of all connections."""
        self.traffic = Traffic()
        self.turns = Turns(clock, self.limits.turn_budget)
        self.compressors = Compressors(clock, self.limits.max_compressors, self.limits.compressor_idle)
        self.ping_timers: dict[float, SharedTimer[Any]] = {}
        """The timers of the keep-alive's pings, by their interval."""
        self._rooms: dict[str, Room[Any]] = {}
        self._numbers = itertools.count(1)
        self.draining = False
        self.farewell = ""
        """The reason in the Close when draining."""
        self._drained: Deferred[None] | None = None

    def use_limits(self, limits: LimitSettings) -> None:
        """Have other bounds hold from now on."""
        self.limits = limits
        self.turns.budget = limits.turn_budget
        self.compressors.limit, self.compressors.timer.seconds = limits.max_compressors, limits.compressor_idle

    def handshake_answered(self, status: int, refusal: Cause | None = None) -> None:
        """Count an opening handshake by the status that answers it, and the cause if that refuses it."""
        self.traffic.handshakes[status] += 1
        if refusal is not None:
            self.tally.count(refusal, status=status, hundreds=status // 100)

    def room(self, name: str) -> Room[Any]:
        """Return the room of that name; it is made when it is first asked for."""
        return self._rooms.setdefault(name, Room())

    def add(self, connection: Member) -> int:
        """Note an open connection; returns its number."""
        self.connections.add(connection)
        self.changes += 1
        if self.watchers:
            self._tell_watchers()
        return next(self._numbers)

    def remove(self, connection: Member) -> None:
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
            connection.abort()

    def drain(self, code: int, reason: str) -> Deferred[None]:
        """Close every connection with `code`, including those whose handshake completes later; fires when none is left.

        The close timeout bounds that.
        """
        self.draining = True
        self.farewell = reason
        drained: Deferred[None] = Deferred()
        self._drained = drained
        for connection in self.answering:
            connection.abort()
        for connection in self.connections:
            connection.close(code, reason)
        if not self.connections and not drained.called:
            self._drained = None
            drained.callback(None)
        return drained
