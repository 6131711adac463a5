"""What becomes of outcomes on their way to Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class OutboxMetrics:
    """The outboxes of one worker."""

    def __init__(self, registry: CollectorRegistry, partitions: int) -> None:
        self._published = Counter(
            "lrs_outcomes_published_total",
            "Outcomes that are durable in their topic, those that were sent again included.",
            registry=registry,
        )
        waiting = Gauge(
            "lrs_outcomes_waiting",
            "Outcomes of the journal that are not published yet, in the partitions of this worker.",
            ["partition"],
            registry=registry,
        )
        self._waiting = [waiting.labels(str(partition)) for partition in range(partitions)]

    def published(self, count: int) -> None:
        """Some outcomes became durable."""
        self._published.inc(count)

    def waiting(self, by_partition: Mapping[int, int]) -> None:
        """So many wait; in a partition of which nothing is said it is another worker's business."""
        for partition, gauge in enumerate(self._waiting):
            gauge.set(by_partition.get(partition, 0))
