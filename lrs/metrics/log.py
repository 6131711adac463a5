"""What is counted of appends to a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter

from lrs.metrics.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class LogMetrics:
    """The appends of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._durations = Histogram(
            registry, "lrs_log_append_duration_seconds", "Time until an appended record was durable."
        ).series()
        self._errors = Counter(
            "lrs_log_append_errors_total",
            "Appends of which it is not known whether they are durable.",
            registry=registry,
        )

    def appended(self, seconds: float) -> None:
        """A record became durable after so many seconds."""
        self._durations.observe(seconds)

    def failed(self) -> None:
        """An append ended without an answer."""
        self._errors.inc()
