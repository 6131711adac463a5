"""Competency evidence: which facts count, and what each adds to the accumulators W, A and E.

Per (learner, competency, level, evidence class): W sums decayed weights q, A sums q times the score,
E sums q times the expected score. What a set of facts contributes is a pure function of the set, so
the change of an accumulator is the contributions of the new set less those of the old.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.catalogue import Aggregator, EvidenceClass
from lrs.scoring.decay import WEIGHT_ONE, OverflowedError, day_of, gain_or_overflow
from lrs.scoring.event import ABSENT, NONE, ONE
from lrs.scoring.fact import REFERENCE_SCORE, FactFlag, Facts, Kind, mask, read_facts
from lrs.scoring.kernel import kernel
from lrs.scoring.order import argsort_rows, unsigned
from lrs.scoring.progress import (
    alive_of,
    is_defined,
    is_in,
    is_pass,
    judged,
    same_registration,
    session_order,
)
from lrs.scoring.table import Tables, find_home

CONTRIBUTION: Final = np.dtype(
    [
        ("agent", "<i8"),
        ("activity", "<i8"),  # home of the fact, or the course
        ("fact", "<i8"),  # index in the set, of a mean the latest; -1: completion of the course
        ("competency", "<i8"),
        ("level", "<i4"),
        ("evidence", "<i4"),  # EvidenceClass
        ("weight", "<i8"),  # 256ths, undecayed
        ("day", "<i8"),
        ("score", "<i8"),
        ("expected", "<i8"),
        ("gain", "<i8"),  # q; negative: taken away
    ]
)
"""One row of an explanation. It adds gain to W, gain * score to A, gain * expected to E."""

DELTA: Final = np.dtype(
    [
        ("agent", "<i8"),
        ("competency", "<i8"),
        ("level", "<i4"),
        ("evidence", "<i4"),
        ("w", "<i8"),
        ("a", "<i8"),
        ("e", "<i8"),
    ]
)
"""What to add to one accumulator."""

OUTCOMES: Final = mask((Kind.PASSED, Kind.FAILED, Kind.MASTERED))
COMPLETIONS: Final = mask((Kind.COMPLETED, Kind.EARNED))
EVIDENTIAL: Final = OUTCOMES | COMPLETIONS | mask((Kind.SCORED,))

_CHOSEN: Final = np.dtype(
    [("fact", "<i8"), ("factor", "<i8"), ("score", "<i8"), ("expected", "<i8"), ("when", "<i8")]
)


def no_contributions() -> npt.NDArray[np.void]:
    """Room for contributions."""
    return np.empty(256, CONTRIBUTION)


def deltas(contributions: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Contributions summed by accumulator, without those that cancel. Raises OverflowedError."""
    if not len(contributions):
        return np.zeros(0, DELTA)
    order = np.lexsort([contributions[name] for name in ("evidence", "level", "competency", "agent")])
    rows = contributions[order]
    keys = np.empty(len(rows), [(name, DELTA[name]) for name in ("agent", "competency", "level", "evidence")])
    for name in keys.dtype.names or ():
        keys[name] = rows[name]
    firsts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    gains = rows["gain"]
    if np.add.reduceat(np.abs(gains.astype(np.float64)), firsts).max() * ONE >= 2.0**62:
        raise OverflowedError("the change of an accumulator leaves 64 bits")
    summed = np.empty(len(firsts), DELTA)
    for name in keys.dtype.names or ():
        summed[name] = keys[name][firsts]
    summed["w"] = np.add.reduceat(gains, firsts)
    summed["a"] = np.add.reduceat(gains * rows["score"], firsts)
    summed["e"] = np.add.reduceat(gains * rows["expected"], firsts)
    return summed[(summed["w"] != 0) | (summed["a"] != 0) | (summed["e"] != 0)]


def explain(packed: bytes, agent: int, activity: int, tables: Tables) -> npt.NDArray[np.void]:
    """What one stored set (its chunks, joined) contributes, row by row: CONTRIBUTION.

    All rows of a learner's sets and courses sum exactly to the learner's accumulators.
    """
    home = find_home(tables.activities, activity)
    if home < 0:
        return np.empty(0, CONTRIBUTION)
    facts = read_facts(bytearray(packed))
    rows, count = _contribute_one(facts, agent, home, tables, no_contributions())
    return rows[:count]


def explain_course(completed: int, agent: int, course: int, tables: Tables) -> npt.NDArray[np.void]:
    """What completing the course with this index at this time (ABSENT: not) contributes."""
    rows, count = contribute_course(completed, agent, course, 1, tables, no_contributions(), 0)
    return rows[:count]


@kernel
def _contribute_one(
    facts: Facts, agent: int, home: int, tables: Tables, out: npt.NDArray[np.void]
) -> tuple[npt.NDArray[np.void], int]:
    order = session_order(facts)
    return contribute(facts, order, judged(facts, order, alive_of(facts)), agent, home, 1, tables, out, 0)


@kernel
def is_evidential(fact: np.void) -> bool:
    """Whether a fact can change what its set contributes, itself or by discounting its session."""
    return is_in(fact["kind"], EVIDENTIAL) or fact["flags"] & FactFlag.NOT_NORMAL != 0


@kernel
def contribute(
    facts: Facts,
    order: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
    agent: int,
    home: int,
    sign: int,
    tables: Tables,
    out: npt.NDArray[np.void],
    count: int,
) -> tuple[npt.NDArray[np.void], int]:
    """Append the contributions of the counted facts of one set to `out` (grown when full).

    `order` from session_order, `home` the catalogue's row of the activity, `sign` 1 or -1. Raises
    OverflowedError.
    """
    rule = tables.homes[home]
    attempts, completions = _candidates(facts, order, counted, rule["kind"])
    chosen = np.empty(2 * (len(attempts) + len(completions)), _CHOSEN)
    for i in range(rule["items"], rule["items_end"]):
        item = tables.items[i]
        evidence = int(item["evidence"])
        if evidence == EvidenceClass.COMPLETION:
            number = _choose(facts, completions, evidence, rule["passing"], tables.counting, chosen)
            out, count = _emit(chosen, number, agent, rule["activity"], item, evidence, sign, out, count)
        elif evidence == EvidenceClass.PROCTORED or evidence == EvidenceClass.WORKPLACE:
            trusted = np.empty(len(attempts), np.bool_)
            for j in range(len(attempts)):
                trusted[j] = _is_trusted(tables.trusted, evidence, facts[attempts[j]]["authority"])
            number = _choose(facts, attempts[trusted], evidence, rule["passing"], tables.counting, chosen)
            out, count = _emit(chosen, number, agent, rule["activity"], item, evidence, sign, out, count)
            evidence = EvidenceClass.SELF_CLAIM.value
            number = _choose(facts, attempts[~trusted], evidence, rule["passing"], tables.counting, chosen)
            out, count = _emit(chosen, number, agent, rule["activity"], item, evidence, sign, out, count)
        else:
            number = _choose(facts, attempts, evidence, rule["passing"], tables.counting, chosen)
            out, count = _emit(chosen, number, agent, rule["activity"], item, evidence, sign, out, count)
    return out, count


@kernel
def contribute_course(
    completed: int,
    agent: int,
    course: int,
    sign: int,
    tables: Tables,
    out: npt.NDArray[np.void],
    count: int,
) -> tuple[npt.NDArray[np.void], int]:
    """Append what completing a course at this time (ABSENT: not) contributes."""
    if completed == ABSENT:
        return out, count
    shape = tables.courses[course]
    chosen = np.empty(1, _CHOSEN)
    _put(chosen, 0, -1, WEIGHT_ONE, ONE, REFERENCE_SCORE, completed)
    for i in range(shape["items"], shape["items_end"]):
        item = tables.items[i]
        out, count = _emit(chosen, 1, agent, shape["activity"], item, item["evidence"], sign, out, count)
    return out, count


@kernel
def _by_time(facts: Facts, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    keys = np.empty((len(chosen), 3), np.uint64)
    for i in range(len(chosen)):
        fact = facts[chosen[i]]
        keys[i, 0], keys[i, 1], keys[i, 2] = unsigned(fact["effective"]), fact["id_hi"], fact["id_lo"]
    return chosen[argsort_rows(keys, len(chosen))]


@kernel
def _candidates(
    facts: Facts, order: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], kind: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Attempts and completions by (effective time, id). An attempt is an outcome with its score, or
    the score alone where its session has no outcome."""
    attempts, completions = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    tried, done = 0, 0
    start = 0
    while start < len(order):
        head = facts[order[start]]
        stop, outcome = start, False
        while stop < len(order):
            fact = facts[order[stop]]
            if not same_registration(fact, head) or fact["session"] != head["session"]:
                break
            if counted[order[stop]] and is_in(fact["kind"], OUTCOMES) and is_defined(fact, kind):
                outcome = head["session"] != 0
            stop += 1
        for j in range(start, stop):
            i = order[j]
            fact = facts[i]
            if not counted[i]:
                continue
            alone = fact["kind"] == Kind.SCORED and fact["score"] >= 0 and not outcome
            if alone or (is_in(fact["kind"], OUTCOMES) and is_defined(fact, kind)):
                attempts[tried] = i
                tried += 1
            elif fact["kind"] == Kind.EARNED or (fact["kind"] == Kind.COMPLETED and is_defined(fact, kind)):
                completions[done] = i
                done += 1
        start = stop
    return _by_time(facts, attempts[:tried]), _by_time(facts, completions[:done])


@kernel
def _is_trusted(trusted: npt.NDArray[np.int64], evidence: int, authority: int) -> bool:
    found = False
    for row in range(len(trusted)):
        found |= trusted[row, 0] == evidence and trusted[row, 1] == authority
    return found


@kernel
def _score(fact: np.void, evidence: int, passing: int) -> int:
    """What an attempt is worth. A pass without a score proves the passing score, if there is one."""
    if evidence == EvidenceClass.COMPLETION:
        return ONE
    if fact["score"] >= 0:
        return int(fact["score"])
    if fact["kind"] == Kind.FAILED:
        return 0
    return int(passing) if passing != NONE else ONE


@kernel
def _passes(fact: np.void, passing: int) -> bool:
    if fact["kind"] == Kind.SCORED:
        return passing != NONE and fact["score"] >= passing
    return is_pass(fact, passing)


@kernel
def _put(
    chosen: npt.NDArray[np.void], at: int, fact: int, factor: int, score: int, expected: int, when: int
) -> None:
    row = chosen[at]
    row["fact"], row["factor"], row["score"], row["expected"], row["when"] = (
        fact,
        factor,
        score,
        expected,
        when,
    )


@kernel
def _choose(
    facts: Facts,
    candidates: npt.NDArray[np.int64],
    evidence: int,
    passing: int,
    counting: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.void],
) -> int:
    """Which candidates (by time) count under the class's aggregator; how many were put into `chosen`."""
    aggregator, window, pass_weight = counting[evidence, 0], counting[evidence, 1], counting[evidence, 2]
    number, start = 0, 0
    while start < len(candidates):
        stop = start
        limit = facts[candidates[start]]["effective"] + window
        while stop < len(candidates) and facts[candidates[stop]]["effective"] < limit:
            stop += 1
        if aggregator == Aggregator.MEAN_OF_ASSESSORS:
            _put_mean(facts, candidates[start:stop], evidence, passing, chosen, number)
        else:
            at = candidates[stop - 1] if aggregator == Aggregator.LATEST else candidates[start]
            _put_fact(facts, at, evidence, passing, WEIGHT_ONE, chosen, number)
        number += 1
        if aggregator == Aggregator.FIRST_ATTEMPT_AND_PASS and not _passes(facts[candidates[start]], passing):
            for i in range(start + 1, stop):
                if _passes(facts[candidates[i]], passing):
                    _put_fact(facts, candidates[i], evidence, passing, pass_weight, chosen, number)
                    number += 1
                    break
        start = stop
    return number


@kernel
def _put_fact(
    facts: Facts, at: int, evidence: int, passing: int, factor: int, chosen: npt.NDArray[np.void], number: int
) -> None:
    fact = facts[at]
    expected = REFERENCE_SCORE if evidence == EvidenceClass.COMPLETION else int(fact["expected"])
    _put(chosen, number, at, factor, _score(fact, evidence, passing), expected, fact["effective"])


@kernel
def _put_mean(
    facts: Facts,
    candidates: npt.NDArray[np.int64],
    evidence: int,
    passing: int,
    chosen: npt.NDArray[np.void],
    number: int,
) -> None:
    """The mean over assessors of each one's latest, rounded half up."""
    assessors = np.empty(len(candidates), np.int64)
    count, score, expected = 0, 0, 0
    for i in range(len(candidates) - 1, -1, -1):
        fact = facts[candidates[i]]
        if (assessors[:count] == fact["authority"]).any():
            continue
        assessors[count] = fact["authority"]
        count += 1
        score += _score(fact, evidence, passing)
        expected += int(fact["expected"])
    latest = candidates[len(candidates) - 1]
    mean, likely = (2 * score + count) // (2 * count), (2 * expected + count) // (2 * count)
    _put(chosen, number, latest, WEIGHT_ONE, mean, likely, facts[latest]["effective"])


@kernel
def _emit(
    chosen: npt.NDArray[np.void],
    number: int,
    agent: int,
    activity: int,
    item: np.void,
    evidence: int,
    sign: int,
    out: npt.NDArray[np.void],
    count: int,
) -> tuple[npt.NDArray[np.void], int]:
    if count + number > len(out):
        grown = np.empty(2 * len(out) + number, CONTRIBUTION)
        grown[:count] = out[:count]
        out = grown
    for i in range(number):
        weight = (item["weight"] * chosen[i]["factor"]) >> 8
        if weight == 0:
            continue
        day = day_of(chosen[i]["when"])
        gain = gain_or_overflow(weight, day, item["half_life"])
        if gain < 0:
            raise OverflowedError("evidence so late leaves 64 bits at its competency's half-life")
        row = out[count]
        row["agent"], row["activity"], row["fact"] = agent, activity, chosen[i]["fact"]
        row["competency"], row["level"], row["evidence"] = item["competency"], item["level"], evidence
        row["weight"], row["day"] = weight, day
        row["score"], row["expected"], row["gain"] = chosen[i]["score"], chosen[i]["expected"], sign * gain
        count += 1
    return out, count
