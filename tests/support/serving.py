"""Checks of a daemon: it serves, reveals nothing internal, logs what it should, and does not spin."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.http_client import Response, request, take_response
from tests.support.raw import RawClient
from tests.support.wire import TEXT, Frame

INTERNAL = re.compile(
    rb"traceback|errno|exception|python|twisted|\.py\b|/tmp|docroot|errno|[A-Z]Error\b", re.IGNORECASE
)


def ask(daemon: Daemon, target: str, *headers: str, tls: bool = False) -> Response:
    """Return the response to one request on a connection of its own."""
    with RawClient(daemon, None, tls=tls) as client:
        return ask_on(client, target, "Connection: close", *headers)


def ask_on(client: RawClient, target: str, *headers: str) -> Response:
    """Return the response to the last request on a connection."""
    client.send(request(target, *headers))
    taken = take_response(client.read_to_end(), ended=True)
    assert taken is not None, f"{target} was not answered"
    response, rest = taken
    assert rest == b""
    assert INTERNAL.search(response.body + str(response.headers).encode()) is None, response
    return response


def assert_serves(daemon: Daemon, *, tls: bool = False) -> None:
    """The daemon answers a new request, and a new WebSocket echoes."""
    assert ask(daemon, "/page.html", tls=tls).status == 200
    with RawClient(daemon, tls=tls) as client:
        client.echo(Frame(TEXT, b"still here"))


def log_lines(daemon: Daemon) -> list[str]:
    """Return the log lines, except those that say that the machine was busy."""
    return [line for line in daemon.output.splitlines() if "the loop was held for" not in line]


def troubles(daemon: Daemon) -> list[str]:
    """Return the log lines above level info, without their times."""
    lines = "\n".join(log_lines(daemon))
    return re.findall(r"^[0-9-]+T[0-9:.]+Z ((?:warn|error|critical) .*)$", lines, re.MULTILINE)


def stop_and_check(daemon: Daemon) -> list[str]:
    """Stop the daemon, which must end with 0; returns the log lines above level info."""
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.output
    return troubles(daemon)


def cpu_share(daemon: Daemon, seconds: float) -> float:
    """Return the share of one core that the daemon uses in the next seconds, in percent."""
    before, begun = _cpu(daemon), time.monotonic()
    time.sleep(seconds)  # what is measured is what happens in that time
    return 100 * (_cpu(daemon) - before) / (time.monotonic() - begun)


def descriptors(daemon: Daemon) -> int:
    """Return how many descriptors the daemon has open."""
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def _cpu(daemon: Daemon) -> float:
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
