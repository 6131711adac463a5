"""A histogram that costs little on a hot path: plain counters, made cumulative when scraped."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds for durations; among them the objectives 0.25 s, 0.5 s, 5 s and 10 s."""

DELAYS = (
    *(0.001, 0.002, 0.005),
    *(0.01, 0.0125, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08),
    *(0.1, 0.125, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8),
    *(1.0, 1.25, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    *(10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
)
"""Upper bounds for what is promised and predicted: a quantile is known to a quarter or better where
objectives are, and the drain after an outage still has its place.
"""

COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
"""Upper bounds for numbers of statements."""

BYTES = tuple(float(1 << power) for power in range(10, 25))
"""Upper bounds for sizes: 1 KiB to 16 MiB."""


class Cells:
    """The counts of one series. Not for several threads at once."""

    __slots__ = ("bounds", "counts", "edges", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.edges = np.array(bounds, dtype=np.float64)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `value`, `times` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def observe_many(self, values: NDArray[np.float64]) -> None:
        """Count each of an array of values."""
        places = np.bincount(np.searchsorted(self.edges, values), minlength=len(self.counts))
        for place in np.flatnonzero(places).tolist():
            self.counts[place] += int(places[place])
        self.total += float(values.sum())


class Histogram(Collector):
    """A family of histograms, one series for each given tuple of label values."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        documentation: str,
        bounds: Sequence[float] = SECONDS,
        labels: Sequence[str] = (),
        series: Iterable[tuple[str, ...]] = ((),),
    ) -> None:
        self._name, self._documentation, self._labels = name, documentation, tuple(labels)
        self._cells = {values: Cells(bounds) for values in series}
        registry.register(self)

    def series(self, *values: str) -> Cells:
        """The series of these label values, which must be among those given."""
        return self._cells[values]

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The family without its series, by which the registry knows its names."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The series as Prometheus wants them: cumulative, the last bucket without bound."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, cells in self._cells.items():
            sums = np.cumsum(cells.counts).tolist()
            names = [*(str(bound) for bound in cells.bounds), "+Inf"]
            family.add_metric(values, buckets=list(zip(names, sums, strict=True)), sum_value=cells.total)
        yield family
