"""Results of a run: every sample, with machine, versions and settings; stored as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass
class Cell:
    """Samples of one server in one shape, in the order of the rounds."""

    GENERATOR_LIMIT: ClassVar[float] = 95.0
    """Percentage of its core above which the generator may be the limit."""

    samples: list[float] = field(default_factory=list)
    generator_cpu: list[float] = field(default_factory=list)

    def add(self, value: float, generator_cpu: float | None) -> None:
        """Add a sample."""
        self.samples.append(value)
        if generator_cpu is not None:
            self.generator_cpu.append(generator_cpu)

    @property
    def median(self) -> float:
        """Median of the samples: the result."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Spread of the samples, as a share of the median."""
        return spread(self.samples)

    @property
    def generator_bound(self) -> bool:
        """Whether the generator may have been the limit in most rounds."""
        return bool(self.generator_cpu) and statistics.median(self.generator_cpu) > self.GENERATOR_LIMIT


def figure(value: float) -> str:
    """Return a number with three significant digits, or with all its integer digits."""
    if value >= 1000:
        scale: float = 10 ** (len(str(int(value))) - 3)
        return f"{round(value / scale) * scale:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def spread(values: Iterable[float]) -> float:
    """Return (greatest - smallest) / median of the values; 0.0 for a single value."""
    found = list(values)
    return (max(found) - min(found)) / statistics.median(found) if len(found) > 1 else 0.0


@dataclass(frozen=True)
class Settings:
    """Settings of a run: rounds, seconds of each measurement, and seconds of warm-up."""

    rounds: int
    seconds: float
    warm_up: float


@dataclass
class Results:
    """Results of a run: `cells` and `failures` by shape and server, `left_out` by server."""

    settings: Settings
    date: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    def cell(self, shape: str, server: str) -> Cell | None:
        """Return the cell; None if the server was not measured in that shape."""
        return self.cells.get(shape, {}).get(server)

    def save(self, file: Path) -> None:
        """Write the results, with median, min and max of each cell for human readers."""
        whole = asdict(self)
        for shape, row in self.cells.items():
            for server, cell in row.items():
                found = {"median": cell.median, "min": min(cell.samples), "max": max(cell.samples)}
                whole["cells"][shape][server] = {**found, **asdict(cell)}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_one_line_lists(json.dumps(whole, indent=1, ensure_ascii=False)) + "\n")


def load(file: Path) -> Results:
    """Read results that `save` wrote."""
    whole: dict[str, Any] = json.loads(file.read_text())
    cells = {
        shape: {server: Cell(each["samples"], each["generator_cpu"]) for server, each in row.items()}
        for shape, row in whole.pop("cells").items()
    }
    return Results(settings=Settings(**whole.pop("settings")), cells=cells, **whole)


def _one_line_lists(text: str) -> str:
    """Put each list of numbers on one line, so that diffs of the file are readable."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if inside:
            lines[-1] += line.strip().replace(",", ", ") if line.strip()[0] != "]" else line.strip()
        else:
            lines.append(line)
        inside = line.endswith("[") or (inside and line.strip()[0] != "]")
    return "\n".join(lines)
