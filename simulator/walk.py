"""The walk over learners, enrolments and sittings: the one loop from which arrivals, statements and sums
come.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

from simulator.behaviour import Behaviour
from simulator.client import REPEATED, Requests, longest_hold, send
from simulator.compiled import I64, U64, kernel
from simulator.enrolment import (
    LIVE,
    MAX_ENROLMENTS,
    STREAM,
    Plan,
    course,
    enrolments,
    first_sitting,
    plan,
)
from simulator.population import LIVE as JOINS_LIVE
from simulator.population import person, takes_part
from simulator.record import new_record
from simulator.rng import child, exponential, mix, uniform
from simulator.sitting import Statements, sitting
from simulator.word import TICKS_PER_S, word_of

LIVE_ENROLMENT = MAX_ENROLMENTS
"""The number of the live event among a learner's enrolments."""
MAX_LINES = 500_000


class Buffers(NamedTuple):
    """What a walk writes while it goes; one set for each shard."""

    plan: Plan
    statements: Statements
    requests: Requests


def new_buffers() -> Buffers:
    return Buffers(new_record(Plan), new_record(Statements), new_record(Requests))


class Lines:
    """Statements with the request that carries them: one line each."""

    sent: Annotated[I64, MAX_LINES]  # when the request is due, ms since the period's first midnight
    at: Annotated[I64, MAX_LINES]
    learner: Annotated[I64, MAX_LINES]
    enrolment: Annotated[I64, MAX_LINES]
    place: Annotated[I64, MAX_LINES]  # sitting << 20 | place in the sitting
    request: Annotated[
        I64, MAX_LINES
    ]  # place of the request in the sitting << 1 | whether it repeats an earlier one
    kind: Annotated[I64, MAX_LINES]
    module: Annotated[I64, MAX_LINES]
    planned: Annotated[I64, MAX_LINES]
    item_kind: Annotated[I64, MAX_LINES]
    value: Annotated[I64, MAX_LINES]  # in thousandths
    elapsed: Annotated[I64, MAX_LINES]  # ms since the item's begin
    course: Annotated[I64, MAX_LINES]


@kernel
def _live(b: Behaviour, key: np.uint64, p: Plan) -> bool:
    """Put the live event into the plan; False if the learner does not join in time."""
    if uniform(key, JOINS_LIVE) >= b.live_share:
        return False
    late = int(b.live_ramp_ms * exponential(child(key, JOINS_LIVE), 0))
    leaves = int(b.live_leave_ms * exponential(child(key, JOINS_LIVE), 1))
    if late + 5_000 >= b.live_ms:
        return False
    p.begin[0] = b.live_at + late
    p.length[0] = b.live_ms - late + leaves
    p.kind[0] = LIVE
    p.module[0] = 0
    p.sitting[0] = 0
    return True


@kernel
def _enrolment(b: Behaviour, key: np.uint64, e: int, begin: int, end: int, p: Plan) -> tuple[int, bool]:
    """The plan of a learner's enrolment e, or no items if nothing of it can reach the window."""
    if e == LIVE_ENROLMENT:
        return (1 if _live(b, key, p) else 0), False
    enrolment = child(key, STREAM + e)
    if first_sitting(b, enrolment) >= end:
        return 0, False
    n, completed = plan(b, enrolment, p)
    if p.begin[n - 1] + p.length[n - 1] + longest_hold(b, key) < begin:
        return 0, False
    return n, completed


@kernel
def requests_of(
    b: Behaviour, seed: int, low: int, high: int, begin: int, end: int, w: Buffers, out: U64
) -> tuple[int, int]:
    """The requests that learners low .. high - 1 make in [begin, end), as sortable words, in no special
    order.

    Gives the number of words and the first learner who did not fit into `out`.
    """
    n = 0
    for learner in range(low, high):
        before = n
        key = person(seed, learner)
        own = enrolments(b, key) if takes_part(b, key) else 0
        for k in range(own + 1):
            e = k if k < own else LIVE_ENROLMENT
            if e == LIVE_ENROLMENT and b.live_share <= 0.0:
                break
            items, done = _enrolment(b, key, e, begin, end, w.plan)
            enrolment = child(key, STREAM + e)
            hot = items > 0 and e != LIVE_ENROLMENT and course(b, enrolment) == 0
            first = 0
            while first < items:
                last = _sitting_end(w.plan, first, items)
                if (
                    w.plan.begin[first] < end
                    and w.plan.begin[last - 1] + w.plan.length[last - 1] + longest_hold(b, key) >= begin
                ):
                    count = sitting(b, enrolment, w.plan, first, last, done and last == items, w.statements)
                    made = send(b, key, child(enrolment, 999 + first), hot, w.statements, count, w.requests)
                    if n + made > len(out):
                        return before, learner
                    for r in range(made):
                        at = w.requests.at[r]
                        if begin <= at < end:
                            out[n] = _word(key, e, r + (first << 16), at - begin, w.requests, r)
                            n += 1
                first = last
    return n, high


@kernel
def _sitting_end(p: Plan, first: int, items: int) -> int:
    last = first + 1
    while last < items and p.sitting[last] == p.sitting[first]:
        last += 1
    return last


@kernel
def _word(key: np.uint64, e: int, place: int, at: int, requests: Requests, r: int) -> np.uint64:
    ticks = TICKS_PER_S // 1000
    tick = np.uint64(at * ticks) + child(key ^ np.uint64(e), place) % np.uint64(ticks)
    count, marks = np.uint64(requests.count[r]), np.uint64(requests.marks[r])
    return word_of(tick, count, marks, np.uint64(0), mix(key))


@kernel
def lines_of(
    b: Behaviour, seed: int, low: int, high: int, begin: int, end: int, w: Buffers, out: Lines
) -> tuple[int, int]:
    """The statements sent by learners low .. high - 1 in [begin, end), a request repeated is there twice.

    Gives the number of lines and the first learner who did not fit into `out`.
    """
    n = 0
    for learner in range(low, high):
        before = n
        key = person(seed, learner)
        own = enrolments(b, key) if takes_part(b, key) else 0
        for k in range(own + 1):
            e = k if k < own else LIVE_ENROLMENT
            if e == LIVE_ENROLMENT and b.live_share <= 0.0:
                break
            items, done = _enrolment(b, key, e, begin, end, w.plan)
            enrolment = child(key, STREAM + e)
            topic = course(b, enrolment) if e != LIVE_ENROLMENT else -1
            first = 0
            while first < items:
                last = _sitting_end(w.plan, first, items)
                count = sitting(b, enrolment, w.plan, first, last, done and last == items, w.statements)
                made = send(
                    b, key, child(enrolment, 999 + first), topic == 0, w.statements, count, w.requests
                )
                for r in range(made):
                    if begin <= w.requests.at[r] < end:
                        if n + w.requests.count[r] > MAX_LINES:
                            return before, learner
                        n = _write(w, learner, e, first, topic, r, out, n)
                first = last
    return n, high


@kernel
def _write(w: Buffers, learner: int, e: int, first: int, topic: int, r: int, out: Lines, n: int) -> int:
    s = w.statements
    for i in range(w.requests.first[r], w.requests.first[r] + w.requests.count[r]):
        out.sent[n] = w.requests.at[r]
        out.at[n] = s.at[i]
        out.learner[n] = learner
        out.enrolment[n] = e
        out.place[n] = (first << 20) | i
        out.request[n] = (r << 1) | (w.requests.marks[r] & REPEATED)
        out.kind[n] = s.kind[i]
        out.module[n] = s.module[i]
        out.planned[n] = s.planned[i]
        out.item_kind[n] = w.plan.kind[s.planned[i]]
        out.value[n] = int(s.value[i] * 1000.0)
        out.elapsed[n] = max(0, s.at[i] - w.plan.begin[s.planned[i]])
        out.course[n] = topic
        n += 1
    return n


class Sums(NamedTuple):
    """What a period comes to; each field one number, so that shards can be added."""

    participants: int
    enrolments: int
    completions: int
    learning_ms: int
    statements: int
    finishers: int  # learners with at least one completion
    over_four_hours: int
    state_completions: int  # completions of learners in state organisations
    hot: int  # enrolments in the most popular course


@kernel
def sums_of(b: Behaviour, seed: int, low: int, high: int, w: Buffers) -> I64:
    """What the learners low .. high - 1 come to over the whole period, in the order of `Sums`."""
    out = np.zeros(9, np.int64)
    for learner in range(low, high):
        key = person(seed, learner)
        if not takes_part(b, key):
            continue
        out[0] += 1
        finished = 0
        learned = np.int64(0)
        for e in range(enrolments(b, key)):
            enrolment = child(key, STREAM + e)
            items, done = plan(b, enrolment, w.plan)
            out[1] += 1
            finished += done
            out[8] += course(b, enrolment) == 0
            first = 0
            for i in range(items):
                learned += w.plan.length[i]
            while first < items:
                last = _sitting_end(w.plan, first, items)
                out[4] += sitting(b, enrolment, w.plan, first, last, done and last == items, w.statements)
                first = last
        out[2] += finished
        out[3] += learned
        out[5] += finished > 0
        out[6] += learned > 4 * 3_600_000
        if b.kinds[0] <= uniform(key, 0) < b.kinds[1]:
            out[7] += finished
    return out
