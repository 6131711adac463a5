"""What the supervisor counts: its children, and how often it had to start them again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from lrs.ending import Ending

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class SupervisorMetrics:
    """The metrics of `lrs up`, for children of the given names."""

    def __init__(self, registry: CollectorRegistry, children: Iterable[str]) -> None:
        names = tuple(children)
        endings = Counter(
            "lrs_child_endings_total",
            "Endings of a child that nobody had asked for, by what its exit status says.",
            ["child", "ending"],
            registry=registry,
        )
        running = Gauge("lrs_child_running", "1 while the child runs.", ["child"], registry=registry)
        self._endings = {
            (name, ending): endings.labels(name, ending.name.lower())
            for name, ending in product(names, Ending)
        }
        self._running = {name: running.labels(name) for name in names}

    def ended(self, child: str, ending: Ending) -> None:
        """A child ended, and is started again."""
        self._endings[child, ending].inc()

    def running(self, child: str, *, now: bool) -> None:
        """A child runs, or does not."""
        self._running[child].set(now)
