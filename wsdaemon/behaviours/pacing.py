"""Output that waits: replies are delayed, and bytes go out at a pace.

What is queued here has the same bounds as what is queued for a slow peer: above `read_ahead`, the client's input is not
read; and it counts towards `read_ahead_all`, which all connections share.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.outbox import HELD, Outbox, Sender

TICK = 0.02
"""The time between two writes of throttled output, in seconds; longer where one byte takes longer."""

PIECE = 1 << 16
"""How many bytes may be queued at a pace before replies that are due wait."""

_OVERHEAD = 256
"""How many bytes a delayed reply counts for beside its own."""

Reply = tuple[bytes, bool]
"""A message, and whether it is binary."""


class PacedSender(Sender, Protocol):
    """A connection, as far as its paced output needs it."""

    bounds: BehaviourSettings

    def send_reply(self, reply: Reply) -> None:
        """Send a reply whose delay is over."""

    def in_turn(self, work: Callable[[float], None]) -> None:
        """Have `work` called in one of the loop's next turns, with its share of the turn in seconds."""

    def may_go_on(self) -> None:
        """Go on producing: less is queued than before."""


class Delay:
    """Queue of delayed replies, sent in order. Before `begin`, replies are sent at once.

    Replies that are due are sent in turns with all other connections, and wait while much output is queued already.
    """

    __slots__ = ("_chance", "_connection", "_delay", "_done", "_is_stuck", "_jitter", "_outbox", "_waiting", "queued")

    def __init__(self, connection: PacedSender, outbox: PacedOutbox) -> None:
        self._connection = connection
        self._outbox = outbox
        self._delay = self._jitter = 0
        self._chance: random.Random | None = None
        self._is_stuck = False
        self._waiting: deque[tuple[float, Reply]] = deque()
        self._done: Callable[[], None] | None = None
        self.queued = 0
        """How many bytes wait."""

    def begin(self, delay: int, jitter: int, seed: int) -> None:
        """Delay each reply by `delay` milliseconds, and by up to `jitter` more, at random."""
        self._delay, self._jitter = delay, jitter
        self._chance = random.Random(seed)  # noqa: S311  # so that a run repeats

    def add(self, reply: Reply) -> None:
        """Send a reply when it is due."""
        wait = self._delay + self._chance.random() * self._jitter if self._chance is not None else 0.0
        if not wait and not self._waiting:
            self._connection.send_reply(reply)
            return
        self.queued += len(reply[0]) + _OVERHEAD
        self._waiting.append((self._now() + wait / 1000, reply))
        if len(self._waiting) == 1:
            self._wait()

    def clear(self) -> None:
        """Forget the replies that wait."""
        self._waiting.clear()
        self.queued = 0
        self._is_stuck = False
        self._done = None
        self._connection.deadlines.cancel("delay")

    def go_on(self) -> None:
        """Send the replies that were due while too much output was queued."""
        if self._is_stuck:
            self._is_stuck = False
            self._connection.in_turn(self._send_due)

    def then(self, done: Callable[[], None]) -> None:
        """Call `done` once no reply waits any more."""
        if self._waiting:
            self._done = done
        else:
            done()

    def _now(self) -> float:
        return self._connection.hub.clock.seconds()

    def _wait(self) -> None:
        due = max(0.0, self._waiting[0][0] - self._now())
        self._connection.deadlines.set("delay", due, lambda: self._connection.in_turn(self._send_due))

    def _send_due(self, share: float) -> None:
        """Send the replies that are due, for at most `share` seconds."""
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
        if self._waiting:
            self._wait()
        elif self._done is not None:
            done, self._done = self._done, None
            done()


class Pace:
    """Queue of bytes that go out at a pace, once one is set or everything is stopped."""

    __slots__ = ("_at", "_chunk", "_connection", "_done", "_due", "_every", "_is_stopped", "_send", "_waiting",
                 "is_free", "throttle")  # fmt: skip

    def __init__(self, connection: PacedSender, send: Callable[[bytes], None]) -> None:
        self._connection = connection
        self._send = send
        self._every, self._chunk = 0.0, 1  # a chunk of so many bytes goes out every so many seconds
        self._waiting = bytearray()
        self._at = 0
        self._due = 0.0
        self._is_stopped = False
        self._done: Callable[[], None] | None = None
        self.is_free = True
        """Whether bytes go out at once, and are not given to `add`."""
        self.throttle = 0
        """How many bytes go out per second; 0: not limited."""

    def begin(self, throttle: int, drip: int) -> None:
        """Send `throttle` bytes per second, or a byte every `drip` milliseconds: the slower; 0: no such limit."""
        self.throttle = throttle
        if throttle:
            self._chunk = max(1, int(throttle * TICK))
            self._every = self._chunk / throttle
        if drip and (not throttle or drip / 1000 * throttle > 1):
            self._every, self._chunk = drip / 1000, 1
        self.is_free = not self._every

    @property
    def queued(self) -> int:
        """How many bytes wait."""
        return len(self._waiting) - self._at

    def time_for(self, length: int) -> float:
        """Return how long that many bytes take, in seconds."""
        return -(-length // self._chunk) * self._every

    def add(self, data: bytes) -> None:
        """Send bytes when it is their turn."""
        self._waiting += data
        deadlines = self._connection.deadlines
        if self.queued and not self._is_stopped and not deadlines.running("pace"):
            deadlines.set("pace", max(0.0, self._due - self._connection.hub.clock.seconds()), self._tick)

    def stop(self) -> None:
        """Send nothing any more."""
        self.is_free, self._is_stopped = False, True
        self._connection.deadlines.cancel("pace")

    def then(self, done: Callable[[], None]) -> None:
        """Call `done` once all bytes that wait are sent; after `stop`, never."""
        self._done = done

    def _tick(self) -> None:
        chunk = bytes(self._waiting[self._at : self._at + self._chunk])
        self._at += len(chunk)
        if self._at == len(self._waiting) or self._at > 1 << 16:
            del self._waiting[: self._at]
            self._at = 0
        self._due = self._connection.hub.clock.seconds() + self._every
        self._send(chunk)
        if self.queued:
            self._connection.deadlines.set("pace", self._every, self._tick)
        elif self._done is not None:
            done, self._done = self._done, None
            done()


class PacedOutbox(Outbox):
    """Output queue whose replies may be delayed and whose bytes may go out at a pace."""

    __slots__ = ("_counted", "_paced", "delayed", "is_deaf", "pace")

    def __init__(self, connection: PacedSender) -> None:
        super().__init__(connection)
        self._paced = connection
        self.delayed = Delay(connection, self)
        self.pace = Pace(connection, self._write_on)
        self._counted = 0  # the part of the hub's `queued` that is ours
        self.is_deaf = False
        """Whether input is ignored."""

    @property
    def is_full(self) -> bool:
        """Whether input is not taken because of queued output, or because the URL asks for it."""
        return self.is_deaf or super().is_full

    @property
    def is_behind(self) -> bool:
        """Whether new output would have to wait: for the peer, or for its turn at our own pace."""
        return self.is_paused or self.pace.queued > 0

    @property
    def is_blocked(self) -> bool:
        """Whether replies that are due have to wait, because enough output is queued."""
        return self.is_paused or self.pace.queued > PIECE

    def cork(self) -> None:
        """Gather nothing: how much waits has to be known."""

    def write(self, data: bytes) -> None:
        """Write bytes, at the pace that is set."""
        if self.pace.is_free:
            super().write(data)
        else:
            self.pace.add(data)
            self.balance()

    def when_sent(self, done: Callable[[], None]) -> bool:
        """Call `done` once the bytes that wait for their pace are written; False, and no call, if there are none."""
        if not self.pace.queued:
            return False
        self.pace.then(done)
        return True

    def balance(self) -> None:
        """Count what waits; then read the client's input, or stop reading it."""
        hub, throttle = self._paced.hub, self.pace.throttle
        waits = self.delayed.queued + self.pace.queued
        hub.queued += waits - self._counted
        self._counted = waits
        most = hub.limits.read_ahead
        if throttle:
            most = min(most, max(1024, int(throttle * self._paced.bounds.max_wait)))
        if waits > most or (waits and hub.queued > hub.limits.read_ahead_all):
            self.pause_reading(HELD)
        elif self.paused_for & HELD and waits <= most // 2:
            self.resume_reading(HELD)
            self._paced.may_go_on()
        if not self.is_blocked:
            self.delayed.go_on()

    def resumeProducing(self) -> None:
        """The transport has sent everything."""
        super().resumeProducing()
        self.delayed.go_on()

    def lost(self) -> None:
        """Let go of everything: the transport is gone."""
        super().lost()
        self._paced.hub.queued -= self._counted
        self._counted = 0

    def _write_on(self, data: bytes) -> None:
        super().write(data)
        self.balance()
