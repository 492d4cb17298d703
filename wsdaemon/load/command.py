"""`wsdaemon load`: its options, its exit codes, and what it writes where."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from twisted.python.failure import Failure

from wsdaemon.client.options import add_connect_options, target_from
from wsdaemon.load import document as documents
from wsdaemon.load.compare import compare, table
from wsdaemon.load.outcome import Outcome
from wsdaemon.load.plan import Mode, Plan, parse_sizes
from wsdaemon.load.progress import Progress, progress
from wsdaemon.load.summary import summary

EPILOG = """\
Exit codes: 0 all replies right; 1 something lost or wrong; 2 wrong usage, or a file that cannot be read or
written; 3 could not connect; 130 interrupted (Ctrl-C ends early, with the summary of what was done).
"""


class ExitCode(IntEnum):
    """What the command ends with."""

    RIGHT = 0
    WRONG = 1
    USAGE = 2
    NOT_CONNECTED = 3
    INTERRUPTED = 130


class _UsageError(Exception):
    """The options, or a file that they name, cannot be used; the text says why."""


def add_load_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `load` to the commands, which is what `add_subparsers` returned."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "load", help="measure a server under load", epilog=EPILOG,
        description="Send many messages to a server that echoes them, check every reply, and report latencies.",
    )  # fmt: skip
    parser.add_argument("url", metavar="URL", help="the endpoint: ws://HOST/PATH or wss://HOST/PATH")
    group = parser.add_argument_group("load")
    add = group.add_argument
    add("--clients", type=int, default=10, metavar="N", help="connections (default: 10)")
    add("--duration", type=float, default=10.0, metavar="SECONDS", help="how long to send (default: 10)")
    add("--ramp", type=float, default=0.0, metavar="SECONDS", help="bring the clients in over that time (default: 0)")
    loop = group.add_mutually_exclusive_group()
    loop.add_argument(
        "--rate", type=float, metavar="N",
        help="open loop: N messages/s in total, latency counted from when each was due",
    )  # fmt: skip
    loop.add_argument(
        "--in-flight", type=int, metavar="N", help="closed loop: N messages on their way per client (default: 1)"
    )
    add("--size", default="64", metavar="BYTES", help="the payload's size, or a range such as 64-4096 (default: 64)")
    add("--binary", action="store_true", help="send binary messages, not text")
    add("--seed", type=int, default=1, metavar="N", help="what random sizes and contents come from (default: 1)")
    add("--connects", action="store_true", help="measure handshakes: connect and close, --clients at a time")
    out = parser.add_argument_group("results").add_argument
    out("--report", type=Path, metavar="FILE", help="write a self-contained HTML page with charts")
    out("--json", metavar="FILE", help="write the JSON document; - is the standard output")
    out("--compare", type=Path, metavar="OLD.json", help="show the change since an earlier --json")
    out("--quiet", "-q", action="store_true", help="show no progress, only the summary")
    add_connect_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        plan, target = _plan(options), target_from(options)
        old = None if options.compare is None else _read(options.compare)
        for path in (options.report, None if options.json in (None, "-") else Path(options.json)):
            _check_writable(path)
    except (_UsageError, OSError, ValueError) as error:
        return _complain(error)
    if target.insecure:
        sys.stderr.write("warning: the server's certificate is not verified (--insecure)\n")
    started = datetime.now(UTC)
    try:
        outcome = _measure(plan, target, quiet=options.quiet)
    except (OSError, ValueError) as error:  # a certificate or key that cannot be read
        return _complain(error)
    document = documents.make(plan, _connection(target), outcome, started)
    text = sys.stderr if options.json == "-" else sys.stdout
    lines = f"{summary(document)}\n"
    if old is not None:
        lines += f"\n{table(compare(old, document))}\n"
    try:
        _write(options, document, old)  # first: it must not be lost where nobody reads the text
        text.write(lines)
        text.flush()
    except BrokenPipeError:  # whoever read it has seen enough; Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _complain(error)
    return exit_code(outcome)


def _complain(error: Exception) -> ExitCode:
    sys.stderr.write(f"wsdaemon load: {error}\n")
    return ExitCode.USAGE


def exit_code(outcome: Outcome) -> ExitCode:
    """Return what a run ends the command with."""
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    if not outcome.opened:
        return ExitCode.NOT_CONNECTED
    return ExitCode.WRONG if outcome.record.total().errors else ExitCode.RIGHT


def _plan(options: argparse.Namespace) -> Plan:
    if options.connects:
        for name in ("rate", "in_flight", "ramp"):
            if getattr(options, name):
                raise _UsageError(f"--{name.replace('_', '-')} means nothing with --connects")
    return Plan(
        mode=Mode.CONNECTS if options.connects else Mode.ECHO, clients=options.clients, duration=options.duration,
        ramp=options.ramp, rate=options.rate, in_flight=1 if options.in_flight is None else options.in_flight,
        sizes=parse_sizes(options.size), binary=options.binary, seed=options.seed,
    )  # fmt: skip


def _connection(target: Any) -> dict[str, Any]:
    return {
        "url": _without_password(target.url),
        "subprotocols": list(target.subprotocols),
        "compression": target.compression,
        "connect_to": target.connect_to,
        "proxy": target.proxy is not None,
    }


def _without_password(url: str) -> str:
    """Return the URL without user and password: results are handed on."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _measure(plan: Plan, target: Any, *, quiet: bool) -> Outcome:
    """Run the plan on the global reactor."""
    from twisted.internet import reactor

    from wsdaemon.client.connect import connect
    from wsdaemon.load.alarm import precise
    from wsdaemon.load.connects import ConnectsRunner
    from wsdaemon.load.eager import eager_endpoint
    from wsdaemon.load.runner import EchoRunner

    loop: Any = reactor
    ended: list[Outcome | Failure] = []
    shown: list[Progress] = []
    arguments: dict[str, Any] = {
        "connect": partial(connect, target, reactor=loop, endpoint=eager_endpoint(target, loop)),
        "clock": loop,
        "on_begin": _leave_the_heap_alone,
        "on_beat": lambda elapsed: shown[0].beat(elapsed),
    }
    alarm = precise(loop)
    runner: EchoRunner | ConnectsRunner = (
        ConnectsRunner(plan, **arguments) if plan.mode is Mode.CONNECTS else EchoRunner(plan, alarm=alarm, **arguments)
    )
    shown.append(progress(plan, runner.record, sys.stderr, quiet=quiet))

    def end(result: Outcome | Failure) -> None:
        ended.append(result)
        loop.stop()

    def begin() -> None:
        shown[0].start()
        try:
            runner.run().addBoth(end)
        except Exception:
            end(Failure())

    loop.callWhenRunning(begin)
    with _interrupts(lambda: loop.callFromThread(runner.stop)):
        loop.run(installSignalHandlers=False)
    shown[0].finish()
    if alarm is not loop:
        alarm.close()
    outcome = ended[0]
    if isinstance(outcome, Failure):
        outcome.raiseException()
        raise AssertionError  # never: the line above raises
    return outcome


@contextmanager
def _interrupts(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` at the first Ctrl-C; the second ends the program at once."""

    def interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        stop()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_the_heap_alone() -> None:
    """Let the garbage collector not look again and again at what stays for the whole run."""
    gc.collect()
    gc.freeze()


def _read(path: Path) -> documents.Document:
    try:
        document = documents.read(path.read_text("utf-8"))
        _try_out(document)
        return document
    except (OSError, UnicodeDecodeError) as error:
        raise _UsageError(f"{path} cannot be read: {error}") from None
    except documents.DocumentError as error:
        raise _UsageError(f"{path} cannot be compared with: {error}") from None


def _try_out(document: documents.Document) -> None:
    """Say before the run, not after it, that a document is damaged; raises `DocumentError`."""
    from wsdaemon.load.report import report

    try:
        table(compare(document, document))
        report(document, document)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise documents.DocumentError(f"it is damaged ({error})") from None


def _check_writable(path: Path | None) -> None:
    """Say before the run, not after it, that a result cannot be written."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise _UsageError(
            f"{path} cannot be written: " + ("it is a folder" if path.is_dir() else "there is no such folder")
        )
    if path is not None:
        try:
            path.open("ab").close()
        except OSError as error:
            raise _UsageError(f"{path} cannot be written: {(error.strerror or 'error').lower()}") from None


def _write(options: argparse.Namespace, document: documents.Document, old: documents.Document | None) -> None:
    if options.json == "-":
        sys.stdout.write(documents.dump(document))
    elif options.json is not None:
        Path(options.json).write_text(documents.dump(document), "utf-8")
    if options.report is not None:
        from wsdaemon.load.report import report

        options.report.write_text(report(document, old), "utf-8")
