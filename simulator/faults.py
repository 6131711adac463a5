"""Faults and operators as SimPy processes: they change the engine's record and wake it.

What an operator or a supervisor does of its own accord (leases that run out, elections, rebalances) is here
too.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from simulator.behaviour import start_ms
from simulator.engine.clockwork import wake
from simulator.engine.pool import settle, use
from simulator.engine.stages import break_off
from simulator.engine.state import (
    APPEND,
    APPENDING,
    BROKER_TIER,
    CONNECTIONS,
    DISK,
    DISK_UP,
    EDGES,
    KAFKA,
    PERSIST_PG,
    PERSISTING,
    POISON,
    READ_PG,
    SCORE_PG,
    SCORING,
    USED_PERSIST,
    Engine,
)
from simulator.parameters import Fault
from simulator.scenario import Scenario

Process = Generator[simpy.Event, Any, None]
STAGES = {"persist": PERSISTING, "score": SCORING}
RESTART_S = 5.0
"""A process that is deployed is away for this long."""


def begin_faults(env: simpy.Environment, scenario: Scenario, engine: Engine) -> None:
    """Start a process for each fault of the scenario that begins in the window."""
    begin = start_ms(scenario, scenario.run.begin) / 1000.0
    for fault in scenario.faults:
        after = start_ms(scenario, fault.at) / 1000.0 - begin
        if fault.kind in _FAULTS and 0.0 <= after < scenario.run.hours * 3600.0:
            env.process(_later(env, after, _FAULTS[fault.kind](env, scenario, engine, fault)))


def _later(env: simpy.Environment, after: float, process: Process) -> Process:
    yield env.timeout(after)
    yield from process


def _slow_database(env: simpy.Environment, _s: Scenario, e: Engine, fault: Fault) -> Process:
    """Every query takes longer."""
    queries = [PERSIST_PG, SCORE_PG, READ_PG] + ([] if e.limits[KAFKA] else [APPEND])
    e.service[queries, :3] /= fault.factor
    yield env.timeout(fault.seconds)
    e.service[queries, :3] *= fault.factor


def _slow_disk(env: simpy.Environment, _s: Scenario, e: Engine, fault: Fault) -> Process:
    e.settings[DISK] *= fault.factor
    yield env.timeout(fault.seconds)
    e.settings[DISK] /= fault.factor


def _database_down(env: simpy.Environment, s: Scenario, e: Engine, fault: Fault) -> Process:
    """Nothing of PostgreSQL moves; what it was about to do, it does when it is back."""
    stages = [PERSISTING, SCORING] if s.system.log == "kafka" else [APPENDING, PERSISTING, SCORING]
    lanes = [stage * s.system.partitions + p for stage in stages for p in range(s.system.partitions)]
    connections = int(e.limits[CONNECTIONS])
    e.numbers[DISK_UP] = 0
    e.limits[CONNECTIONS] = 0
    for lane in lanes:
        _stop(e, lane)
    yield env.timeout(fault.seconds)
    e.numbers[DISK_UP] = 1
    e.limits[CONNECTIONS] = connections
    for lane in lanes:
        _go(e, lane)
    wake(e)


def _poison(env: simpy.Environment, _s: Scenario, e: Engine, fault: Fault) -> Process:
    e.settings[POISON] += fault.factor
    yield env.timeout(fault.seconds)
    e.settings[POISON] = max(0.0, e.settings[POISON] - fault.factor)


def _edge_loss(env: simpy.Environment, _s: Scenario, e: Engine, fault: Fault) -> Process:
    """Edges leave the line: they finish what they have, others take what comes."""
    lost = min(fault.index, int(e.limits[EDGES]))
    e.limits[EDGES] -= lost
    yield env.timeout(fault.seconds)
    e.limits[EDGES] += lost
    wake(e)


def _broker_loss(env: simpy.Environment, s: Scenario, e: Engine, fault: Fault) -> Process:
    """A broker's partitions stand still until their leaders are elected, then the others carry them."""
    led = [p for p in range(s.system.partitions) if e.lane_owner[p] == fault.index]
    pool = int(e.pool[BROKER_TIER])
    shared = s.system.shared_cores > 0
    settle(e, pool)
    if not shared:
        e.cores[pool] -= CORES_OF_A_BROKER
    for lane in led:
        _stop(e, lane)
    wake(e)
    yield env.timeout(min(fault.seconds, s.system.election_s))
    others = [b for b in range(s.system.brokers) if b != fault.index]
    for k, lane in enumerate(led):
        e.lane_owner[lane] = others[k % len(others)]
        _go(e, lane)
    wake(e)
    yield env.timeout(max(0.0, fault.seconds - s.system.election_s))
    settle(e, pool)
    if not shared:
        e.cores[pool] += CORES_OF_A_BROKER
    for lane in led:
        e.lane_owner[lane] = fault.index
    wake(e)


def _worker_loss(env: simpy.Environment, s: Scenario, e: Engine, fault: Fault) -> Process:
    """A worker dies; its leases run out, the others take its partitions over; it comes back and gets them
    again.
    """
    stage = STAGES[fault.stage]
    lanes = [lane for lane in _lanes(s, stage) if e.lane_owner[lane] == fault.index]
    _kill(e, stage, fault.index, lanes)
    yield env.timeout(min(fault.seconds, s.system.lease_s))
    if fault.seconds > s.system.lease_s:
        workers = s.system.persist_workers if stage == PERSISTING else s.system.score_workers
        others = [w for w in range(workers) if w != fault.index]
        for k, lane in enumerate(lanes if others else []):
            e.lane_owner[lane] = others[k % len(others)]
        wake(e)
        yield env.timeout(fault.seconds - s.system.lease_s)
    yield from _hand_over(env, s, e, dict.fromkeys(lanes, fault.index))


def _deploy(env: simpy.Environment, s: Scenario, e: Engine, fault: Fault) -> Process:
    """Each process of a stage is stopped cleanly and started again, one after the other, within the fault's
    time.
    """
    if fault.stage == "edge":
        pause = fault.seconds / s.system.edges
        for _ in range(s.system.edges):
            lost = min(1, int(e.limits[EDGES]) - 1)
            e.limits[EDGES] -= lost
            yield env.timeout(min(RESTART_S, pause))
            e.limits[EDGES] += lost
            wake(e)
            yield env.timeout(max(0.0, pause - RESTART_S))
        return
    stage = STAGES[fault.stage]
    workers = s.system.persist_workers if stage == PERSISTING else s.system.score_workers
    pause = fault.seconds / workers
    for worker in range(workers):
        own = [lane for lane in _lanes(s, stage) if e.lane_owner[lane] == worker]
        others = [w for w in range(workers) if w != worker]
        began = env.now
        if others:
            yield from _hand_over(env, s, e, {lane: others[k % len(others)] for k, lane in enumerate(own)})
        else:
            _kill(e, stage, worker, own)
        yield env.timeout(RESTART_S)
        yield from _hand_over(env, s, e, dict.fromkeys(own, worker))
        yield env.timeout(max(0.0, pause - (env.now - began)))


def _hand_over(env: simpy.Environment, s: Scenario, e: Engine, owners: dict[int, int]) -> Process:
    """Partitions change hands: they stand still for the time of a rebalance."""
    for lane in owners:
        _stop(e, lane)
    wake(e)
    yield env.timeout(s.system.rebalance_s)
    for lane, owner in owners.items():
        e.lane_owner[lane] = owner
        _go(e, lane)
    wake(e)


def _lanes(s: Scenario, stage: int) -> list[int]:
    return list(range(stage * s.system.partitions, (stage + 1) * s.system.partitions))


def _stop(e: Engine, lane: int) -> None:
    """Nobody may work on a lane; stops add up, so that two faults at once do not end each other."""
    break_off(e, lane)
    e.lane_up[lane] -= 1


def _go(e: Engine, lane: int) -> None:
    e.lane_up[lane] += 1


def _kill(e: Engine, stage: int, worker: int, lanes: list[int]) -> None:
    place = int(e.worker_first[stage]) + worker
    e.worker_count[place] = 0
    if e.worker_busy[place]:
        e.worker_busy[place] = 0
        use(e, USED_PERSIST + stage - PERSISTING, -1)
    for lane in lanes:
        break_off(e, lane)
        e.lane_owner[lane] = -1
    wake(e)


CORES_OF_A_BROKER = 2.0
_FAULTS = {
    "slow-database": _slow_database,
    "slow-disk": _slow_disk,
    "database-down": _database_down,
    "poison": _poison,
    "edge-loss": _edge_loss,
    "broker-loss": _broker_loss,
    "worker-loss": _worker_loss,
    "deploy": _deploy,
}
