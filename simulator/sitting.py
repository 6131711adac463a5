"""The statements of a sitting, in the grammars of cmi5, of the xAPI video profile and of an assessment."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from simulator.behaviour import Behaviour
from simulator.compiled import F64, I32, I64, kernel
from simulator.enrolment import CONTENT, LIVE, QUIZ_FAILED, QUIZ_PASSED, VIDEO, Plan
from simulator.rng import child, exponential, uniform

KINDS = (
    "registered",
    "launched",
    "initialized",
    "played",
    "paused",
    "seeked",
    "progressed",
    "answered",
    "completed",
    "passed",
    "failed",
    "terminated",
    "satisfied",
)
(
    REGISTERED,
    LAUNCHED,
    INITIALIZED,
    PLAYED,
    PAUSED,
    SEEKED,
    PROGRESSED,
    ANSWERED,
    COMPLETED,
    PASSED,
    FAILED,
    TERMINATED,
    SATISFIED,
) = range(len(KINDS))

MAX_STATEMENTS = 16_384
ITEM_RESERVE = 64
"""A sitting that comes this near to the buffer's end says no more between an item's beginning and its end."""
PASS_MARK = 0.6
SETTLING_MS = 2_000
"""From an item's launch until it runs."""


class Statements:
    """The statements of a sitting, in order of time; a buffer that is used again for each."""

    at: Annotated[I64, MAX_STATEMENTS]  # ms since the period's first midnight
    kind: Annotated[I32, MAX_STATEMENTS]
    module: Annotated[I32, MAX_STATEMENTS]
    planned: Annotated[I32, MAX_STATEMENTS]  # index into the plan
    value: Annotated[
        F64, MAX_STATEMENTS
    ]  # seconds of video, share of progress, score or number of the question


@kernel
def _say(out: Statements, n: int, at: int, kind: int, module: int, item: int, value: float) -> int:
    out.at[n] = at
    out.kind[n] = kind
    out.module[n] = module
    out.planned[n] = item
    out.value[n] = value
    return n + 1


@kernel
def _middle(b: Behaviour, key: np.uint64, p: Plan, i: int, out: Statements, n: int) -> int:
    """What is said between `initialized` and the end: heartbeats of a video, and what the learner does."""
    begin, end, module = p.begin[i], p.begin[i] + p.length[i], p.module[i]
    video = p.kind[i] == VIDEO or p.kind[i] == LIVE
    beat = float(begin) + b.heartbeat_ms if video else 1e18
    draws = 0
    act = begin + SETTLING_MS + b.interaction_ms * exponential(key, draws)
    room = MAX_STATEMENTS - ITEM_RESERVE
    while min(beat, act) < end - 2_000 and n < room:
        if beat <= act:
            n = _say(out, n, int(beat), PROGRESSED, module, i, (beat - begin) / (end - begin))
            beat += b.heartbeat_ms
            continue
        now = int(act)
        draws += 2
        act += b.interaction_ms * exponential(key, draws)
        if not video:
            n = _say(out, n, now, PROGRESSED, module, i, (now - begin) / (end - begin))
        elif uniform(key, draws + 1) < 0.3:
            n = _say(out, n, now, SEEKED, module, i, (now - begin) / 1000.0)
        elif min(now + 1_500, act) < beat:
            n = _say(out, n, now, PAUSED, module, i, (now - begin) / 1000.0)
            n = _say(out, n, int(min(now + 1_500.0, act)), PLAYED, module, i, (now - begin) / 1000.0)
    return n


@kernel
def _item(b: Behaviour, key: np.uint64, p: Plan, i: int, out: Statements, n: int) -> int:
    begin, end, module, kind = p.begin[i], p.begin[i] + p.length[i], p.module[i], p.kind[i]
    n = _say(out, n, begin, LAUNCHED, module, i, 0.0)
    n = _say(out, n, begin + 800, INITIALIZED, module, i, 0.0)
    if kind in (QUIZ_PASSED, QUIZ_FAILED):
        luck = uniform(key, 0)
        score = PASS_MARK + (1.0 - PASS_MARK) * luck if kind == QUIZ_PASSED else (PASS_MARK - 0.01) * luck
        for q in range(b.questions):
            at = begin + 800 + (end - begin - 1_600) * (q + 1) // b.questions
            right = uniform(key, 1 + q) < score
            n = _say(out, n, at, ANSWERED, module, i, float(q + 1 if right else -q - 1))
        if kind == QUIZ_PASSED:
            n = _say(out, n, end - 300, COMPLETED, module, i, score)
        n = _say(out, n, end - 200, PASSED if kind == QUIZ_PASSED else FAILED, module, i, score)
        return _say(out, n, end, TERMINATED, module, i, (end - begin) / 1000.0)
    if kind != CONTENT:
        n = _say(out, n, begin + SETTLING_MS, PLAYED, module, i, 0.0)
    n = _middle(b, child(key, 0), p, i, out, n)
    n = _say(out, n, end - 300, COMPLETED, module, i, (end - begin) / 1000.0)
    return _say(out, n, end, TERMINATED, module, i, (end - begin) / 1000.0)


@kernel
def sitting(
    b: Behaviour, enrolment: np.uint64, p: Plan, first: int, last: int, done: bool, out: Statements
) -> int:
    """Write the statements of the items first .. last - 1 of a plan; gives their number.

    The course is joined before its first item; if `done`, it is satisfied after the last one.
    """
    n = 0
    if first == 0 and p.kind[0] != LIVE:
        n = _say(out, n, p.begin[0] - 1_000, REGISTERED, -1, 0, 0.0)
    for i in range(first, last):
        if n + 2 * ITEM_RESERVE + b.questions >= MAX_STATEMENTS:
            break
        n = _item(b, child(child(enrolment, i), 1), p, i, out, n)
    if done:
        n = _say(out, n, out.at[n - 1] + 500, SATISFIED, -1, last - 1, 1.0)
    return n
