"""The loop's time is shared: a turn has an end, and everybody gets a share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.memory import MemorySite
from tests.support.wire import TEXT, Frame
from wsdaemon.subprotocols.assemble import EchoAssemble
from wsdaemon.websocket import input as input_
from wsdaemon.websocket import turns
from wsdaemon.websocket.turns import Turns


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that work takes, in its only entry: tests add to it."""
    now = [0.0]
    monkeypatch.setattr(turns, "perf_counter", lambda: now[0])
    monkeypatch.setattr(input_, "perf_counter", lambda: now[0])
    return now


class Loop:
    """A loop whose turns are made by hand."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []

    def callLater(self, _delay: float, call: Callable[[], None]) -> None:
        self._calls.append(call)

    def turn(self) -> bool:
        """Make a turn; says whether there was anything to do."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        return bool(calls)


def test_a_turn_ends(time: list[float]) -> None:
    """When the budget is spent the rest waits for the next turn; newcomers and others take turns, in order."""
    loop = Loop()
    queue = Turns(loop, budget=1.0)  # type: ignore[arg-type]  # all that it needs of a clock
    done: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def do() -> None:
            done.append(name)
            time[0] += 0.3

        return do

    for number in range(3):
        queue.add(work(f"again {number}"), again=True)
        queue.add(work(f"fresh {number}"))
    assert done == []
    loop.turn()
    assert done == ["fresh 0", "again 0", "fresh 1", "again 1"]
    loop.turn()
    assert done[4:] == ["fresh 2", "again 2"]
    assert not loop.turn()


def test_what_takes_longer_than_a_turn_goes_on(time: list[float]) -> None:
    """A piece of work that is longer than the budget has its turn all the same."""
    loop = Loop()
    queue = Turns(loop, budget=1.0)  # type: ignore[arg-type]  # all that it needs of a clock
    left = [5]

    def work() -> None:
        time[0] += 7
        left[0] -= 1
        if left[0]:
            queue.add(work, again=True)

    queue.add(work)
    while loop.turn():
        pass
    assert left == [0]


def test_after_heavy_work_others_wait_for_the_next_turn(time: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """What many bring in one turn is not all worked on in that turn, and comes out right in the next."""
    site = MemorySite("[limits]\nturn_budget = 0.005")
    peers = [site.open("/echo-assemble") for _ in range(4)]
    real = EchoAssemble.message_received

    def slow(self: EchoAssemble, message: bytes, is_binary: bool) -> None:
        time[0] += 0.003
        real(self, message, is_binary)

    monkeypatch.setattr(EchoAssemble, "message_received", slow)
    for peer in peers:
        peer.transport.protocol.dataReceived(Frame(TEXT, b"x").masked())
    answered = [bool(peer.transport.value()) for peer in peers]
    assert answered == [True, True, False, False]
    peers[0].settle()
    assert [peer.frames() for peer in peers] == [[Frame(TEXT, b"x")]] * 4
    assert all(peer.transport.producerState == "producing" for peer in peers)
