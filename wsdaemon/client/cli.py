"""The commands `wsping` and `wsdaemon ping`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from twisted.internet.task import LoopingCall

from wsdaemon.client import output
from wsdaemon.client.check import Reply, Sent
from wsdaemon.client.commands import ExitCode, ignore_closed_stdout, reason, run_reactor, warn_insecure
from wsdaemon.client.connection import ClientConnection
from wsdaemon.client.errors import ClientError
from wsdaemon.client.events import Frame
from wsdaemon.client.flags import given
from wsdaemon.client.options import Display, ping_parser, plan_from
from wsdaemon.client.ping import Ping
from wsdaemon.client.plan import ConnectionEnd, PingPlan, PingResult, Reporter
from wsdaemon.client.terminal import Printer

_LONG_RUN = 2.0
"""A run that takes longer than this gets a progress line, in seconds."""
_PROGRESS = 0.25
"""How often the progress line is drawn, in seconds."""


def main_ping(arguments: Sequence[str] | None = None, prog: str = "wsping") -> int:
    """Run the command; returns its exit code. Wrong usage raises `SystemExit` with code 2."""
    try:
        return _main(ping_parser(prog), arguments)
    except KeyboardInterrupt:  # before the reactor runs
        return ExitCode.INTERRUPTED


def exit_code(result: PingResult) -> ExitCode:
    """Return the exit code for a result."""
    if result.interrupted:
        return ExitCode.INTERRUPTED
    if result.error is not None:
        return ExitCode.NOT_CONNECTED
    return ExitCode.RIGHT if result.all_right else ExitCode.WRONG


def _main(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    options = parser.parse_args(arguments)
    try:
        plan = plan_from(options)
    except (OSError, ValueError) as error:
        parser.error(reason(error))
    warn_insecure(plan.target)
    from twisted.internet import reactor

    display, printer = Display(**given(options, Display)), Printer(sys.stdout)
    shown = _Shown(plan, printer, display)
    run = Ping(plan, shown, reactor=reactor)
    with shown.progress_of(run):
        result = run_reactor(reactor, run.start, run.interrupt, signal.SIGINT, signal.SIGTERM)
    _print_result(result, printer, display)
    if printer.is_broken:
        ignore_closed_stdout()
    return exit_code(result)


def _print_result(result: PingResult, printer: Printer, display: Display) -> None:
    if result.interrupted and printer.is_terminal:
        printer.line("")  # the terminal has shown ^C
    if result.error is not None:
        for line in output.error_lines(result.error, result.plan.target.url):
            print(line, file=sys.stderr)
    if display.as_json:
        printer.line(json.dumps(output.as_json(result, exit_code(result)), indent=2))
    elif result.error is None or result.messages_sent:
        for number, line in enumerate(output.summary_lines(result)):
            printer.line(line, "bold" if number == 0 else "red" if line.startswith("replies:") else "")


class _Shown(Reporter):
    """Prints what happens during a run."""

    def __init__(self, plan: PingPlan, printer: Printer, display: Display) -> None:
        self.wants_frames = display.verbose
        self._plan = plan
        self._printer = printer
        self._quiet = display.quiet or display.as_json
        self._with_progress = printer.is_terminal and not display.verbose
        self._run: Ping | None = None
        self._began = 0.0
        self._drawing = LoopingCall(self._draw)

    @contextmanager
    def progress_of(self, run: Ping) -> Iterator[None]:
        """Draw a progress line on a terminal, once the run is a long one."""
        self._run, self._began = run, run.clock.seconds()
        self._drawing.clock = run.clock
        if self._with_progress:
            self._drawing.start(_PROGRESS)
        try:
            yield
        finally:
            if self._drawing.running:
                self._drawing.stop()
            self._printer.end_progress()

    def connected(self, client: int, connection: ClientConnection) -> None:
        """Print the connection's subprotocol and extensions, where frames are shown."""
        if self.wants_frames:
            chosen = connection.subprotocol or "no subprotocol"
            extensions = f", {connection.extensions}" if connection.extensions else ""
            self._error(f"connection {client} open: {chosen}{extensions}")

    def replied(self, client: int, sent: Sent, reply: Reply, frames: int, opcode: int, elapsed: float) -> None:
        """Print the reply's line, and what is wrong with it."""
        if not self._quiet:
            host, number = self._plan.target.host, self._number(client)
            self._line(output.reply_line(host, sent, reply.length, frames, opcode, elapsed, number))
        for line in output.fault_lines(sent, reply, self._number(client)):
            self._fault(line)

    def unasked(self, client: int, reply: Reply) -> None:
        """Print the message that answers nothing."""
        self._fault(output.unasked_line(reply, self._number(client)))

    def lost(self, client: int, sent: Sent) -> None:
        """Print that a reply is missing."""
        self._fault(output.lost_line(sent, self._number(client)))

    def frame(self, client: int, sent: bool, frame: Frame) -> None:
        """Print the frame."""
        self._error(output.frame_line(sent, frame, self._number(client)))

    def ended(self, end: ConnectionEnd) -> None:
        """Print how a connection ended, even where only the summary is shown."""
        self._error(output.end_line(end, self._number(end.client)))

    def retrying(self, client: int, error: ClientError | None, seconds: float) -> None:
        """Print why and when a client reconnects."""
        if error is not None:
            for line in output.error_lines(error, self._plan.target.url):
                self._error(line)
        self._error(f"connecting again in {seconds:g} s")

    def _number(self, client: int) -> int | None:
        return client if self._plan.clients > 1 else None

    def _fault(self, text: str) -> None:
        if not self._quiet:
            self._line(text, "red")

    def _line(self, text: str, style: str = "") -> None:
        self._printer.line(text, style)
        if self._printer.is_broken and self._run is not None:
            self._run.interrupt()

    def _error(self, text: str) -> None:
        """Print a line to standard error, above the progress line where there is one."""
        if self._with_progress and sys.stderr.isatty():
            self._printer.line(text, "yellow")
        else:
            try:
                print(text, file=sys.stderr, flush=True)
            except OSError:  # nobody reads it any more
                if self._run is not None:
                    self._run.interrupt()

    def _draw(self) -> None:
        if (run := self._run) is not None and (elapsed := run.clock.seconds() - self._began) >= _LONG_RUN:
            self._printer.progress(output.progress_line(run.result, run.counts(), elapsed))
