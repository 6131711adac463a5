"""The canonical export: one form of derived state, whatever numbers and chunks it is stored in.

A line per fact, course module and accumulator, as a JSON array, with names in place of numbers;
sorted by learner and IRI and statement id; what is empty is left out (retracted facts, untouched
modules, accumulators of zero). Two states are the same iff their exports are equal byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from lrs.scoring.course import SLOT, CourseRow
from lrs.scoring.event import ABSENT
from lrs.scoring.evidence import EvidenceRow
from lrs.scoring.fact import FACT, FactFlag, Kind, read_facts, uuid_of
from lrs.scoring.table import Tables

_PLAIN = (
    "flags",
    "session",
    "pos",
    "effective",
    "duration_ms",
    "score",
    "progress",
    "mastery",
    "expected",
    "calibration",
    "mapping",
    "move_on",
)
_FIELD = {name: place for place, name in enumerate(FACT.names or ())}


class Names(Protocol):
    """The names of interned numbers."""

    def agent(self, number: int) -> str:
        """An agent's canonical text."""

    def activity(self, number: int) -> str:
        """The IRI of an activity, course or competency."""


def export(
    evidence: Iterable[EvidenceRow],
    courses: Iterable[CourseRow],
    accumulators: npt.NDArray[np.void],
    names: Names,
    tables: Tables,
) -> list[bytes]:
    """The lines of these rows, in any order given (DELTA rows for the accumulators). Raises
    EvidenceError for a format that is not known."""
    lines = [
        *_evidence_lines(evidence, names),
        *_course_lines(courses, names, tables),
        *_accumulator_lines(accumulators, names),
    ]
    lines.sort(key=lambda line: line[:5])
    return [msgspec.json.encode(line) for line in lines]


def digest(lines: Iterable[bytes]) -> str:
    """32 hex digits of an export."""
    total = blake2b(digest_size=16)
    for line in lines:
        total.update(line)
        total.update(b"\n")
    return total.hexdigest()


def _evidence_lines(rows: Iterable[EvidenceRow], names: Names) -> Iterable[list[Any]]:
    for agent, activity, _, packed in rows:
        ifi, iri = names.agent(agent), names.activity(activity)
        for fact in read_facts(packed).tolist():
            if fact[_FIELD["flags"]] & FactFlag.RETRACTED:
                continue
            registration = fact[_FIELD["registration_hi"]], fact[_FIELD["registration_lo"]]
            yield [
                "evidence",
                ifi,
                iri,
                str(uuid_of(fact[_FIELD["id_hi"]], fact[_FIELD["id_lo"]])),
                Kind(fact[_FIELD["kind"]]).name.lower(),
                str(uuid_of(*registration)) if any(registration) else None,
                names.agent(fact[_FIELD["authority"]]) if fact[_FIELD["authority"]] else None,
                [names.activity(number) for number in fact[_FIELD["origin"]].tolist() if number],
                {name: fact[_FIELD[name]] for name in _PLAIN},
            ]


def _course_lines(rows: Iterable[CourseRow], names: Names, tables: Tables) -> Iterable[list[Any]]:
    index = {activity: place for place, activity in enumerate(tables.courses["activity"].tolist())}
    for agent, course, state in rows:
        shape = tables.courses[index[course]]
        rules = tables.slots[int(shape["slots"]) : int(shape["slots_end"])]["activity"].tolist()
        slots = np.frombuffer(state, SLOT).tolist()
        for module, (started, satisfied) in zip(rules, slots, strict=True):
            if started != ABSENT or satisfied != ABSENT:
                times = [None if time == ABSENT else time for time in (started, satisfied)]
                yield [
                    "course",
                    names.agent(agent),
                    names.activity(course),
                    names.activity(module),
                    "",
                    *times,
                ]


def _accumulator_lines(rows: npt.NDArray[np.void], names: Names) -> Iterable[list[Any]]:
    for agent, competency, level, evidence, *sums in rows.tolist():
        if any(sums):
            yield [
                "competency",
                names.agent(agent),
                names.activity(competency),
                str(level),
                str(evidence),
                *sums,
            ]
