"""/metrics counts exactly what clients did; the admin listener is separate from the public port."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

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


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Return the status, the content type and the body of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Content-Type", ""), response.read().decode()
    finally:
        connection.close()


def ask_admin(daemon: Daemon, path: str, **headers: str) -> tuple[int, str, str]:
    """Return what `get` does, of the admin listener."""
    return get(int(daemon.wait_for(r"listening on http://[0-9.]+:([0-9]+)/, admin")[1]), path, **headers)


def metrics(daemon: Daemon) -> Samples:
    """Return all samples, read by Prometheus' own parser."""
    status, kind, text = ask_admin(daemon, "/metrics")
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
            labels = {"direction": direction, "opcode": opcode}
            assert value(after, "frames_total", **labels) == frames, labels
            assert value(after, "payload_bytes_total", **labels) == octets, labels
        assert value(after, "messages_total", direction=direction) == messages
    for result, count in ("101", 3), ("400", 1):
        assert value(after, "handshakes_total", result=result) == count, result
    for status, count in ("200", 1), ("404", 2), ("400", 1):
        assert value(after, "http_responses_total", status=status) == count, status
    for side, code, count in ("received", "4xxx", 1), ("sent", "4xxx", 1), ("received", "none", 2):
        assert value(after, "closed_total", side=side, code=code) == count, (side, code)
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
    """Health, readiness, and the names by which it is reached."""

    def test_it_is_alive_and_ready(self, own: Daemon) -> None:
        assert ask_admin(own, "/healthz") == (200, "text/plain; charset=utf-8", "alive\n")
        assert ask_admin(own, "/readyz") == (200, "text/plain; charset=utf-8", "ready\n")

    def test_it_has_its_pages_and_the_public_port_has_none(self, own: Daemon) -> None:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert get(own.port, path)[0] == 404, path
        for path in ("/listener.py", "/__init__.py", "/__pycache__/", "/../settings.py"):
            assert ask_admin(own, path)[0] == 404, path

    @pytest.mark.parametrize(
        ("ini", "accepted", "refused"),
        [
            ("", ["127.0.0.1", "localhost"], ["evil.example", "evil.example:8081", "127.0.0.2"]),
            ("host_names = ops.example", ["ops.example", "localhost"], ["evil.example"]),
            ("interface = 0.0.0.0\nhost_names = ops.example", ["ops.example", "127.0.0.1"], ["evil.example"]),
            ("interface = 0.0.0.0", ["any.example"], []),
        ],
    )
    def test_names(self, daemon: Start, ini: str, accepted: list[str], refused: list[str]) -> None:
        """It is reached as localhost, by its address and by configured names.

        A page of a stranger cannot reach it by a name of the stranger's own (DNS rebinding).
        """
        own = daemon(ini=f"[admin]\nenabled = yes\nport = 0\n{ini}\n")
        for host in (*accepted, *refused):
            status = ask_admin(own, "/healthz", Host=host)[0], ask_admin(own, "/metrics", Host=host)[0]
            assert status == ((200, 200) if host in accepted else (421, 421)), host

    def test_it_does_not_count_itself(self, own: Daemon) -> None:
        before = metrics(own)
        assert metrics(own).keys() == before.keys()
        assert value(metrics(own), "http_responses_total", status="200") == 0
        assert value(metrics(own), "http_connections") == 0

    def test_it_is_off_unless_it_is_enabled(self, daemon: Start) -> None:
        assert "admin" not in daemon().output
