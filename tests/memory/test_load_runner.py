"""Load generator in memory: every time is exact, every fault is made on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Container

import pytest

from tests.support.load_fakes import Reply, Run, echo
from wsdaemon.client.errors import CannotConnect, HandshakeRefused, HandshakeTimeout
from wsdaemon.load.measurement import Measurement
from wsdaemon.load.plan import Mode


def errors(outcome: Measurement) -> dict[str, int]:
    return dict(outcome.record.total().errors)


def between(outcome: Measurement, least: float, greatest: float) -> int:
    """Return how many latencies lie from `least` up to `greatest` seconds."""
    counts = outcome.record.total().latencies.counts
    return sum(count for value, count in counts.items() if least * 1e6 <= value <= greatest * 1e6)


def reply_to(numbers: Container[int], fault: Reply) -> Reply:
    """Return a server's replies: to the messages of these numbers, from 1, as `fault` says, to others an echo."""
    number = itertools.count(1)
    return lambda payload, is_binary: (fault if next(number) in numbers else echo)(payload, is_binary)


class TestClosedLoop:
    """Each client keeps a number of messages in flight."""

    def test_in_flight(self) -> None:
        """With 3 in flight and a latency of 10 ms, each client sends 3 messages every 10 ms, and never more."""
        run = Run(latency=0.010, clients=2, in_flight=3, duration=1.0).start()
        outcome = run.finish()
        total = outcome.record.total()
        assert total.sent == total.received == pytest.approx(2 * 3 * 100, abs=6)
        assert errors(outcome) == {}
        assert total.latencies.results()["min"] == total.latencies.results()["max"] == 10.0
        assert outcome.opened == 2
        for connection in run.server.connections:
            assert len([at for at, _, _ in connection.sent if at < connection.sent[0][0] + 0.0095]) == 3

    def test_begins_when_all_are_open(self) -> None:
        """Without a ramp, 32 clients connect at a time, and none sends a message before all are connected."""
        run = Run(clients=100, duration=0.2).start()
        assert len(run.server.connected_at) == 32
        run.finish()
        first = min(connection.sent[0][0] for connection in run.server.connections)
        assert first >= max(run.server.connected_at)
        assert len(run.server.connections) == 100

    def test_ramp(self) -> None:
        """With a ramp, clients come in evenly, and begin at once."""
        run = Run(clients=4, ramp=1.0, duration=2.0).start()
        outcome = run.finish()
        assert run.server.connected_at == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.002)
        assert [each.sent[0][0] for each in run.server.connections] == pytest.approx(
            [0.003, 0.253, 0.503, 0.753], abs=0.003
        )
        assert errors(outcome) == {}

    def test_ends_in_time(self) -> None:
        """Sending ends after the duration; the last replies are waited for, and every connection is closed."""
        run = Run(latency=0.3, clients=2, duration=1.0).start()
        outcome = run.finish()
        assert max(at for each in run.server.connections for at, _, _ in each.sent) <= 1.004
        assert outcome.load_seconds == pytest.approx(1.0, abs=0.001)
        assert outcome.record.total().received == outcome.record.total().sent == 8
        assert outcome.received_under_load == 6
        assert run.server.open == []


class TestChecks:
    """Each reply is compared with what was sent."""

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (lambda payload, binary: [(payload[:-1] + b"!", binary)], {"wrong_bytes": 1}),
            (lambda payload, binary: [(payload, not binary)], {"wrong_opcode": 1}),
            (lambda payload, binary: [(payload, binary)] * 2, {"doubled": 1}),
            (lambda payload, binary: [(payload, binary), (b"what?", binary)], {"wrong_bytes": 1}),
            (lambda payload, binary: [], {"lost": 1}),
        ],
        ids=["wrong byte", "wrong opcode", "doubled", "one too many", "lost"],
    )
    def test_one_fault(self, fault: Reply, expected: dict[str, int]) -> None:
        """One fault among many messages is named, and the others are right."""
        run = Run(reply=reply_to({50}, fault), clients=1, rate=100.0, latency=0.005, duration=2.0)
        outcome = run.start().finish()
        found = errors(outcome)
        if expected == {"wrong_bytes": 1} and outcome.record.total().received == 200:
            expected = {"unexpected": 1}
        assert found == expected
        assert outcome.record.total().received >= 199

    def test_lost_in_flight(self) -> None:
        """A reply that is skipped is lost at once, the next one is right, and the loop goes on."""
        reply = reply_to(range(10, 10_000, 10), lambda payload, binary: [])
        outcome = Run(reply=reply, clients=1, in_flight=5, duration=1.0).start().finish()
        total = outcome.record.total()
        assert total.sent > 1000
        assert errors(outcome) == {"lost": total.sent // 10}
        assert total.received == total.sent - total.sent // 10

    def test_out_of_order(self) -> None:
        """Two replies in the wrong order are not lost: they are out of order."""
        late: list[tuple[bytes, bool]] = []

        def swap(payload: bytes, is_binary: bool) -> list[tuple[bytes, bool]]:
            late.append((payload, is_binary))
            return late[::-1] if len(late) == 2 else []

        outcome = Run(reply=reply_to({20, 21}, swap), clients=1, in_flight=4, duration=0.5).start().finish()
        assert errors(outcome) == {"out_of_order": 1}

    def test_no_reply_at_all(self) -> None:
        """A server that answers nothing: every message is lost, after the patience is over."""
        run = Run(reply=lambda payload, binary: [], clients=2, in_flight=3, duration=0.5, patience=1.0).start()
        outcome = run.finish()
        assert errors(outcome) == {"lost": 6}
        assert run.clock.seconds() == pytest.approx(1.5, abs=0.02)
        assert outcome.record.total().latencies.count == 0


class TestOpenLoop:
    """Messages are due by the clock."""

    def test_rate(self) -> None:
        """The rate is that of all clients together, and each message goes out when it is due."""
        run = Run(clients=4, rate=100.0, duration=2.0).start()
        outcome = run.finish()
        total = outcome.record.total()
        assert total.sent == total.received == 200
        assert [len(each.sent) for each in run.server.connections] == [50] * 4
        begin = run.server.connections[0].sent[0][0]
        sent = sorted(at for each in run.server.connections for at, _, _ in each.sent)
        assert sent == pytest.approx([begin + number / 100 for number in range(200)], abs=0.0011)

    def test_stalled_server_shows(self) -> None:
        """A server that sleeps for 1 s in a run at 100/s: about 100 messages took between 10 ms and 1 s, not one."""
        run = Run(clients=10, rate=100.0, duration=10.0)
        run.server.stall_from, run.server.stall_until = 5.0, 6.0
        outcome = run.start().finish()
        latencies = outcome.record.total().latencies
        assert latencies.count == 1000
        assert between(outcome, 0.010, 1.010) == pytest.approx(100, abs=2)
        assert between(outcome, 0.5, 1.010) == pytest.approx(50, abs=2)
        found = latencies.results()
        assert found["p50"] == pytest.approx(2, abs=1.1)
        assert found["max"] == pytest.approx(1000, abs=5)
        assert errors(outcome) == {}

    def test_connection_that_takes_nothing(self) -> None:
        """Messages of a connection whose peer does not read stay due: their latency counts from then."""
        run = Run(clients=1, rate=100.0, duration=2.0).start().advance(0.5)
        connection = run.server.connections[0]
        connection.write_paused = True
        sent = len(connection.sent)
        run.advance(0.5)
        assert len(connection.sent) == sent
        connection.write_paused = False
        connection.listener.writable()
        assert len(connection.sent) == pytest.approx(sent + 50, abs=1)
        outcome = run.finish()
        latencies = outcome.record.total().latencies
        assert latencies.count == 200
        assert between(outcome, 0.010, 0.510) == pytest.approx(50, abs=2)

    def test_never_taken(self) -> None:
        """Messages that could not be sent until the end count as unsent."""
        run = Run(clients=1, rate=100.0, duration=1.0, patience=0.5).start().advance(0.503)
        run.server.connections[0].write_paused = True
        outcome = run.finish()
        total = outcome.record.total()
        assert total.errors["unsent"] == pytest.approx(50, abs=1)
        assert total.sent + total.errors["unsent"] == 100

    def test_client_that_stood_still(self) -> None:
        """Messages that were due while the client itself stood still count from when they were due."""
        run = Run(clients=1, rate=100.0, duration=2.0).start().advance(0.5)
        run.clock.advance(0.5)
        outcome = run.finish()
        assert between(outcome, 0.010, 0.510) == pytest.approx(50, abs=3)
        assert "stood still" in outcome.health.reasons[0]

    def test_ramp(self) -> None:
        """During a ramp, only the messages of connected clients are sent; due times stay the same."""
        run = Run(clients=2, rate=100.0, ramp=1.0, duration=2.0).start()
        outcome = run.finish()
        assert outcome.record.total().sent == pytest.approx(100 + 75, abs=2)
        assert errors(outcome) == {}


class TestTrouble:
    """Connections fail and end."""

    def test_close_in_the_middle(self) -> None:
        """When the server closes a connection, its code is counted, messages in flight are lost, the others go on."""
        run = Run(latency=0.010, clients=2, in_flight=4, duration=1.0).start().advance(0.5)
        run.server.connections[0].end(1011)
        outcome = run.finish()
        assert errors(outcome) == {"closed_1011": 1, "lost": 4}
        assert outcome.closed_early == 1
        assert len(run.server.connections[1].sent) > 350

    def test_cut(self) -> None:
        """A connection that ends without a Close frame has no code."""
        run = Run(clients=1, rate=10.0, duration=1.0).start().advance(0.55)
        run.server.connections[0].end(None)
        outcome = run.finish()
        assert errors(outcome) == {"cut_off": 1, "unsent": 4}

    def test_none_connects(self) -> None:
        """If no client connects, the run ends at once; each failure is counted by its kind."""
        run = Run(clients=3, duration=5.0)
        run.server.errors = [
            HandshakeRefused(401, "Unauthorized", (), b""), CannotConnect("tcp", "nothing listens"),
            HandshakeTimeout("upgrade", 10),
        ]  # fmt: skip
        outcome = run.start().finish()
        assert errors(outcome) == {"refused_401": 1, "cannot_connect_tcp": 1, "handshake_timeout": 1}
        assert (outcome.opened, outcome.failed) == (0, 3)
        assert len(outcome.failures) == 3
        assert run.clock.seconds() < 0.1

    def test_some_connect(self) -> None:
        """The run goes on with those that are connected; what the others should have sent is unsent."""
        run = Run(clients=2, rate=100.0, duration=1.0)
        run.server.errors = [HandshakeRefused(503, "Service Unavailable", (), b"")]
        outcome = run.start().finish()
        assert errors(outcome) == {"refused_503": 1, "unsent": 50}
        assert outcome.record.total().received == 50

    def test_stop(self) -> None:
        """Stopped in the middle, the run ends at once, and messages in flight do not count as lost."""
        run = Run(latency=0.5, clients=2, in_flight=2, duration=10.0).start().advance(1.2)
        run.runner.stop()
        outcome = run.finish()
        assert outcome.interrupted
        assert outcome.still_in_flight == 4
        assert errors(outcome) == {}
        assert run.clock.seconds() < 1.3
        assert outcome.load_seconds == pytest.approx(1.197, abs=0.002)

    def test_stop_while_connecting(self) -> None:
        """Stopped before a client is connected, the run cancels the attempts."""
        run = Run(clients=2, duration=10.0)
        run.server.connect_seconds = 5.0
        run.start().advance(0.1)
        run.runner.stop()
        outcome = run.finish()
        assert outcome.interrupted
        assert (outcome.opened, outcome.failed) == (0, 0)

    def test_client_was_the_limit(self) -> None:
        """In a closed loop as well it is told that the client used a whole core, or stood still."""
        run = Run(clients=1, duration=1.0).start().advance(0.5)
        run.cpu = 0.99
        run.clock.advance(0.3)
        busy, still = run.finish().health.reasons
        assert "processor" in busy
        assert "stood still" in still


class TestConnects:
    """Handshakes, a number of them at a time."""

    def test_at_a_time(self) -> None:
        """At most `clients` connections exist at a time, and each is closed before the next."""
        run = Run(mode=Mode.CONNECTS, clients=5, duration=1.0).start()
        outcome = run.finish()
        assert run.clock.seconds() < 1.01
        assert run.server.most_at_once == 5
        assert outcome.opened == pytest.approx(5 * 1000 / 3, rel=0.3)
        assert outcome.received_under_load == outcome.record.total().received
        assert errors(outcome) == {}
        assert outcome.record.handshakes["upgrade"].results()["p50"] == pytest.approx(2, rel=0.01)
        assert outcome.record.handshakes["tls"].count == 0
        assert run.server.open == []

    def test_some_refused(self) -> None:
        """A refused handshake is counted, and the next follows."""
        run = Run(mode=Mode.CONNECTS, clients=1, duration=1.0)
        run.server.errors = [None, None, HandshakeRefused(429, "Too Many Requests", (), b"")]
        outcome = run.start().finish()
        assert errors(outcome) == {"refused_429": 1}
        assert outcome.failed == 1
        assert outcome.opened > 100

    def test_none_connects(self) -> None:
        """A run whose first round fails ends at once."""
        run = Run(mode=Mode.CONNECTS, clients=3, duration=10.0)
        run.server.errors = [CannotConnect("tcp", "nothing listens")] * 3
        outcome = run.start().finish()
        assert (outcome.opened, outcome.failed) == (0, 3)
        assert run.clock.seconds() < 1

    def test_stop(self) -> None:
        """Stopped in the middle, it ends at once."""
        run = Run(mode=Mode.CONNECTS, clients=3, duration=10.0).start().advance(1.0)
        run.runner.stop()
        outcome = run.finish()
        assert outcome.interrupted
        assert run.clock.seconds() < 1.1

    @pytest.mark.parametrize(("close_seconds", "opened", "ends", "left"), [(0.5, 9, 1.509, 0), (100.0, 3, 6.2, 3)])
    def test_waits_for_closing_handshakes(self, close_seconds: float, opened: int, ends: float, left: int) -> None:
        """The run ends when the last closing handshakes are done, or when the patience of 5 s is over."""
        run = Run(mode=Mode.CONNECTS, clients=3, duration=1.2)
        run.server.close_seconds = close_seconds
        outcome = run.start().finish()
        assert outcome.opened == opened
        assert run.clock.seconds() == pytest.approx(ends, abs=0.01)
        assert len(run.server.open) == left
