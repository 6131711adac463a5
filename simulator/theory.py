"""Closed forms of queueing theory, and the engine set up so that they apply to it.

A simulator that does not reproduce them is wrong; one that does may still model the wrong system, which only
a measured run can show. Formulas: Kleinrock, "Queueing Systems", volume 1 (1975): 3.2, 3.5, 5.6; processor
sharing: volume 2 (1976), 4.4; tandem: Burke, Operations Research 4 (1956).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.compiled import U64
from simulator.engine.clockwork import advance
from simulator.engine.state import (
    ACKNOWLEDGED,
    APPEND,
    APPEND_MAX,
    COMPONENTS,
    CONNECTIONS,
    CONSTANT,
    EDGE,
    EDGE_TURN,
    EDGES,
    EXPONENTIAL,
    FLIGHTS,
    INFLIGHT,
    LIMITS,
    LOGNORMAL,
    PARTITIONS,
    PERSIST_MAX,
    SCORE_MAX,
    SETTINGS,
    SLOT_S,
    TIMEOUT,
    TURNS,
    Engine,
    new_engine,
)
from simulator.rng import sigma
from simulator.word import TICKS_PER_S, word_of

MEAN_S = 0.02
BATCHES = 40
NORMAL_99 = 2.7079  # Student's t, 39 degrees of freedom, 99 % two-sided


def mmc(load: float, servers: int, service: float) -> float:
    """Mean sojourn time of M/M/c; `load` is the utilisation of each server (Erlang's C formula)."""
    offered = load * servers
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = offered * blocking / (k + offered * blocking)
    waits = blocking / (1.0 - load * (1.0 - blocking))
    return waits * service / (servers * (1.0 - load)) + service


def mg1(load: float, service: float, cv: float) -> float:
    """Mean sojourn time of M/G/1 (Pollaczek and Khinchine)."""
    return service + load * service * (1.0 + cv * cv) / (2.0 * (1.0 - load))


def processor_sharing(load: float, service: float) -> float:
    """Mean sojourn time of M/G/1 under processor sharing, whatever the distribution."""
    return service / (1.0 - load)


@dataclass(frozen=True, slots=True)
class Check:
    """A mean sojourn time: closed form, simulated, and half the width of its 99 % confidence interval."""

    name: str
    load: float
    theory_s: float
    simulated_s: float
    half_width_s: float
    requests: int

    @property
    def error(self) -> float:
        return self.simulated_s / self.theory_s - 1.0

    @property
    def covered(self) -> bool:
        return abs(self.simulated_s - self.theory_s) <= self.half_width_s


def poisson(rate: float, requests: int, seed: int) -> U64:
    """Poisson arrivals of one statement each, as words."""
    times = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, requests))
    ticks = (times * TICKS_PER_S).astype(np.uint64)
    none = np.zeros_like(ticks)
    return word_of(ticks, none + np.uint64(1), none, none, none)


def _engine(service: dict[int, list[float]], servers: int, cores: float, slots: int, slot_s: float) -> Engine:
    table = np.zeros((len(COMPONENTS), 5))
    for component, row in service.items():
        table[component] = row
    limits = np.zeros(LIMITS, np.int64)
    limits[EDGES], limits[PARTITIONS], limits[CONNECTIONS] = servers, 1, 1
    limits[INFLIGHT] = 1 << 40
    limits[APPEND_MAX] = limits[FLIGHTS] = limits[TURNS] = limits[EDGE_TURN] = 1
    limits[PERSIST_MAX] = limits[SCORE_MAX] = 1 << 40
    settings = np.zeros(SETTINGS)
    settings[TIMEOUT], settings[SLOT_S] = 1e12, slot_s
    return new_engine(
        service=table,
        look=np.zeros((3, 2)),
        limits=limits,
        settings=settings,
        pool=[0, 1, 2, 3],
        cores=[cores, 1e9, 1e9, 1e9],
        owners=[[0], [0], [0]],
        workers=[0, 1, 1],
        slots=slots,
        seed=1,
    )


def check(name: str, theory_s: float, load: float, engine: Engine, words: U64, seconds: float) -> Check:
    """Run, and compare by batch means: the window is cut into BATCHES, whose means give the interval."""
    batch = seconds / BATCHES
    means, seen, weight = [], 0.0, 0.0
    for k in range(1, BATCHES + 1):
        advance(engine, words, k * batch)
        total, count = engine.total[ACKNOWLEDGED], engine.weight[ACKNOWLEDGED]
        means.append((total - seen) / (count - weight))
        seen, weight = total, count
    half = NORMAL_99 * float(np.std(means, ddof=1)) / math.sqrt(BATCHES)
    return Check(name, load, theory_s, seen / weight, half, int(weight))


def _single(name: str, theory_s: float, load: float, servers: int, row: list[float], requests: int) -> Check:
    """One station: the edges, with nothing behind them that takes time."""
    rate = load * servers / MEAN_S
    seconds = requests / rate
    engine = _engine({EDGE: row}, servers, 1e9, 1, seconds)
    return check(name, theory_s, load, engine, poisson(rate, requests, 7), seconds)


def _tandem(name: str, requests: int) -> Check:
    seconds = requests * MEAN_S / 0.7
    engine = _engine({EDGE: _EXPONENTIAL, APPEND: _EXPONENTIAL}, 1, 1e9, 1, seconds)
    words = poisson(0.7 / MEAN_S, requests, 11)
    return check(name, 2 * mmc(0.7, 1, MEAN_S), 0.7, engine, words, seconds)


def _sharing(name: str, requests: int) -> Check:
    seconds = requests * MEAN_S / 0.7
    engine = _engine({EDGE: _LOGNORMAL}, 256, 1.0, 1, seconds)
    words = poisson(0.7 / MEAN_S, requests, 11)
    return check(name, processor_sharing(0.7, MEAN_S), 0.7, engine, words, seconds)


_EXPONENTIAL = [MEAN_S, 0.0, 0.0, EXPONENTIAL, 0.0]
_CONSTANT = [MEAN_S, 0.0, 0.0, CONSTANT, 0.0]
_LOGNORMAL = [MEAN_S, 0.0, 0.0, LOGNORMAL, sigma(1.5)]

QUEUES: dict[str, Callable[[str, int], Check]] = {
    "M/M/1": lambda name, n: _single(name, mmc(0.7, 1, MEAN_S), 0.7, 1, _EXPONENTIAL, n),
    "M/M/4": lambda name, n: _single(name, mmc(0.8, 4, MEAN_S), 0.8, 4, _EXPONENTIAL, n),
    "M/M/16": lambda name, n: _single(name, mmc(0.9, 16, MEAN_S), 0.9, 16, _EXPONENTIAL, n),
    "M/D/1": lambda name, n: _single(name, mg1(0.8, MEAN_S, 0.0), 0.8, 1, _CONSTANT, n),
    "M/G/1, lognormal, cv 1.5": lambda name, n: _single(name, mg1(0.6, MEAN_S, 1.5), 0.6, 1, _LOGNORMAL, n),
    "tandem of two M/M/1": _tandem,
    "M/G/1 processor sharing, lognormal, cv 1.5": _sharing,
}
"""Every closed form, by name: how the engine comes beside it with so many requests."""


def against_theory(name: str, requests: int = 4_000_000) -> Check:
    """One of QUEUES against the engine."""
    return QUEUES[name](name, requests)
