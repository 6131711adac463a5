"""What is derived for learners, as rows: evidence, course progress, competency accumulators and levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrs.scoring.batch import read_batch
from lrs.scoring.competency import DELTA
from lrs.scoring.course import CourseRow
from lrs.scoring.evidence import EvidenceRow
from lrs.scoring.level import ACCUMULATED, LEVEL, changed_levels, read_levels
from lrs.scoring.outcome import level_turns, milestones
from lrs.scoring.readout import NEVER
from lrs.scoring.score import score
from lrs.store.sql import queries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.scoring.batch import Batch
    from lrs.scoring.event import Events, Pairs
    from lrs.scoring.outcome import Turn
    from lrs.scoring.score import Output
    from lrs.scoring.state import State
    from lrs.scoring.table import Tables
    from lrs.store.catalogue import InForce
    from lrs.store.connection import Connection

CompetencyRow = tuple[int, int, int, int, int, int, int]


class Derived:
    """The derived rows of one tenant under one catalogue version."""

    def __init__(self, tenant: int, catalogue: int) -> None:
        self._key = (tenant, catalogue)
        self._queries = queries("derived")

    async def take(
        self, connection: Connection, events: Events, pairs: Pairs, catalogue: InForce, day: int
    ) -> tuple[Output, list[Turn]]:
        """Score the tenant's events under the catalogue, and write what they change; levels are read out
        for `day` (lrs.scoring.readout). What turned of what is told as outcomes.

        What they touch must not be touched by anybody else until the transaction ends. Raises as
        `lrs.scoring.score.score`.
        """
        batch = read_batch(events, pairs, catalogue.tables, catalogue.mapping)
        output = score(batch, *await self.touched(connection, batch), catalogue.tables)
        turns = await self._apply(connection, output, catalogue.tables, day)
        return output, milestones(output, catalogue.tables) + turns

    async def touched(
        self, connection: Connection, batch: Batch
    ) -> tuple[list[EvidenceRow], list[CourseRow]]:
        """The stored rows of the keys and the courses that a batch touches."""
        evidence: list[EvidenceRow] = []
        courses: list[CourseRow] = []
        if len(batch.keys):
            keys = (batch.keys["agent"].tolist(), batch.keys["activity"].tolist())
            found = await connection.fetch(self._queries["evidence_of"], *self._key, *keys)
            evidence = [tuple(row) for row in found]
        if len(batch.courses):
            keys = (batch.courses["agent"].tolist(), batch.courses["activity"].tolist())
            found = await connection.fetch(self._queries["courses_of"], *self._key, *keys)
            courses = [tuple(row) for row in found]
        return evidence, courses

    async def _apply(self, connection: Connection, output: Output, tables: Tables, day: int) -> list[Turn]:
        """Write what a batch changes, each table's rows in the order of its key; what levels turned."""
        await self._put(connection, "put_evidence", output.evidence)
        await self._put(connection, "put_courses", output.courses.rows())
        if not len(output.competencies):
            return []
        columns = _columns(sorted(output.competencies.tolist()))
        stored = await connection.fetch(self._queries["add_competencies"], *self._key, *columns)
        old = np.array([tuple(row) for row in stored], ACCUMULATED)
        levels, before = changed_levels(old, output.competencies, day, tables)
        await self.put_levels(connection, levels[levels != before])
        return level_turns(before, levels, output)

    async def look_again(
        self, connection: Connection, partition: int, tables: Tables, day: int, limit: int
    ) -> tuple[int, list[Turn]]:
        """Read out levels of learners of a partition of the evidence log that may differ on that day by
        time alone; how many there were, up to the limit, and what turned."""
        due = await connection.fetch(self._queries["levels_due"], *self._key, day, partition, limit)
        if not due:
            return 0, []
        before = np.sort(np.array([(*row, NEVER) for row in due], LEVEL), order=("agent", "competency"))
        keys = before["agent"].tolist(), before["competency"].tolist()
        sums = await connection.fetch(self._queries["competencies_of"], *self._key, *keys)
        after = read_levels(np.array([tuple(row) for row in sums], DELTA), day, tables, search=True)
        known = np.isin(before[["agent", "competency"]], after[["agent", "competency"]])
        # Without accumulators nothing is read out, and nothing changes by time.
        await self.put_levels(connection, np.concatenate([after, before[~known]]))
        return len(due), level_turns(before[known], after)

    async def put_levels(self, connection: Connection, levels: NDArray[np.void]) -> None:
        """Write levels that were read out (LEVEL)."""
        rows = [(*row[:3], None if row[3] == NEVER else row[3]) for row in levels.tolist()]
        await self._put(connection, "put_levels", rows)

    async def replace(
        self, connection: Connection, low: int, high: int, state: State, tables: Tables, day: int
    ) -> None:
        """Make the rows of the learners from `low` to before `high` those of the state, on that day."""
        await self.forget(connection, low, high)
        sums = state.accumulator_rows()
        await self._put(connection, "put_evidence", state.evidence_rows())
        await self._put(connection, "put_courses", state.course_rows())
        await self._put(connection, "add_competencies", sums.tolist())
        await self.put_levels(connection, read_levels(sums, day, tables, search=False))

    async def forget(self, connection: Connection, low: int, high: int) -> None:
        """Delete the rows of the learners from `low` to before `high`."""
        for query in ("delete_evidence", "delete_courses", "delete_competencies", "delete_levels"):
            await connection.execute(self._queries[query], *self._key, low, high)

    async def _put(
        self, connection: Connection, query: str, rows: Iterable[EvidenceRow | CourseRow | tuple[object, ...]]
    ) -> None:
        if ordered := sorted(rows):
            await connection.execute(self._queries[query], *self._key, *_columns(ordered))

    async def of_agent(
        self, connection: Connection, agent: int, activity: int | None = None
    ) -> tuple[list[EvidenceRow], list[CourseRow], list[CompetencyRow]]:
        """Everything derived for one learner; the evidence of one activity only, if it is named."""
        facts = await connection.fetch(self._queries["evidence_of_agent"], *self._key, agent, activity)
        courses = await connection.fetch(self._queries["courses_of_agent"], *self._key, agent)
        competencies = await connection.fetch(self._queries["competencies_of_agent"], *self._key, agent)
        return (
            [tuple(row) for row in facts],
            [tuple(row) for row in courses],
            [tuple(row) for row in competencies],
        )


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
