"""The real `wsping` against the real daemon, over real sockets."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from tests.support.daemon import ROOT, WITH_TLS, Daemon
from tests.support.patience import PATIENCE
from tests.support.wsping import WSPING, first_reply, measure, running, without_proxy, wsping
from wsdaemon.cli import main

pytestmark = pytest.mark.traced
INI = WITH_TLS
REPLY = re.compile(r"([0-9]+) bytes from localhost: frames=([0-9]+) req=([0-9]+) time=([0-9.]+)ms opcode=(0x0[12a])")


class TestFramesAreCounted:
    """Issue 3, done when 1."""

    @pytest.mark.parametrize(
        ("options", "count", "frames"),
        [
            ("-c 5 -d 10 -P echo-fragment", 5, 2),
            ("-c 3 -d 10 -f 16 -s 64 -P echo", 3, 4),
            ("-c 3 -d 10 -f 16 -s 64 -P echo-assemble", 3, 1),
            ("-c 3 -d 10 -f 16 -s 64 -P org.ietf.websocket.test-echo", 3, 4),
            ("-c 3 -d 10 -b -f 0 -s 5000", 3, 1),
        ],
    )
    def test_frames(self, server: Daemon, options: str, count: int, frames: int) -> None:
        result = wsping("-p", str(server.port), *options.split())
        assert (result.returncode, result.stderr) == (0, "")
        lines = [REPLY.fullmatch(line) for line in result.stdout.splitlines()]
        shown = [line.groups() for line in lines if line]
        assert [(int(line[1]), int(line[2])) for line in shown] == [(frames, req) for req in range(1, count + 1)]
        size = options.split("-s ")[1].split()[0] if "-s" in options else "64"
        assert {(line[0], line[4]) for line in shown} == {(size, "0x02" if "-b" in options else "0x01")}
        sent = 4 * count if "-f 16" in options else count
        assert f"\n{sent}/{frames * count} frames sent/recv, {count}/{count} mesg sent/recv, 0 lost\n" in result.stdout


class TestOutput:
    """What a person, and what a program, reads."""

    def test_summary(self, server: Daemon) -> None:
        """Rates, times and percentiles are there; quietly, nothing else."""
        result = wsping("-p", str(server.port), "-q", "-c", "3", "-d", "10")
        assert result.returncode == 0
        number = r"[0-9]+\.[0-9]+"
        assert re.fullmatch(
            "--- localhost websocket ping statistics using 1 connection ---\n"
            "3/3 frames sent/recv, 3/3 mesg sent/recv, 0 lost\n"
            rf"time [0-9]+ms, [0-9.]+m/s, {number}k?bps\n"
            rf"rtt min/ave/max = {number}/{number}/{number} ms\n"
            rf"rtt p50/p90/p99/p99\.9 = {number}/{number}/{number}/{number} ms, stddev {number} ms\n"
            rf"handshake tcp/tls/upgrade = {number}/-/{number} ms\n",
            result.stdout,
        ), result.stdout

    def test_a_pipe_gets_plain_text(self, server: Daemon) -> None:
        assert "\x1b" not in wsping("-p", str(server.port), "-c", "1", environment={"FORCE_COLOR": "1"}).stdout

    def test_verbose_shows_each_frame(self, server: Daemon) -> None:
        """Sent and received, with its header in hex and in words, on standard error."""
        result = wsping("-p", str(server.port), "-v", "-c", "1", "-s", "20", "-f", "16")
        lines = result.stderr.splitlines()
        assert lines[0] == "connection 1 open: echo"
        assert [line.split(" [")[0].split(" mask")[0] for line in lines[1:]] == [
            "> text more len=16", "> continuation fin len=4", "< text more len=16", "< continuation fin len=4",
            "> close fin len=2", "< close fin len=2",
        ]  # fmt: skip
        assert re.fullmatch(r"> text more len=16 mask=([0-9a-f]{8}) \[0190\1\] [0-9a-f]{32}", lines[1])
        assert lines[-1] == "< close fin len=2 [8802] 03e8"

    def test_json_has_the_fields_that_are_documented(self, server: Daemon) -> None:
        """One document, nothing else; each field is in the table of docs/wsping.md, and the reverse."""
        code, document, errors = measure("-p", str(server.port), "-c", "4", "-d", "5", "-s", "100")
        assert (code, errors) == (0, "")
        page = (ROOT / "docs" / "wsping.md").read_text()
        table = page.partition("| field | meaning |")[2].partition("\n\n")[0]
        assert re.findall(r"^\| `([a-z0-9_]+)` \|", table, re.MULTILINE) == list(document)
        assert (document["format"], document["exit_code"], document["mode"]) == ("wsping/1", 0, "echo")
        assert document["messages_sent"] == document["messages_received"] == document["replies_answered"] == 4
        assert document["payload_received_bytes"] == 400
        assert document["subprotocol"] == "echo"
        rtt = [document[f"rtt_{name}_ms"] for name in ("min", "p50", "p90", "p99", "p99_9", "max")]
        assert rtt == sorted(rtt)
        assert rtt[0] > 0
        assert document["duration_ms"] >= 15
        assert document["handshake_tls_ms"] is None

    def test_a_reader_that_goes_away_ends_the_run(self, server: Daemon) -> None:
        """`wsping -c 0 | head -1` ends, without a traceback."""
        command = f"{WSPING} -p {server.port} -c 0 -d 5 | head -1"
        result = subprocess.run(  # noqa: S602
            command, shell=True, capture_output=True, text=True, timeout=PATIENCE, env=without_proxy()
        )
        assert result.stdout.startswith("64 bytes from localhost")
        assert result.stderr == ""

    def test_help_names_every_option_of_jettys(self) -> None:
        """`-h` is the host, so `--help` helps; the exit codes are there too."""
        text = wsping("--help").stdout
        for option in (
            "-h HOST, --host HOST", "-p PORT, --port PORT", "-b, --binary", "-v, --verbose", "-q, --quiet",
            "-c N, --count N", "-s N, --size N", "-f N, --fragment N", "-P NAME, --protocol NAME", "-C N, --clients N",
            "-d MS, --delay MS",
        ):  # fmt: skip
            assert option in text
        assert "130 interrupted" in re.sub(r"\s+", " ", text)


class TestModes:
    """What can be sent."""

    def test_pings(self, server: Daemon) -> None:
        """Without a subprotocol, and with --ping, PINGs are sent and PONGs timed."""
        for options in (["-P", ""], ["--ping"]):
            result = wsping("-p", str(server.port), "-c", "2", "-d", "5", *options)
            assert result.returncode == 0
            assert len(re.findall("^64 bytes .*opcode=0x0a$", result.stdout, re.MULTILINE)) == 2
            assert "2/2 ping/pong sent/recv" in result.stdout

    @pytest.mark.parametrize("name", ["echo-broadcast", "org.ietf.websocket.test-echo-broadcast"])
    def test_broadcast(self, server: Daemon, name: str) -> None:
        """Three clients hear each other's messages, each told from the others'."""
        result = wsping("-p", str(server.port), "-C", "3", "-c", "2", "-d", "20", "-P", name)
        assert result.returncode == 0
        assert "6/18 mesg sent/recv, 0 lost" in result.stdout
        heard = re.findall(r"req=([12]) .* client=([123])(?: from=([123]))?$", result.stdout, re.MULTILINE)
        assert {(req, client, sender or client) for req, client, sender in heard} == {
            (req, client, sender) for req in "12" for client in "123" for sender in "123"
        }

    def test_two_runs_in_one_room_do_not_mix(self, server: Daemon) -> None:
        """What another run broadcasts is counted apart, and is nothing wrong."""
        room = ("-p", str(server.port), "-P", "echo-broadcast")
        with running(*room, "-c", "0", "-d", "2", "-q", "--json") as other:
            code, document, _ = measure(*room, "-c", "200", "-d", "5")
            other.send_signal(signal.SIGINT)
            others = json.loads(other.communicate(timeout=PATIENCE)[0])
        assert (code, document["replies_answered"], document["replies_differing"]) == (0, 200, 0)
        assert other.returncode == 130
        assert (others["replies_lost"], others["replies_differing"]) == (0, 0)
        assert 0 < others["messages_unasked"] <= 200  # it may have come in late
        assert document["messages_unasked"] > 0

    def test_large_messages_without_delay(self, server: Daemon) -> None:
        """More than either side's buffers hold: nobody waits for the other for ever."""
        code, document, _ = measure(f"{server.ws}/echo", "-c", "40", "-d", "0", "-s", "2000000", "-f", "0")
        assert (code, document["payload_received_bytes"]) == (0, 80_000_000)

    @pytest.mark.parametrize("parameters", [[], ["server_max_window_bits=10; client_max_window_bits=10"]])
    def test_compression(self, server: Daemon, parameters: list[str]) -> None:
        """The frames that are counted are those that were sent: 5000 letters take less than 50 of 100 bytes each."""
        options = ("-c", "5", "-d", "1", "-s", "5000", "-f", "100", "--compress", *parameters)
        code, document, _ = measure(f"{server.ws}/echo-assemble", *options)
        assert (code, document["replies_answered"], document["frames_received"]) == (0, 5, 5)
        assert 5 < document["frames_sent"] < 5 * 50
        assert document["extensions"].startswith("permessage-deflate")

    def test_an_unknown_subprotocol(self, server: Daemon) -> None:
        """It is refused, and all that the server says about it is shown."""
        result = wsping("-p", str(server.port), "-P", "nope")
        assert result.returncode == 3
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert lines[0].startswith(f"cannot connect to ws://localhost:{server.port}/: the server refused the WebSocket")
        assert ": 400 Bad Request" in lines[0]
        assert "  Content-Type: text/plain; charset=utf-8" in lines
        assert any("None of the subprotocols is known" in line for line in lines)

    def test_by_way_of_wsdaemon(self, server: Daemon, capfd: pytest.CaptureFixture[str]) -> None:
        """`wsdaemon ping` is the same, and says its own name."""
        with pytest.raises(SystemExit) as caught:
            main(["ping", "--nope"])
        assert caught.value.code == 2
        assert "wsdaemon ping: error: unrecognized arguments: --nope" in capfd.readouterr().err
        wsdaemon = WSPING.with_name("wsdaemon")
        result = subprocess.run(
            [wsdaemon, "ping", "-p", str(server.port), "-c", "1"], capture_output=True, text=True, env=without_proxy()
        )
        assert (result.returncode, result.stdout.count("64 bytes from")) == (0, 1)


class TestEndings:
    """How a run may end."""

    def test_wrong_usage(self) -> None:
        """Each wrong option is tested in tests/unit/client/test_options.py; the process ends with the code."""
        result = wsping("--ping", "-s", "126")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.endswith("\nwsping: error: a ping holds at most 125 bytes; give -s 125 or less\n")

    def test_no_such_host_in_json(self) -> None:
        """The document tells it too."""
        code, document, errors = measure("ws://nonexistent.invalid/")
        assert (code, document["exit_code"], document["error"]["step"]) == (3, 3, "resolve")
        assert "there is no address for nonexistent.invalid" in errors

    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_ctrl_c_sums_up_what_was_done(self, server: Daemon, options: list[str]) -> None:
        """Exit 130; what is outstanding is not lost."""
        with running("-p", str(server.port), "-c", "0", "-d", "10", "-v", *options) as process:
            first_reply(process)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert "Traceback" not in errors
        if options:
            assert json.loads(out)["interrupted"] is True
        else:
            assert re.search(r"--- localhost .*\n[0-9]+/[0-9]+ frames sent/recv, .* 0 lost", out)


class TestTls:
    """wss, verified unless told otherwise."""

    def test_not_trusted(self, server: Daemon) -> None:
        result = wsping(server.wss, "-c", "1")
        assert (result.returncode, result.stdout) == (3, "")
        assert result.stderr == (
            f"cannot connect to {server.wss}: the TLS handshake failed: "
            "the server's certificate cannot be verified: it is self-signed and not trusted\n"
        )

    def test_insecure_is_said_aloud(self, server: Daemon) -> None:
        result = wsping(server.wss, "-c", "1", "-q", "--insecure")
        assert result.returncode == 0
        assert result.stderr == "warning: --insecure: the server's certificate is not verified\n"
        assert re.search(r"handshake tcp/tls/upgrade = [0-9.]+/[0-9.]+/[0-9.]+ ms", result.stdout)

    def test_plain_http_where_tls_is(self, server: Daemon) -> None:
        """And the reverse: each is named."""
        result = wsping(f"ws://localhost:{server.tls_port}/")
        assert result.returncode == 3
        assert "the WebSocket handshake failed: the " in result.stderr
        result = wsping(f"wss://localhost:{server.port}/", "--timeout", "1")
        assert result.returncode == 3
        assert "the TLS handshake " in result.stderr
