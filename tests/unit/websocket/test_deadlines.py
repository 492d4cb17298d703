"""`SharedTimer`: each that waits has waited exactly its seconds, on one timer of the clock."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wsdaemon.websocket.deadlines import SharedTimer


class Heard:
    """A shared timer of ten seconds, and who was told when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[float, list[str]]] = []
        self.again = ""  # who begins anew when told
        self.timer: SharedTimer[str] = SharedTimer(self.clock, 10, self.expired)

    def expired(self, over: list[str]) -> None:
        """Note who is told, and that nobody who is told waits still."""
        assert not set(over) & set(self.timer.waiting)
        self.told.append((self.clock.seconds(), over))
        for name in self.again:
            self.timer.start(name)

    def at(self, **begun: float) -> None:
        """Have each begin to wait at its second."""
        for name, second in begun.items():
            self.clock.advance(second - self.clock.seconds())
            self.timer.start(name)


@pytest.fixture
def heard() -> Heard:
    """Return the timer, and who was told."""
    return Heard()


def test_each_waits_its_seconds_on_one_timer(heard: Heard) -> None:
    """Whoever began together is told together, the others later; one call of the clock serves all."""
    heard.at(a=0, b=0, c=0.1, d=7)
    assert len(heard.clock.getDelayedCalls()) == 1
    heard.clock.pump([3, 0.1, 6.8, 0.1])
    assert heard.told == [(10, ["a", "b"]), (10.1, ["c"]), (17, ["d"])]
    assert heard.clock.getDelayedCalls() == []


def test_a_start_anew_and_a_cancel(heard: Heard) -> None:
    """Who starts again waits from then on; who cancels is not told, and the last one stops the clock's call."""
    heard.at(a=0, b=1, c=2)
    heard.timer.start("a")
    heard.timer.cancel("b")
    heard.timer.cancel("nobody")
    heard.clock.pump([7.9, 0.1])
    assert heard.told == []
    heard.clock.pump([2])
    assert heard.told == [(12, ["c", "a"])]
    heard.at(d=13)
    heard.timer.cancel("d")
    assert heard.clock.getDelayedCalls() == []


def test_who_is_told_may_start_again(heard: Heard) -> None:
    """As a ping that is answered does."""
    heard.again = "a"
    heard.at(a=0)
    heard.clock.pump([10] * 3)
    assert heard.told == [(10, ["a"]), (20, ["a"]), (30, ["a"])]


def test_who_starts_again_does_not_delay_the_others(heard: Heard) -> None:
    """Each that is told and begins anew leaves the others' time as it was."""
    heard.again = "a"
    heard.at(a=0, b=1, c=9.5)
    heard.clock.pump([0.5, 1, 8.5, 0.5])
    assert heard.told == [(10, ["a"]), (11, ["b"]), (19.5, ["c"])]


def test_other_seconds_hold_for_those_who_wait_already(heard: Heard) -> None:
    """A reload changes how long; a shorter wait holds from the next look on."""
    heard.at(a=0, b=5)
    heard.timer.seconds = 4
    heard.clock.pump([5])
    assert heard.told == [(10, ["a", "b"])]
