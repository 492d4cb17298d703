"""The benchmark: parsing the generator's output, telling faster from slower, and a whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.chart import write_chart
from benchmarks.compare import BEST, Goal, Verdict, compare, judge
from benchmarks.measure import parse
from benchmarks.process import BenchmarkError
from benchmarks.results import Cell, Results, Settings, figure, load
from benchmarks.servers import BUILD, LIMIT, OWN, SERVERS, present
from benchmarks.shapes import SHAPES
from tests.support.daemon import ROOT
from tests.support.patience import PATIENCE

LINE = "mode=echo conns=100 seconds=3.00 msgs_per_s=83883 MB_per_s=5.4 close_frames=0 errors=0 gen_cpu=97%\n"
SHAPE = {shape.name: shape for shape in SHAPES}


def results(**shapes: dict[str, list[float]]) -> Results:
    """Return results with these samples; `_` in a shape's name stands for `-`."""
    found = Results(Settings(3, 3.0, 1.0), "2030-01-02 03:04 UTC", {"processor": "a processor", "cores": "2"})
    for name, row in shapes.items():
        found.cells[name.replace("_", "-")] = {server: Cell(samples) for server, samples in row.items()}
    return found


class TestMeasuring:
    """Output of wsload."""

    def test_numbers_are_read(self) -> None:
        """Each number is found by its name, percentages too."""
        found = parse(LINE)
        assert (found["msgs_per_s"], found["MB_per_s"], found["gen_cpu"]) == (83883, 5.4, 97)

    @pytest.mark.parametrize(
        "line",
        [LINE.replace("errors=0", "errors=2"), LINE.replace("frames=0", "frames=1"), "mode=idle lost=3", "oh", ""],
    )
    def test_failed_runs_are_no_results(self, line: str) -> None:
        """Lost or closed connections, wrong replies and lines of another form are errors."""
        with pytest.raises(BenchmarkError):
            parse(line)

    def test_median_and_spread(self) -> None:
        """The result is the median; the spread is the range as a share of it, and 0 for one sample."""
        assert (Cell([90, 200, 100]).median, Cell([90, 200, 100]).spread) == (100, 1.1)
        assert Cell([7]).spread == 0

    def test_limit_of_the_generator(self) -> None:
        """A cell is marked if the generator used over 95% of its core in the median round, not just in one."""
        assert Cell([1, 1, 1], [96, 99, 10]).generator_bound
        assert not Cell([1, 1, 1], [99, 90, 95]).generator_bound
        marked = results(echo_1x1={OWN: [1.0]})
        marked.cells["echo-1x1"][OWN].generator_cpu = [99]
        assert "1.0*" in report.tables(marked)
        assert "* the generator used over 95%" in report.notes(marked)

    def test_figures(self) -> None:
        """Figures have three significant digits; more would be noise."""
        assert [figure(each) for each in (5.44, 316.5, 1234, 857499)] == ["5.4", "316", "1,230", "857,000"]


def verdict(shape: str, bound: float, rival: str, **row: list[float]) -> Verdict:
    """Return the verdict for these samples."""
    found = judge(Goal(shape, bound, rival), SHAPE[shape], results(**{shape: row}))
    assert found is not None
    return found


class TestGoals:
    """The ratios that must hold."""

    def test_reached(self) -> None:
        """The ratio is the median of the rounds' ratios, not the ratio of medians; the bound itself suffices."""
        row = {OWN: [300.0, 600.0, 150.0], "picows": [100.0, 100.0, 100.0]}
        found = results(echo_16x32=row)
        reached = verdict("echo-16x32", 3.0, "picows", **row)
        assert (reached.ratio, reached.ratios, reached.missed_by) == (3.0, (3.0, 6.0, 1.5), 0)
        assert "echo-16x32: ≥ 3.0 × picows on uvloop: 3.00 (1.50 to 6.00): reached" in report.goals(found)

    def test_missed(self) -> None:
        """The shortfall is a share of the bound."""
        found = results(echo_16x32={OWN: [270], "picows": [100]})
        assert "echo-16x32: ≥ 3.0 × picows on uvloop: 2.70 (2.70 to 2.70): missed by 10.0%" in report.goals(found)

    def test_less_memory_is_better(self) -> None:
        """Idle memory must be at most the bound."""
        assert [verdict("idle", 1.0, "ws", wsdaemon=[own], ws=[8]).missed_by for own in (7, 10)] == [0, 0.25]

    def test_best_of_the_peers(self) -> None:
        """The best is the peer with the best median; the limit in C is no peer."""
        found = verdict("echo-4x2-1m", 1.0, BEST, wsdaemon=[90], limit=[500], ws=[100], aiohttp=[80])
        assert (found.rival, found.ratio) == ("ws", 0.9)

    def test_not_measured(self) -> None:
        """A goal whose rival was left out is neither reached nor missed."""
        assert "echo-16x32: ≥ 3.0 × picows on uvloop: not measured" in report.goals(results(echo_16x32={OWN: [1.0]}))


class TestComparison:
    """What got slower since the baseline."""

    THEN = results(
        echo_1x1={OWN: [100, 104, 98], "ws": [100, 100, 100], LIMIT: [900, 900, 900]},
        idle={OWN: [8, 8, 8], "ws": [8, 8, 8]},
    )

    def test_slower(self) -> None:
        """A loss against the peers beyond the spread is reported with its shape and size."""
        now = results(echo_1x1={OWN: [80, 82, 81], "ws": [100, 101, 100]}, idle={OWN: [8, 8, 8], "ws": [8, 8, 8]})
        text = report.changes(compare(now, self.THEN, SHAPES), self.THEN)
        assert text.splitlines()[-1] == "Slower: echo-1x1 by 19%."

    def test_within_the_spread(self) -> None:
        """A drop within the range of either run does not count."""
        now = results(echo_1x1={OWN: [80, 100, 81], "ws": [100, 100, 100]})
        text = report.changes(compare(now, self.THEN, SHAPES), self.THEN)
        assert "the same within the spread" in text
        assert text.splitlines()[-1] == "Nothing got slower."

    def test_slower_machine(self) -> None:
        """If the peers are equally slower, the machine is."""
        now = results(echo_1x1={OWN: [50, 52, 49], "ws": [50, 50, 50]})
        (change,) = compare(now, self.THEN, SHAPES)
        assert (change.own, change.slower) == (0.5, False)

    def test_more_memory_is_slower(self) -> None:
        """Where less is better, a greater figure is a drop, and a smaller one is not."""
        more, less = (results(idle={OWN: [own] * 3, "ws": [8] * 3}) for own in (10.0, 6.0))
        assert compare(more, self.THEN, SHAPES)[0].slower
        assert compare(less, self.THEN, SHAPES)[0].drop < 0

    def test_one_round(self) -> None:
        """A drop by 5% or less never counts as slower, because one round has no spread."""
        now, then = (results(echo_1x1={OWN: [own], "ws": [100]}) for own in (96, 100))
        assert not compare(now, then, SHAPES)[0].slower

    def test_nothing_in_common(self) -> None:
        """Without a common peer nothing counts as slower, and the report says that nothing was compared."""
        now = results(echo_1x1={OWN: [1], "tornado": [100], LIMIT: [1]})
        assert "no shape in common" in report.changes(compare(now, self.THEN, SHAPES), self.THEN)


def test_results_are_read_as_written(tmp_path: Path) -> None:
    """A saved file loads as the same results; for human readers it has each cell's median, min and max."""
    found = results(echo_1x1={OWN: [3, 1, 2]})
    found.failures = {"idle": {"ws": "why"}}
    found.save(tmp_path / "results.json")
    assert load(tmp_path / "results.json") == found
    cell = json.loads((tmp_path / "results.json").read_text())["cells"]["echo-1x1"][OWN]
    assert (cell["median"], cell["min"], cell["max"], cell["samples"]) == (2, 1, 3, [3, 1, 2])


def test_chart(tmp_path: Path) -> None:
    """The chart is XML, names every server and shape, and has no external parts."""
    row = {server.name: [100.0, 90.0] for server in SERVERS}
    write_chart(results(**{shape.name: row for shape in SHAPES}), tmp_path / "chart.svg")
    root = ET.parse(tmp_path / "chart.svg").getroot()  # noqa: S314 - we wrote it
    texts = " ".join(element.text or "" for element in root.iter())
    assert all(each.title in texts for each in (*SERVERS, *SHAPES))
    assert not any("script" in element.tag or "href" in " ".join(element.attrib) for element in root.iter())
    assert "url(" not in texts


def test_tables_as_markdown() -> None:
    """Each row of a Markdown table has as many cells as its head; a dash stands for no measurement."""
    text = report.tables(results(echo_1x1={OWN: [1], "ws": [2]}, broadcast={OWN: [3]}), markdown=True)
    lines = text.splitlines()
    assert lines[0] == "| Echo and broadcast | echo 1 × 1, 64 B, msg/s | broadcast 1 → 500, 64 B, deliveries/s |"
    assert lines[3] == "| ws (Node) | 2.0 | – |"
    assert {line.count("|") for line in lines} == {4}


ABSENT: list[tuple[dict[str, Any], str]] = [
    ({"modules": ("json", "no_such_module")}, "not installed: no_such_module"),
    ({"program": "no-such-program"}, "no-such-program is not installed"),
    ({"files": (Path("/nowhere/node_modules/ws"),)}, "not made: node_modules/ws"),
]


@pytest.mark.parametrize(("absent", "reason"), ABSENT)
def test_absent_peers_are_left_out(absent: dict[str, Any], reason: str) -> None:
    """A peer that is not installed is left out, and the report says why."""
    own, peer = SERVERS[0], replace(SERVERS[2], **{"modules": (), **absent})
    there, left_out = present([own, peer])
    assert (there, left_out) == ([own], {peer.name: reason})
    assert f"Left out: {peer.title}: {reason}." in report.notes(replace(results(), left_out=left_out))


@pytest.mark.parametrize("arguments", [["--save", "--quick"], ["--shapes", "nope"], ["--servers", "nope"]])
def test_refused_arguments(arguments: list[str]) -> None:
    """Only a whole run can become the baseline; unknown names are refused."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


@pytest.fixture(scope="module")
def wsload() -> Path:
    """The generator, as make builds it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(
        ["make", "-C", ROOT, "benchmarks/build/wsload"], capture_output=True, text=True, env=environment
    )
    if made.returncode and not os.environ.get("CI"):  # CI must not leave out what comes of it
        pytest.skip(made.stderr)  # a machine without a C compiler can run all the rest
    assert made.returncode == 0, made.stderr
    return BUILD / "wsload"


def test_wrong_replies_are_errors(wsload: Path) -> None:
    """A server whose first reply differs from the message (this one sends a greeting) has no result."""
    greets = [sys.executable, "-m", "tests.support.peer_servers", "greet"]
    with subprocess.Popen(greets, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        command = [str(wsload), "-p", str(int(process.stdout.readline())), "-c", "3", "-t", "0.1", "-w", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        process.terminate()
    with pytest.raises(BenchmarkError, match="3 connections were lost or answered wrongly"):
        parse(done.stdout)


@pytest.mark.usefixtures("wsload")
def test_whole_way(tmp_path: Path) -> None:
    """Server, generator, results, chart and comparison work together, plain, with TLS, deflate and files.

    Where the machine is too busy for an answer in so short a time, each shape is measured for longer.
    """
    shapes = "echo-100x1,tls-100x1,deflate-16x4-1k,broadcast,handshakes,files"
    file = tmp_path / "now.json"
    for seconds in (0.3, 3, 10):
        command = [
            sys.executable, "-m", "benchmarks", "--servers=wsdaemon", f"--shapes={shapes}", "--rounds=1",
            f"--seconds={seconds}", "--warm-up=0.1", f"--json={file}", f"--baseline={tmp_path / 'none.json'}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
        if "nothing came back" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    found = load(file)
    assert {name: list(row) for name, row in found.cells.items()} == {name: [OWN] for name in shapes.split(",")}
    assert all(cell.median > 0 for row in found.cells.values() for cell in row.values())
    assert {"Python", "Twisted"} <= found.versions.keys()
    ET.parse(file.with_suffix(".svg"))  # noqa: S314 - we wrote it
