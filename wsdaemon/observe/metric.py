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

    `read` returns them by the value of the label, by a tuple where there are several labels, by `()` where there are
    none: a number, or for `histogram` and `info` what Prometheus' library takes. A label has few values, and none is
    what a peer sent. A counter with a `total` is on the live page, summed over its labels but for `direction`.
    """

    kind: Literal["counter", "gauge", "histogram", "info"]
    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Source], Mapping[Any, Any]]
    total: str = ""

    def samples(self, source: Source) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield each value behind those of the labels."""
        for key, value in self.read(source).items():
            yield tuple(map(str, key if isinstance(key, tuple) else (key,))), value

    def totals(self, source: Source) -> dict[str, int]:
        """Return the sums for the live page: `total`, or `total_in` and `total_out`."""
        totals = {} if "direction" in self.labels else {self.total: 0}
        for labels, value in self.samples(source):
            name = "_".join([self.total, *labels[: self.labels.count("direction")]])
            totals[name] = totals.get(name, 0) + value
        return totals
