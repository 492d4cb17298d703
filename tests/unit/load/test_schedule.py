"""Schedule and plan: due times depend on nothing that happens, and options are checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdaemon.load.plan import LoadPlan, Mode, Sizes, messages, parse_sizes
from wsdaemon.load.schedule import Schedule, start_of


class TestSchedule:
    """Due times of an open loop."""

    def test_even(self) -> None:
        """100 messages a second are due every 10 ms, from the very beginning, and none at the end of the run."""
        schedule = Schedule(100, 3, 1.0)
        assert schedule.total == 100
        assert list(schedule.take(0.0)) == [0]
        assert list(schedule.take(0.0099)) == []
        assert list(schedule.take(0.01)) == [1]
        assert schedule.next_due() == pytest.approx(0.02)
        assert list(schedule.take(5.0)) == list(range(2, 100))
        assert schedule.next_due() is None

    def test_in_turn(self) -> None:
        """The clients share the messages in turn."""
        schedule = Schedule(10, 3, 1.0)
        assert [schedule.client(number) for number in schedule.take(1.0)] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]

    def test_late_look_moves_nothing(self) -> None:
        """A late look finds all messages that are due by then, with their own due times."""
        schedule = Schedule(100, 1, 10.0)
        schedule.take(1.0)
        assert [round(schedule.due(number), 6) for number in schedule.take(1.05)] == [1.01, 1.02, 1.03, 1.04, 1.05]

    @given(
        rate=st.floats(0.1, 20_000), duration=st.floats(0.01, 3),
        looks=st.lists(st.floats(0, 4), max_size=30), clients=st.integers(1, 50),
    )  # fmt: skip
    def test_every_message_once(self, rate: float, duration: float, looks: list[float], clients: int) -> None:
        """However often and whenever one looks, each message is taken once, and none before it is due."""
        schedule = Schedule(rate, clients, duration)
        taken: list[int] = []
        for look in sorted(looks):
            new = schedule.take(look)
            assert all(schedule.due(number) <= look + 1e-6 for number in new)
            taken += new
        taken += schedule.take(1e9)
        assert taken == list(range(schedule.total))

    def test_ramp(self) -> None:
        """The clients come in evenly, the first at once."""
        assert [start_of(client, 4, 2.0) for client in range(4)] == [0.0, 0.5, 1.0, 1.5]


class TestPlan:
    """A plan is checked before the run begins."""

    @pytest.mark.parametrize(
        "options",
        [
            {"clients": 0}, {"clients": 10**6}, {"duration": 0}, {"duration": float("nan")}, {"ramp": 11.0},
            {"rate": 0}, {"rate": float("inf")}, {"in_flight": 0}, {"in_flight": 513},
            {"mode": Mode.CONNECTS, "rate": 5.0}, {"patience": -1},
        ],
        ids=str,
    )  # fmt: skip
    def test_impossible(self, options: dict[str, float]) -> None:
        """Options that make no sense are refused."""
        with pytest.raises(ValueError, match=r"is a .*number|within the duration|waited for|no rate"):
            LoadPlan(**options)  # type: ignore[arg-type]

    def test_sizes(self) -> None:
        """A size is a number of bytes, or a range."""
        assert parse_sizes("64") == Sizes(64, 64)
        assert parse_sizes("0-4096") == Sizes(0, 4096)
        for text in ("", "x", "64-", "-64", "9-8", "1e3", "99999999999", "999999999"):
            with pytest.raises(ValueError, match=r"is not a size|wrong way round|at most"):
                parse_sizes(text)

    @pytest.mark.parametrize("binary", [False, True])
    def test_messages(self, binary: bool) -> None:
        """Messages have the sizes asked for, differ where their size allows it, and are the same for the same seed."""
        plan = LoadPlan(sizes=Sizes(3, 300), binary=binary)
        pool = messages(plan)
        assert len(set(pool)) == len(pool) == 1024
        assert {len(each) for each in pool} <= set(range(3, 301))
        assert min(map(len, pool)) < 10
        assert max(map(len, pool)) > 290
        assert pool == messages(plan)
        assert pool != messages(LoadPlan(sizes=Sizes(3, 300), binary=binary, seed=2))

    @pytest.mark.parametrize("size", [0, 1, 2, 64])
    def test_small_messages(self, size: int) -> None:
        """Even the smallest messages have their size, and texts are text."""
        for binary in (False, True):
            pool = messages(LoadPlan(sizes=Sizes(size, size), binary=binary))
            assert {len(each) for each in pool} == {size}
        assert all(each.isascii() for each in messages(LoadPlan(sizes=Sizes(size, size))))

    def test_large_messages(self) -> None:
        """Large messages are few, so that they fit into memory."""
        assert sum(map(len, messages(LoadPlan(sizes=Sizes(1 << 20, 1 << 20))))) <= 1 << 24
        assert len(messages(LoadPlan(sizes=Sizes(1 << 24, 1 << 24)))) == 2
