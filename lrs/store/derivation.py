"""A derivation: what is derived for some learners, in a form in which two can be compared.

Which chunk a fact lies in, and in which order, and what is kept of retracted facts, is left out: it
says how a state came about, not what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lrs.scoring.batch import KEY
from lrs.scoring.competency import DELTA
from lrs.scoring.course import SLOT, CourseRow
from lrs.scoring.event import ABSENT
from lrs.scoring.evidence import EvidenceRow, stored_facts
from lrs.scoring.fact import EvidenceError, FactFlag, no_facts
from lrs.store.sql import queries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.scoring.fact import Facts
    from lrs.scoring.state import State
    from lrs.scoring.table import Tables
    from lrs.store.catalogue import InForce
    from lrs.store.connection import Asked, Connection

_KEPT: Final = 200_000
"""Names that are kept; with more, they are learned anew."""


@dataclass(frozen=True, eq=False)
class Derivation:
    """Fact i is of `keys[i]` (agent, home activity); sorted by key, then statement id. `courses` by
    agent and course; `accumulators`: DELTA, sorted. Nothing empty is among them."""

    keys: NDArray[np.void]
    facts: Facts
    courses: list[CourseRow]
    accumulators: NDArray[np.void]

    @classmethod
    def of(cls, state: State) -> Derivation:
        """What a state in memory says."""
        return cls.of_rows(state.evidence_rows(), state.course_rows(), state.accumulator_rows())

    @classmethod
    def of_rows(
        cls, evidence: Iterable[EvidenceRow], courses: Iterable[CourseRow], accumulators: NDArray[np.void]
    ) -> Derivation:
        """What stored rows say. Raises EvidenceError for rows that cannot be."""
        rows = list(evidence)
        keys = np.array(sorted({(agent, activity) for agent, activity, _, _ in rows}), KEY)
        facts, starts = stored_facts(keys, rows) if rows else (no_facts(), np.zeros(1, np.int64))
        of = np.repeat(keys, np.diff(starts))
        kept = np.flatnonzero(facts["flags"] & FactFlag.RETRACTED == 0)
        order = kept[
            np.lexsort([facts["id_lo"][kept], facts["id_hi"][kept], of["activity"][kept], of["agent"][kept]])
        ]
        summed = (accumulators["w"] != 0) | (accumulators["a"] != 0) | (accumulators["e"] != 0)
        return cls(
            of[order],
            facts[order],
            sorted(row for row in courses if _touched(row[2])),
            np.sort(accumulators[summed]),
        )

    @property
    def count(self) -> int:
        """How many facts there are."""
        return len(self.facts)

    @property
    def evidence(self) -> list[EvidenceRow]:
        """The facts as rows, one for each key."""
        if not len(self.keys):
            return []
        firsts = np.flatnonzero(np.concatenate(([True], self.keys[1:] != self.keys[:-1])))
        ends = [*firsts[1:].tolist(), len(self.keys)]
        return [
            (*self.keys[first].tolist(), 0, self.facts[first:end].tobytes())
            for first, end in zip(firsts.tolist(), ends, strict=True)
        ]

    def learners(self) -> set[int]:
        """Whoever it says something about."""
        return {
            *np.unique(self.keys["agent"]).tolist(),
            *(agent for agent, _, _ in self.courses),
            *np.unique(self.accumulators["agent"]).tolist(),
        }

    def same_as(self, other: Derivation) -> bool:
        """Whether the two say the same."""
        return (
            np.array_equal(self.keys, other.keys)
            and self.facts.tobytes() == other.facts.tobytes()
            and self.courses == other.courses
            and np.array_equal(self.accumulators, other.accumulators)
        )


def _touched(state: bytes) -> bool:
    slots = np.frombuffer(state, SLOT)
    return bool(((slots["started"] != ABSENT) | (slots["satisfied"] != ABSENT)).any())


async def derived_live(
    connection: Connection, tenant: int, catalogue: InForce, low: int, high: int
) -> tuple[Derivation, list[str]]:
    """What is stored as derived for the learners from `low` to before `high`, and what is wrong with
    rows that cannot be; these are left out."""
    evidence, courses, accumulators = [
        await connection.fetch(queries("verification")[query], tenant, catalogue.number, low, high)
        for query in ("evidence", "courses", "competencies")
    ]
    damage: list[str] = []
    shapes = catalogue.tables.courses
    sizes = dict(
        zip(
            shapes["activity"].tolist(),
            ((shapes["slots_end"] - shapes["slots"]) * SLOT.itemsize).tolist(),
            strict=True,
        )
    )
    states: list[CourseRow] = []
    for agent, course, state in courses:
        if sizes.get(course) == len(state):
            states.append((agent, course, state))
        else:
            damage.append(f"the course row ({agent}, {course}) (agent, course) is not of this catalogue")
    sums = np.array([tuple(row) for row in accumulators], DELTA)
    try:
        return Derivation.of_rows([tuple(row) for row in evidence], states, sums), damage
    except EvidenceError as error:
        return Derivation.of_rows([], states, sums), [*damage, str(error)]


class Texts:
    """Names of agents and activities by number; an implementation of `lrs.scoring.canonical.Names`."""

    def __init__(self) -> None:
        self._agents: dict[int, str] = {}
        self._activities: dict[int, str] = {}

    def agent(self, number: int) -> str:
        """An agent's canonical text."""
        return self._agents.get(number, f"agent {number}, which is not in the store")

    def activity(self, number: int) -> str:
        """The IRI of an activity, course or competency."""
        return self._activities.get(number, f"activity {number}, which is not in the store")

    async def load(self, asked: Asked, tenant: int, derivation: Derivation, tables: Tables) -> None:
        """Learn the names that an export of the derivation asks for."""
        facts, sums = derivation.facts, derivation.accumulators
        await self._learn(
            asked,
            "agents_named",
            self._agents,
            tenant,
            derivation.learners() | set(np.unique(facts["authority"]).tolist()),
        )
        numbers = np.concatenate(
            [
                derivation.keys["activity"],
                facts["origin"].ravel(),
                sums["competency"],
                tables.slots["activity"],
            ]
        )
        courses = {course for _, course, _ in derivation.courses}
        await self._learn(
            asked, "activities_named", self._activities, tenant, courses | set(np.unique(numbers).tolist())
        )

    async def _learn(
        self, asked: Asked, query: str, known: dict[int, str], tenant: int, numbers: set[int]
    ) -> None:
        if len(known) > _KEPT:
            known.clear()
        missing = sorted(numbers - known.keys())
        if missing:
            found = await asked.fetch(queries("verification")[query], tenant, missing)
            known.update((row["number"], row["name"]) for row in found)
