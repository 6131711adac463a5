"""What is derived, and the catalogue in force: queries of derived.sql."""

from __future__ import annotations

from typing import Any

from lrs.log.port import EVIDENCE
from tests.histories.answers import answers
from tests.histories.database import Record, Transaction, rows_of

_EVIDENCE = rows_of("agent", "activity", "chunk", "facts")
_COURSE = rows_of("agent", "course", "state")
_CATALOGUE = rows_of("catalogue", "digest", "content")
_NUMBER = rows_of("catalogue")
_TENANT = rows_of("tenant")
_DUE = rows_of("agent", "competency", "level")
_COMPETENCY = rows_of("agent", "competency", "level", "evidence", "w", "a", "e")
_ADDED = rows_of("agent", "competency", "level", "evidence", "w", "a", "e", "stood", "look_again")


@answers("derived", "evidence_of")
async def evidence_of(
    transaction: Transaction, tenant: int, catalogue: int, agents: list[int], activities: list[int]
) -> list[Record]:
    wanted = set(zip(agents, activities, strict=True))
    return [
        _EVIDENCE((*key[2:], facts))
        for key, facts in transaction.scan("evidence")
        if key[:2] == (tenant, catalogue) and key[2:4] in wanted
    ]


@answers("derived", "courses_of")
async def courses_of(
    transaction: Transaction, tenant: int, catalogue: int, agents: list[int], courses: list[int]
) -> list[Record]:
    found = []
    for agent, course in zip(agents, courses, strict=True):
        state = transaction.get("course_progress", (tenant, catalogue, agent, course))
        if state is not None:
            found.append(_COURSE((agent, course, state)))
    return found


async def _put(transaction: Transaction, table: str, tenant: int, catalogue: int, *columns: list[Any]) -> str:
    rows = list(zip(*columns, strict=True))
    for *key, value in rows:
        place = (tenant, catalogue, *key)
        await transaction.lock((table, place))
        transaction.put(table, place, value)
    return f"INSERT 0 {len(rows)}"


@answers("derived", "put_evidence")
async def put_evidence(transaction: Transaction, *given: Any) -> str:
    return await _put(transaction, "evidence", *given)


@answers("derived", "put_courses")
async def put_courses(transaction: Transaction, *given: Any) -> str:
    return await _put(transaction, "course_progress", *given)


@answers("derived", "add_competencies")
async def add_competencies(
    transaction: Transaction, tenant: int, catalogue: int, *columns: list[Any]
) -> list[Record]:
    rows = list(zip(*columns, strict=True))
    wanted = {row[:2] for row in rows}
    before = []
    for key, sums in transaction.scan("competency"):
        if key[:2] == (tenant, catalogue) and key[2:4] in wanted:
            stood = transaction.get("standing", key[:4]) or (-2, -2)
            before.append(_ADDED((*key[2:], *sums, stood[0], -1 if stood[1] is None else stood[1])))
    for *key, w, a, e in rows:
        place = (tenant, catalogue, *key)
        await transaction.lock(("competency", place))
        old = transaction.get("competency", place) or (0, 0, 0)
        transaction.put("competency", place, (old[0] + w, old[1] + a, old[2] + e))
    return before


@answers("derived", "put_levels")
async def put_levels(transaction: Transaction, tenant: int, catalogue: int, *columns: list[Any]) -> str:
    rows = list(zip(*columns, strict=True))
    for agent, competency, level, look_again in rows:
        place = (tenant, catalogue, agent, competency)
        await transaction.lock(("standing", place))
        transaction.put("standing", place, (level, look_again))
    return f"INSERT 0 {len(rows)}"


@answers("derived", "levels_due")
async def levels_due(
    transaction: Transaction, tenant: int, catalogue: int, day: int, partition: int, most: int
) -> list[Record]:
    partitions = sum(topic == EVIDENCE for topic, _ in transaction.database.table("log_head"))
    due = sorted(
        (look_again, *key[2:], level)
        for key, (level, look_again) in transaction.scan("standing")
        if key[:2] == (tenant, catalogue)
        and look_again is not None
        and look_again <= day
        and key[2] % partitions == partition
    )
    return [_DUE(row[1:]) for row in due[:most]]


@answers("derived", "competencies_of")
async def competencies_of(
    transaction: Transaction, tenant: int, catalogue: int, agents: list[int], competencies: list[int]
) -> list[Record]:
    wanted = set(zip(agents, competencies, strict=True))
    return [
        _COMPETENCY((*key[2:], *sums))
        for key, sums in transaction.scan("competency")
        if key[:2] == (tenant, catalogue) and key[2:4] in wanted
    ]


@answers("derived", "tenants_scored")
async def tenants_scored(transaction: Transaction) -> list[Record]:
    return [_TENANT((key[0],)) for key, row in sorted(transaction.scan("catalogue")) if row[2]]


@answers("derived", "number_in_force")
async def number_in_force(transaction: Transaction, tenant: int) -> list[Record]:
    return [_NUMBER((row[0],)) for row in await catalogue_in_force(transaction, tenant)]


@answers("derived", "catalogue_in_force")
async def catalogue_in_force(transaction: Transaction, tenant: int) -> list[Record]:
    return [
        _CATALOGUE((key[1], digest, content))
        for key, (digest, content, in_force) in transaction.scan("catalogue")
        if key[0] == tenant and in_force
    ]
