"""Score: what a batch of events changes. The pure heart of the score stage.

    batch = read_batch(events, pairs, tables, mapping)
    # read the evidence rows of batch.keys and the course rows of batch.courses
    output = score(batch, evidence_rows, course_rows, tables)
    # in one transaction: upsert output.evidence and output.courses, add output.competencies

Old and new are both computed from whole sets, so nothing is ever inverted; an event that is repeated
and a retraction that is repeated change nothing. `verify` calls the same with nothing stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lrs.scoring.batch import Batch
from lrs.scoring.competency import (
    contribute,
    contribute_course,
    deltas,
    is_evidential,
    no_contributions,
)
from lrs.scoring.course import COURSE_PROGRESS, SLOT, CourseRow, advance, stored_slots
from lrs.scoring.event import ABSENT
from lrs.scoring.evidence import Chunks, EvidenceRow, Sets, merge, stored_facts
from lrs.scoring.fact import Facts
from lrs.scoring.kernel import kernel
from lrs.scoring.progress import PROGRESS, fold, judged, session_order
from lrs.scoring.table import Tables, rule_of


@dataclass(frozen=True)
class CourseRows:
    """Course rows to upsert: slots[starts[i]:starts[i + 1]] is the state of keys[i]; `before` and
    `after` are COURSE_PROGRESS."""

    keys: npt.NDArray[np.void]
    starts: npt.NDArray[np.int64]
    slots: npt.NDArray[np.void]
    before: npt.NDArray[np.void]
    after: npt.NDArray[np.void]

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self) -> list[CourseRow]:
        """As stored."""
        everything, bounds = self.slots.tobytes(), (self.starts * SLOT.itemsize).tolist()
        states = [everything[start:stop] for start, stop in pairwise(bounds)]
        return list(zip(self.keys["agent"].tolist(), self.keys["activity"].tolist(), states, strict=True))


@dataclass(frozen=True)
class Output:
    """What a batch changes. `keys`, `before`, `after`: PROGRESS of every activity whose facts changed;
    its set is that at `places` of `sets`; `competencies`: DELTA, of `contributions`; `counts`: events by
    what became of them (batch.REASONS, evidence.MERGED), and how often an LMS called a course satisfied
    that is not complete (`lms_disagrees`)."""

    evidence: Chunks
    courses: CourseRows
    competencies: npt.NDArray[np.void]
    keys: npt.NDArray[np.void]
    before: npt.NDArray[np.void]
    after: npt.NDArray[np.void]
    sets: Sets
    places: npt.NDArray[np.int64]
    contributions: npt.NDArray[np.void]
    counts: Mapping[str, int]


def score(
    batch: Batch, evidence: Iterable[EvidenceRow], courses: Iterable[CourseRow], tables: Tables
) -> Output:
    """What the batch changes, given the stored rows of `batch.keys` and `batch.courses`.

    Raises EvidenceError and CourseError for rows that cannot be, OverflowedError for an accumulator
    that would leave 64 bits.
    """
    sets, chunks, merged = merge(batch, *stored_facts(batch.keys, evidence))
    slots, slot_starts = stored_slots(batch.courses, batch.course_index, courses, tables)
    before, after = np.empty(len(batch.keys), PROGRESS), np.empty(len(batch.keys), PROGRESS)
    touched = np.zeros(len(batch.keys), np.bool_)
    contributions, count = _fold_all(
        sets.facts,
        sets.starts,
        sets.was,
        sets.now,
        batch.keys,
        batch.homes,
        tables,
        before,
        after,
        touched,
        no_contributions(),
    )
    of_courses = np.empty((2, len(batch.courses)), COURSE_PROGRESS)
    changed = np.zeros(len(batch.courses), np.bool_)
    advance(
        slots,
        slot_starts,
        batch.course_index,
        batch.part_keys,
        batch.part_rows,
        batch.part_slots,
        touched,
        after,
        tables,
        of_courses[0],
        of_courses[1],
        changed,
    )
    contributions, count = _complete_all(
        batch.courses, batch.course_index, of_courses, tables, contributions, count
    )
    rows = _course_rows(batch, slots, slot_starts, of_courses, changed)
    disagreements = _disagreements(batch, touched, before, after, of_courses[1])
    places = np.flatnonzero(touched)
    return Output(
        chunks,
        rows,
        deltas(contributions[:count]),
        batch.keys[places],
        before[places],
        after[places],
        sets,
        places,
        contributions[:count],
        {**batch.counts, **merged, "lms_disagrees": disagreements},
    )


def _disagreements(
    batch: Batch,
    touched: npt.NDArray[np.bool_],
    before: npt.NDArray[np.void],
    after: npt.NDArray[np.void],
    courses: npt.NDArray[np.void],
) -> int:
    """How many courses the LMS now calls satisfied (cmi5 9.3.9) while they are not complete."""
    own = batch.part_slots < 0
    keys, rows = batch.part_keys[own], batch.part_rows[own]
    said = (
        touched[keys] & (before["lms_satisfied"][keys] == ABSENT) & (after["lms_satisfied"][keys] != ABSENT)
    )
    return int((said & (courses["completed"][rows] == ABSENT)).sum())


def _course_rows(
    batch: Batch,
    slots: npt.NDArray[np.void],
    starts: npt.NDArray[np.int64],
    progress: npt.NDArray[np.void],
    changed: npt.NDArray[np.bool_],
) -> CourseRows:
    kept = np.zeros(int(changed.sum()) + 1, np.int64)
    sizes = np.diff(starts)
    np.cumsum(sizes[changed], out=kept[1:])
    return CourseRows(
        batch.courses[changed],
        kept,
        slots[np.repeat(changed, sizes)],
        progress[0][changed],
        progress[1][changed],
    )


@kernel
def _fold_all(
    facts: Facts,
    starts: npt.NDArray[np.int64],
    was: npt.NDArray[np.bool_],
    now: npt.NDArray[np.bool_],
    keys: npt.NDArray[np.void],
    homes: npt.NDArray[np.int64],
    tables: Tables,
    before: npt.NDArray[np.void],
    after: npt.NDArray[np.void],
    touched: npt.NDArray[np.bool_],
    out: npt.NDArray[np.void],
) -> tuple[npt.NDArray[np.void], int]:
    """Fold every set that changed as it was and as it is; the contributions taken away and added."""
    count, most = 0, 0
    for key in range(len(keys)):
        most = max(most, starts[key + 1] - starts[key])
    spans = np.empty((most, 2), np.uint64)
    for key in range(len(keys)):
        evidential = False
        for i in range(starts[key], starts[key + 1]):
            if was[i] != now[i]:
                touched[key] = True
                evidential = evidential or is_evidential(facts[i])
        if not touched[key]:
            continue
        home = homes[key]
        kind, move_on, passing = rule_of(tables.homes, home)
        own, old, new = (
            facts[starts[key] : starts[key + 1]],
            was[starts[key] : starts[key + 1]],
            now[starts[key] : starts[key + 1]],
        )
        order = session_order(own)
        judged_old, judged_new = judged(own, order, old), judged(own, order, new)
        fold(own, order, old, judged_old, kind, move_on, passing, spans, before, key)
        fold(own, order, new, judged_new, kind, move_on, passing, spans, after, key)
        if evidential and home >= 0 and tables.homes[home]["items"] < tables.homes[home]["items_end"]:
            agent = keys[key]["agent"]
            out, count = contribute(own, order, judged_old, agent, home, -1, tables, out, count)
            out, count = contribute(own, order, judged_new, agent, home, 1, tables, out, count)
    return out, count


@kernel
def _complete_all(
    courses: npt.NDArray[np.void],
    course_index: npt.NDArray[np.int64],
    progress: npt.NDArray[np.void],
    tables: Tables,
    out: npt.NDArray[np.void],
    count: int,
) -> tuple[npt.NDArray[np.void], int]:
    """Append what courses that are complete no more took away, and those that are now add."""
    for row in range(len(courses)):
        old, new = progress[0, row]["completed"], progress[1, row]["completed"]
        if old != new:
            agent = courses[row]["agent"]
            out, count = contribute_course(old, agent, course_index[row], -1, tables, out, count)
            out, count = contribute_course(new, agent, course_index[row], 1, tables, out, count)
    return out, count
