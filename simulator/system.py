"""One run: the engine is built from scenario and calibration, SimPy lets time, operators and faults act on
it.

Between two events of SimPy (a sample, a fault, an operator's act) the kernel runs everything that learners
and queues do. So there are thousands of SimPy events in a run, and some hundred million in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simpy

from simulator.arrivals import Arrivals
from simulator.calibration import Calibration
from simulator.compiled import F64, I64
from simulator.engine import reading as r
from simulator.engine import state as k
from simulator.engine.clockwork import advance
from simulator.engine.state import Engine, new_engine
from simulator.faults import CORES_OF_A_BROKER, Process, begin_faults
from simulator.scenario import Scenario, ScenarioError

SLOTS = 240
DRAIN_S = 7200.0
"""After the window nothing new comes; the run goes on until all is scored, for this long unless told
otherwise.
"""
SERIES = (
    "seconds",
    "sent",
    "accepted",
    "persisted",
    "scored",
    "persist_backlog",
    "score_backlog",
    "persist_lag_s",
    "score_lag_s",
    "in_system",
    "rejected",
    "timed_out",
    "retried",
    "edges",
    "persist_workers",
    "score_workers",
    "flush",
    "connections",
    "edge_cores",
    "worker_cores",
    "postgresql_cores",
    "broker_cores",
)
"""Columns of a run's samples: rates are statements (or requests) a second, parts are shares of their
capacity.
"""
TIERS = ("edge_cores", "worker_cores", "postgresql_cores", "broker_cores")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of one seed came to."""

    seed: int
    seconds: float
    counts: dict[str, int]
    cpu_s: dict[str, float]
    histogram: I64
    """(latency, slot, bucket), latencies as in simulator.engine.state.LATENCIES."""
    means: dict[str, float]
    series: F64
    """A row for each sample, columns as in SERIES."""
    drained: bool

    def column(self, name: str) -> F64:
        return self.series[:, SERIES.index(name)]

    def latency(self, name: str) -> I64:
        """The histogram of a latency over the whole run."""
        whole: I64 = self.histogram[k.LATENCIES.index(name)].sum(axis=0)
        return whole

    @property
    def lost_statements(self) -> int:
        """Statements that clients gave up and that are not stored."""
        return self.counts["given_up_statements"] - self.counts["given_up_but_stored"]


def standing_cores(scenario: Scenario, calibration: Calibration) -> list[float]:
    """Cores that are used without any load, for each of TIERS."""
    s, standing = scenario.system, calibration.standing
    workers = s.persist_workers * standing["persist"] + s.score_workers * standing["score"]
    database = (s.persist_workers + s.score_workers) * standing["postgresql"]
    return [s.edges * standing["edge"], workers, database, 0.0]


def build(scenario: Scenario, calibration: Calibration, seed: int) -> Engine:
    """An idle record store as the scenario wants it."""
    s, client = scenario.system, scenario.client
    kafka = s.log == "kafka"
    limits = np.zeros(k.LIMITS, np.int64)
    limits[[k.EDGES, k.PARTITIONS, k.INFLIGHT]] = s.edges, s.partitions, s.inflight
    limits[[k.APPEND_MAX, k.PERSIST_MAX, k.SCORE_MAX]] = s.append_max, s.persist_max, s.score_max
    limits[[k.CONNECTIONS, k.KAFKA, k.FLIGHTS, k.TURNS]] = s.connections, kafka, s.flights, s.turns
    limits[[k.RETRY, k.RETRY_LIMIT]] = RETRIES.index(client.retry), client.retry_limit
    limits[k.EDGE_TURN] = s.edge_turn
    settings = np.zeros(k.SETTINGS)
    settings[[k.LINGER, k.TIMEOUT, k.RETRY_S]] = s.linger_ms / 1000.0, client.timeout_s, client.retry_s
    settings[[k.READS, k.SHARED_ROW, k.DISK]] = client.reads, s.shared_row, 1.0
    settings[k.NEWCOMERS] = client.newcomers
    settings[[k.POLL, k.POLL_IDLE]] = s.poll_ms / 1000.0, s.poll_idle_ms / 1000.0
    settings[[k.PACE, k.PACE_RATE]] = s.pace_ms / 1000.0, s.pace_rate
    settings[k.SLOT_S] = scenario.run.hours * 3600.0 / SLOTS
    brokers = s.brokers * CORES_OF_A_BROKER
    shared = s.shared_cores > 0
    if kafka and shared:
        raise ScenarioError(
            scenario.name, "system.shared_cores", s.shared_cores, "must be 0 when the log is Kafka"
        )
    standing = standing_cores(scenario, calibration)
    cores: list[float] = [s.edge_cores, s.worker_cores, s.postgresql_cores, brokers]
    cores = [own - used for own, used in zip(cores, standing, strict=True)]
    cores = [s.shared_cores - sum(standing)] if shared else cores
    if min(cores) <= 0:
        rule = f"must be more than {sum(standing):.2f}, which the processes use without any load"
        raise ScenarioError(scenario.name, "system.*_cores", min(cores), rule)
    return new_engine(
        service=calibration.service,
        look=_look(scenario, calibration),
        limits=limits,
        settings=settings,
        pool=[0, 0, 0, 0] if shared else [0, 1, 2, 3],
        cores=cores,
        owners=[
            [p % s.brokers for p in range(s.partitions)],
            [p % s.persist_workers for p in range(s.partitions)],
            [p % s.score_workers for p in range(s.partitions)],
        ],
        workers=[0, s.persist_workers, s.score_workers],
        slots=SLOTS,
        seed=seed,
    )


def _look(scenario: Scenario, calibration: Calibration) -> F64:
    """CPU seconds of a worker and of PostgreSQL for a look into the log, by stage: what they use without load
    is looks. Where a transaction is one turn, a look is no turn.
    """
    look, standing = np.zeros((3, 2)), calibration.standing
    if scenario.system.turns > 1:
        every = scenario.system.poll_idle_ms / 1000.0
        for stage, name in ((k.PERSISTING, "persist"), (k.SCORING, "score")):
            look[stage] = standing[name] * every, standing["postgresql"] * every
    return look


RETRIES = ("none", "at-once", "fixed", "backoff")


def simulate(
    scenario: Scenario,
    calibration: Calibration,
    arrivals: Arrivals,
    seed: int,
    *,
    faults: bool = True,
    drain_s: float = DRAIN_S,
    sample_s: float | None = None,
    progress: Callable[[float], None] = lambda _share: None,
) -> Outcome:
    """Run the arrivals through the record store. The same arguments give the same outcome, to the bit.

    `sample_s`: how often the engine is looked at; without it, some 4,320 times in the window.
    """
    engine = build(scenario, calibration, seed)
    env = simpy.Environment()
    standing = standing_cores(scenario, calibration)
    standing = [sum(standing)] * len(TIERS) if scenario.system.shared_cores else standing
    sampler = _Sampler(env, scenario, engine, standing, arrivals.seconds, drain_s, sample_s)
    env.process(sampler.run(progress))
    if faults:
        begin_faults(env, scenario, engine)
    while not sampler.done:
        if not advance(engine, arrivals.words, env.peek()):
            raise ScenarioError(
                scenario.name,
                "client.retry",
                scenario.client.retry,
                "more than 8 million calls or unfinished requests at once: refuse more, retry less",
            )
        env.step()
    return sampler.outcome(seed)


class _Sampler:
    """Looks at the engine at regular times."""

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        engine: Engine,
        standing: list[float],
        seconds: float,
        drain_s: float,
        sample_s: float | None,
    ) -> None:
        self.env, self.engine, self.seconds, self.drain_s = env, engine, seconds, drain_s
        self.standing = standing
        self.step = sample_s or min(20.0, max(1.0, round(seconds / 4320.0)))
        self.rows: list[list[float]] = []
        self.done = self.drained = False
        s = scenario.system
        self.capacity = [s.edges, s.persist_workers, s.score_workers, 1, s.connections]
        self.last, self.now = np.zeros(r.READINGS), np.zeros(r.READINGS)

    def run(self, progress: Callable[[float], None]) -> Process:
        while not self.done:
            yield self.env.timeout(self.step)
            self._sample()
            now = float(self.env.now)
            progress(min(1.0, now / self.seconds))
            if now >= self.seconds:
                self.drained = self._nothing_waits()
                self.done = self.drained or now >= self.seconds + self.drain_s

    def _nothing_waits(self) -> bool:
        now = self.now
        answered = now[k.N_ACKED] + now[k.N_GIVEN_UP]
        idle = now[r.WAITS_FOR_PERSIST] + now[r.WAITS_FOR_SCORE] == 0
        return bool(idle and answered >= now[k.N_REQUESTS])

    def _sample(self) -> None:
        self.last, self.now = self.now, self.last
        now = self.now
        r.read(self.engine, now)
        rates = (now - self.last) / self.step
        parts = rates[r.USED_S : r.BUSY_S] / self.capacity
        busy, own = rates[r.BUSY_S : r.CORES], now[r.CORES : r.WAITS_FOR_PERSIST]
        cores = (busy + self.standing) / np.maximum(own + self.standing, 1e-9)
        self.rows.append(
            [
                self.env.now,
                *rates[[k.N_STATEMENTS, k.N_ACCEPTED, k.N_PERSISTED, k.N_SCORED]],
                *now[r.WAITS_FOR_PERSIST : r.READINGS],
                *rates[[k.N_REJECTED, k.N_TIMED_OUT, k.N_RETRIED]],
                *parts,
                *cores,
            ]
        )

    def outcome(self, seed: int) -> Outcome:
        e = self.engine
        weights = [max(float(w), 1.0) for w in e.weight]
        return Outcome(
            seed=seed,
            seconds=self.seconds,
            counts={name: int(n) for name, n in zip(k.COUNTS, e.counts, strict=True)},
            cpu_s={name: float(n) for name, n in zip(k.COMPONENTS, e.cpu, strict=True)},
            histogram=e.histogram[:, :SLOTS].copy(),
            means={name: float(t) / w for name, t, w in zip(k.LATENCIES, e.total, weights, strict=True)},
            series=np.array(self.rows),
            drained=self.drained,
        )
