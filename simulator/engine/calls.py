"""Calls: how clients' requests come in, are answered, are refused, time out and come again."""

from __future__ import annotations

import numpy as np

from simulator.client import HOT, REPEATED
from simulator.compiled import kernel
from simulator.engine.answers import (
    GIVEN_UP,
    GONE,
    INSIDE,
    LANDED,
    LISTED,
    STORED,
    answer,
    frame_calls,
    free_call,
    release,
)
from simulator.engine.frames import join_frame
from simulator.engine.lanes import append_to_lane, start_append
from simulator.engine.pool import (
    EDGE_DONE,
    READ_DONE,
    RETRIES,
    code_of,
    draw_uniform,
    pause,
    record,
    run_task,
    service,
    set_timer,
    take,
    use,
)
from simulator.engine.stages import segment_waits
from simulator.engine.state import (
    ANSWER,
    AT_ONCE,
    BACKOFF,
    CALLS,
    CONNECTIONS,
    EDGE,
    EDGE_BUSY,
    EDGE_HEAD,
    EDGE_TAIL,
    EDGE_TIER,
    EDGE_TURN,
    EDGE_WAITING,
    EDGES,
    IN_SYSTEM,
    INFLIGHT,
    LATE_HEAD,
    LATE_TAIL,
    MAX_CALLS,
    MAX_REQUESTS,
    MAX_SEGMENTS,
    N_ACCEPTED,
    N_DUPLICATE,
    N_GIVEN_UP,
    N_GIVEN_UP_STATEMENTS,
    N_GIVEN_UP_STORED,
    N_READS,
    N_READS_REFUSED,
    N_REJECTED,
    N_REQUESTS,
    N_RETRIED,
    N_STATEMENTS,
    N_TIMED_OUT,
    NO_RETRY,
    PARTITIONS,
    PG_TIER,
    READ,
    READ_BUSY,
    READ_EDGE,
    READ_HEAD,
    READ_PG,
    READ_TAIL,
    READS,
    READS_IN_SYSTEM,
    REJECT,
    REQUESTS,
    RETRY,
    RETRY_LIMIT,
    RETRY_S,
    SEGMENTS,
    USED_CONNECTIONS,
    USED_EDGES,
    WIRE,
    Engine,
)
from simulator.word import KEY_BITS, key_of, learners_of, marks_of, statements_of

ROUND_TRIP_S = 0.05
LONGEST_BACKOFF_S = 300.0
_REFUSED, _DROPPED = -2, -3  # in place of a frame: what an edge makes of a call besides work


@kernel
def _new_call(e: Engine, request: int) -> int:
    call = take(e, CALLS, e.call_free, MAX_CALLS)
    e.call_request[call] = request
    e.call_size[call] = e.request_size[request] if request >= 0 else 0
    e.call_sent[call] = e.now[0]
    e.call_state[call] = INSIDE
    e.call_frame[call] = -1
    e.call_next[call] = -1
    return call


@kernel
def arrive(e: Engine, word: np.uint64, due: float) -> None:
    """A request of the arrivals is due; one without statements is a read."""
    if statements_of(word) == np.uint64(0):
        _read(e)
        return
    request = take(e, REQUESTS, e.request_free, MAX_REQUESTS)
    e.request_due[request] = due
    e.request_size[request] = int(statements_of(word))
    e.request_flags[request] = int(marks_of(word))
    e.request_learners[request] = learners_of(word)
    e.request_edge[request] = (np.int64(key_of(word)) * e.limits[EDGES]) >> KEY_BITS
    e.request_tries[request] = 0
    e.request_live[request] = 1
    e.request_state[request] = 0
    e.counts[N_REQUESTS] += 1
    e.counts[N_STATEMENTS] += e.request_size[request]
    attempt(e, request)
    reads = e.settings[READS]
    if reads > 0.0:
        more = int(reads) + (1 if draw_uniform(e) < reads - int(reads) else 0)
        for _ in range(more):
            _read(e)


@kernel
def _read(e: Engine) -> None:
    if e.numbers[READS_IN_SYSTEM] >= e.limits[INFLIGHT]:
        e.counts[N_READS_REFUSED] += 1
    else:
        e.numbers[READS_IN_SYSTEM] += 1
        _to_edge(e, _new_call(e, -1))


@kernel
def attempt(e: Engine, request: int) -> None:
    """The client sends a request, for the first time or again; it waits for an edge, come what may."""
    call = _new_call(e, request)
    e.call_state[call] |= LISTED
    e.call_later[call] = -1
    if e.numbers[LATE_TAIL] < 0:
        e.numbers[LATE_HEAD] = call
    else:
        e.call_later[e.numbers[LATE_TAIL]] = call
    e.numbers[LATE_TAIL] = call
    _to_edge(e, call)


@kernel
def _to_edge(e: Engine, call: int) -> None:
    if e.numbers[EDGE_TAIL] < 0:
        e.numbers[EDGE_HEAD] = call
    else:
        e.call_next[e.numbers[EDGE_TAIL]] = call
    e.numbers[EDGE_TAIL] = call
    e.numbers[EDGE_WAITING] += 1
    start_edges(e)


@kernel
def _to_edge_soon(e: Engine, call: int) -> None:
    """A frame is durable: an edge sees it after so many that wait, not after all."""
    before = e.numbers[EDGE_HEAD]
    for _ in range(e.limits[EDGE_TURN] - 1):
        if before < 0:
            break
        before = e.call_next[before]
    if before < 0 or e.call_next[before] < 0:
        _to_edge(e, call)
        return
    e.call_next[call] = e.call_next[before]
    e.call_next[before] = call
    e.numbers[EDGE_WAITING] += 1
    start_edges(e)


@kernel
def start_edges(e: Engine) -> None:
    """Let idle edge processes begin with what waits longest."""
    while e.numbers[EDGE_HEAD] >= 0 and e.numbers[EDGE_BUSY] < e.limits[EDGES]:
        call = e.numbers[EDGE_HEAD]
        e.numbers[EDGE_HEAD] = e.call_next[call]
        if e.numbers[EDGE_HEAD] < 0:
            e.numbers[EDGE_TAIL] = -1
        e.numbers[EDGE_WAITING] -= 1
        e.numbers[EDGE_BUSY] += 1
        use(e, USED_EDGES, 1)
        request = e.call_request[call]
        if e.call_state[call] & LANDED:
            seconds = service(e, ANSWER, frame_calls(e, call), 0.0)
            run_task(e, EDGE_TIER, seconds, code_of(EDGE_DONE, 0, call))
            continue
        if request < 0:
            seconds = service(e, READ_EDGE, 0.0, 0.0)
        elif e.call_state[call] & GONE:
            e.call_frame[call] = _DROPPED
            seconds = service(e, REJECT, 0.0, 0.0)
        elif e.numbers[IN_SYSTEM] >= e.limits[INFLIGHT]:
            e.call_frame[call] = _REFUSED
            seconds = service(e, REJECT, 0.0, 0.0)
        else:
            e.numbers[IN_SYSTEM] += 1
            seconds = service(e, EDGE, 1.0, e.request_size[request])
        run_task(e, EDGE_TIER, seconds, code_of(EDGE_DONE, 0, call))


@kernel
def after_edge(e: Engine, call: int) -> None:
    """The edge has read and checked a request: statements go into a frame, reads to the store. Or it has seen
    that a frame is durable.
    """
    e.numbers[EDGE_BUSY] -= 1
    use(e, USED_EDGES, -1)
    request = e.call_request[call]
    if e.call_state[call] & LANDED:
        answer(e, call)
    elif e.call_frame[call] in (_REFUSED, _DROPPED):
        _turned_away(e, call)
    elif request >= 0:
        join_frame(e, e.request_edge[request], call)
    else:
        e.call_next[call] = -1
        if e.numbers[READ_TAIL] < 0:
            e.numbers[READ_HEAD] = call
        else:
            e.call_next[e.numbers[READ_TAIL]] = call
        e.numbers[READ_TAIL] = call
        start_reads(e)
    start_edges(e)


@kernel
def _turned_away(e: Engine, call: int) -> None:
    """An edge has refused a call, or found nobody at its other end any more."""
    request = e.call_request[call]
    if e.call_frame[call] == _REFUSED:
        e.counts[N_REJECTED] += 1
        if e.call_state[call] & GONE == 0:
            _failed(e, request)
    e.call_state[call] &= ~INSIDE
    free_call(e, call)
    release(e, request)


@kernel
def start_reads(e: Engine) -> None:
    """Let waiting reads have the connections that are free."""
    while e.numbers[READ_HEAD] >= 0 and e.numbers[READ_BUSY] < e.limits[CONNECTIONS]:
        call = e.numbers[READ_HEAD]
        e.numbers[READ_HEAD] = e.call_next[call]
        if e.numbers[READ_HEAD] < 0:
            e.numbers[READ_TAIL] = -1
        e.numbers[READ_BUSY] += 1
        use(e, USED_CONNECTIONS, 1)
        run_task(e, PG_TIER, service(e, READ_PG, 0.0, 0.0), code_of(READ_DONE, 0, call))


@kernel
def after_read(e: Engine, call: int) -> None:
    """A read is answered."""
    e.numbers[READ_BUSY] -= 1
    e.numbers[READS_IN_SYSTEM] -= 1
    use(e, USED_CONNECTIONS, -1)
    e.counts[N_READS] += 1
    record(e, READ, e.call_sent[call], e.now[0] - e.call_sent[call] + pause(e, WIRE), 1)
    e.call_state[call] = 0
    free_call(e, call)
    start_reads(e)


@kernel
def commit_append(e: Engine, lane: int) -> None:
    """An append is durable: hand its new statements to persist, begin the next append; the edge learns of it
    when it comes to that.
    """
    now = e.now[0]
    first = call = e.lane_batch[lane]
    fresh = hot = learners = 0
    came = 0.0
    while call >= 0:
        after = e.call_next[call]
        e.call_frame_next[call] = after if after >= 0 else -2 - lane
        request = e.call_request[call]
        size = e.request_size[request]
        flags = e.request_flags[request]
        state = e.request_state[request]
        if flags & REPEATED or state & STORED:
            e.counts[N_DUPLICATE] += size
        else:
            fresh += size
            came += size * e.call_sent[call]
            hot |= flags & HOT
            learners += e.request_learners[request]
            if state & GIVEN_UP:
                e.counts[N_GIVEN_UP_STORED] += size
        e.request_state[request] = state | STORED
        call = after
    e.lane_batch[lane] = -1
    e.lane_busy[lane] = 0
    if fresh > 0:
        e.counts[N_ACCEPTED] += fresh
        segment = take(e, SEGMENTS, e.segment_free, MAX_SEGMENTS)
        e.segment_at[segment] = now
        e.segment_came[segment] = came / fresh
        e.segment_size[segment] = fresh
        e.segment_learners[segment] = learners
        e.segment_hot[segment] = hot
        stage_lane = lane + e.limits[PARTITIONS]
        append_to_lane(e, e.segment_next, stage_lane, segment, fresh)
        segment_waits(e, stage_lane)
    start_append(e, lane)
    # An answer that takes no time waits for nobody: closed forms know no second turn at a station.
    if e.service[ANSWER, 0] + e.service[ANSWER, 1] > 0.0:
        e.call_state[first] |= LANDED
        e.call_next[first] = -1
        _to_edge_soon(e, first)
    else:
        answer(e, first)


@kernel
def drop_answered(e: Engine) -> None:
    """Forget timeouts of calls that have been answered, up to the first that has not."""
    while e.numbers[LATE_HEAD] >= 0 and e.call_state[e.numbers[LATE_HEAD]] & INSIDE == 0:
        _unlist(e)


@kernel
def _unlist(e: Engine) -> int:
    call = e.numbers[LATE_HEAD]
    e.numbers[LATE_HEAD] = e.call_later[call]
    if e.numbers[LATE_HEAD] < 0:
        e.numbers[LATE_TAIL] = -1
    e.call_state[call] &= ~LISTED
    free_call(e, call)
    return int(call)


@kernel
def time_out(e: Engine) -> None:
    """The client of the oldest call has waited long enough; the call itself goes on, for nobody."""
    call = _unlist(e)
    e.call_state[call] |= GONE
    e.counts[N_TIMED_OUT] += 1
    _failed(e, e.call_request[call])


@kernel
def _failed(e: Engine, request: int) -> None:
    """An attempt has failed, as the client sees it: it tries again later, or gives up."""
    policy = e.limits[RETRY]
    tries = e.request_tries[request]
    if policy == NO_RETRY or tries >= e.limits[RETRY_LIMIT]:
        e.request_state[request] |= GIVEN_UP
        e.counts[N_GIVEN_UP] += 1
        e.counts[N_GIVEN_UP_STATEMENTS] += e.request_size[request]
        if e.request_state[request] & STORED:
            e.counts[N_GIVEN_UP_STORED] += e.request_size[request]
        return
    e.request_tries[request] = tries + 1
    e.request_live[request] += 1
    wait = ROUND_TRIP_S
    if policy == BACKOFF:
        wait += min(LONGEST_BACKOFF_S, e.settings[RETRY_S] * 2.0**tries) * (0.5 + draw_uniform(e))
    elif policy != AT_ONCE:
        wait += e.settings[RETRY_S] * (0.5 + draw_uniform(e))
    set_timer(e, e.now[0] + wait, code_of(RETRIES, 0, request))


@kernel
def retry(e: Engine, request: int) -> None:
    """A client's pause is over."""
    e.counts[N_RETRIED] += 1
    attempt(e, request)
