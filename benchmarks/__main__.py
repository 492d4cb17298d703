"""Measure this project's server and others in turns, on one machine; `make bench` runs this.

Prints tables, the ratios that must hold and what got slower since the baseline, and writes results and a chart. Needs
Linux, wsload and limit (which make builds), and two cores that nothing else uses.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.chart import write_chart
from benchmarks.compare import compare
from benchmarks.machine import machine, versions
from benchmarks.measure import WSLOAD, measure_all
from benchmarks.results import Results, Settings, load
from benchmarks.servers import BUILD, HERE, OWN, SERVERS, Server, present
from benchmarks.servers import by_name as servers_by_name
from benchmarks.shapes import SHAPES, Shape
from benchmarks.shapes import by_name as shapes_by_name

BASELINE = HERE / "results.json"


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code, 1 where this project's server could not be measured in a shape."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.show:
        print(report.whole(load(options.show), markdown=options.markdown))
        return 0
    try:
        shapes: list[Shape] = shapes_by_name(options.shapes) if options.shapes else list(SHAPES)
        chosen: list[Server] = servers_by_name(options.servers) if options.servers else list(SERVERS)
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
        print("one core only: server and generator share it", file=sys.stderr)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="each measurement is taken so often (5)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="and takes so long (3)")
    parser.add_argument("--warm-up", type=float, default=1.0, metavar="S", help="after so long before it (1)")
    parser.add_argument("--quick", action="store_true", help="one round of half a second: to see that all runs")
    parser.add_argument("--shapes", metavar="A,B", help=f"only these: {', '.join(shape.name for shape in SHAPES)}")
    parser.add_argument("--servers", metavar="A,B", help=f"only these: {', '.join(server.name for server in SERVERS)}")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=BUILD / "results.json",
        help="where the results go, and the chart as .svg beside them (benchmarks/build/results.json)",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", default=BASELINE,
        help="the results to compare with (benchmarks/results.json)",
    )  # fmt: skip
    parser.add_argument("--save", action="store_true", help="make this run's results the baseline")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--show", type=Path, metavar="FILE", help="measure nothing: print the results in FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
