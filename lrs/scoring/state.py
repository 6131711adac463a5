"""State: what the store keeps for the scorer, in memory. For recomputation, simulation and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lrs.scoring.batch import Batch, read_batch
from lrs.scoring.competency import DELTA
from lrs.scoring.course import CourseRow
from lrs.scoring.decay import OverflowedError
from lrs.scoring.event import Events, Pairs
from lrs.scoring.evidence import EvidenceRow
from lrs.scoring.mapping import MappingTable
from lrs.scoring.score import Output, score
from lrs.scoring.table import Tables

_LIMIT = 1 << 63


@dataclass
class State:
    """The rows of one tenant: evidence chunks, course states, and accumulators by (agent, competency,
    level, class)."""

    chunks: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    courses: dict[tuple[int, int], bytes] = field(default_factory=dict)
    accumulators: dict[tuple[int, int, int, int], tuple[int, int, int]] = field(default_factory=dict)

    def take(self, events: Events, pairs: Pairs, tables: Tables, mapping: MappingTable) -> Output:
        """Score a batch of events and keep the result."""
        batch = read_batch(events, pairs, tables, mapping)
        output = score(batch, self.evidence_of(batch), self.courses_of(batch), tables)
        self.apply(output)
        return output

    def evidence_of(self, batch: Batch) -> list[EvidenceRow]:
        """The stored evidence rows of a batch."""
        return [
            (agent, activity, chunk, facts)
            for agent, activity in batch.keys.tolist()
            for chunk, facts in enumerate(self.chunks.get((agent, activity), ()))
        ]

    def courses_of(self, batch: Batch) -> list[CourseRow]:
        """The stored course rows of a batch."""
        wanted = batch.courses.tolist()
        return [(*key, self.courses[key]) for key in wanted if key in self.courses]

    def apply(self, output: Output) -> None:
        """Keep what a batch changed. Raises OverflowedError, with nothing kept, if a sum leaves 64 bits."""
        sums = dict[tuple[int, int, int, int], tuple[int, int, int]]()
        for agent, competency, level, evidence, w, a, e in output.competencies.tolist():
            key = (agent, competency, level, evidence)
            old = self.accumulators.get(key, (0, 0, 0))
            sums[key] = (old[0] + w, old[1] + a, old[2] + e)
            if not all(-_LIMIT <= value < _LIMIT for value in sums[key]):
                raise OverflowedError(f"accumulator {key} leaves 64 bits")
        self.accumulators.update(sums)
        for agent, activity, chunk, facts in output.evidence:
            self.chunks.setdefault((agent, activity), [])[chunk : chunk + 1] = [facts]
        self.courses.update({(agent, course): state for agent, course, state in output.courses.rows()})

    def evidence_rows(self) -> Iterator[EvidenceRow]:
        """All evidence rows."""
        for (agent, activity), chunks in self.chunks.items():
            for chunk, facts in enumerate(chunks):
                yield agent, activity, chunk, facts

    def course_rows(self) -> Iterator[CourseRow]:
        """All course rows."""
        for (agent, course), state in self.courses.items():
            yield agent, course, state

    def accumulator_rows(self) -> npt.NDArray[np.void]:
        """All accumulators, as DELTA rows."""
        return np.array([(*key, *sums) for key, sums in self.accumulators.items()], DELTA)
