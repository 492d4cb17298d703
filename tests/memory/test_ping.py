"""A run of `wsping` in memory, on a Clock: each fault of a reply, and each end, is told for what it is."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from random import Random

import pytest
from twisted.internet.task import Clock

from tests.support.load_fakes import FakeServer
from wsdaemon.client import ClientError, HandshakeRefused
from wsdaemon.client.cli import exit_code
from wsdaemon.client.options import Display, ping_parser, plan_from
from wsdaemon.client.output import as_json, error_lines, summary_lines
from wsdaemon.client.ping import Ping
from wsdaemon.client.plan import PingResult
from wsdaemon.client.reporter import Reporter
from wsdaemon.client.terminal import Printer

Replies = Callable[[list[bytes]], list[bytes]]
"""What a server sends after the last of the messages that it has received so far."""


class Run:
    """A run with `options`, which has begun; `out` is what it prints on standard output."""

    def __init__(
        self, patch: pytest.MonkeyPatch, options: str, replies: Replies = lambda sent: sent[-1:],
        *, is_binary: bool = False, errors: tuple[ClientError | None, ...] = (), apart: float = 0.0,
    ) -> None:  # fmt: skip
        """`errors`: why the first attempts to connect fail, if so; `apart`: seconds between connections of clients."""
        self.clock = Clock()
        self.received: list[bytes] = []

        def reply(payload: bytes, _: bool) -> list[tuple[bytes, bool]]:
            self.received.append(payload)
            return [(each, is_binary) for each in replies(self.received)]

        def connect(target: object, listener: Ping, reactor: Clock) -> object:
            self.server.connect_seconds += apart
            return self.server.connect(listener)  # type: ignore[arg-type]

        self.server = FakeServer(self.clock, reply=reply)
        self.server.errors += errors
        patch.setattr("wsdaemon.client.ping.connect", connect)
        plan = plan_from(ping_parser("wsping").parse_args(["ws://localhost/", *options.split()]))
        self.out = io.StringIO()
        reporter = Reporter(plan, Printer(self.out, lambda: None, with_progress=False), Display())
        self._results: list[PingResult] = []
        Ping(plan, reporter, reactor=self.clock, random=Random(1)).start().addCallback(self._results.append)

    def finish(self) -> PingResult:
        """Let time pass until the run ends; everything happens when it is due."""
        while not self._results:
            due = min(call.getTime() for call in self.clock.getDelayedCalls())
            self.clock.advance(max(0.0, due - self.clock.seconds()) + 1e-9)
        return self._results[0]


def counts(result: PingResult) -> dict[str, int]:
    """Return the faults that the JSON document counts, and are not zero."""
    found = {name.removeprefix("replies_"): count for name, count in as_json(result, 0).items()}
    names = ("lost", "doubled", "differing", "wrong_opcode", "late", "messages_unasked")
    return {name: found[name] for name in names if found[name]}


@pytest.mark.parametrize(
    ("options", "replies", "found", "line"),
    [
        ("-c 20 -d 1 -W 2", lambda sent: sent[-1:] if len(sent) % 10 else [], {"lost": 2}, "req=10: lost: no reply"),
        ("-c 20 -d 1 -W 2 -s 8", lambda sent: sent[-1:] if len(sent) % 10 else [], {"lost": 2},
         "req=20: lost: no reply"),
        ("-c 3 -d 1 -W 0.3", lambda sent: [], {"lost": 3}, "req=2: lost: no reply"),
        ("-c 2500 -d 0 -W 0.3", lambda sent: [], {"lost": 2500}, "req=2500: lost: no reply"),
        ("-c 7 -d 1", lambda sent: [sent[-1] if len(sent) % 3 else sent[-1][:20] + b"!" + sent[-1][21:]],
         {"differing": 2}, "req=6: differing: byte 20: sent 0x[0-9a-f]{2}, received 0x21"),
        ("-c 4 -d 1", lambda sent: sent[-1:] * (2 if len(sent) == 2 else 1), {"doubled": 1},
         "doubled: 64 bytes that answer nothing outstanding"),
        ("-c 5 -d 500 -W 0.9", lambda sent: {1: [], 3: [sent[0], sent[-1]]}.get(len(sent), sent[-1:]), {"late": 1},
         "req=1: late: after 1 s"),  # the third is sent after a second, and its reply takes two milliseconds
        ("-c 3 -d 1", lambda sent: ([b"Request served by 1234"] if len(sent) == 1 else []) + sent[-1:],
         {"messages_unasked": 1}, "unasked: 22 bytes that answer nothing outstanding"),
    ],
)  # fmt: skip
def test_faults(
    monkeypatch: pytest.MonkeyPatch, options: str, replies: Replies, found: dict[str, int], line: str
) -> None:
    """Each is named in a line, counted in the summary and in JSON, and makes the exit code 1."""
    run = Run(monkeypatch, options, replies)
    result = run.finish()
    assert counts(result) == found
    assert (exit_code(result), result.closed_early) == (1, [])
    assert re.search(f"^{line}$", run.out.getvalue(), re.MULTILINE), run.out.getvalue()
    assert summary_lines(result)[-1].startswith("replies: ")


def test_wrong_opcode(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, "-c 2 -d 1", is_binary=True)
    assert counts(run.finish()) == {"wrong_opcode": 2}
    assert "\nreq=1: wrong opcode: sent text, received binary\n" in run.out.getvalue()


@pytest.mark.parametrize(("seconds", "found"), [(0.8999, {}), (0.9001, {"late": 1})])
def test_late_is_later_than_wait(monkeypatch: pytest.MonkeyPatch, seconds: float, found: dict[str, int]) -> None:
    """The reply to the first message is in time within `--wait`, and late after it."""
    run = Run(monkeypatch, "-c 2 -d 1000 -W 0.9")
    run.server.latency = seconds
    assert counts(run.finish()) == found


@pytest.mark.parametrize(
    ("code", "reason", "shown"),
    [(1011, "out of cheese", "closed with 1011: out of cheese"), (None, "RSV = 7", "closed: RSV = 7")],
)
def test_closed_early(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int | None, reason: str, shown: str
) -> None:
    """The code and the reason are told; a message that was never sent is not counted as lost."""
    run = Run(monkeypatch, "-c 10 -d 100")
    run.clock.pump([0.003, 0.1, 0.1])
    run.server.open[0].listener.closed(code, reason, False)
    result = run.finish()
    assert (exit_code(result), counts(result), result.messages_sent) == (1, {"lost": 1}, 3)
    assert as_json(result, 1)["closed_early"] == [{"client": 1, "code": code, "reason": reason}]
    assert summary_lines(result)[-1] == "replies: 1 lost, 1 connection closed early"
    assert capsys.readouterr().err == f"connection {shown}\n"


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3, with the status, the reason, the headers and the body."""
    error = HandshakeRefused(401, "Unauthorized", (("WWW-Authenticate", 'Basic realm="here"'),), b"Who are you?\n")
    result = Run(monkeypatch, "", errors=(error,)).finish()
    assert (exit_code(result), result.error) == (3, error)
    text = "the server refused the WebSocket: 401 Unauthorized"
    assert error_lines(error, "ws://localhost/") == [
        f"cannot connect to ws://localhost/: {text}", '  WWW-Authenticate: Basic realm="here"', "", "  Who are you?",
    ]  # fmt: skip
    assert as_json(result, 3)["error"] == {
        "step": "upgrade", "text": text, "http_status": 401, "http_reason": "Unauthorized",
        "http_headers": [["WWW-Authenticate", 'Basic realm="here"']], "http_body": "Who are you?\n",
    }  # fmt: skip


def test_reconnect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A client whose connection ends says so and when it connects again, and goes on where it was."""
    refusal = HandshakeRefused(503, "Service Unavailable", (), b"")
    run = Run(monkeypatch, "--reconnect -c 4 -d 100", errors=(None, refusal))
    run.clock.pump([0.003, 0.1, 0.01])
    run.server.open[0].end(1001)
    result = run.finish()
    assert (exit_code(result), result.counts.answered) == (1, 4)
    first, again, *refused, last = capsys.readouterr().err.splitlines()
    assert [first, again, last] == [
        "connection closed with 1001", "connecting again in 0.5 s", "connecting again in 1 s",
    ]  # fmt: skip
    assert len(refused) == 1


def test_refused_at_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With --reconnect, a server that is not ready yet is asked again, and every refusal is shown."""
    refusal = HandshakeRefused(503, "Service Unavailable", (), b"")
    run = Run(monkeypatch, "--reconnect -c 2 -d 1", errors=(refusal, refusal))
    assert exit_code(run.finish()) == 0
    assert run.server.connected_at == pytest.approx([0, 0.503, 1.506])
    shown = "cannot connect to ws://localhost/: the server refused the WebSocket: 503 Service Unavailable\n"
    assert capsys.readouterr().err == f"{shown}connecting again in 0.5 s\n{shown}connecting again in 1 s\n"


def test_a_client_that_is_lost_before_the_others_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on with those that are left, and ends."""
    run = Run(monkeypatch, "-C 2 -c 3 -d 10", apart=0.1)
    run.clock.advance(0.15)
    run.server.open[0].end(1011)
    result = run.finish()
    assert (exit_code(result), result.counts.answered) == (1, 3)
    assert [(end.client, end.code) for end in result.closed_early] == [(1, 1011)]


def test_a_closed_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would go there goes to standard output (`wsping … 2>&-`), and the run goes on."""
    monkeypatch.setattr("sys.stderr", None)
    out = io.StringIO()
    Printer(out, lambda: None, with_progress=True).error("the server closed early")
    assert out.getvalue() == "the server closed early\n"
