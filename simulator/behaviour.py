"""A scenario compiled for the kernels: thresholds, curves and rates as plain numbers and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np

from simulator.compiled import F64, I64, kernel
from simulator.parameters import MOST_NAMES, seconds_of
from simulator.record import new_record
from simulator.rng import sigma
from simulator.scenario import Scenario

DAY_MS = 86_400_000
CLOCK_STEPS = 4096


MAX_ROLES = 100_000
MAX_COURSES = 60_000
MAX_DAYS = 31


class Behaviour:
    """What the kernels know of a scenario. Times are milliseconds since the period's first midnight."""

    learners: int
    period_ms: int
    kinds: Annotated[F64, 3]  # cumulative, as are all arrays of choices below; filled up with ones
    states: Annotated[F64, MOST_NAMES]
    cadres: Annotated[F64, MOST_NAMES]
    roles: Annotated[F64, MAX_ROLES]
    connections: Annotated[F64, 3]
    home_language: float
    mobile: float
    participation: Annotated[F64, 3]  # of each kind of organisation
    enrol_more: float
    completion: float
    courses: Annotated[F64, MAX_COURSES]
    hot_course_share: float
    module_more: float
    module_ms: float
    module_sigma: float
    video: float
    heartbeat_ms: float
    interaction_ms: float
    questions: int
    question_ms: float
    pass_rate: float
    attempts: int
    sit_more: float
    same_day: float
    gap_ms: float
    days: Annotated[F64, MAX_DAYS]
    clock: Annotated[F64, CLOCK_STEPS + 1]  # inverse of the day's cumulative curve, CLOCK_STEPS + 1 points
    live_share: float
    live_at: int
    live_ramp_ms: float
    live_ms: int
    live_leave_ms: float
    web_batch: int
    mobile_batch: int
    sync_ms: int
    block_ms: int
    down: Annotated[F64, 3]  # probability that a block is down: good, patchy, offline
    hold_ms: int
    reconnect_ms: float
    spacing_ms: float
    repeated: float
    shuffle: float
    skewed: float
    skew_ms: float
    outages: Annotated[I64, MOST_NAMES, 3]  # rows of (state, begin, end)
    outage_count: int


def cumulative(weights: Iterable[float]) -> F64:
    """Cumulative shares of weights; the last is exactly 1."""
    total = np.cumsum(np.fromiter(weights, dtype=np.float64))
    total /= total[-1]
    total[-1] = 1.0
    return total


@kernel
def choose(shares: F64, u: float) -> int:
    """The first index whose cumulative share exceeds u."""
    low, high = 0, len(shares) - 1
    while low < high:
        middle = (low + high) >> 1
        if shares[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def time_of_day(clock: F64, u: float) -> float:
    """The moment of the day, in ms, before which the share u of the day's starts has happened."""
    place = u * CLOCK_STEPS
    step = int(place)
    return float(clock[step] + (place - step) * (clock[step + 1] - clock[step]))


def inverse_clock(hourly: Sequence[float]) -> F64:
    """Hourly weights, joined by straight lines from half hour to half hour, as an inverse cumulative
    curve.
    """
    minutes = np.arange(1440) + 0.5
    hours = np.concatenate(([-0.5], np.arange(24) + 0.5, [24.5]))
    values = np.concatenate(([hourly[-1]], hourly, [hourly[0]]))
    rate = np.interp(minutes / 60.0, hours, values)
    grown = np.concatenate(([0.0], np.cumsum(rate)))
    grown += np.linspace(0.0, grown[-1] * 1e-9, 1441)  # strictly increasing through hours of weight 0
    shares = np.linspace(0.0, grown[-1], CLOCK_STEPS + 1)
    clock: F64 = np.interp(shares, grown, np.arange(1441) * 60_000.0)
    return clock


def compile_behaviour(s: Scenario) -> Behaviour:
    """The kernels' view of a scenario."""
    learning, client, live = s.learning, s.client, s.live
    kind_weights = np.array([s.population.kinds[k] for k in KINDS])
    by_kind = np.array([learning.participation_by_kind[k] for k in KINDS])
    mean = float((kind_weights * by_kind).sum() / kind_weights.sum())
    courses = cumulative(np.arange(1, learning.courses + 1) ** -learning.zipf)
    states = list(s.population.states)
    outages = [
        (states.index(f.state), int(start_ms(s, f.at)), int(start_ms(s, f.at) + f.seconds * 1000))
        for f in s.faults
        if f.kind == "state-outage"
    ]
    values: dict[str, Any] = {
        "learners": s.population.learners,
        "period_ms": s.calendar.days * DAY_MS,
        "kinds": cumulative(kind_weights),
        "states": cumulative(s.population.states.values()),
        "cadres": cumulative(s.population.cadres.values()),
        "roles": cumulative(1.0 / np.arange(1, s.population.roles + 1)),
        "connections": cumulative(s.population.connectivity[c] for c in CONNECTIONS),
        "home_language": s.population.home_language,
        "mobile": s.population.mobile,
        "participation": learning.participation * by_kind / mean,
        "enrol_more": 1.0 - 1.0 / learning.enrolments,
        "completion": learning.completion,
        "courses": courses,
        "hot_course_share": learning.hot_course_share,
        "module_more": 1.0 - 1.0 / (learning.modules - 1.0),
        "module_ms": learning.module_minutes * 60_000.0,
        "module_sigma": sigma(learning.module_cv),
        "video": learning.video,
        "heartbeat_ms": learning.heartbeat_s * 1000.0,
        "interaction_ms": 60_000.0 / max(learning.interactions, 1e-9),
        "questions": learning.questions,
        "question_ms": learning.question_s * 1000.0,
        "pass_rate": learning.pass_rate,
        "attempts": learning.attempts,
        "sit_more": 1.0 - 1.0 / learning.session_items,
        "same_day": learning.same_day,
        "gap_ms": learning.gap_minutes * 60_000.0,
        "days": cumulative(s.calendar.day_weights),
        "clock": inverse_clock(s.calendar.hourly),
        "live_share": live.share,
        "live_at": int(live.day * DAY_MS + seconds_of(live.at) * 1000),
        "live_ramp_ms": live.ramp_s * 1000.0,
        "live_ms": int(live.minutes * 60_000),
        "live_leave_ms": live.leave_s * 1000.0,
        "web_batch": client.web_batch,
        "mobile_batch": client.mobile_batch,
        "sync_ms": int(client.mobile_sync_s * 1000),
        "block_ms": int(client.block_minutes * 60_000),
        "down": np.array([0.0, client.patchy_down, client.offline_down]),
        "hold_ms": int(client.hold_hours * 3_600_000),
        "reconnect_ms": client.reconnect_s * 1000.0,
        "spacing_ms": client.spacing_s * 1000.0,
        "repeated": client.repeat,
        "shuffle": client.shuffle,
        "skewed": client.skewed,
        "skew_ms": client.skew_hours * 3_600_000.0,
        "outages": np.array(outages, dtype=np.int64).reshape(-1, 3),
        "outage_count": len(outages),
    }
    b = new_record(Behaviour)
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            place = getattr(b, name)
            place[: len(value)] = value
            place[len(value) :] = 1
        else:
            setattr(b, name, value)
    return b


def start_ms(s: Scenario, at: str) -> float:
    """A time of the day that is run, in ms since the period's first midnight."""
    return s.run.day * DAY_MS + seconds_of(at) * 1000.0


KINDS = ("central", "state", "local")
CONNECTIONS = ("good", "patchy", "offline")
