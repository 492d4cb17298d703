"""Late, slow, in drops, or not at all: when replies and pongs go out, and how fast."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

from wsdaemon.behaviours.kinds import Milliseconds
from wsdaemon.behaviours.ordering import Reply
from wsdaemon.behaviours.parameters import Family, parameter
from wsdaemon.options import Choice, Number, Size
from wsdaemon.websocket.deadlines import Deadlines

TICK = 0.02
"""How often something is sent where a rate is held, in seconds; less often where a byte takes longer."""

_LONG = 86_400_000
_OVERHEAD = 256
"""What a waiting reply counts for beside its bytes."""


@dataclass(frozen=True, kw_only=True)
class TimeParameters:
    """When replies and pongs go out, how fast, and what is never sent or read."""

    family: ClassVar = Family(4, "time", "late, slow, stalled, and pongs as they should not be")

    delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each reply waits; the order is kept.", example="200", cap="max_wait"
    )
    jitter: int = parameter(
        Milliseconds(0, _LONG), 0, "How much longer it may wait, by chance (see seed).", example="50", cap="max_wait"
    )
    throttle: int = parameter(
        Size(0, 1 << 30), 0, "How many bytes a second are sent, in all. 0: any.", example="10k"
    )  # fmt: skip
    drip: int = parameter(
        Milliseconds(0, 10_000), 0, "All frames go out a byte at a time, with so long between two. 0: they do not.",
        example="10", rfc="RFC 6455 section 5.2",
    )  # fmt: skip
    stall: str = parameter(
        Choice(("no", "read", "write", "both")), "no",
        "What stops for good: reading from the client, writing to it, or both.", example="both",
    )  # fmt: skip
    stall_after: int = parameter(
        Number(0, 1_000_000), 0, "After how many messages from the client that is.", example="3"
    )
    pong: str = parameter(
        Choice(("yes", "never", "wrong")), "yes", "Whether pings are answered; wrong: with another payload.",
        example="never", rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    pong_delay: int = parameter(
        Milliseconds(0, _LONG), 0, "How long each pong waits.", example="3000", cap="max_wait",
        rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    pongs: int = parameter(
        Milliseconds(0, 3_600_000), 0, "How often a pong is sent that nobody asked for. 0: never.", example="1000",
        rfc="RFC 6455 section 5.5.3",
    )  # fmt: skip
    ping_rate: int = parameter(
        Number(0, 1_000_000), 0, "How many pings a second are sent. 0: none but those that keep the connection alive.",
        example="100", cap="max_rate", rfc="RFC 6455 section 5.5.2",
    )  # fmt: skip

    @property
    def is_paced(self) -> bool:
        """Whether bytes go out at a pace."""
        return bool(self.throttle or self.drip)


class Delay:
    """Replies that wait, in their order; each for `delay`, and by chance up to `jitter` longer.

    What is due is sent in turns with all other connections (`in_turn`), and not while `is_blocked` says that the peer
    does not keep up; `go_on` is to be called once it does.
    """

    __slots__ = (
        "_chance", "_deadlines", "_how", "_in_turn", "_is_blocked", "_is_stuck", "_now", "_send", "_waiting", "held",
    )  # fmt: skip

    def __init__(
        self, how: TimeParameters, seed: int, deadlines: Deadlines, now: Callable[[], float],
        send: Callable[[Reply], None], is_blocked: Callable[[], bool],
        in_turn: Callable[[Callable[[float], None]], None],
    ) -> None:  # fmt: skip
        self._how = how
        self._chance = random.Random(seed)  # noqa: S311  # so that a run repeats
        self._deadlines = deadlines
        self._now = now
        self._send = send
        self._is_blocked = is_blocked
        self._in_turn = in_turn
        self._is_stuck = False
        self._waiting: deque[tuple[float, Reply]] = deque()
        self.held = 0
        """How many bytes wait."""

    def add(self, reply: Reply) -> None:
        """Have a reply sent when it is due."""
        wait = self._how.delay + self._chance.random() * self._how.jitter
        if not wait and not self._waiting:
            self._send(reply)
            return
        self.held += len(reply[0]) + _OVERHEAD
        self._waiting.append((self._now() + wait / 1000, reply))
        if len(self._waiting) == 1:
            self._wait()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self.held = 0
        self._is_stuck = False
        self._deadlines.cancel("delay")

    def go_on(self) -> None:
        """Send on what is due and could not be sent."""
        if self._is_stuck:
            self._is_stuck = False
            self._in_turn(self._send_due)

    def _wait(self) -> None:
        due = max(0.0, self._waiting[0][0] - self._now())
        self._deadlines.set("delay", due, lambda: self._in_turn(self._send_due))

    def _send_due(self, share: float) -> None:
        """Send what is due, for at most `share` seconds."""
        begun = perf_counter()
        while self._waiting and self._waiting[0][0] <= self._now() + 1e-6:
            if self._is_blocked():
                self._is_stuck = True
                return
            _, reply = self._waiting.popleft()
            self.held -= len(reply[0]) + _OVERHEAD
            self._send(reply)
            if perf_counter() - begun > share:
                break
        if self._waiting and not self._is_stuck:
            self._wait()


class Pace:
    """Bytes that go out at a pace. Once stopped, none does any more."""

    __slots__ = (
        "_at",
        "_chunk",
        "_deadlines",
        "_done",
        "_due",
        "_every",
        "_is_paced",
        "_now",
        "_send",
        "_stopped",
        "_waiting",
    )

    def __init__(
        self, how: TimeParameters, deadlines: Deadlines, now: Callable[[], float], send: Callable[[bytes], None]
    ) -> None:  # fmt: skip
        every, chunk = TICK, 1 << 16
        if how.throttle:
            chunk = max(1, int(how.throttle * TICK))
            every = chunk / how.throttle
        if how.drip and (not how.throttle or how.drip / 1000 * how.throttle > 1):
            every, chunk = how.drip / 1000, 1
        self._every, self._chunk = every, chunk
        self._is_paced = how.is_paced
        self._deadlines = deadlines
        self._now = now
        self._send = send
        self._waiting = bytearray()
        self._at = 0
        self._due = 0.0
        self._stopped = False
        self._done: Callable[[], None] | None = None

    @property
    def held(self) -> int:
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
        if not self._stopped and not self._deadlines.running("pace") and self.held:
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
        if self.held:
            self._deadlines.set("pace", self._every, self._tick)
        elif self._done is not None:
            done, self._done = self._done, None
            done()
