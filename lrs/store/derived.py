"""What is derived for learners, as rows: evidence, course progress, competency accumulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrs.scoring.course import CourseRow
from lrs.scoring.evidence import EvidenceRow
from lrs.store.sql import queries

if TYPE_CHECKING:
    from lrs.scoring.batch import Batch
    from lrs.scoring.score import Output
    from lrs.store.connection import Connection

CompetencyRow = tuple[int, int, int, int, int, int, int]


class Derived:
    """The derived rows of one tenant under one catalogue version."""

    def __init__(self, tenant: int, catalogue: int) -> None:
        self._key = (tenant, catalogue)
        self._queries = queries("derived")

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
        if rows := sorted(output.evidence):
            await connection.execute(self._queries["put_evidence"], *self._key, *_columns(rows))
        if courses := sorted(output.courses.rows()):
            await connection.execute(self._queries["put_courses"], *self._key, *_columns(courses))
        if len(output.competencies):
            deltas = sorted(output.competencies.tolist())
            await connection.execute(self._queries["add_competencies"], *self._key, *_columns(deltas))

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
