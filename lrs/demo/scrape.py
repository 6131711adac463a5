"""What the LRS says of itself on its metrics ports, as figures of the way of a statement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

STAGES: Final = ("persist", "score")
UNTIL: Final = ("queryable", "scored")
"""What a statement is after each stage."""

_NAMES: Final = (
    "lrs_statements_accepted_total",
    "lrs_statements_repeated_total",
    "lrs_stage_statements_total",
    "lrs_stage_dead_letters_total",
    "lrs_stage_lag_records",
    "lrs_stage_lag_seconds",
    "lrs_statement_delay_seconds_bucket",
)
"""The samples that a Reading is made of: nothing else is asked for, so that a look costs little."""

_QUERY: Final = [("name[]", name) for name in _NAMES]
_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)


@dataclass
class Reading:
    """All processes at one moment. Counts are since the start of each process; of a process that does
    not answer, nothing. `delays`: per UNTIL, statements by upper bound in seconds, cumulative."""

    at: float
    accepted: float = 0.0
    repeated: float = 0.0
    done: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    dead: float = 0.0
    lag_records: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    lag_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    delays: dict[str, dict[float, float]] = field(default_factory=lambda: {name: {} for name in UNTIL})

    def take(self, exposition: str) -> None:
        """Add what one process exposes."""
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                self._take(sample.name, sample.labels, sample.value)

    def _take(self, name: str, labels: Mapping[str, str], value: float) -> None:
        stage = labels.get("stage", "")
        if stage not in ("", *STAGES):
            return  # an intake's records may become statements, or not
        if name == "lrs_statements_accepted_total":
            self.accepted += value
        elif name == "lrs_statements_repeated_total":
            self.repeated += value
        elif name == "lrs_stage_statements_total":
            self.done[stage] += value
        elif name == "lrs_stage_dead_letters_total":
            self.dead += value
        elif name == "lrs_stage_lag_records":
            self.lag_records[stage] += value
        elif name == "lrs_stage_lag_seconds":
            self.lag_seconds[stage] = max(self.lag_seconds[stage], value)
        elif name == "lrs_statement_delay_seconds_bucket":
            cells = self.delays[labels["until"]]
            bound = float(labels["le"])
            cells[bound] = cells.get(bound, 0.0) + value


async def scrape(session: aiohttp.ClientSession, addresses: Sequence[str]) -> Reading:
    """Read all metrics ports."""

    async def text(address: str) -> str:
        try:
            async with session.get(address, params=_QUERY, timeout=_TIMEOUT) as answer:
                return await answer.text() if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""

    reading = Reading(time.time())
    for exposition in await asyncio.gather(*map(text, addresses)):
        reading.take(exposition)
    return reading


def quantile(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float | None:
    """The quantile of what was counted between two histograms, interpolated within its bucket as
    Prometheus does; None when nothing was counted. Beyond the last bound it is that bound."""
    counts = [(bound, count - before.get(bound, 0.0)) for bound, count in sorted(after.items())]
    if not counts or counts[-1][1] <= 0:
        return None
    rank = share * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= rank:
            if bound == float("inf") or count == below:
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low
