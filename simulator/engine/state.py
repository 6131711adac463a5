"""Everything the event kernel knows, in one record; a run is a function of this record and of the
arrivals.
"""

from __future__ import annotations

from typing import Annotated

from simulator.compiled import F64, I32, I64, U64
from simulator.population import root
from simulator.record import new_record
from simulator.rng import SHARES, shares

# Components that take time, the rows of `service`; the columns are seconds for a transaction (or a request at
# an edge), for each request in it and for each statement in it, the shape of the noise, and a lognormal's
# sigma.
COMPONENTS = (
    "edge",
    "answer",
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
    "wire",
)
(
    EDGE,
    ANSWER,
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
    WIRE,
) = range(len(COMPONENTS))
WAITS = ("flush", "replicate", "wire")
"""Components that pass without anybody's processor."""
CONSTANT, EXPONENTIAL, LOGNORMAL = range(3)
SHAPES = ("constant", "exponential", "lognormal")

# Whole-number settings, the places of `limits`.
(
    EDGES,
    PARTITIONS,
    INFLIGHT,
    APPEND_MAX,
    PERSIST_MAX,
    SCORE_MAX,
    CONNECTIONS,
    KAFKA,
    RETRY,
    RETRY_LIMIT,
    FLIGHTS,
    TURNS,
    EDGE_TURN,
) = range(13)
LIMITS = 13
NO_RETRY, AT_ONCE, FIXED, BACKOFF = range(4)
# Real settings, the places of `settings`.
(
    LINGER,
    TIMEOUT,
    RETRY_S,
    READS,
    SHARED_ROW,
    POISON,
    DISK,
    SLOT_S,
    POLL,
    POLL_IDLE,
    PACE,
    PACE_RATE,
    NEWCOMERS,
) = range(13)
SETTINGS = 13

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
# Acknowledged counts from when the request was due, queryable from when it comes to an edge, scored from when
# it is in the log: the clocks of the LRS's own metrics.
LATENCIES = ("acknowledged", "queryable", "scored", "read")
ACKNOWLEDGED, QUERYABLE, SCORED, READ = range(4)
BUCKETS_PER_OCTAVE = 64
BUCKETS = 34 * BUCKETS_PER_OCTAVE
SMALLEST = 1e-5  # seconds

# Single values that change, the places of `now` and of `numbers`.
NEXT_ARRIVAL, EDGE_BUSY, EDGE_HEAD, EDGE_TAIL, IN_SYSTEM, READ_BUSY, READ_HEAD, READ_TAIL = range(8)
TIMERS, LATE_HEAD, LATE_TAIL, FLUSHING, FLUSH_WAITING, FLUSH_CURRENT, DISK_UP, LOCK_HOLDER = range(8, 16)
LOCK_HEAD, LOCK_COUNT, DRAWS, EDGE_WAITING, READS_IN_SYSTEM, TROUBLE, NEWCOMER = range(16, 23)
NUMBERS = 23

# Places that are taken and given back: how many are free again, how many were ever used.
CALLS, REQUESTS, SEGMENTS = range(3)


PARTS = ("edges", "persist_workers", "score_workers", "flush", "connections")
USED_EDGES, USED_PERSIST, USED_SCORE, USED_FLUSH, USED_CONNECTIONS = range(len(PARTS))

MAX_PARTITIONS = 1024
MAX_EDGES = 256
MAX_WORKERS = 256
MAX_CONNECTIONS = 4096
MAX_SLOTS = 256
MAX_CALLS = 1 << 23
MAX_REQUESTS = 1 << 23
MAX_SEGMENTS = MAX_CALLS  # one kernel takes the links of either, so their types must agree
MAX_TIMERS = 1 << 23
_LANES = 3 * MAX_PARTITIONS
_TASKS = MAX_EDGES + MAX_CONNECTIONS + 4 * _LANES + 2 * MAX_WORKERS


class Engine:
    """The state of a run. Times are seconds since the window's begin; lists are linked by index, -1 ends."""

    service: Annotated[F64, len(COMPONENTS), 5]
    noise: Annotated[F64, len(COMPONENTS), SHARES]  # of the lognormal ones
    look: Annotated[F64, 3, 2]  # CPU seconds of a worker and of PostgreSQL for a look, by stage
    limits: Annotated[I64, LIMITS]
    settings: Annotated[F64, SETTINGS]
    key: Annotated[U64, 1]
    now: Annotated[F64, 1]
    numbers: Annotated[I64, NUMBERS]
    counts: Annotated[I64, len(COUNTS)]
    cpu: Annotated[F64, len(COMPONENTS)]
    # pools of cores: processor sharing by virtual time, a heap of (virtual end, task) each
    pool: Annotated[I64, 4]
    cores: Annotated[F64, 4]
    rate: Annotated[F64, 4]
    virtual: Annotated[F64, 4]
    tasks: Annotated[I64, 4]
    pool_busy: Annotated[F64, 4]  # core seconds, until pool_since
    pool_since: Annotated[F64, 4]
    pool_end: Annotated[F64, 4]  # when the first task ends, if nothing changes
    task_end: Annotated[F64, 4, _TASKS]
    task_code: Annotated[I64, 4, _TASKS]
    # timers: a heap of (time, code)
    timer_at: Annotated[F64, MAX_TIMERS]
    timer_code: Annotated[I64, MAX_TIMERS]
    # requests, as clients see them
    request_due: Annotated[F64, MAX_REQUESTS]
    request_size: Annotated[I32, MAX_REQUESTS]
    request_edge: Annotated[I32, MAX_REQUESTS]  # whose frames it goes in
    request_learners: Annotated[I32, MAX_REQUESTS]  # who speak in it
    request_flags: Annotated[I32, MAX_REQUESTS]
    request_tries: Annotated[I32, MAX_REQUESTS]
    request_live: Annotated[I32, MAX_REQUESTS]  # attempts and timers that still refer to it
    request_state: Annotated[I32, MAX_REQUESTS]  # bit 0 answered, bit 1 stored, bit 2 given up
    request_free: Annotated[I32, MAX_REQUESTS]
    # calls: attempts of requests, and reads (request -1)
    call_request: Annotated[I32, MAX_CALLS]
    call_size: Annotated[I32, MAX_CALLS]
    call_sent: Annotated[F64, MAX_CALLS]
    call_state: Annotated[I32, MAX_CALLS]  # bits: inside; the client has gone; listed for timeout; landed
    call_frame: Annotated[I32, MAX_CALLS]  # the edge whose frame ends with it; -1 none
    call_next: Annotated[I32, MAX_CALLS]
    call_frame_next: Annotated[I32, MAX_CALLS]  # of a frame that is durable; -2 - p ends one of partition p
    call_later: Annotated[I32, MAX_CALLS]
    call_free: Annotated[I32, MAX_CALLS]
    # segments: what one append made durable, on its way through the stages
    segment_at: Annotated[F64, MAX_SEGMENTS]
    segment_came: Annotated[F64, MAX_SEGMENTS]  # when its statements came to an edge, in the mean
    segment_size: Annotated[I32, MAX_SEGMENTS]
    segment_learners: Annotated[I32, MAX_SEGMENTS]  # whose its statements are, in equal shares
    segment_hot: Annotated[I32, MAX_SEGMENTS]
    segment_next: Annotated[I32, MAX_SEGMENTS]
    segment_free: Annotated[I32, MAX_SEGMENTS]
    free: Annotated[I64, 3]
    ever: Annotated[I64, 3]
    # frames: each edge gathers calls, and has so many frames on their way to the log
    frame_head: Annotated[I64, MAX_EDGES]
    frame_tail: Annotated[I64, MAX_EDGES]
    frame_waiting: Annotated[I64, MAX_EDGES]  # statements
    frame_since: Annotated[F64, MAX_EDGES]
    frame_timed: Annotated[I64, MAX_EDGES]
    frames_flying: Annotated[I64, MAX_EDGES]
    frame_turn: Annotated[I64, MAX_EDGES]
    frame_busy: Annotated[I64, MAX_EDGES, MAX_PARTITIONS]
    # lanes
    lane_head: Annotated[I64, _LANES]
    lane_tail: Annotated[I64, _LANES]
    lane_waiting: Annotated[I64, _LANES]  # statements
    lane_items: Annotated[I64, _LANES]  # calls at an append lane, segments at the others
    lane_busy: Annotated[I64, _LANES]
    lane_up: Annotated[I64, _LANES]
    lane_epoch: Annotated[I64, _LANES]
    lane_owner: Annotated[I64, _LANES]  # worker of a stage; broker of an append lane; -1 none
    lane_batch: Annotated[I64, _LANES]
    lane_batch_size: Annotated[I64, _LANES]
    lane_batch_items: Annotated[I64, _LANES]
    lane_rounds: Annotated[I64, _LANES]
    lane_began: Annotated[F64, _LANES]  # when the last batch of a stage began
    lane_pace: Annotated[F64, _LANES]  # the next one begins no sooner, unless it is full
    lane_timed: Annotated[I64, _LANES]
    lane_looks: Annotated[I64, _LANES]  # 1 while its worker looks into the log for it
    lane_looked: Annotated[I64, _LANES]  # 1 if a look has found what its next transaction takes
    lane_turns: Annotated[I64, _LANES]  # turns of its transaction still to come, the present one included
    lane_own: Annotated[F64, _LANES]  # CPU seconds of the worker in a turn
    lane_there: Annotated[F64, _LANES]  # and of PostgreSQL
    lane_rest: Annotated[F64, _LANES]  # CPU seconds still to do under the shared row's lock
    # workers: first those of persist, then those of score; a ring of tasks each
    workers: Annotated[I64, 1]
    worker_first: Annotated[I64, 3]  # index of the first worker of each stage
    worker_busy: Annotated[I64, 2 * MAX_WORKERS]
    worker_task: Annotated[I64, 2 * MAX_WORKERS]
    worker_head: Annotated[I64, 2 * MAX_WORKERS]
    worker_count: Annotated[I64, 2 * MAX_WORKERS]
    worker_found: Annotated[F64, 2 * MAX_WORKERS]  # when it found something in the log last
    worker_ring: Annotated[I64, 2 * MAX_WORKERS, 2 * MAX_PARTITIONS]
    share: Annotated[I64, MAX_PARTITIONS]  # statements of a segment for each partition; zeros between two
    # the write-ahead log's flush and the shared row's lock
    flush_waiting: Annotated[I64, 2 * _LANES]
    flush_current: Annotated[I64, 2 * _LANES]
    lock_ring: Annotated[I64, 2 * MAX_PARTITIONS]
    used: Annotated[F64, len(PARTS), 2]  # seconds in use until the last change, how many are in use now
    # measures
    slots: Annotated[I64, 1]
    histogram: Annotated[I64, len(LATENCIES), MAX_SLOTS, BUCKETS]
    total: Annotated[F64, len(LATENCIES)]
    square: Annotated[F64, len(LATENCIES)]
    weight: Annotated[F64, len(LATENCIES)]


def new_engine(
    *,
    service: F64,
    look: F64,
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
    e = new_record(Engine)
    lanes = 3 * int(limits[PARTITIONS])
    e.service[:], e.look[:], e.limits[:], e.settings[:] = service, look, limits, settings
    e.noise[:] = [shares(float(sigma)) for sigma in service[:, 4]]
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
    e.frame_head[:] = e.frame_tail[:] = -1
    e.lane_began[:lanes] = e.worker_found[:] = -1e9
    e.lane_up[:lanes] = 1
    e.lane_owner[:lanes] = [owner for stage in owners for owner in stage]
    e.workers[0] = workers[PERSISTING] + workers[SCORING]
    e.worker_first[:] = [0, 0, workers[PERSISTING]]
    e.slots[0] = slots
    return e
