"""Everything the event kernel knows, in one record; a run is a function of this record and of the arrivals.

One record, because a kernel then gets one pointer: a tuple of as many arrays costs microseconds at each call.
Its arrays have a fixed size, which is address space and not memory until it is used.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np

from simulator.compiled import F64, I32, I64, U64
from simulator.population import root

# Components that take time, the rows of `service`; the columns are seconds for a transaction (or a request at
# an edge), for each request in it and for each statement in it, the shape of the noise, and a lognormal's
# sigma.
COMPONENTS = (
    "edge",
    "reject",
    "read_edge",
    "append",
    "persist_cpu",
    "persist_postgresql",
    "score_cpu",
    "score_postgresql",
    "read_postgresql",
    "flush",
    "replicate",
)
(
    EDGE,
    REJECT,
    READ_EDGE,
    APPEND,
    PERSIST_CPU,
    PERSIST_PG,
    SCORE_CPU,
    SCORE_PG,
    READ_PG,
    FLUSH,
    REPLICATE,
) = range(len(COMPONENTS))
CONSTANT, EXPONENTIAL, LOGNORMAL = range(3)
SHAPES = ("constant", "exponential", "lognormal")

# Whole-number settings, the places of `limits`.
(EDGES, PARTITIONS, INFLIGHT, APPEND_MAX, PERSIST_MAX, SCORE_MAX, CONNECTIONS, KAFKA, RETRY, RETRY_LIMIT) = (
    range(10)
)
NO_RETRY, AT_ONCE, FIXED, BACKOFF = range(4)
# Real settings, the places of `settings`.
LINGER, TIMEOUT, RETRY_S, READS, SHARED_ROW, POISON, DISK, SLOT_S = range(8)

# Tiers, which map to pools of cores: all to one, when the cores are shared.
EDGE_TIER, WORKER_TIER, PG_TIER, BROKER_TIER = range(4)

# Stages: each has one lane for each partition, at stage * partitions + partition.
APPENDING, PERSISTING, SCORING = range(3)

# What is counted, the places of `counts`.
COUNTS = (
    "requests",
    "statements",
    "acknowledged_requests",
    "accepted_statements",
    "persisted_statements",
    "scored_statements",
    "duplicate_statements",
    "rejected",
    "timed_out",
    "retried",
    "given_up_requests",
    "given_up_statements",
    "given_up_but_stored",
    "reads",
    "appends",
    "flushes",
    "persists",
    "scores",
    "poisoned",
    "reads_refused",
)
(
    N_REQUESTS,
    N_STATEMENTS,
    N_ACKED,
    N_ACCEPTED,
    N_PERSISTED,
    N_SCORED,
    N_DUPLICATE,
    N_REJECTED,
    N_TIMED_OUT,
    N_RETRIED,
    N_GIVEN_UP,
    N_GIVEN_UP_STATEMENTS,
    N_GIVEN_UP_STORED,
    N_READS,
    N_APPENDS,
    N_FLUSHES,
    N_PERSISTS,
    N_SCORES,
    N_POISONED,
    N_READS_REFUSED,
) = range(len(COUNTS))

# Latencies that are recorded, the first axis of `histogram`, `total`, `square` and `weight`.
LATENCIES = ("acknowledged", "queryable", "scored", "read")
ACKNOWLEDGED, QUERYABLE, SCORED, READ = range(4)
BUCKETS_PER_OCTAVE = 64
BUCKETS = 34 * BUCKETS_PER_OCTAVE
SMALLEST = 1e-5  # seconds

# Single values that change, the places of `now` and of `numbers`.
NEXT_ARRIVAL, EDGE_BUSY, EDGE_HEAD, EDGE_TAIL, IN_SYSTEM, READ_BUSY, READ_HEAD, READ_TAIL = range(8)
TIMERS, LATE_HEAD, LATE_TAIL, FLUSHING, FLUSH_WAITING, FLUSH_CURRENT, DISK_UP, LOCK_HOLDER = range(8, 16)
LOCK_HEAD, LOCK_COUNT, DRAWS, EDGE_WAITING, READS_IN_SYSTEM, TROUBLE = range(16, 22)
NUMBERS = 22

# Places that are taken and given back: how many are free again, how many were ever used.
CALLS, REQUESTS, SEGMENTS = range(3)


PARTS = ("edges", "persist_workers", "score_workers", "flush", "connections")
USED_EDGES, USED_PERSIST, USED_SCORE, USED_FLUSH, USED_CONNECTIONS = range(len(PARTS))

MAX_PARTITIONS = 1024
MAX_EDGES = 256
MAX_WORKERS = 256
MAX_CONNECTIONS = 4096
MAX_SLOTS = 256
MAX_CALLS = 1 << 21
MAX_REQUESTS = 1 << 22
MAX_SEGMENTS = 1 << 21
MAX_TIMERS = 1 << 22
_LANES = 3 * MAX_PARTITIONS
_TASKS = MAX_EDGES + MAX_CONNECTIONS + 4 * _LANES + 2 * MAX_WORKERS

_FIELDS: list[tuple[str, str, tuple[int, ...]]] = [
    ("service", "f8", (len(COMPONENTS), 5)),
    ("limits", "i8", (10,)),
    ("settings", "f8", (8,)),
    ("key", "u8", (1,)),
    ("now", "f8", (2,)),
    ("numbers", "i8", (NUMBERS,)),
    ("counts", "i8", (len(COUNTS),)),
    ("cpu", "f8", (len(COMPONENTS),)),
    # pools of cores: processor sharing by virtual time, a heap of (virtual end, task) each
    ("pool", "i8", (4,)),
    ("cores", "f8", (4,)),
    ("rate", "f8", (4,)),
    ("virtual", "f8", (4,)),
    ("tasks", "i8", (4,)),
    ("pool_busy", "f8", (4,)),  # core seconds, until pool_since
    ("pool_since", "f8", (4,)),
    ("pool_end", "f8", (4,)),  # when the first task ends, if nothing changes
    ("task_end", "f8", (4, _TASKS)),
    ("task_code", "i8", (4, _TASKS)),
    # timers: a heap of (time, code)
    ("timer_at", "f8", (MAX_TIMERS,)),
    ("timer_code", "i8", (MAX_TIMERS,)),
    # requests, as clients see them
    ("request_due", "f8", (MAX_REQUESTS,)),
    ("request_size", "i4", (MAX_REQUESTS,)),
    ("request_lane", "i4", (MAX_REQUESTS,)),
    ("request_flags", "i4", (MAX_REQUESTS,)),
    ("request_tries", "i4", (MAX_REQUESTS,)),
    ("request_live", "i4", (MAX_REQUESTS,)),  # attempts and timers that still refer to it
    ("request_state", "i4", (MAX_REQUESTS,)),  # bit 0 answered, bit 1 stored, bit 2 given up
    ("request_free", "i4", (MAX_REQUESTS,)),
    # calls: attempts of requests, and reads (request -1)
    ("call_request", "i4", (MAX_CALLS,)),
    ("call_size", "i4", (MAX_CALLS,)),
    ("call_sent", "f8", (MAX_CALLS,)),
    ("call_state", "i4", (MAX_CALLS,)),  # bit 0 inside, bit 1 the client has gone, bit 2 listed for timeout
    ("call_next", "i4", (MAX_CALLS,)),
    ("call_later", "i4", (MAX_CALLS,)),
    ("call_free", "i4", (MAX_CALLS,)),
    # segments: what one append made durable, on its way through the stages
    ("segment_at", "f8", (MAX_SEGMENTS,)),
    ("segment_size", "i4", (MAX_SEGMENTS,)),
    ("segment_hot", "i4", (MAX_SEGMENTS,)),
    ("segment_next", "i4", (MAX_SEGMENTS,)),
    ("segment_free", "i4", (MAX_SEGMENTS,)),
    ("free", "i8", (3,)),
    ("ever", "i8", (3,)),
    # lanes
    ("lane_head", "i8", (_LANES,)),
    ("lane_tail", "i8", (_LANES,)),
    ("lane_waiting", "i8", (_LANES,)),  # statements
    ("lane_items", "i8", (_LANES,)),  # calls at an append lane, segments at the others
    ("lane_busy", "i8", (_LANES,)),
    ("lane_up", "i8", (_LANES,)),
    ("lane_epoch", "i8", (_LANES,)),
    ("lane_owner", "i8", (_LANES,)),  # worker of a stage; broker of an append lane; -1 none
    ("lane_batch", "i8", (_LANES,)),
    ("lane_batch_size", "i8", (_LANES,)),
    ("lane_batch_items", "i8", (_LANES,)),
    ("lane_rounds", "i8", (_LANES,)),
    ("lane_rest", "f8", (_LANES,)),  # CPU seconds still to do under the shared row's lock
    # workers: first those of persist, then those of score; a ring of tasks each
    ("workers", "i8", (1,)),
    ("worker_first", "i8", (3,)),  # index of the first worker of each stage
    ("worker_busy", "i8", (2 * MAX_WORKERS,)),
    ("worker_task", "i8", (2 * MAX_WORKERS,)),
    ("worker_head", "i8", (2 * MAX_WORKERS,)),
    ("worker_count", "i8", (2 * MAX_WORKERS,)),
    ("worker_ring", "i8", (2 * MAX_WORKERS, 2 * MAX_PARTITIONS)),
    # the write-ahead log's flush and the shared row's lock
    ("flush_waiting", "i8", (2 * _LANES,)),
    ("flush_current", "i8", (2 * _LANES,)),
    ("lock_ring", "i8", (2 * MAX_PARTITIONS,)),
    ("used", "f8", (len(PARTS), 2)),  # seconds in use until the last change, how many are in use now
    # measures
    ("slots", "i8", (1,)),
    ("histogram", "i8", (len(LATENCIES), MAX_SLOTS, BUCKETS)),
    ("total", "f8", (len(LATENCIES),)),
    ("square", "f8", (len(LATENCIES),)),
    ("weight", "f8", (len(LATENCIES),)),
]
_DTYPE = np.dtype([(name, kind, shape) for name, kind, shape in _FIELDS])


class Engine(Protocol):
    """The state of a run. Times are seconds since the window's begin; lists are linked by index, -1 ends."""

    service: F64
    limits: I64
    settings: F64
    key: U64
    now: F64
    numbers: I64
    counts: I64
    cpu: F64
    pool: I64
    cores: F64
    rate: F64
    virtual: F64
    tasks: I64
    pool_busy: F64
    pool_since: F64
    pool_end: F64
    task_end: F64
    task_code: I64
    timer_at: F64
    timer_code: I64
    request_due: F64
    request_size: I32
    request_lane: I32
    request_flags: I32
    request_tries: I32
    request_live: I32
    request_state: I32
    request_free: I32
    call_request: I32
    call_size: I32
    call_sent: F64
    call_state: I32
    call_next: I32
    call_later: I32
    call_free: I32
    segment_at: F64
    segment_size: I32
    segment_hot: I32
    segment_next: I32
    segment_free: I32
    free: I64
    ever: I64
    lane_head: I64
    lane_tail: I64
    lane_waiting: I64
    lane_items: I64
    lane_busy: I64
    lane_up: I64
    lane_epoch: I64
    lane_owner: I64
    lane_batch: I64
    lane_batch_size: I64
    lane_batch_items: I64
    lane_rounds: I64
    lane_rest: F64
    workers: I64
    worker_first: I64
    worker_busy: I64
    worker_task: I64
    worker_head: I64
    worker_count: I64
    worker_ring: I64
    flush_waiting: I64
    flush_current: I64
    lock_ring: I64
    used: F64
    slots: I64
    histogram: I64
    total: F64
    square: F64
    weight: F64


def new_engine(
    *,
    service: F64,
    limits: I64,
    settings: F64,
    pool: list[int],
    cores: list[float],
    owners: list[list[int]],
    workers: list[int],
    slots: int,
    seed: int,
) -> Engine:
    """An idle record store. `owners` has for each stage the owner of each partition, `workers` their
    number.
    """
    e = cast(Engine, np.zeros(1, _DTYPE).view(np.recarray)[0])
    lanes = 3 * int(limits[PARTITIONS])
    e.service[:], e.limits[:], e.settings[:] = service, limits, settings
    e.key[0] = root(seed)
    e.pool[:] = pool
    e.cores[:] = 1.0
    e.cores[: len(cores)] = cores
    e.rate[:] = 1.0
    e.pool_end[:] = 1e300
    for place in (EDGE_HEAD, EDGE_TAIL, READ_HEAD, READ_TAIL, LATE_HEAD, LATE_TAIL, LOCK_HOLDER):
        e.numbers[place] = -1
    e.numbers[DISK_UP] = 1
    for links in (e.lane_head, e.lane_tail, e.lane_batch):
        links[:lanes] = -1
    e.lane_up[:lanes] = 1
    e.lane_owner[:lanes] = [owner for stage in owners for owner in stage]
    e.workers[0] = workers[PERSISTING] + workers[SCORING]
    e.worker_first[:] = [0, 0, workers[PERSISTING]]
    e.slots[0] = slots
    return e
