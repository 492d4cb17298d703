"""Every frame is counted once, on every path."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.memory import MemorySite
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.wire import CLOSE, Frame


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_frame_of_every_scenario_counts_once(scenario: Scenario) -> None:
    """All subprotocols, whole and in fragments, plain and compressed: frames in and out, by opcode and bytes."""
    site = MemorySite()
    peer = site.open("/", subprotocols=scenario.name)
    for frame in scenario.sends:
        peer.send(frame)
    got = peer.frames()
    traffic = site.hub.traffic
    assert traffic.frames_out == counted(got)
    assert traffic.bytes_out == counted(got, octets=True)
    assert traffic.messages_out == sum(frame.fin and frame.opcode < CLOSE for frame in got)
    if not any(frame.opcode == CLOSE for frame in got):  # what follows a wrong frame is not looked at
        assert traffic.frames_in == counted(scenario.sends)
        assert traffic.bytes_in == counted(scenario.sends, octets=True)
        assert traffic.messages_in == sum(frame.fin and frame.opcode < CLOSE for frame in scenario.sends)


def counted(frames: list[Frame], *, octets: bool = False) -> list[int]:
    counts: Counter[int] = Counter()
    for frame in frames:
        counts[frame.opcode] += len(frame.payload) if octets else 1
    return [counts[opcode] for opcode in range(16)]
