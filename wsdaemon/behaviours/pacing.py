"""Output that waits: replies delayed, bytes at a pace.

What is queued here counts against the same bounds as what is queued for a slow peer: beyond `read_ahead` nothing more
is read from the client, and what all connections have queued counts for `read_ahead_all`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.deadlines import Deadlines
from wsdaemon.websocket.outbox import HELD, Outbox, Sender

TICK = 0.02
"""How often, in seconds, something is sent where a rate is held; less often where a byte takes longer."""

PIECE = 1 << 16
"""How many bytes may be queued at a pace before replies that are due wait."""

_OVERHEAD = 256
"""What a delayed reply counts for beside its bytes."""

Reply = tuple[bytes, bool]
"""A message, and whether it is binary."""


class PacedSender(Sender, Protocol):
    """A connection, as far as its paced output needs it."""

    bounds: BehaviourSettings

    def send_reply(self, reply: Reply) -> None:
        """Send a reply whose delay is over."""

    def in_turn(self, work: Callable[[float], None]) -> None:
        """Have work done in one of the loop's next turns; it is told for how many seconds."""

    def may_go_on(self) -> None:
        """Go on producing: less is queued than was."""


class Delay:
    """Replies that wait, in their order: each for `delay`, and by chance up to `jitter` longer, in milliseconds.

    What is due is sent in turns with all other connections, and not while enough is on its way out already.
    """

    __slots__ = ("_chance", "_connection", "_delay", "_is_stuck", "_jitter", "_outbox", "_waiting", "queued")

    def __init__(self, connection: PacedSender, outbox: PacedOutbox, delay: int, jitter: int, seed: int) -> None:
        self._connection = connection
        self._outbox = outbox
        self._delay = delay
        self._jitter = jitter
        self._chance = random.Random(seed)  # noqa: S311  # so that a run repeats
        self._is_stuck = False
        self._waiting: deque[tuple[float, Reply]] = deque()
        self.queued = 0
        """How many bytes wait."""

    def add(self, reply: Reply) -> None:
        """Have a reply sent when it is due."""
        wait = self._delay + self._chance.random() * self._jitter
        if not wait and not self._waiting:
            self._connection.send_reply(reply)
            return
        self.queued += len(reply[0]) + _OVERHEAD
        self._waiting.append((self._now() + wait / 1000, reply))
        if len(self._waiting) == 1:
            self._wait()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self.queued = 0
        self._is_stuck = False
        self._connection.deadlines.cancel("delay")

    def go_on(self) -> None:
        """Send on what is due and could not be sent."""
        if self._is_stuck:
            self._is_stuck = False
            self._connection.in_turn(self._send_due)

    def _now(self) -> float:
        return self._connection.hub.clock.seconds()

    def _wait(self) -> None:
        due = max(0.0, self._waiting[0][0] - self._now())
        self._connection.deadlines.set("delay", due, lambda: self._connection.in_turn(self._send_due))

    def _send_due(self, share: float) -> None:
        """Send what is due, for at most `share` seconds."""
        begun = perf_counter()
        while self._waiting and self._waiting[0][0] <= self._now() + 1e-6:
            if self._outbox.is_blocked:
                self._is_stuck = True
                return
            _, reply = self._waiting.popleft()
            self.queued -= len(reply[0]) + _OVERHEAD
            self._connection.send_reply(reply)
            if perf_counter() - begun > share:
                break
        if self._waiting and not self._is_stuck:
            self._wait()


class Pace:
    """Bytes that go out at a pace: `throttle` bytes a second, or one byte each `drip` milliseconds; 0: not so.

    Once stopped, none goes out any more.
    """

    __slots__ = ("_at", "_chunk", "_deadlines", "_done", "_due", "_every", "_is_paced", "_now", "_send", "_stopped",
                 "_waiting", "throttle")  # fmt: skip

    def __init__(
        self, throttle: int, drip: int, deadlines: Deadlines, now: Callable[[], float], send: Callable[[bytes], None]
    ) -> None:
        every, chunk = TICK, 1 << 16
        if throttle:
            chunk = max(1, int(throttle * TICK))
            every = chunk / throttle
        if drip and (not throttle or drip / 1000 * throttle > 1):
            every, chunk = drip / 1000, 1
        self._every, self._chunk = every, chunk
        self.throttle = throttle
        self._is_paced = bool(throttle or drip)
        self._deadlines = deadlines
        self._now = now
        self._send = send
        self._waiting = bytearray()
        self._at = 0
        self._due = 0.0
        self._stopped = False
        self._done: Callable[[], None] | None = None

    @property
    def queued(self) -> int:
        """How many bytes wait."""
        return len(self._waiting) - self._at

    def time_for(self, length: int) -> float:
        """Return how long so many bytes take, in seconds."""
        return -(-length // self._chunk) * self._every if self._is_paced else 0.0

    def add(self, data: bytes) -> None:
        """Have bytes sent when it is their turn."""
        if not (self._stopped or self._is_paced):
            self._send(data)  # until it is stopped
            return
        self._waiting += data
        if not self._stopped and not self._deadlines.running("pace") and self.queued:
            self._deadlines.set("pace", max(0.0, self._due - self._now()), self._tick)

    def stop(self) -> None:
        """Send nothing any more."""
        self._stopped = True
        self._deadlines.cancel("pace")

    def then(self, done: Callable[[], None]) -> None:
        """Call `done` once all that waits is sent, which is never where it was stopped."""
        self._done = done

    def _tick(self) -> None:
        chunk = bytes(self._waiting[self._at : self._at + self._chunk])
        self._at += len(chunk)
        if self._at == len(self._waiting) or self._at > 1 << 16:
            del self._waiting[: self._at]
            self._at = 0
        self._due = self._now() + self._every
        self._send(chunk)
        if self.queued:
            self._deadlines.set("pace", self._every, self._tick)
        elif self._done is not None:
            done, self._done = self._done, None
            done()


class PacedOutbox(Outbox):
    """Output queue whose replies may be delayed and whose bytes may go out at a pace."""

    __slots__ = ("_counted", "_delay", "_pace", "_paced", "_when_replied", "is_deaf")

    def __init__(self, connection: PacedSender) -> None:
        super().__init__(connection)
        self._paced = connection
        self._delay = Delay(connection, self, 0, 0, 0)
        self._pace: Pace | None = None
        self._counted = 0  # of what waits here, how much is counted in the hub
        self._when_replied: Callable[[], None] | None = None
        self.is_deaf = False
        """Whether input is ignored."""

    @property
    def is_full(self) -> bool:
        """Whether input is not taken because of queued output, or because the URL asks for it."""
        return self.is_deaf or super().is_full

    def delay(self, delay: int, jitter: int, seed: int) -> None:
        """Delay replies from now on, by so many milliseconds."""
        self._delay = Delay(self._paced, self, delay, jitter, seed)

    def pace(self, throttle: int, drip: int) -> Pace:
        """Write at a pace from now on; see `Pace`."""
        connection = self._paced
        self._pace = pace = Pace(throttle, drip, connection.deadlines, connection.hub.clock.seconds, self._write_on)
        return pace

    def stop(self) -> None:
        """Write nothing any more."""
        (self._pace or self.pace(0, 0)).stop()

    def time_for(self, length: int) -> float:
        """Return how long so many bytes take at our own pace, in seconds."""
        return 0.0 if self._pace is None else self._pace.time_for(length)

    @property
    def is_behind(self) -> bool:
        """Whether what is written now would have to wait: for the peer, or for its turn at our own pace."""
        return self.is_paused or (self._pace is not None and self._pace.queued > 0)

    @property
    def is_blocked(self) -> bool:
        """Whether replies that are due have to wait: enough is on its way out."""
        return self.is_paused or (self._pace is not None and self._pace.queued > PIECE)

    def cork(self) -> None:
        """Gather nothing: how much waits has to be known."""

    def add(self, reply: Reply) -> None:
        """Have a reply sent when it is due."""
        self._delay.add(reply)

    def forget_delayed(self) -> None:
        """Forget the replies that wait for their time."""
        self._delay.clear()

    def when_replied(self, done: Callable[[], None]) -> None:
        """Call `done` once no reply is delayed any more."""
        if self._delay.queued:
            self._when_replied = done
        else:
            done()

    def write(self, data: bytes) -> None:
        """Write bytes, at the pace that is asked for."""
        if self._pace is None:
            super().write(data)
        else:
            self._pace.add(data)
            self.balance()

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Call `done` once what waits for its pace is written; False, and no call, where nothing does."""
        if self._pace is None or not self._pace.queued:
            return False
        self._pace.then(done)
        return True

    def balance(self) -> None:
        """Count what waits, and read on or not."""
        hub = self._paced.hub
        waits = self._delay.queued + (self._pace.queued if self._pace is not None else 0)
        hub.queued += waits - self._counted
        self._counted = waits
        limits, most = hub.limits, hub.limits.read_ahead
        if self._pace is not None and self._pace.throttle:
            most = min(most, max(1024, int(self._pace.throttle * self._paced.bounds.max_wait)))
        if waits > most or (waits and hub.queued > limits.read_ahead_all):
            self.pause_reading(HELD)
        elif self.paused_for & HELD and waits <= most // 2:
            self.resume_reading(HELD)
            self._paced.may_go_on()
        if not self.is_blocked:
            self._delay.go_on()
        if self._when_replied is not None and not self._delay.queued:
            done, self._when_replied = self._when_replied, None
            done()

    def resumeProducing(self) -> None:
        """The transport has sent everything."""
        super().resumeProducing()
        self._delay.go_on()

    def lost(self) -> None:
        """Let go of everything: the transport is gone."""
        super().lost()
        self._paced.hub.queued -= self._counted
        self._counted = 0

    def _write_on(self, data: bytes) -> None:
        super().write(data)
        self.balance()
