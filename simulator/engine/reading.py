"""Readings: what somebody outside sees of a run, all of it in one call.

A call from Python costs as much as several requests, because numba looks at the whole record anew.
"""

from __future__ import annotations

from simulator.compiled import F64, kernel
from simulator.engine.pool import settle, used_seconds
from simulator.engine.state import (
    COUNTS,
    EDGE_WAITING,
    IN_SYSTEM,
    PARTITIONS,
    PARTS,
    PERSISTING,
    SCORING,
    Engine,
)

TIERS = 4
# Places of a reading: what only grows (counts, seconds in which each of PARTS was in use, core seconds of
# each tier), then what is now, from the tiers' CORES on.
USED_S = len(COUNTS)
BUSY_S = USED_S + len(PARTS)
CORES = BUSY_S + TIERS
WAITS_FOR_PERSIST, WAITS_FOR_SCORE, PERSIST_LAG, SCORE_LAG, INSIDE = range(CORES + TIERS, CORES + TIERS + 5)
"""Statements that a stage has not committed; for how long the oldest of them has been accepted, of score's
also what persist has not committed; requests in the system.
"""
READINGS = INSIDE + 1


@kernel
def read(e: Engine, out: F64) -> None:
    """Write a reading, READINGS long."""
    for pool in range(TIERS):
        settle(e, pool)
    for what in range(len(COUNTS)):
        out[what] = e.counts[what]
    for part in range(len(PARTS)):
        out[USED_S + part] = used_seconds(e, part)
    for tier in range(TIERS):
        out[BUSY_S + tier] = e.pool_busy[e.pool[tier]]
        out[CORES + tier] = e.cores[e.pool[tier]]
    out[WAITS_FOR_PERSIST] = _backlog(e, PERSISTING)
    out[WAITS_FOR_SCORE] = _backlog(e, SCORING)
    out[PERSIST_LAG] = _oldest(e, PERSISTING)
    out[SCORE_LAG] = max(out[PERSIST_LAG], _oldest(e, SCORING))
    out[INSIDE] = e.numbers[IN_SYSTEM] + e.numbers[EDGE_WAITING]


@kernel
def _oldest(e: Engine, stage: int) -> float:
    partitions = e.limits[PARTITIONS]
    since = e.now[0]
    for lane in range(stage * partitions, (stage + 1) * partitions):
        for item in (e.lane_batch[lane], e.lane_head[lane]):
            if item >= 0:
                since = min(since, e.segment_at[item])
    return float(e.now[0] - since)


@kernel
def _backlog(e: Engine, stage: int) -> int:
    partitions = e.limits[PARTITIONS]
    total = 0
    for lane in range(stage * partitions, (stage + 1) * partitions):
        total += e.lane_waiting[lane]
        if e.lane_busy[lane]:
            total += e.lane_batch_size[lane]
    return total
