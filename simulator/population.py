"""Learners as pure functions of (seed, learner number): nobody is stored, everybody can be asked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.behaviour import CONNECTIONS, KINDS, Behaviour, choose
from simulator.compiled import kernel
from simulator.rng import child, mix, uniform
from simulator.scenario import Scenario

# The number of each attribute in a learner's stream.
KIND, STATE, LANGUAGE, CADRE, ROLE, DEVICE, CONNECTION, JOINS, ENROLMENTS, LIVE, SKEW, DEPARTMENT, PHASE = (
    range(13)
)
BLOCKS = 1 << 20
"""From here on the stream says which blocks of time a learner's connection is down."""
DEPARTMENTS = 60


@kernel
def root(seed: int) -> np.uint64:
    """The key from which everything in a run with this seed grows."""
    return mix(np.uint64(seed) ^ np.uint64(0x6B61726D61796F67))


@kernel
def person(seed: int, learner: int) -> np.uint64:
    """The key of a learner."""
    return child(root(seed), learner)


@kernel
def takes_part(b: Behaviour, key: np.uint64) -> bool:
    """Whether a learner starts any course in the period."""
    return bool(uniform(key, JOINS) < b.participation[choose(b.kinds, uniform(key, KIND))])


@kernel
def skew(b: Behaviour, key: np.uint64) -> int:
    """How far a learner's clock is wrong, in ms."""
    if uniform(key, DEVICE) >= b.mobile or uniform(key, SKEW) >= b.skewed:
        return 0
    return int((2.0 * uniform(child(key, SKEW), 0) - 1.0) * b.skew_ms)


class Learner(NamedTuple):
    """One learner, in words."""

    number: int
    kind: str
    state: str
    department: int
    cadre: str
    role: int
    language: str
    mobile: bool
    connection: str
    skew_ms: int


def learner(scenario: Scenario, b: Behaviour, seed: int, number: int) -> Learner:
    """The learner with this number, 0 <= number < population.learners."""
    key = np.uint64(person(seed, number))  # a kernel hands words back to Python as plain integers
    population = scenario.population
    state = list(population.states)[choose(b.states, uniform(key, STATE))]
    at_home = uniform(key, LANGUAGE) < b.home_language
    return Learner(
        number=number,
        kind=KINDS[choose(b.kinds, uniform(key, KIND))],
        state=state,
        department=int(uniform(key, DEPARTMENT) * DEPARTMENTS),
        cadre=list(population.cadres)[choose(b.cadres, uniform(key, CADRE))],
        role=choose(b.roles, uniform(key, ROLE)),
        language=population.state_language[state] if at_home else "en",
        mobile=uniform(key, DEVICE) < b.mobile,
        connection=CONNECTIONS[choose(b.connections, uniform(key, CONNECTION))],
        skew_ms=skew(b, key),
    )
