"""Benchmark command: measures this server and others, taking turns on one machine; `make bench` runs it.

Prints tables, the ratios that must hold, and what got slower since the baseline; writes the results and a chart. Needs
Linux, wsload and limit (make builds both), and two cores that nothing else uses.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import report
from benchmarks.chart import write_chart
from benchmarks.compare import compare
from benchmarks.machine import machine, versions
from benchmarks.measure import WSLOAD, measure_all
from benchmarks.results import Results, Settings, load
from benchmarks.servers import BUILD, HERE, OWN, SERVERS, Server, present
from benchmarks.shapes import SHAPES, Shape

BASELINE = HERE / "results.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 1 if wsdaemon could not be measured in some shape."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.show:
        print(report.whole(load(options.show), markdown=options.markdown))
        return 0
    try:
        shapes = _by_name(SHAPES, options.shapes)
        chosen = _by_name(SERVERS, options.servers)
    except ValueError as error:
        parser.error(str(error))
    if options.save and (options.shapes or options.servers or options.quick):
        parser.error("--save is for a whole run: not with --shapes, --servers or --quick")
    if not WSLOAD.exists():
        parser.error("wsload is not built: `make benchmarks/build/wsload`")
    baseline = load(options.baseline) if options.baseline.exists() else None
    servers, left_out = present(chosen)
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    settings = Settings(1, 0.5, 0.2) if options.quick else Settings(options.rounds, options.seconds, options.warm_up)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    results = Results(settings, date, machine(), versions(), left_out)
    if len(os.sched_getaffinity(0)) < 2:
        print("only one core: server and generator share it", file=sys.stderr)
    measure_all(shapes, servers, results, lambda line: print(line, file=sys.stderr, flush=True))
    file = BASELINE if options.save else options.json
    results.save(file)
    write_chart(results, file.with_suffix(".svg"))
    print(report.whole(results, markdown=options.markdown))
    if baseline is not None:
        print("\n" + report.changes(compare(results, baseline, shapes), baseline))
    else:
        print(f"\nNo baseline at {options.baseline.name}: nothing to compare with.")
    return int(any(OWN in failed for failed in results.failures.values()))


_Named = TypeVar("_Named", Server, Shape)


def _by_name(known: Sequence[_Named], names: str | None) -> list[_Named]:
    """Return those named in a comma-separated list, or all; raises `ValueError` with the known names."""
    found = {each.name: each for each in known}
    wanted = names.split(",") if names else list(found)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(found)}")
    return [found[name] for name in wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (5)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="length of each measurement (3)")
    parser.add_argument("--warm-up", type=float, default=1.0, metavar="S", help="warm-up before each measurement (1)")
    parser.add_argument("--quick", action="store_true", help="one round of half a second, to see that everything runs")
    parser.add_argument("--shapes", metavar="A,B", help=f"only these: {', '.join(shape.name for shape in SHAPES)}")
    parser.add_argument("--servers", metavar="A,B", help=f"only these: {', '.join(server.name for server in SERVERS)}")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=BUILD / "results.json",
        help="file for the results, with the chart as .svg beside it (benchmarks/build/results.json)",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", default=BASELINE,
        help="results to compare with (benchmarks/results.json)",
    )  # fmt: skip
    parser.add_argument("--save", action="store_true", help="make this run's results the baseline")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the results in FILE and measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
