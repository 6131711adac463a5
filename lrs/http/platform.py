"""The platform API: a learner's progress and competencies, under /api/v1.

Everything is read out of what the score stage keeps: progress is a fold over the learner's evidence,
levels are read out for today in Asia/Kolkata. A read waits, like a statement read, until the scorer
has done what the log held when the request came; `wait=<position>` names a write to wait for.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from lrs.http import scope
from lrs.http.call import Call, Send, answer
from lrs.http.error import Refusal, parameter
from lrs.http.statements import agent_parameter, iri_parameter
from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.scoring.catalogue import EvidenceClass
from lrs.scoring.competency import DELTA
from lrs.scoring.course import SLOT, read_course
from lrs.scoring.event import ABSENT, NONE, ONE
from lrs.scoring.progress import read_progress
from lrs.scoring.readout import NEVER, POLICY, day_in_kolkata, read_out
from lrs.store.catalogue import Catalogues, InForce
from lrs.store.derived import Derived
from lrs.store.sql import queries
from lrs.xapi.timestamp import format_timestamp
from lrs.xapi.version import Version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from lrs.http.access import Access
    from lrs.scoring.course import CourseRow
    from lrs.scoring.evidence import EvidenceRow
    from lrs.store.credential import Credential
    from lrs.store.derived import CompetencyRow
    from lrs.store.horizon import Horizon
    from lrs.store.name import Names

_LANDMARK: Final = datetime.date(2020, 1, 1)


class Platform:
    """GET /api/v1/progress and /api/v1/competencies."""

    def __init__(self, pool: asyncpg.Pool, access: Access, names: Names, horizon: Horizon) -> None:
        self._pool, self._access, self._names, self._horizon = pool, access, names, horizon
        self._catalogues = Catalogues(pool, names)

    async def progress(self, call: Call, send: Send) -> None:
        """Courses, modules and other activities of a learner."""
        allowed = frozenset({"agent", "activity", "wait"})
        await self._learner(call, send, "progress", allowed, self._progress)

    async def competencies(self, call: Call, send: Send) -> None:
        """Competency levels of a learner, today."""
        await self._learner(call, send, "competencies", frozenset({"agent", "wait"}), self._competencies)

    async def _learner(
        self,
        call: Call,
        send: Send,
        resource: str,
        allowed: frozenset[str],
        read: Callable[[Credential, int | None, dict[str, str]], Awaitable[dict[str, Any]]],
    ) -> None:
        credential = await self._access.permitted(call, resource)
        parameters = call.parameters(allowed)
        if "agent" not in parameters:
            raise parameter("agent", "", "must be given: an agent as JSON")
        learner = agent_parameter(parameters["agent"], Version.V2_0_0)
        scope.require_subject(credential, learner)
        if "activity" in parameters:
            iri_parameter("activity", parameters["activity"])
        reached = "wait" not in parameters or await self._reached(parameters["wait"])
        caught_up = await self._horizon.caught_up(STATEMENTS, EVIDENCE) and reached
        number = await self._names.find("agent", credential.tenant, learner)
        found = await read(credential, number, parameters)
        body = {"agent": msgspec.Raw(parameters["agent"].encode()), "caught_up": caught_up, **found}
        await answer(send, 200, msgspec.json.encode(body), head=call.method == "HEAD")

    async def _reached(self, position: str) -> bool:
        partition, _, offset = position.partition(".")
        if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
            raise parameter("wait", position, "must be a position, as a write returned it in X-LRS-Position")
        if len(partition) > 4 or len(offset) > 18:
            raise parameter("wait", position, "is no position of this log")
        return await self._horizon.reached(int(partition), int(offset))

    async def _catalogue(self, tenant: int) -> InForce:
        found = await self._catalogues.in_force(tenant)
        if found is None:
            raise Refusal(404, "no catalogue is in force", "invalid")
        return found

    async def _progress(
        self, credential: Credential, agent: int | None, parameters: dict[str, str]
    ) -> dict[str, Any]:
        in_force = await self._catalogue(credential.tenant)
        iri = parameters.get("activity")
        only = None
        if iri is not None:
            only = await self._names.find("activity", credential.tenant, iri) or 0
        evidence: list[EvidenceRow] = []
        courses: list[CourseRow] = []
        if agent is not None:
            async with self._pool.acquire() as connection:
                evidence, courses, _ = await Derived(credential.tenant, in_force.number).of_agent(
                    connection, agent, only
                )
        packed: dict[int, bytearray] = {}
        for _, activity, _, facts in evidence:
            packed.setdefault(activity, bytearray()).extend(facts)
        iris = await self._iris(credential.tenant, {*packed, *(course for _, course, _ in courses)})
        activities = [
            {"id": iris[activity], **_progress(read_progress(bytes(facts), activity, in_force.tables))}
            for activity, facts in packed.items()
        ]
        return {
            "catalogue": in_force.number,
            "courses": [
                course for course in _courses(in_force, courses, iris) if iri is None or course["id"] == iri
            ],
            "activities": sorted(activities, key=lambda activity: activity["id"]),
        }

    async def _competencies(
        self, credential: Credential, agent: int | None, _parameters: dict[str, str]
    ) -> dict[str, Any]:
        in_force = await self._catalogue(credential.tenant)
        day = day_in_kolkata(time.time_ns() // 1000)
        rows: list[CompetencyRow] = []
        if agent is not None:
            async with self._pool.acquire() as connection:
                *_, rows = await Derived(credential.tenant, in_force.number).of_agent(connection, agent)
        accumulators = np.array(rows, DELTA)
        by_iri = {competency.id: competency for competency in in_force.catalogue.competencies}
        iris = await self._iris(credential.tenant, {row[1] for row in rows})
        competencies = []
        for standing in read_out(accumulators, day, in_force.tables, POLICY):
            competency = by_iri[iris[int(standing["competency"])]]
            change = int(standing["next_change"])
            competencies.append(
                {
                    "id": competency.id,
                    "name": competency.names,
                    "domain": competency.domain,
                    "level": int(standing["level"]),
                    "claimed": int(standing["claimed"]),
                    "valid_until": None if change == NEVER else _day(change - 1),
                    "probabilities": [round(float(p), 6) for p in standing["probability"]],
                    "accumulators": [
                        {
                            "level": level,
                            "class": EvidenceClass(evidence).name.lower(),
                            "w": str(w),
                            "a": str(a),
                            "e": str(e),
                        }
                        for _, number, level, evidence, w, a, e in rows
                        if number == int(standing["competency"])
                    ],
                }
            )
        return {
            "catalogue": in_force.number,
            "day": _day(day),
            "policy": POLICY.version,
            "competencies": sorted(competencies, key=lambda one: one["id"]),
        }

    async def _iris(self, tenant: int, numbers: Iterable[int]) -> dict[int, str]:
        rows = await self._pool.fetch(queries("derived")["activities_named"], tenant, list(numbers))
        return {row["activity"]: row["iri"] for row in rows}


def _courses(in_force: InForce, rows: Iterable[CourseRow], iris: Mapping[int, str]) -> list[dict[str, Any]]:
    """Courses that the learner has started, by IRI."""
    tables = in_force.tables
    place = {int(number): place for place, number in enumerate(tables.courses["activity"])}
    courses = {course.id: course for course in in_force.catalogue.courses}
    found = []
    for _, number, state in rows:
        course = courses[iris[number]]
        progress = read_course(state, place[number], tables)
        found.append(
            {
                "id": course.id,
                "name": course.names,
                "started": _time(progress["started"]),
                "completed": _time(progress["completed"]),
                "percent": int(progress["percent"]) * 100 / ONE,
                "modules_satisfied": int(progress["satisfied"]),
                "modules": [
                    {
                        "id": part.module,
                        "started": _time(slot["started"]),
                        "satisfied": _time(slot["satisfied"]),
                    }
                    for part, slot in zip(course.parts, np.frombuffer(state, SLOT), strict=True)
                ],
            }
        )
    return sorted(found, key=lambda course: course["id"])


def _progress(progress: np.void) -> dict[str, Any]:
    """One activity's PROGRESS as JSON: times as timestamps, shares from 0 to 1, null for what is not."""
    times = ("first", "last", "completed", "passed", "failed", "waived", "satisfied", "earned")
    return {
        **{name: _time(progress[name]) for name in times},
        "best_score": _share(progress["best_score"]),
        "progress": _share(progress["progress"]),
        "duration_seconds": int(progress["duration_ms"]) / 1000,
        "attempts": int(progress["attempts"]),
    }


def _time(instant: np.int64) -> str | None:
    return None if instant == ABSENT else format_timestamp(int(instant))


def _share(number: np.int32) -> float | None:
    return None if number == NONE else int(number) / ONE


def _day(day: int) -> str:
    return (_LANDMARK + datetime.timedelta(days=day)).isoformat()
