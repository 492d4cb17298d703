"""The commands `wsping` and `wsdaemon ping`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence

from twisted.internet.task import LoopingCall

from wsdaemon.client import output
from wsdaemon.client.commands import ExitCode, ignore_closed_stdout, reason, run_reactor, warn_insecure
from wsdaemon.client.flags import given
from wsdaemon.client.options import Display, ping_parser, plan_from
from wsdaemon.client.ping import Ping
from wsdaemon.client.plan import PingResult
from wsdaemon.client.reporter import Reporter
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

    display = Display(**given(options, Display))
    printer = Printer(sys.stdout, lambda: run.interrupt(), with_progress=not display.verbose)
    run = Ping(plan, Reporter(plan, printer, display), reactor=reactor)
    began = reactor.seconds()

    def draw() -> None:
        elapsed = reactor.seconds() - began
        if elapsed >= _LONG_RUN:
            printer.progress(output.progress_line(run.result, run.counts(), elapsed))

    if printer.has_progress:
        LoopingCall(draw).start(_PROGRESS)
    try:
        result = run_reactor(reactor, run.start, run.interrupt, signal.SIGINT, signal.SIGTERM)
    finally:
        printer.end_progress()
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
