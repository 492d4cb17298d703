"""What waits on its way out, and what is not read meanwhile.

What a behaviour holds back counts against the same bounds as what waits for a slow peer: beyond `read_ahead` nothing
more is read from the client, and what all connections hold counts for `read_ahead_all`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from wsdaemon.behaviours.framing import Summary, summary
from wsdaemon.behaviours.parameters import Given
from wsdaemon.behaviours.timing import Delay, Pace, TimeParameters
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.flow import FULL

HELD, STALLED, LATER = 8, 16, 32
"""Why nothing is read, beside `flow`'s reasons: too much waits on its way out, the URL asks for it, or what came in
has to wait for what goes out."""


PIECE = 1 << 16
"""How much may be on its way out at a pace before what is due after it waits."""


class Paced(Connection):
    """A connection whose replies may wait, and whose bytes may go out at a pace."""

    bounds: BehaviourSettings = BehaviourSettings()
    """How far the server lets it go (set by the registry)."""
    given: Given = Given(())
    """What its URL asks for (set before `accept`)."""
    batch = 1  # each message may ask for much, so it is looked at after each whether too much waits

    _delay: Delay
    _pace: Pace | None = None
    _deaf = False  # whether what comes in is not looked at any more
    _counted = 0  # of what waits, how much is counted in the hub
    _when_sent: Callable[[], None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nothing is read because too much waits, or because the URL asks for it."""
        return self._deaf or bool(self.read_paused & (FULL | HELD | STALLED | LATER))

    @property
    def is_held_up(self) -> bool:
        """Whether nothing more should be produced now."""
        return self.write_paused or bool(self.read_paused & HELD)

    @property
    def is_behind(self) -> bool:
        """Whether what is written now would have to wait: for the peer, or for its turn at our own pace."""
        return self.write_paused or (self._pace is not None and self._pace.held > 0)

    def is_blocked(self) -> bool:
        """Whether what is due has to wait: enough of what came before it is still on its way out."""
        return self.write_paused or (self._pace is not None and self._pace.held > PIECE)

    def write(self, data: bytes) -> None:
        """Send bytes, at the pace that is asked for."""
        corked, self._corked = self._corked, None  # nothing is kept back: how much waits has to be known
        if self._pace is None:
            super().write(data)
        else:
            self._pace.add(data)
            self._balance()
        self._corked = corked

    def _count(self, data: bytes, known: Summary | None = None) -> Summary:
        """Count raw frames that go out; returns what they are, which may be `known`."""
        what = known or summary(data)
        for (opcode, fin, length), times in what.kinds:
            self.hub.traffic.gave_frame(opcode, length, fin, times)
        return what

    def _write_on(self, data: bytes) -> None:
        super().write(data)
        self._balance()

    def _balance(self) -> None:
        """Count what waits, and read on or not."""
        waits = self._delay.held + (self._pace.held if self._pace is not None else 0)
        self.hub.backlog += waits - self._counted
        self._counted = waits
        limits, most = self.hub.limits, self.hub.limits.read_ahead
        rate = self.given.of(TimeParameters).throttle
        if rate:
            most = min(most, max(1024, int(rate * self.bounds.max_wait)))
        if waits > most or (waits and self.hub.backlog > limits.read_ahead_all):
            self.pause_reading(HELD)
        elif self.read_paused & HELD and waits <= most // 2:
            self.resume_reading(HELD)
            self.may_go_on()
        if not self.is_blocked():
            self._delay.go_on()
        if self._when_sent is not None and not self._delay.held:
            done, self._when_sent = self._when_sent, None
            done()

    def resumeProducing(self) -> None:
        """The peer has taken everything."""
        super().resumeProducing()
        self._delay.go_on()

    def in_turn(self, work: Callable[[float], None]) -> None:
        """Have work done in one of the loop's next turns; it is told for how many seconds."""

        def do() -> None:
            try:
                work(self.hub.turns.share)
            except Exception:  # what it raises ends its own connection
                self.crashed()

        self.hub.turns.add(do, again=True)

    def may_go_on(self) -> None:
        """Less waits than did."""

    def when_sent(self, done: Callable[[], None]) -> None:
        """Call `done` once no reply is delayed any more."""
        if self._delay.held:
            self._when_sent = done
        else:
            done()

    def _every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do something again and again, unless the peer does not keep up."""

        def again() -> None:
            if self.can_send:
                self.deadlines.set(name, seconds, again)
                if not self.is_held_up and not self.frame_left:
                    action()

        self.deadlines.set(name, seconds, again)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self.hub.backlog -= self._counted
        self._counted = 0
        super().connectionLost(reason)
