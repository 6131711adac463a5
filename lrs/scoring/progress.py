"""Progress: what a set of facts says about one learner and one activity.

A pure function of the set: any order, any duplicates, the same answer. moveOn is judged per
registration (cmi5 10.2.4, 13.1.4), with what `launched` carried, which may override the catalogue; a
satisfied registration satisfies the activity.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.catalogue import ModuleKind
from lrs.scoring.event import ABSENT, NONE, Flag, MoveOn
from lrs.scoring.fact import FactFlag, Facts, Kind, mask, read_facts
from lrs.scoring.kernel import kernel
from lrs.scoring.order import argsort_rows, unsigned
from lrs.scoring.table import Tables, find_home, rule_of

PROGRESS: Final = np.dtype(
    [
        ("first", "<i8"),  # earliest effective time of what the learner did
        ("last", "<i8"),
        ("completed", "<i8"),  # earliest; so are the next ones
        ("passed", "<i8"),
        ("failed", "<i8"),
        ("waived", "<i8"),
        ("satisfied", "<i8"),  # when the first registration met its moveOn
        ("lms_satisfied", "<i8"),  # the LMS's own word, kept beside
        ("earned", "<i8"),  # a certificate
        ("duration_ms", "<i8"),
        ("best_score", "<i4"),  # ten-thousandths; NONE
        ("progress", "<i4"),  # greatest; ten-thousandths; NONE
        ("attempts", "<i4"),  # sessions, or registrations without sessions
        ("registrations", "<i4"),
        ("facts", "<i4"),
    ]
)
"""Progress of one learner in one activity; times in microseconds since 1970, ABSENT: not yet."""

IDLE_US: Final = 300_000_000
"""The longest silence between two facts that counts as time spent."""

LEARNER: Final = mask(
    set(Kind) - {Kind.NONE, Kind.WAIVED, Kind.ABANDONED, Kind.SATISFIED, Kind.EARNED, Kind.ENROLLED}
)
"""Kinds that the learner's own doing leads to."""
MARKS: Final = mask(
    (Kind.ATTEMPTED, Kind.COMPLETED, Kind.PASSED, Kind.FAILED, Kind.MASTERED, Kind.SCORED, Kind.TERMINATED)
)
"""Kinds whose score is a mark for the activity as a whole."""
_OPENING: Final = mask((Kind.LAUNCHED, Kind.INITIALIZED, Kind.RESUMED))
_CLOSING: Final = mask((Kind.TERMINATED, Kind.ABANDONED))
_CMI5_DEFINED: Final = int(Flag.CMI5 | Flag.MOVE_ON)


def read_progress(packed: bytes, activity: int, tables: Tables) -> np.void:
    """Progress in one activity from its stored chunks, joined: one PROGRESS. Raises EvidenceError."""
    facts = read_facts(bytearray(packed))
    out = np.empty(1, PROGRESS)
    _fold_one(facts, find_home(tables.activities, activity), tables, out)
    return out[0]


@kernel
def alive_of(facts: Facts) -> npt.NDArray[np.bool_]:
    """Which facts are not retracted."""
    alive = np.empty(len(facts), np.bool_)
    for i in range(len(facts)):
        alive[i] = facts[i]["flags"] & FactFlag.RETRACTED == 0
    return alive


@kernel
def _fold_one(facts: Facts, home: int, tables: Tables, out: npt.NDArray[np.void]) -> None:
    order, alive = session_order(facts), alive_of(facts)
    kind, move_on, passing = rule_of(tables.homes, home)
    spans = np.empty((len(facts), 2), np.uint64)
    fold(facts, order, alive, judged(facts, order, alive), kind, move_on, passing, spans, out, 0)


@kernel
def is_in(kind: int, kinds: int) -> bool:
    """Whether a kind is in a mask."""
    return (kinds >> np.int64(kind)) & 1 != 0


@kernel
def session_order(facts: Facts) -> npt.NDArray[np.int64]:
    """Indices by registration, session, effective time and id."""
    keys = np.empty((len(facts), 6), np.uint64)
    for i in range(len(facts)):
        fact = facts[i]
        keys[i, 0], keys[i, 1] = fact["registration_hi"], fact["registration_lo"]
        keys[i, 2], keys[i, 3] = fact["session"], unsigned(fact["effective"])
        keys[i, 4], keys[i, 5] = fact["id_hi"], fact["id_lo"]
    return argsort_rows(keys, len(facts))


@kernel
def same_registration(left: np.void, right: np.void) -> bool:
    """Whether two facts are of one registration."""
    return (
        left["registration_hi"] == right["registration_hi"]
        and left["registration_lo"] == right["registration_lo"]
    )


@kernel
def judged(facts: Facts, order: npt.NDArray[np.int64], alive: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which facts can satisfy and prove: alive, and not of a session launched to browse or review."""
    normal = True
    for i in range(len(facts)):
        normal = normal and facts[i]["flags"] & FactFlag.NOT_NORMAL == 0
    if normal:
        return alive
    counted = alive.copy()
    start = 0
    while start < len(order):
        fact = facts[order[start]]
        stop, normal = start, True
        while stop < len(order):
            other = facts[order[stop]]
            if not same_registration(other, fact) or other["session"] != fact["session"]:
                break
            if alive[order[stop]] and other["flags"] & FactFlag.NOT_NORMAL:
                counted[order[stop]] = False
                normal = normal and fact["session"] == 0
            stop += 1
        if not normal:
            for i in range(start, stop):
                counted[order[i]] = False
        start = stop
    return counted


@kernel
def is_defined(fact: np.void, kind: int) -> bool:
    """Whether a fact may satisfy a module of this ModuleKind."""
    return kind != ModuleKind.CMI5 or fact["flags"] & _CMI5_DEFINED == _CMI5_DEFINED


@kernel
def is_pass(fact: np.void, mastery: int) -> bool:
    """Whether a fact is a pass: its verb says so and its score does not fall short of mastery."""
    return (fact["kind"] == Kind.PASSED or fact["kind"] == Kind.MASTERED) and (
        mastery < 0 or fact["score"] < 0 or fact["score"] >= mastery
    )


@kernel
def earliest(left: int, right: int) -> int:
    """The earlier of two times, either of which may be absent."""
    if left == ABSENT:
        return right
    return left if right == ABSENT else min(left, right)


@kernel
def _met(move_on: int, completed: int, passed: int, waived: int, first: int) -> int:
    """When a registration was satisfied."""
    met = ABSENT
    if move_on == MoveOn.PASSED:
        met = passed
    elif move_on == MoveOn.COMPLETED:
        met = completed
    elif move_on == MoveOn.COMPLETED_AND_PASSED:
        if completed != ABSENT and passed != ABSENT:
            met = max(completed, passed)
    elif move_on == MoveOn.COMPLETED_OR_PASSED:
        met = earliest(completed, passed)
    elif move_on == MoveOn.NOT_APPLICABLE:
        met = first
    return earliest(met, waived)


@kernel
def fold(
    facts: Facts,
    order: npt.NDArray[np.int64],
    alive: npt.NDArray[np.bool_],
    counted: npt.NDArray[np.bool_],
    kind: int,
    move_on: int,
    passing: int,
    spans: npt.NDArray[np.uint64],
    out: npt.NDArray[np.void],
    at: int,
) -> None:
    """Fold the facts that are alive into out[at]; `order` from session_order, `counted` from judged;
    `kind`, `move_on` and `passing` are the catalogue's rule; `spans` is room for two numbers a fact."""
    first = last = completed = passed = failed = ABSENT
    waived = satisfied = lms_satisfied = earned = ABSENT
    best = progress = NONE
    attempts = registrations = count = 0
    start = 0
    while start < len(order):
        stop, some = start, False
        move, mastery = int(move_on), int(passing)
        launched = -1
        while stop < len(order) and same_registration(facts[order[stop]], facts[order[start]]):
            i = order[stop]
            if alive[i]:
                some = True
                if facts[i]["kind"] == Kind.LAUNCHED and facts[i]["flags"] & FactFlag.CMI5:
                    launched = i if launched < 0 else _later(facts, launched, i)
            stop += 1
        registrations += some
        if launched >= 0:
            if facts[launched]["move_on"] != MoveOn.NONE:
                move = int(facts[launched]["move_on"])
            if facts[launched]["mastery"] >= 0:
                mastery = int(facts[launched]["mastery"])
        if move == MoveOn.NONE:
            move = MoveOn.COMPLETED_OR_PASSED.value

        met_completed = met_passed = met_waived = met_first = ABSENT
        sessions, sessionless, session = 0, False, 0
        for j in range(start, stop):
            i = order[j]
            if not alive[i]:
                continue
            fact = facts[i]
            what, when = int(fact["kind"]), fact["effective"]
            count += 1
            if is_in(what, LEARNER):
                first, last = earliest(first, when), max(last, when)
                progress = max(progress, int(fact["progress"]))
                if counted[i]:
                    if fact["session"] == 0:
                        sessionless = True
                    elif fact["session"] != session:
                        session = int(fact["session"])
                        sessions += 1
            if not counted[i]:
                continue
            met_first = earliest(met_first, when)
            if is_in(what, MARKS):
                best = max(best, int(fact["score"]))
            if what == Kind.COMPLETED:
                completed = earliest(completed, when)
                if is_defined(fact, kind):
                    met_completed = earliest(met_completed, when)
            elif what == Kind.PASSED or what == Kind.MASTERED:
                if is_pass(fact, mastery):
                    passed = earliest(passed, when)
                    if is_defined(fact, kind):
                        met_passed = earliest(met_passed, when)
            elif what == Kind.FAILED:
                failed = earliest(failed, when)
            elif what == Kind.WAIVED:
                # cmi5 9.3.7: the LMS waives with success.
                if is_defined(fact, ModuleKind.CMI5) and fact["flags"] & FactFlag.SUCCESS:
                    met_waived = earliest(met_waived, when)
            elif what == Kind.SATISFIED:
                lms_satisfied = earliest(lms_satisfied, when)
            elif what == Kind.EARNED:
                earned = earliest(earned, when)
        attempts += max(sessions, 1 if sessionless else 0)
        waived = earliest(waived, met_waived)
        satisfied = earliest(satisfied, _met(move, met_completed, met_passed, met_waived, met_first))
        start = stop

    row = out[at]
    row["first"], row["last"] = first, last
    row["completed"], row["passed"], row["failed"] = completed, passed, failed
    row["waived"], row["satisfied"], row["lms_satisfied"], row["earned"] = (
        waived,
        satisfied,
        lms_satisfied,
        earned,
    )
    row["duration_ms"] = _duration_ms(facts, order, alive, spans)
    row["best_score"], row["progress"] = best, progress
    row["attempts"], row["registrations"], row["facts"] = attempts, registrations, count


@kernel
def _later(facts: Facts, left: int, right: int) -> int:
    """The later of two facts by (effective time, id)."""
    a, b = facts[left], facts[right]
    if a["effective"] != b["effective"]:
        return left if a["effective"] > b["effective"] else right
    if a["id_hi"] != b["id_hi"]:
        return left if a["id_hi"] > b["id_hi"] else right
    return left if a["id_lo"] > b["id_lo"] else right


@kernel
def _duration_ms(
    facts: Facts,
    order: npt.NDArray[np.int64],
    alive: npt.NDArray[np.bool_],
    spans: npt.NDArray[np.uint64],
) -> int:
    """Time spent: the union of the sessions' intervals.

    A session that was terminated or abandoned with a duration lasted that long, but no longer than
    since it was opened; any other lasted from fact to fact, silences counting IDLE_US at most.
    """
    count = 0
    start = 0
    while start < len(order):
        head = facts[order[start]]
        stop, closed, opened = start, False, ABSENT
        first_span = count
        while stop < len(order):
            fact = facts[order[stop]]
            if not same_registration(fact, head) or fact["session"] != head["session"]:
                break
            if alive[order[stop]]:
                when = fact["effective"]
                if is_in(fact["kind"], _OPENING):
                    opened = when
                elif is_in(fact["kind"], _CLOSING) and fact["duration_ms"] >= 0:
                    begin = when - int(fact["duration_ms"]) * 1000
                    if opened != ABSENT:
                        begin = max(begin, opened)
                    spans[count, 0], spans[count, 1] = unsigned(begin), unsigned(when)
                    count += 1
                    closed, opened = True, ABSENT
            stop += 1
        if not closed:
            count = first_span
            before = ABSENT
            for j in range(start, stop):
                fact = facts[order[j]]
                if alive[order[j]] and is_in(fact["kind"], LEARNER):
                    when = fact["effective"]
                    if before != ABSENT and when > before:
                        spans[count, 0] = unsigned(before)
                        spans[count, 1] = unsigned(min(when, before + IDLE_US))
                        count += 1
                    before = when
        start = stop
    if count == 0:
        return 0
    total, end = np.uint64(0), np.uint64(0)
    for span in argsort_rows(spans, count):
        begin = max(spans[span, 0], end)
        if spans[span, 1] > begin:
            total += spans[span, 1] - begin
            end = spans[span, 1]
    return int(np.int64(total) // 1000)
