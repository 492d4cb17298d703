"""The commands `wsping` and `wsdaemon ping`: arguments in, exit code out."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from wsdaemon.client import output
from wsdaemon.client.check import Sent, Verdict
from wsdaemon.client.connection import ClientConnection, Frame
from wsdaemon.client.errors import ClientError
from wsdaemon.client.options import add_connect_options, ping_parser, plan_from, target_from
from wsdaemon.client.ping import Ping
from wsdaemon.client.plan import Ending, Plan, Reporter, Summary
from wsdaemon.client.target import Target
from wsdaemon.client.terminal import Printer

__all__ = ["add_connect_options", "main_ping", "target_from", "warn_insecure"]

ALL_RIGHT, WRONG, USAGE, NOT_CONNECTED, INTERRUPTED = 0, 1, 2, 3, 130

_LONG_RUN = 2.0
"""After how many seconds a run gets a progress line, and..."""
_PROGRESS = 0.25
"""...how often it is drawn again, in seconds."""


def main_ping(arguments: Sequence[str] | None = None, prog: str = "wsping") -> int:
    """Run the command; returns its exit code, but for wrong usage, where `SystemExit` carries a 2."""
    try:
        return _main(ping_parser(prog), arguments)
    except KeyboardInterrupt:  # before the reactor runs, which is told of it otherwise
        return INTERRUPTED


def exit_code(summary: Summary) -> int:
    """Return the exit code for what a run did."""
    if summary.interrupted:
        return INTERRUPTED
    if summary.error is not None:
        return NOT_CONNECTED
    return ALL_RIGHT if summary.all_right else WRONG


def warn_insecure(target: Target) -> None:
    """Say on standard error that the server could be anyone, where that is so."""
    if target.insecure and target.is_secure:
        print("warning: --insecure: the server's certificate is not verified", file=sys.stderr)


def _main(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    options = parser.parse_args(arguments)
    try:
        plan = plan_from(options)
    except OSError as error:
        parser.error(f"{error.filename}: {(error.strerror or 'cannot be read').lower()}")
    except ValueError as error:
        parser.error(str(error))
    warn_insecure(plan.target)
    from twisted.internet import reactor

    printer = Printer(sys.stdout)
    shown = _Shown(plan, printer, verbose=options.verbose, quiet=options.quiet or options.json)
    run = Ping(plan, shown, reactor=reactor)
    summary = _run(run, shown, reactor)
    code = exit_code(summary)
    if summary.interrupted and printer.is_terminal:
        printer.line("")  # the terminal has shown ^C
    if summary.error is not None:
        for line in output.error_lines(summary.error, plan.target.url):
            print(line, file=sys.stderr)
    if options.json:
        printer.line(json.dumps(output.as_json(summary, code), indent=2))
    elif summary.error is None or summary.messages_sent:
        for number, line in enumerate(output.summary_lines(summary)):
            printer.line(line, "bold" if number == 0 else "red" if line.startswith("replies:") else "")
    if printer.is_broken and sys.stdout is not None:
        # Python would complain about it once more, when it flushes the stream at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(run: Ping, shown: _Shown, reactor: Any) -> Summary:
    """Run the reactor until the run is over; the first Ctrl-C ends the run, a second one everything."""
    results: list[Summary | Failure] = []

    def interrupted(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        reactor.callFromThread(run.interrupt)

    def done(result: Summary | Failure) -> None:
        results.append(result)
        shown.stop()
        reactor.stop()

    def start() -> None:
        shown.start(run, reactor)
        run.start().addBoth(done)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)  # Twisted leaves alone what is set already
    reactor.callWhenRunning(start)
    reactor.run()
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class _Shown(Reporter):
    """Prints what happens."""

    def __init__(self, plan: Plan, printer: Printer, *, verbose: bool, quiet: bool) -> None:
        self.wants_frames = verbose
        self._plan = plan
        self._printer = printer
        self._quiet = quiet
        self._with_progress = printer.is_terminal and not verbose
        self._run: Ping | None = None
        self._began = 0.0
        self._drawing = LoopingCall(self._draw)

    def start(self, run: Ping, reactor: Any) -> None:
        """The run begins."""
        self._run = run
        self._began = reactor.seconds()
        self._drawing.clock = reactor
        if self._with_progress:
            self._drawing.start(_PROGRESS)

    def stop(self) -> None:
        """The run is over."""
        if self._drawing.running:
            self._drawing.stop()
        self._printer.end_progress()

    def connected(self, client: int, connection: ClientConnection) -> None:
        """Say so where frames are shown."""
        if self.wants_frames:
            chosen = connection.subprotocol or "no subprotocol"
            extensions = f", {connection.extensions}" if connection.extensions else ""
            self._error(f"connection {client} open: {chosen}{extensions}")

    def replied(self, client: int, sent: Sent, verdict: Verdict, frames: int, opcode: int, elapsed: float) -> None:
        """Print the reply's line, and what is wrong with it."""
        if not self._quiet:
            host, number = self._plan.target.host, self._number(client)
            self._line(output.reply_line(host, sent, verdict.length, frames, opcode, elapsed, number))
        for line in output.fault_lines(sent, verdict, self._number(client)):
            self._fault(line)

    def unasked(self, client: int, verdict: Verdict) -> None:
        """Print that there is a message too many."""
        self._fault(output.unasked_line(verdict, self._number(client)))

    def lost(self, client: int, sent: Sent) -> None:
        """Print that a reply is missing."""
        self._fault(output.lost_line(sent, self._number(client)))

    def frame(self, client: int, sent: bool, frame: Frame) -> None:
        """Print the frame."""
        self._error(output.frame_line(sent, frame, self._number(client)))

    def ended(self, ending: Ending) -> None:
        """Print how a connection ended, whatever else is shown."""
        self._error(output.ending_line(ending, self._number(ending.client)))

    def retrying(self, client: int, error: ClientError | None, seconds: float) -> None:
        """Print why, and when."""
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
        run = self._run
        if run is None or run.clock.seconds() - self._began < _LONG_RUN:
            return
        counts, _ = run.progress()
        elapsed = run.clock.seconds() - self._began
        sent = run.summary.messages_sent
        self._printer.progress(output.progress_line(run.summary, sent, counts.answered, counts.lost, elapsed))
