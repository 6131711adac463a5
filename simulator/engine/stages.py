"""Stages: who works on what waits for persist and score, and how their transactions begin and end.

A worker serves its partitions by turns: a look into the log for one, a turn of a transaction for another.
Each turn, and each look, is a question to PostgreSQL; its answer is taken with the next turn.
"""

from __future__ import annotations

import math

from simulator.compiled import kernel
from simulator.engine.lanes import append_to_lane, current, lane_code, take_batch, wait_for_flush
from simulator.engine.pool import (
    INDEX,
    QUERY_DONE,
    STAGE_DUE,
    WORK_DONE,
    code_of,
    draw_uniform,
    give_back,
    record,
    run_task,
    service,
    set_timer,
    take,
    use,
)
from simulator.engine.state import (
    APPENDING,
    LOCK_COUNT,
    LOCK_HEAD,
    LOCK_HOLDER,
    MAX_PARTITIONS,
    MAX_SEGMENTS,
    N_PERSISTED,
    N_PERSISTS,
    N_POISONED,
    N_SCORED,
    N_SCORES,
    NEWCOMER,
    NEWCOMERS,
    PACE,
    PACE_RATE,
    PARTITIONS,
    PERSIST_CPU,
    PERSIST_MAX,
    PERSIST_PG,
    PERSISTING,
    PG_TIER,
    POISON,
    POLL,
    POLL_IDLE,
    QUERYABLE,
    SCORE_CPU,
    SCORE_MAX,
    SCORE_PG,
    SCORED,
    SCORING,
    SEGMENTS,
    SHARED_ROW,
    TURNS,
    USED_PERSIST,
    WORKER_TIER,
    Engine,
)

_HEARS = -1  # in place of turns that are still to come: the commit's answer


@kernel
def segment_waits(e: Engine, lane: int) -> None:
    """A segment has come to a stage's lane: its worker finds it when it looks into the log the next time.

    A worker looks more often the more it finds.
    """
    if not _ready(e, lane):
        return
    now = e.now[0]
    worker = e.worker_first[lane // e.limits[PARTITIONS]] + e.lane_owner[lane]
    every = min(e.settings[POLL_IDLE], max(e.settings[POLL], now - e.worker_found[worker]))
    e.worker_found[worker] = now
    if every <= 0.0 or now < e.lane_pace[lane]:
        start_stage(e, lane)
    elif not e.lane_timed[lane]:
        e.lane_timed[lane] = 1
        set_timer(e, now + every * draw_uniform(e), code_of(STAGE_DUE, 0, lane))


@kernel
def stage_due(e: Engine, lane: int) -> None:
    """A lane's worker comes to look into the log, or its pause is over."""
    e.lane_timed[lane] = 0
    own, there = e.look[lane // e.limits[PARTITIONS]]
    if own + there > 0.0 and e.now[0] >= e.lane_pace[lane] and _ready(e, lane):
        e.lane_looks[lane] = 1
        e.lane_own[lane], e.lane_there[lane] = own, there
        _wait_for_worker(e, lane)
    else:
        start_stage(e, lane)


@kernel
def _ready(e: Engine, lane: int) -> bool:
    """Whether a lane is idle, owned and has work."""
    if e.lane_busy[lane] or e.lane_looks[lane] or e.lane_up[lane] < 1:
        return False
    return bool(e.lane_head[lane] >= 0 and e.lane_owner[lane] >= 0)


@kernel
def start_stage(e: Engine, lane: int) -> None:
    """Begin a persist or score transaction, if the lane is ready and it is time."""
    if not _ready(e, lane):
        return
    stage = lane // e.limits[PARTITIONS]
    most = e.limits[PERSIST_MAX] if stage == PERSISTING else e.limits[SCORE_MAX]
    now = e.now[0]
    if now < e.lane_pace[lane] and e.lane_waiting[lane] < most:
        if not e.lane_timed[lane]:
            e.lane_timed[lane] = 1
            set_timer(e, e.lane_pace[lane], code_of(STAGE_DUE, 0, lane))
        return
    take_batch(e, e.segment_next, e.segment_size, lane, most)
    often = e.lane_batch_size[lane] >= e.settings[PACE_RATE] * (now - e.lane_began[lane])
    e.lane_pace[lane] = now + e.settings[PACE] if often else 0.0
    e.lane_began[lane] = now
    e.lane_rounds[lane] = 1
    if stage == PERSISTING and e.settings[POISON] > 0.0:
        start_poisoned(e, lane)
    _wait_for_worker(e, lane)


@kernel
def _wait_for_worker(e: Engine, lane: int) -> None:
    """A lane wants a turn of its worker, who gives them in the order in which they are wanted."""
    worker = e.worker_first[lane // e.limits[PARTITIONS]] + e.lane_owner[lane]
    place = (e.worker_head[worker] + e.worker_count[worker]) % (2 * MAX_PARTITIONS)
    e.worker_ring[worker, place] = lane_code(e, WORK_DONE, lane)
    e.worker_count[worker] += 1
    start_worker(e, worker)


@kernel
def start_poisoned(e: Engine, lane: int) -> None:
    """Draw whether a statement of persist's batch fails alone."""
    size = e.lane_batch_size[lane]
    if draw_uniform(e) < 1.0 - math.exp(-e.settings[POISON] * size):
        e.counts[N_POISONED] += 1
        e.lane_rounds[lane] = 2 + int(math.log2(size + 1.0))


@kernel
def is_hot(e: Engine, lane: int) -> bool:
    """Whether the lane's batch has statements of the most popular course."""
    item = e.lane_batch[lane]
    while item >= 0:
        if e.segment_hot[item]:
            return True
        item = e.segment_next[item]
    return False


@kernel
def start_worker(e: Engine, worker: int) -> None:
    """Let an idle worker begin with what waits longest for it; what is of an old epoch is dropped."""
    size = 2 * MAX_PARTITIONS
    while not e.worker_busy[worker] and e.worker_count[worker] > 0:
        code = e.worker_ring[worker, e.worker_head[worker]]
        e.worker_head[worker] = (e.worker_head[worker] + 1) % size
        e.worker_count[worker] -= 1
        lane = code & INDEX
        if not current(e, code, lane):
            continue
        e.worker_busy[worker] = 1
        e.worker_task[worker] = code
        stage = lane // e.limits[PARTITIONS]
        use(e, USED_PERSIST + stage - PERSISTING, 1)
        if not e.lane_looks[lane] and e.lane_turns[lane] == 0:
            _weigh(e, lane)
        run_task(e, WORKER_TIER, e.lane_own[lane], code)


@kernel
def _weigh(e: Engine, lane: int) -> None:
    """Draw what a transaction takes, and divide it by its turns. Costs are fitted to transactions: a look is
    of what they take.
    """
    stage, turns = lane // e.limits[PARTITIONS], e.limits[TURNS]
    own = stage_seconds(e, PERSIST_CPU if stage == PERSISTING else SCORE_CPU, lane)
    there = stage_seconds(e, PERSIST_PG if stage == PERSISTING else SCORE_PG, lane)
    if e.lane_looked[lane]:
        own = max(0.0, own - e.look[stage, 0])
        there = max(0.0, there - e.look[stage, 1])
    locked = 0.0
    if stage == SCORING and e.settings[SHARED_ROW] > 0.0 and is_hot(e, lane):
        locked = there * e.settings[SHARED_ROW]
    e.lane_looked[lane] = 0
    e.lane_turns[lane] = turns
    e.lane_own[lane] = own / (turns + 1 if turns > 1 else 1)
    e.lane_there[lane] = (there - locked) / turns
    e.lane_rest[lane] = locked


@kernel
def stage_seconds(e: Engine, component: int, lane: int) -> float:
    """CPU seconds of a transaction. One with poison is halved until the bad statement is alone.

    Bisection of n statements repeats 2 log2 n transactions with, together, 2 n statements.
    """
    size = e.lane_batch_size[lane]
    seconds = service(e, component, 0.0, size)
    if e.lane_rounds[lane] > 1:
        for _ in range(2 * (e.lane_rounds[lane] - 1)):
            seconds += service(e, component, 0.0, size / (e.lane_rounds[lane] - 1.0))
    return seconds


@kernel
def after_work(e: Engine, lane: int) -> None:
    """The worker's part of a turn is done: PostgreSQL's comes, unless it has heard of the commit."""
    if e.lane_turns[lane] == _HEARS:
        _end_stage(e, lane)
        return
    run_task(e, PG_TIER, e.lane_there[lane], lane_code(e, QUERY_DONE, lane))


@kernel
def after_query(e: Engine, lane: int) -> None:
    """PostgreSQL's part of a turn is done: after a look the batch is taken, else the next turn comes, after
    the last one the shared row, if one is to be written, and then the flush.
    """
    if e.lane_looks[lane]:
        e.lane_looks[lane] = 0
        e.lane_looked[lane] = 1
        start_stage(e, lane)
        return
    if e.numbers[LOCK_HOLDER] == lane:
        wait_for_flush(e, lane)
    elif e.lane_turns[lane] > 1:
        e.lane_turns[lane] -= 1
        _wait_for_worker(e, lane)
    elif e.lane_rest[lane] > 0.0:
        size = 2 * MAX_PARTITIONS
        place = (e.numbers[LOCK_HEAD] + e.numbers[LOCK_COUNT]) % size
        e.lock_ring[place] = lane_code(e, QUERY_DONE, lane)
        e.numbers[LOCK_COUNT] += 1
        grant_lock(e)
    else:
        wait_for_flush(e, lane)


@kernel
def grant_lock(e: Engine) -> None:
    """Give the shared row's lock to the next who waits."""
    while e.numbers[LOCK_HOLDER] < 0 and e.numbers[LOCK_COUNT] > 0:
        code = e.lock_ring[e.numbers[LOCK_HEAD]]
        e.numbers[LOCK_HEAD] = (e.numbers[LOCK_HEAD] + 1) % (2 * MAX_PARTITIONS)
        e.numbers[LOCK_COUNT] -= 1
        lane = code & INDEX
        if current(e, code, lane):
            e.numbers[LOCK_HOLDER] = lane
            run_task(e, PG_TIER, e.lane_rest[lane], code)


@kernel
def commit_stage(e: Engine, lane: int) -> None:
    """A persist or score transaction is durable; its worker hears of it when it comes to that."""
    if e.lane_rounds[lane] > 1:
        e.lane_rounds[lane] -= 1
        wait_for_flush(e, lane)
        return
    if e.numbers[LOCK_HOLDER] == lane:
        e.numbers[LOCK_HOLDER] = -1
        grant_lock(e)
    if e.limits[TURNS] > 1:
        e.lane_turns[lane] = _HEARS
        _wait_for_worker(e, lane)
    else:
        _end_stage(e, lane)


@kernel
def _end_stage(e: Engine, lane: int) -> None:
    """A worker knows that its transaction is durable: measure, hand on, begin the next."""
    partitions = e.limits[PARTITIONS]
    stage = lane // partitions
    now = e.now[0]
    item = e.lane_batch[lane]
    e.counts[N_PERSISTS if stage == PERSISTING else N_SCORES] += 1
    e.counts[N_PERSISTED if stage == PERSISTING else N_SCORED] += e.lane_batch_size[lane]
    while item >= 0:
        after = e.segment_next[item]
        since = e.segment_at[item]
        if stage == PERSISTING:
            came = e.segment_came[item]
            record(e, QUERYABLE, came, now - came, e.segment_size[item])
            _to_score(e, item)
        else:
            record(e, SCORED, since, now - since, e.segment_size[item])
            give_back(e, SEGMENTS, e.segment_free, item)
        item = after
    e.lane_batch[lane] = -1
    e.lane_busy[lane] = 0
    e.lane_turns[lane] = 0
    start_stage(e, lane)


@kernel
def _to_score(e: Engine, segment: int) -> None:
    """A stored segment comes to the evidence log, which is by learner: to their partition, whatever its
    own; one of several learners in as many pieces as they have partitions.
    """
    partitions = e.limits[PARTITIONS]
    rest, learners = e.segment_size[segment], e.segment_learners[segment]
    if learners == 1:
        _waits_for_score(e, segment, _home(e))
        return
    for speaking in range(learners, 0, -1):
        share = rest // speaking
        e.share[_home(e)] += share
        rest -= share
    piece = segment
    for partition in range(partitions):
        share = e.share[partition]
        if share == 0:
            continue
        e.share[partition] = 0
        if piece < 0:
            piece = take(e, SEGMENTS, e.segment_free, MAX_SEGMENTS)
            e.segment_at[piece] = e.segment_at[segment]
            e.segment_hot[piece] = e.segment_hot[segment]
        e.segment_size[piece] = share
        _waits_for_score(e, piece, partition)
        piece = -1


@kernel
def _home(e: Engine) -> int:
    """A learner's evidence partition, by their number in the store, which numbers newcomers as they come."""
    partitions = e.limits[PARTITIONS]
    if e.settings[NEWCOMERS] > 0.0 and draw_uniform(e) < e.settings[NEWCOMERS]:
        e.numbers[NEWCOMER] += 1
        return int(e.numbers[NEWCOMER] % partitions)
    return int(draw_uniform(e) * partitions)


@kernel
def _waits_for_score(e: Engine, segment: int, partition: int) -> None:
    lane = SCORING * e.limits[PARTITIONS] + partition
    append_to_lane(e, e.segment_next, lane, segment, e.segment_size[segment])
    segment_waits(e, lane)


@kernel
def break_off(e: Engine, lane: int) -> None:
    """A lane's transaction is lost with its process: what it held waits again, in its place in the line.

    Its tasks that still run are ghosts: they use their share of the cores and end in nothing.
    """
    e.lane_epoch[lane] += 1
    e.lane_looks[lane] = e.lane_looked[lane] = e.lane_turns[lane] = 0
    if e.numbers[LOCK_HOLDER] == lane:
        e.numbers[LOCK_HOLDER] = -1
        grant_lock(e)
    if not e.lane_busy[lane]:
        return
    append = lane // e.limits[PARTITIONS] == APPENDING
    next_ = e.call_next if append else e.segment_next
    last = e.lane_batch[lane]
    while next_[last] >= 0:
        last = next_[last]
    next_[last] = e.lane_head[lane]
    if e.lane_head[lane] < 0:
        e.lane_tail[lane] = last
    e.lane_head[lane] = e.lane_batch[lane]
    e.lane_waiting[lane] += e.lane_batch_size[lane]
    e.lane_items[lane] += e.lane_batch_items[lane]
    e.lane_batch[lane] = -1
    e.lane_busy[lane] = 0
