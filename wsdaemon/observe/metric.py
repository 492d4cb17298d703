"""Declaration of a metric, in `METRICS` of the class that counts: pages, documentation and dashboard read it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

Source = TypeVar("Source")


class Measured(Protocol):
    """A class that declares metrics of itself."""

    METRICS: ClassVar[tuple[Metric[Any], ...]]


@dataclass(frozen=True)
class Metric(Generic[Source]):
    """Name, help and labels of a metric, and how its values are read.

    The keys that `read` returns are the values of the label, tuples if there are several labels, `()` if there are
    none. Its values are numbers, or for `histogram` and `info` the arguments of Prometheus' library. A label has few
    values, and none is text that a peer sent. The live page shows a counter with a `total` under that name, summed over
    all labels but `direction`.
    """

    kind: Literal["counter", "gauge", "histogram", "info"]
    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Source], Mapping[Any, Any]]
    total: str = ""

    def samples(self, source: Source) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield the labels' values and the value of each sample."""
        for key, value in self.read(source).items():
            yield tuple(map(str, key if isinstance(key, tuple) else (key,))), value

    def totals(self, source: Source) -> dict[str, int]:
        """Return the sums for the live page, by name: `total`, or `total_in` and `total_out`."""
        totals = {} if "direction" in self.labels else {self.total: 0}
        for labels, value in self.samples(source):
            name = "_".join([self.total, *labels[: self.labels.count("direction")]])
            totals[name] = totals.get(name, 0) + value
        return totals
