"""/metrics counts exactly what clients did; the admin listener is separate from the public port."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from tests.support.daemon import Daemon, Start
from tests.support.loops import run
from tests.support.patience import PATIENCE
from tests.support.raw import RawClient
from tests.support.wire import BINARY, CONTINUATION, PING, TEXT, Frame, close

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

pytestmark = pytest.mark.traced


@pytest.fixture
def own(daemon: Start) -> Iterator[Daemon]:
    started = daemon(ini="[admin]\nenabled = yes\nport = 0\n")
    yield started
    started.stop_well()


def admin(daemon: Daemon) -> int:
    """Return the admin listener's port."""
    return int(daemon.wait_for(r"listening on http://127.0.0.1:([0-9]+)/, admin")[1])


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Return the status, the content type and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def metrics(daemon: Daemon) -> Samples:
    """Return all samples, read by Prometheus' own parser."""
    status, kind, text = get(admin(daemon), "/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"wsdaemon_{name}", frozenset(labels.items())), 0)


def test_the_counts_are_what_the_clients_did(own: Daemon) -> None:
    """Messages, frames and bytes by direction and opcode, handshakes, closes, responses."""
    fragments = [Frame(TEXT, b"one ", fin=False), Frame(CONTINUATION, b"two ", fin=False), Frame(CONTINUATION, b"3")]
    with RawClient(own) as first, RawClient(own, "/echo-assemble") as second, RawClient(own, "/log"):
        for number in range(5):
            first.echo(Frame(TEXT, b"x" * number))
        first.echo(Frame(BINARY, bytes(70_000)))
        for frame in fragments:
            first.echo(frame)
        for frame in fragments:
            second.send(frame)
        assert second.frame() == Frame(TEXT, b"one two 3")
        first.send(Frame(PING, b"12"))
        first.frame()
        during = metrics(own)
        first.send(close(4001))
        assert first.close_code() == 4001
    assert [get(own.port, path)[0] for path in ("/", "/nothing", "/nothing")] == [200, 404, 404]
    with RawClient(own, None) as refused:
        refused.send(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        refused.read_to_end()
    own.wait_for("closed, log")
    own.wait_for("closed, echo-assemble")
    after = metrics(own)

    for subprotocol in ("echo", "echo-assemble", "log"):
        assert value(during, "connections", subprotocol=subprotocol, state="open") == 1
        assert value(after, "connections", subprotocol=subprotocol, state="open") == 0
        assert value(after, "opened_total", subprotocol=subprotocol) == 1
    for direction, texts, text_bytes, more, more_bytes, messages in (
        ("in", 5 + 1 + 1, 10 + 4 + 4, 4, 10, 8),
        ("out", 5 + 1 + 1, 10 + 4 + 9, 2, 5, 8),
    ):
        expected = {
            "text": (texts, text_bytes), "binary": (1, 70_000), "continuation": (more, more_bytes),
            "ping": (1, 2) if direction == "in" else (0, 0), "pong": (1, 2) if direction == "out" else (0, 0),
            "close": (1, 2), "reserved": (0, 0),
        }  # fmt: skip
        for opcode, (frames, octets) in expected.items():
            assert value(after, "frames_total", direction=direction, opcode=opcode) == frames, (direction, opcode)
            assert value(after, "payload_bytes_total", direction=direction, opcode=opcode) == octets, (
                direction,
                opcode,
            )
        assert value(after, "messages_total", direction=direction) == messages
    assert value(after, "handshakes_total", result="101") == 3
    assert value(after, "handshakes_total", result="400") == 1
    assert value(after, "http_responses_total", status="200") == 1
    assert value(after, "http_responses_total", status="404") == 2
    assert value(after, "http_responses_total", status="400") == 1
    assert value(after, "closed_total", side="received", code="4xxx") == 1
    assert value(after, "closed_total", side="sent", code="4xxx") == 1
    assert value(after, "closed_total", side="received", code="none") == 2
    build = next(dict(labels) for name, labels in after if name == "wsdaemon_build_info")
    assert build.keys() == {"version", "python", "twisted", "autobahn"}
    assert after["process_open_fds", frozenset()] > 5
    assert after["process_resident_memory_bytes", frozenset()] > 1e7


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_broadcast_counts_for_everyone_who_gets_it(own: Daemon, compression: str | None) -> None:
    """Ten messages to three members are ten in and thirty out; compressed ones count their bytes on the wire."""

    async def talk() -> None:
        url = f"{own.ws}/echo-broadcast"
        async with (
            connect(url, compression=compression) as first,
            connect(url, compression=compression) as second,
            connect(url, compression=None) as third,
        ):
            for _ in range(10):
                await first.send("x" * 1000)
                for member in (first, second, third):
                    assert await member.recv() == "x" * 1000

    run(talk)
    after = metrics(own)
    assert value(after, "frames_total", direction="in", opcode="text") == 10
    assert value(after, "frames_total", direction="out", opcode="text") == 30
    assert value(after, "messages_total", direction="out") == 30
    octets = value(after, "payload_bytes_total", direction="out", opcode="text")
    assert octets == 30_000 if compression is None else 10_000 < octets < 12_000


class TestTheAdminListener:
    """Health, readiness, and the names that it is reached by."""

    def test_it_is_alive_and_ready(self, own: Daemon) -> None:
        assert get(admin(own), "/healthz") == (200, "text/plain; charset=utf-8", "alive\n")
        assert get(admin(own), "/readyz") == (200, "text/plain; charset=utf-8", "ready\n")

    @pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
    def test_the_public_port_has_nothing_of_it(self, own: Daemon, path: str) -> None:
        assert get(own.port, path)[0] == 404

    @pytest.mark.parametrize("path", ["/listener.py", "/__init__.py", "/__pycache__/", "/../settings.py"])
    def test_only_pages_are_served(self, own: Daemon, path: str) -> None:
        assert get(admin(own), path)[0] == 404

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.2"])
    def test_another_name_is_refused(self, own: Daemon, host: str) -> None:
        """No page can reach it under a name of its own (DNS rebinding)."""
        assert get(admin(own), "/metrics", Host=host)[0] == 421

    @pytest.mark.parametrize(
        ("ini", "host", "expected"),
        [
            ("host_names = ops.example", "ops.example", 200),
            ("host_names = ops.example", "localhost", 200),
            ("host_names = ops.example", "evil.example", 421),
            ("interface = 0.0.0.0\nhost_names = ops.example", "ops.example", 200),
            ("interface = 0.0.0.0\nhost_names = ops.example", "127.0.0.1", 200),
            ("interface = 0.0.0.0\nhost_names = ops.example", "evil.example", 421),
            ("interface = 0.0.0.0", "any.example", 200),
        ],
    )
    def test_names(self, daemon: Callable[..., Daemon], ini: str, host: str, expected: int) -> None:
        """Configured names are accepted besides localhost and the listener's address."""
        own = daemon(ini=f"[admin]\nenabled = yes\nport = 0\n{ini}\n")
        port = int(own.wait_for(r"listening on http://[0-9.]+:([0-9]+)/, admin")[1])
        assert get(port, "/healthz", Host=host)[0] == expected

    def test_it_does_not_count_itself(self, own: Daemon) -> None:
        before = metrics(own)
        assert metrics(own).keys() == before.keys()
        assert value(metrics(own), "http_responses_total", status="200") == 0
        assert value(metrics(own), "http_connections") == 0

    def test_it_is_off_unless_it_is_wanted(self, daemon: type[Daemon]) -> None:
        assert not re.search("admin", daemon().output)  # type: ignore[call-arg]  # a factory
