"""The event loop: what happens next, until a moment comes at which somebody outside wants to look or to
act.
"""

from __future__ import annotations

from simulator.compiled import U64, kernel
from simulator.engine.calls import (
    after_edge,
    after_read,
    arrive,
    commit_append,
    drop_answered,
    retry,
    start_edges,
    start_reads,
    time_out,
)
from simulator.engine.frames import lingered
from simulator.engine.lanes import after_append_cpu, current, start_append, start_flush
from simulator.engine.pool import (
    APPEND_DONE,
    EDGE_DONE,
    FLUSHED,
    INDEX,
    KIND_BITS,
    LINGERED,
    QUERY_DONE,
    REPLICATED,
    STAGE_DUE,
    WORK_DONE,
    end_task,
    end_timer,
    set_rate,
    settle,
    use,
)
from simulator.engine.stages import (
    after_query,
    after_work,
    commit_stage,
    stage_due,
    start_stage,
    start_worker,
)
from simulator.engine.state import (
    APPENDING,
    FLUSH_CURRENT,
    FLUSHING,
    LATE_HEAD,
    NEXT_ARRIVAL,
    PARTITIONS,
    PERSISTING,
    TIMEOUT,
    TIMERS,
    TROUBLE,
    USED_FLUSH,
    USED_PERSIST,
    Engine,
)
from simulator.word import TICKS_PER_S, tick_of

_ARRIVES, _TIMER, _LATE, _TASK = range(4)


@kernel
def advance(e: Engine, words: U64, until: float) -> bool:
    """Let everything happen that happens before `until` (seconds); False if more waits than there is room
    for.
    """
    due = 1e300
    n = len(words)
    if e.numbers[NEXT_ARRIVAL] < n:
        due = float(tick_of(words[e.numbers[NEXT_ARRIVAL]])) / TICKS_PER_S
    while e.numbers[TROUBLE] == 0:
        what, which, when = -1, 0, until
        if due < when:
            what, when = _ARRIVES, due
        if e.numbers[TIMERS] > 0 and e.timer_at[0] < when:
            what, when = _TIMER, e.timer_at[0]
        drop_answered(e)
        if e.numbers[LATE_HEAD] >= 0:
            late = e.call_sent[e.numbers[LATE_HEAD]] + e.settings[TIMEOUT]
            if late < when:
                what, when = _LATE, late
        for pool in range(4):
            if e.pool_end[pool] < when:
                what, which, when = _TASK, pool, e.pool_end[pool]
        e.now[0] = max(when, e.now[0])
        if what == _ARRIVES:
            arrive(e, words[e.numbers[NEXT_ARRIVAL]], due)
            e.numbers[NEXT_ARRIVAL] += 1
            due = 1e300
            if e.numbers[NEXT_ARRIVAL] < n:
                due = float(tick_of(words[e.numbers[NEXT_ARRIVAL]])) / TICKS_PER_S
        elif what == _TIMER:
            _timer(e, end_timer(e))
        elif what == _LATE:
            time_out(e)
        elif what == _TASK:
            _task(e, end_task(e, which))
        else:
            return True
    return False


@kernel
def _task(e: Engine, code: int) -> None:
    kind = code >> KIND_BITS
    index = code & INDEX
    if kind == EDGE_DONE:
        after_edge(e, index)
    elif kind == APPEND_DONE:
        if current(e, code, index):
            after_append_cpu(e, index)
    elif kind == WORK_DONE:
        _work_done(e, code, index)
    elif kind == QUERY_DONE:
        if current(e, code, index):
            after_query(e, index)
    else:
        after_read(e, index)


@kernel
def _work_done(e: Engine, code: int, lane: int) -> None:
    """A worker process is free again, also when the lane has been taken from it; not when it has died."""
    stage = lane // e.limits[PARTITIONS]
    if current(e, code, lane):
        after_work(e, lane)
    for worker in range(e.workers[0]):
        if e.worker_busy[worker] and e.worker_task[worker] == code:
            e.worker_busy[worker] = 0
            use(e, USED_PERSIST + stage - PERSISTING, -1)
            start_worker(e, worker)
            break


@kernel
def _timer(e: Engine, code: int) -> None:
    kind = code >> KIND_BITS
    index = code & INDEX
    if kind == LINGERED:
        lingered(e, index)
    elif kind == STAGE_DUE:
        stage_due(e, index)
    elif kind == REPLICATED:
        if current(e, code, index):
            commit_append(e, index)
    elif kind == FLUSHED:
        _flushed(e)
    else:
        retry(e, index)


@kernel
def _flushed(e: Engine) -> None:
    e.numbers[FLUSHING] = 0
    use(e, USED_FLUSH, -1)
    n = e.numbers[FLUSH_CURRENT]
    for i in range(n):
        code = e.flush_current[i]
        lane = code & INDEX
        # what this commit sets off may wait for the next flush, but must not start it and overwrite this list
        e.numbers[FLUSHING] = 1
        if current(e, code, lane):
            if lane // e.limits[PARTITIONS] == APPENDING:
                commit_append(e, lane)
            else:
                commit_stage(e, lane)
    e.numbers[FLUSHING] = 0
    start_flush(e)


@kernel
def wake(e: Engine) -> None:
    """Start whatever can start, after somebody outside has changed speeds, owners or what is up."""
    for pool in range(4):
        settle(e, pool)
        set_rate(e, pool)
    start_edges(e)
    start_reads(e)
    for lane in range(3 * e.limits[PARTITIONS]):
        if lane < e.limits[PARTITIONS]:
            start_append(e, lane)
        else:
            start_stage(e, lane)
    for worker in range(e.workers[0]):
        start_worker(e, worker)
    start_flush(e)
