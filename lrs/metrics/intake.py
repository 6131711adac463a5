"""What became of the records of the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

BECAME = ("accepted", "version", "invalid", "attachment", "forbidden", "conflict")
"""What a record may become; see `lrs.stream.intake`."""


class IntakeMetrics:
    """The records of one intake worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        records = Counter(
            "lrs_intake_records_total",
            "Records of the inbox, by what became of them.",
            ["became"],
            registry=registry,
        )
        self._records = {became: records.labels(became) for became in BECAME}

    def became(self, counts: Mapping[str, int]) -> None:
        """A batch was done; how many records were accepted, and how many refused, by reason."""
        for became, number in counts.items():
            self._records[became].inc(number)
