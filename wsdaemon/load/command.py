"""Command `wsdaemon load`: its options, and what it writes where."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from wsdaemon.client import Target, connect
from wsdaemon.client.commands import ExitCode, ignore_closed_stdout, reason, run_reactor, warn_insecure
from wsdaemon.client.connect import tcp_endpoint
from wsdaemon.client.flags import Sections, add_flags, flag, given
from wsdaemon.client.options import CONNECTING, target_from
from wsdaemon.load import document as documents
from wsdaemon.load.compare import compare, table
from wsdaemon.load.measurement import Measurement
from wsdaemon.load.plan import LoadPlan, Mode
from wsdaemon.load.progress import Progress
from wsdaemon.load.summary import summary

EPILOG = """\
Exit codes: 0 all replies right; 1 something lost or wrong; 2 wrong usage, or a file that cannot be read or
written; 3 could not connect; 130 interrupted (Ctrl-C ends early, with the summary of what was done).
"""


@dataclass(frozen=True, kw_only=True)
class Results:
    """Options that say where the results go."""

    report: Path | None = flag(
        None, "--report", metavar="FILE", read=Path, text="write a self-contained HTML page with charts"
    )
    json: str | None = flag(None, "--json", metavar="FILE", text="write the JSON document; - is the standard output")
    compare: Path | None = flag(
        None, "--compare", metavar="OLD.json", read=Path, text="show the change since an earlier --json"
    )
    quiet: bool = flag(False, "--quiet", "-q", text="show no progress, only the summary")


LOAD: Sections = {"load": (LoadPlan,), "results": (Results,)}
"""Options of `wsdaemon load`, besides those of connecting."""


def add_load_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `load` to the commands of a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "load", help="measure a server under load", epilog=EPILOG,
        description="Send many messages to a server that echoes them, check every reply, and report latencies.",
    )  # fmt: skip
    parser.add_argument("url", metavar="URL", help="the endpoint: ws://HOST/PATH or wss://HOST/PATH")
    add_flags(parser, {**LOAD, **CONNECTING})
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run `wsdaemon load`; returns its exit code."""
    results = Results(**given(options, Results))
    try:
        plan, target = _plan(options), target_from(options, options.url)
        old = None if results.compare is None else _read(results.compare)
        for path in (results.report, None if results.json in (None, "-") else Path(results.json)):
            if path is not None:
                _check_writable(path)
    except (OSError, ValueError) as error:
        return _complain(error)
    warn_insecure(target)
    started = datetime.now(UTC)
    measured = _measure(plan, target, quiet=results.quiet)
    document = documents.make(measured, target, started)
    text = sys.stderr if results.json == "-" else sys.stdout
    lines = f"{summary(document)}\n"
    if old is not None:
        lines += f"\n{table(compare(old, document))}\n"
    try:
        _write(results, document, old)  # first, lest a closed pipe lose it
        text.write(lines)
        text.flush()
    except BrokenPipeError:
        ignore_closed_stdout()
    except OSError as error:
        return _complain(error)
    return exit_code(measured)


def _complain(error: Exception) -> ExitCode:
    sys.stderr.write(f"wsdaemon load: {reason(error)}\n")
    return ExitCode.USAGE


def exit_code(measured: Measurement) -> ExitCode:
    """Return the exit code for a run."""
    if measured.interrupted:
        return ExitCode.INTERRUPTED
    if not measured.opened:
        return ExitCode.NOT_CONNECTED
    return ExitCode.WRONG if measured.record.total().errors else ExitCode.RIGHT


def _plan(options: argparse.Namespace) -> LoadPlan:
    plan = given(options, LoadPlan)
    if "mode" in plan:
        for name in ("rate", "in_flight", "ramp"):
            if plan.get(name):
                raise ValueError(f"--{name.replace('_', '-')} means nothing with --connects")
    return LoadPlan(**plan)


def _measure(plan: LoadPlan, target: Target, *, quiet: bool) -> Measurement:
    """Run the plan on the global reactor."""
    from twisted.internet import reactor

    from wsdaemon.load.alarm import precise
    from wsdaemon.load.connects import ConnectsRunner
    from wsdaemon.load.eager import EagerEndpoint
    from wsdaemon.load.runner import EchoRunner

    loop: Any = reactor
    progress = Progress(plan, sys.stderr, quiet=quiet)
    measurement = Measurement(
        plan, partial(connect, target, reactor=loop, endpoint=EagerEndpoint(tcp_endpoint(target, loop))), clock=loop,
        on_begin=_leave_the_heap_alone, on_beat=progress.beat,
    )  # fmt: skip
    alarm = precise(loop)
    runner = ConnectsRunner(measurement) if plan.mode is Mode.CONNECTS else EchoRunner(measurement, alarm)
    progress.start()
    try:
        return run_reactor(loop, runner.run, runner.stop, signal.SIGINT)
    finally:
        progress.finish()
        if alarm is not loop:
            alarm.close()


def _leave_the_heap_alone() -> None:
    """Keep the garbage collector from scanning objects that live as long as the run."""
    gc.collect()
    gc.freeze()


def _read(path: Path) -> documents.Document:
    """Return an earlier document; a damaged one raises `ValueError` before the run, not after it."""
    from wsdaemon.load.report import report

    try:
        document = documents.read(path.read_text("utf-8"))
        table(compare(document, document))
        report(document, document)
        return document
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except documents.DocumentError as error:
        raise ValueError(f"{path} cannot be compared with: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be compared with: it is damaged ({error})") from None


def _check_writable(path: Path) -> None:
    """Raise `ValueError` before the run, not after it, if a result cannot be written."""
    try:
        path.open("ab").close()
    except IsADirectoryError:
        raise ValueError(f"{path} cannot be written: it is a folder") from None
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path} cannot be written: there is no such folder") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {(error.strerror or 'error').lower()}") from None


def _write(results: Results, document: documents.Document, old: documents.Document | None) -> None:
    if results.json == "-":
        sys.stdout.write(documents.dump(document))
    elif results.json is not None:
        Path(results.json).write_text(documents.dump(document), "utf-8")
    if results.report is not None:
        from wsdaemon.load.report import report

        results.report.write_text(report(document, old), "utf-8")
