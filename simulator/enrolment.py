"""An enrolment: one learner in one course, planned to the minute before a single statement is made.

Learning sessions are partly open (Schroeder, Wierman and Harchol-Balter, NSDI 2006): sittings begin of their
own accord, what follows inside one waits for what came before.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from simulator.behaviour import DAY_MS, Behaviour, choose, time_of_day
from simulator.compiled import I32, I64, kernel
from simulator.population import ENROLMENTS
from simulator.rng import child, exponential, lognormal, uniform

VIDEO, CONTENT, QUIZ_PASSED, QUIZ_FAILED, LIVE = range(5)
"""What an item of a course can be; a quiz is the course's assessment, at one attempt."""

MAX_ITEMS = 96
MAX_MODULES = 60
MAX_ENROLMENTS = 60
BETWEEN_ITEMS_MS = 4_000
QUIZ_SIGMA = 0.3
STREAM = 1 << 24
"""Enrolment e of a learner has the stream STREAM + e below the learner's."""

# The number of each decision in an enrolment's stream.
_COURSE, _HOT, _MODULES, _INTENDS, _STOPS, _DAY, _CLOCK = range(7)


class Plan:
    """The items of an enrolment, in order; a buffer that is used again for each."""

    begin: Annotated[I64, MAX_ITEMS]  # ms since the period's first midnight
    length: Annotated[I64, MAX_ITEMS]  # ms
    kind: Annotated[I32, MAX_ITEMS]
    module: Annotated[I32, MAX_ITEMS]  # place in the course
    sitting: Annotated[I32, MAX_ITEMS]


@kernel
def geometric(u: float, more: float, most: int) -> int:
    """1 + the number of times that `more` happens in a row, at most `most`."""
    if more <= 0.0:
        return 1
    return min(most, 1 + int(math.log(u) / math.log(more)))


@kernel
def enrolments(b: Behaviour, key: np.uint64) -> int:
    """How many courses a participant starts."""
    return geometric(uniform(key, ENROLMENTS), b.enrol_more, MAX_ENROLMENTS)


@kernel
def course(b: Behaviour, enrolment: np.uint64) -> int:
    """Which course an enrolment is for; 0 is the most popular."""
    if uniform(enrolment, _HOT) < b.hot_course_share:
        return 0
    return choose(b.courses, uniform(enrolment, _COURSE))


@kernel
def first_sitting(b: Behaviour, enrolment: np.uint64) -> int:
    """When an enrolment begins."""
    day = choose(b.days, uniform(enrolment, _DAY))
    return day * DAY_MS + int(time_of_day(b.clock, uniform(enrolment, _CLOCK)))


@kernel
def plan(b: Behaviour, enrolment: np.uint64, out: Plan) -> tuple[int, bool]:
    """Fill `out`; gives the number of items that begin in the period, and whether the course is completed.

    Most go through all modules in order and try the assessment until they pass; the others stop on the way.
    """
    modules = 1 + geometric(uniform(enrolment, _MODULES), b.module_more, MAX_MODULES)
    intends = uniform(enrolment, _INTENDS) < b.completion
    reached = modules if intends else 1 + int(uniform(enrolment, _STOPS) * modules)
    t = first_sitting(b, enrolment)
    sitting = 0
    n = 0
    passed = False
    attempt = 0
    while t < b.period_ms and n < MAX_ITEMS:
        key = child(enrolment, n)
        if n < reached:
            out.kind[n] = VIDEO if uniform(key, 0) < b.video else CONTENT
            out.length[n] = 10_000 + int(b.module_ms * lognormal(key, 1, b.module_sigma))
            out.module[n] = n
        else:
            passed = intends and uniform(key, 0) < b.pass_rate
            out.kind[n] = QUIZ_PASSED if passed else QUIZ_FAILED
            out.length[n] = 10_000 + int(b.questions * b.question_ms * lognormal(key, 1, QUIZ_SIGMA))
            out.module[n] = modules
            attempt += 1
        out.begin[n] = t
        out.sitting[n] = sitting
        t += out.length[n] + BETWEEN_ITEMS_MS
        n += 1
        if n >= reached and (reached < modules or not intends or passed or attempt >= b.attempts):
            break
        if uniform(key, 3) >= b.sit_more:
            sitting += 1
            later = t + int(b.gap_ms * exponential(key, 5))
            if uniform(key, 4) < b.same_day and later % DAY_MS > t % DAY_MS:
                t = later
            else:
                t = (t // DAY_MS + 1) * DAY_MS + int(time_of_day(b.clock, uniform(key, 6)))
    return n, passed and t - BETWEEN_ITEMS_MS <= b.period_ms
