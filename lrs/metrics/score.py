"""What became of the events that the score stage was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import Counter

from lrs.scoring.batch import REASONS
from lrs.scoring.evidence import MERGED
from lrs.scoring.outcome import NAMES, About

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

KINDS = tuple(sorted({name for (about, _), name in NAMES.items() if about is not About.CATALOGUE}))
"""The kinds of outcomes that the score stage finds."""

BECAME = (*MERGED, *REASONS, "no_catalogue")
"""What an event may become; see `lrs.scoring.batch` and `lrs.scoring.evidence`."""


class ScoreMetrics:
    """The events of one score worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        events = Counter(
            "lrs_score_events_total",
            "Learning events scored, by what became of them.",
            ["became"],
            registry=registry,
        )
        self._events = {became: events.labels(became) for became in BECAME}
        self._times = Counter(
            "lrs_score_times_refused_total",
            "Events whose own timestamp was out of bounds, so that the stored time counts.",
            registry=registry,
        )

        outcomes = Counter(
            "lrs_outcomes_total",
            "Outcomes written to the journal, by kind.",
            ["kind"],
            registry=registry,
        )
        self._outcomes = {kind: outcomes.labels(kind) for kind in KINDS}
        self._retracted = Counter(
            "lrs_outcomes_retracted_total",
            "Outcomes written to the journal that take back an earlier one.",
            registry=registry,
        )

    def became(self, counts: Mapping[str, int]) -> None:
        """A batch was committed; `counts` as the score stage gives them."""
        for became, counter in self._events.items():
            counter.inc(counts.get(became, 0))
        self._times.inc(counts.get("time_refused", 0))
        for kind, counter in self._outcomes.items():
            counter.inc(counts.get(kind, 0))
        self._retracted.inc(counts.get("outcomes_retracted", 0))
