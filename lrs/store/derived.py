"""What is derived for learners, as rows: evidence, course progress, competency accumulators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lrs.scoring.batch import read_batch
from lrs.scoring.course import CourseRow
from lrs.scoring.evidence import EvidenceRow
from lrs.scoring.score import score
from lrs.store.sql import queries

if TYPE_CHECKING:
    from lrs.scoring.batch import Batch
    from lrs.scoring.event import Events, Pairs
    from lrs.scoring.score import Output
    from lrs.scoring.state import State
    from lrs.store.catalogue import InForce
    from lrs.store.connection import Connection

CompetencyRow = tuple[int, int, int, int, int, int, int]


class Derived:
    """The derived rows of one tenant under one catalogue version."""

    def __init__(self, tenant: int, catalogue: int) -> None:
        self._key = (tenant, catalogue)
        self._queries = queries("derived")

    async def take(self, connection: Connection, events: Events, pairs: Pairs, catalogue: InForce) -> Output:
        """Score the tenant's events under the catalogue, and write what they change.

        What they touch must not be touched by anybody else until the transaction ends. Raises as
        `lrs.scoring.score.score`.
        """
        batch = read_batch(events, pairs, catalogue.tables, catalogue.mapping)
        output = score(batch, *await self.touched(connection, batch), catalogue.tables)
        await self.apply(connection, output)
        return output

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

    async def apply(self, connection: Connection, output: Output) -> None:
        """Write what a batch changes, each table's rows in the order of its key."""
        await self._put(connection, output.evidence, output.courses.rows(), output.competencies.tolist())

    async def replace(self, connection: Connection, low: int, high: int, state: State) -> None:
        """Make the rows of the learners from `low` to before `high` those of the state."""
        await self.forget(connection, low, high)
        await self._put(
            connection, state.evidence_rows(), state.course_rows(), state.accumulator_rows().tolist()
        )

    async def forget(self, connection: Connection, low: int, high: int) -> None:
        """Delete the rows of the learners from `low` to before `high`."""
        for query in ("delete_evidence", "delete_courses", "delete_competencies"):
            await connection.execute(self._queries[query], *self._key, low, high)

    async def _put(
        self,
        connection: Connection,
        evidence: Iterable[EvidenceRow],
        courses: Iterable[CourseRow],
        deltas: Iterable[CompetencyRow],
    ) -> None:
        for query, rows in (
            ("put_evidence", sorted(evidence)),
            ("put_courses", sorted(courses)),
            ("add_competencies", sorted(deltas)),
        ):
            if rows:
                await connection.execute(self._queries[query], *self._key, *_columns(rows))

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
