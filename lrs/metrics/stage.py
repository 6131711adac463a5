"""What a stage counts: records, statements, errors, batches, how far it is behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import Counter, Gauge

from lrs.metrics.histogram import COUNTS, DELAYS, Histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

STAGES = ("persist", "score")
"""The stages that every LRS has."""

INTAKE = "intake"
"""The stage that there is beside them where statements come from a topic, too."""

DONE = {"persist": "queryable", "score": "scored"}
"""What a statement is once the stage has committed it."""


class StageMetrics:
    """The metrics of the stages of one worker; an observer of `lrs.stream.stage`.

    `clock` gives the instant in seconds since 1970, to tell how old a record is when it is done.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        stages: Sequence[str],
        partitions: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self._clock = clock
        self._partitions = range(partitions)
        each = [(stage,) for stage in stages]

        def counter(name: str, documentation: str) -> dict[str, Counter]:
            family = Counter(name, documentation, ["stage"], registry=registry)
            return {stage: family.labels(stage) for stage in stages}

        def gauge(name: str, documentation: str) -> dict[tuple[str, int], Gauge]:
            family = Gauge(name, documentation, ["stage", "partition"], registry=registry)
            return {key: family.labels(key[0], str(key[1])) for key in product(stages, self._partitions)}

        self._records = counter("lrs_stage_records_total", "Log records done.")
        self._statements = counter(
            "lrs_stage_statements_total", "Statements (persist) or events (score) done."
        )
        self._dead_letters = counter(
            "lrs_stage_dead_letters_total", "Statements put aside because they fail alone."
        )
        self._refused_late = Counter(
            "lrs_statements_refused_late_total",
            "Statements acknowledged and then refused, because their id was taken: they are dead letters.",
            registry=registry,
        )
        self._durations = Histogram(
            registry,
            "lrs_stage_batch_duration_seconds",
            "Time for one batch, its commit included.",
            labels=["stage"],
            series=each,
        )
        self._sizes = Histogram(
            registry, "lrs_stage_batch_statements", "Statements in a batch.", COUNTS, ["stage"], each
        )
        self._delays = Histogram(
            registry,
            "lrs_statement_delay_seconds",
            "Until a statement is queryable: from its arrival; until it is scored: from its stored time.",
            DELAYS,
            ["until"],
            [(DONE[stage],) for stage in stages if stage in DONE],
        )
        self._lag_records = gauge(
            "lrs_stage_lag_records", "Records of the partition that the stage has not done."
        )
        self._lag_seconds = gauge(
            "lrs_stage_lag_seconds",
            "Stored time between the partition's newest record and the last one that the stage has done.",
        )
        self._reached = gauge(
            "lrs_stage_reached_timestamp_seconds",
            "Stored time of the last record of the partition that this worker has done, since 1970.",
        )
        self._owned = gauge("lrs_stage_partition_owned", "1 while this worker owns the partition.")

    def batch_done(
        self, stage: str, partition: int, records: int, statements: int, seconds: float, newest_us: int
    ) -> None:
        """A batch was committed after `seconds`; its newest record has the instant `newest_us`."""
        self._records[stage].inc(records)
        self._statements[stage].inc(statements)
        self._durations.series(stage).observe(seconds)
        self._reached[stage, partition].set(newest_us / 1e6)
        if statements:
            self._sizes.series(stage).observe(statements)

    def through(self, stage: str, since_us: NDArray[np.int64]) -> None:
        """The stage has committed statements, each received (persist) or stored (score) at `since_us`."""
        delays = np.maximum(self._clock() - since_us / 1e6, 0.0)
        self._delays.series(DONE[stage]).observe_many(delays)

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        """The worker owns these partitions from now on, and no other."""
        for number in self._partitions:
            self._owned[stage, number].set(number in partitions)

    def dead_letters(self, stage: str, statements: int) -> None:
        """So many statements were put aside."""
        self._dead_letters[stage].inc(statements)

    def refused_late(self, statements: int) -> None:
        """So many acknowledged statements were put aside, because their id was taken."""
        self._refused_late.inc(statements)

    def lag(self, stage: str, partition: int, records: int, seconds: float) -> None:
        """How far the stage is behind the log in a partition."""
        self._lag_records[stage, partition].set(records)
        self._lag_seconds[stage, partition].set(seconds)
