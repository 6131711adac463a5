"""Lanes: what waits in each partition of the log and of each stage, how it is appended, and how it becomes
durable.

Every lane has one transaction at a time. Transactions that want a flush of the write-ahead log wait for the
running one and then share the next: group commit.
"""

from __future__ import annotations

from simulator.compiled import I32, kernel
from simulator.engine.pool import (
    APPEND_DONE,
    EPOCH_BITS,
    EPOCHS,
    FLUSHED,
    REPLICATED,
    code_of,
    pause,
    run_task,
    service,
    set_timer,
    use,
)
from simulator.engine.state import (
    APPEND,
    BROKER_TIER,
    DISK,
    DISK_UP,
    FLUSH,
    FLUSH_CURRENT,
    FLUSH_WAITING,
    FLUSHING,
    KAFKA,
    N_APPENDS,
    N_FLUSHES,
    PARTITIONS,
    PG_TIER,
    REPLICATE,
    USED_FLUSH,
    Engine,
)

_NO_LIMIT = 1 << 60


@kernel
def lane_code(e: Engine, kind: int, lane: int) -> int:
    return code_of(kind, e.lane_epoch[lane], lane)


@kernel
def append_to_lane(e: Engine, next_: I32, lane: int, item: int, statements: int) -> None:
    """Put a call or a segment behind what waits in a lane."""
    next_[item] = -1
    if e.lane_tail[lane] < 0:
        e.lane_head[lane] = item
    else:
        next_[e.lane_tail[lane]] = item
    e.lane_tail[lane] = item
    e.lane_waiting[lane] += statements
    e.lane_items[lane] += 1


@kernel
def take_batch(e: Engine, next_: I32, sizes: I32, lane: int, most: int) -> None:
    """Move waiting items, up to `most` statements but at least one item, into the lane's batch; an append
    takes the calls of one frame.
    """
    item = e.lane_head[lane]
    e.lane_batch[lane] = item
    taken = items = 0
    last = -1
    append = lane < e.limits[PARTITIONS]
    while item >= 0 and (items == 0 or taken + sizes[item] <= most):
        taken += sizes[item]
        items += 1
        last = item
        item = next_[item]
        if append and e.call_frame[last] >= 0:
            break
    next_[last] = -1
    e.lane_head[lane] = item
    if item < 0:
        e.lane_tail[lane] = -1
    e.lane_waiting[lane] -= taken
    e.lane_items[lane] -= items
    e.lane_batch_size[lane] = taken
    e.lane_batch_items[lane] = items
    e.lane_busy[lane] = 1


@kernel
def start_append(e: Engine, lane: int) -> None:
    """Begin an append transaction, if there is something to append and nothing is being appended."""
    if e.lane_busy[lane] or e.lane_up[lane] < 1 or e.lane_head[lane] < 0:
        return
    take_batch(e, e.call_next, e.call_size, lane, _NO_LIMIT)
    e.counts[N_APPENDS] += 1
    seconds = service(e, APPEND, e.lane_batch_items[lane], e.lane_batch_size[lane])
    tier = BROKER_TIER if e.limits[KAFKA] else PG_TIER
    run_task(e, tier, seconds, lane_code(e, APPEND_DONE, lane))


@kernel
def after_append_cpu(e: Engine, lane: int) -> None:
    """The log's own work is done; now its durability."""
    if e.limits[KAFKA]:
        set_timer(e, e.now[0] + pause(e, REPLICATE), lane_code(e, REPLICATED, lane))
    else:
        wait_for_flush(e, lane)


@kernel
def wait_for_flush(e: Engine, lane: int) -> None:
    """Join the transactions that want the write-ahead log flushed."""
    e.flush_waiting[e.numbers[FLUSH_WAITING]] = lane_code(e, FLUSHED, lane)
    e.numbers[FLUSH_WAITING] += 1
    start_flush(e)


@kernel
def start_flush(e: Engine) -> None:
    """Flush for all that wait, if the disk is free."""
    n = e.numbers[FLUSH_WAITING]
    if n == 0 or e.numbers[FLUSHING] or not e.numbers[DISK_UP]:
        return
    for i in range(n):
        e.flush_current[i] = e.flush_waiting[i]
    e.numbers[FLUSH_CURRENT] = n
    e.numbers[FLUSH_WAITING] = 0
    e.numbers[FLUSHING] = 1
    e.counts[N_FLUSHES] += 1
    use(e, USED_FLUSH, 1)
    set_timer(e, e.now[0] + pause(e, FLUSH) * e.settings[DISK], code_of(FLUSHED, 0, 0))


@kernel
def current(e: Engine, code: int, lane: int) -> bool:
    """Whether a task or timer is of its lane's present epoch, and not of one that was broken off."""
    return bool((code >> EPOCH_BITS) % EPOCHS == e.lane_epoch[lane] % EPOCHS)
