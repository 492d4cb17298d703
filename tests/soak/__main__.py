"""`python -m tests.soak`: run the soak, print its figures, and exit with 1 if the daemon failed."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.soak.run import make_ini, soak
from tests.soak.verdict import figures, problems, table
from tests.soak.watched import DaemonGone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says; returns the exit code."""
    options = _parse(arguments)
    wanted: int = options.connections
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < 2 * wanted + 1000:
        print(f"{wanted} connections and their faults need more open files than {most}: see ulimit -Hn")
        return 1
    ini = make_ini(options.deadlines, options.set)
    try:
        with tempfile.TemporaryDirectory(prefix="wsdaemon-soak-") as folder:
            run = asyncio.run(
                soak(
                    Path(folder), ini, seed=options.seed, connections=wanted, seconds=options.seconds, life=options.life
                )
            )
    except DaemonGone as error:
        print(error)
        return 1
    if sys.stdout.isatty():
        print()
    print("\n".join(table(run)))
    if options.json:
        options.json.write_text(json.dumps(figures(run)))
    found = list(problems(run, growth=options.growth * 1e6))
    print("\n".join(f"not good: {problem}" for problem in found) or "The daemon stood it.")
    return 1 if found else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long the load lasts (default: 300)")
    parser.add_argument("--connections", type=int, default=1000, help="how many there are at any time (default: 1000)")
    parser.add_argument("--life", type=float, default=40, help="the longest life of a client, in seconds (default: 40)")
    parser.add_argument(
        "--deadlines", type=float, default=3, help="the daemon's, in multiples of the shortest that can be (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=1, help="what the clients' choices follow from (default: 1)")
    parser.add_argument(
        "--growth", type=float, default=8, help="how many MB of growth from the middle to the end are flat (default: 8)"
    )
    parser.add_argument("--json", type=Path, help="a file to write the main figures to")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.OPTION=VALUE", help="an option for the daemon's INI file"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
