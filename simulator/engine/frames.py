"""Frames: what an edge puts together of the calls that come close after each other, and sends to the log.

As the LRS's edge does it: a call that comes when no frame of its edge is on its way leaves at once; others
wait for company, for so long at most or until the frame is full; so many frames of an edge are on their
way at once, each to another partition. A frame is one append.
"""

from __future__ import annotations

from simulator.compiled import kernel
from simulator.engine.lanes import append_to_lane, start_append
from simulator.engine.pool import LINGERED, code_of, set_timer
from simulator.engine.state import APPEND_MAX, FLIGHTS, LINGER, PARTITIONS, Engine


@kernel
def join_frame(e: Engine, edge: int, call: int) -> None:
    """A call has been checked: it joins the open frame of its edge."""
    e.call_next[call] = -1
    if e.frame_tail[edge] < 0:
        e.frame_head[edge] = call
        e.frame_since[edge] = e.now[0]
    else:
        e.call_next[e.frame_tail[edge]] = call
    e.frame_tail[edge] = call
    e.frame_waiting[edge] += e.call_size[call]
    depart(e, edge)


@kernel
def depart(e: Engine, edge: int) -> None:
    """Send what may leave: at once when nothing flies, else what is full or has waited long enough."""
    most = min(e.limits[FLIGHTS], e.limits[PARTITIONS])
    while e.frame_head[edge] >= 0 and e.frames_flying[edge] < most:
        leaves = e.frame_since[edge] + e.settings[LINGER]
        full = e.frame_waiting[edge] >= e.limits[APPEND_MAX]
        if e.frames_flying[edge] > 0 and not full and e.now[0] < leaves:
            if not e.frame_timed[edge]:
                e.frame_timed[edge] = 1
                set_timer(e, leaves, code_of(LINGERED, 0, edge))
            return
        _fly(e, edge)


@kernel
def lingered(e: Engine, edge: int) -> None:
    """An open frame has waited for company."""
    e.frame_timed[edge] = 0
    depart(e, edge)


@kernel
def frame_landed(e: Engine, edge: int, partition: int) -> None:
    """A frame is durable; the next may leave."""
    e.frames_flying[edge] -= 1
    e.frame_busy[edge, partition] -= 1
    depart(e, edge)


@kernel
def _fly(e: Engine, edge: int) -> None:
    lane = _partition(e, edge)
    call = e.frame_head[edge]
    taken = 0
    last = -1
    while call >= 0 and (last < 0 or taken + e.call_size[call] <= e.limits[APPEND_MAX]):
        after = e.call_next[call]
        taken += e.call_size[call]
        append_to_lane(e, e.call_next, lane, call, e.call_size[call])
        last = call
        call = after
    e.call_frame[last] = edge
    e.frame_head[edge] = call
    if call < 0:
        e.frame_tail[edge] = -1
    e.frame_waiting[edge] -= taken
    e.frame_since[edge] = e.now[0]
    e.frames_flying[edge] += 1
    e.frame_busy[edge, lane] += 1
    start_append(e, lane)


@kernel
def _partition(e: Engine, edge: int) -> int:
    """The next partition in turn to which nothing of this edge is on its way."""
    partitions = e.limits[PARTITIONS]
    for _ in range(partitions):
        e.frame_turn[edge] = (e.frame_turn[edge] + 1) % partitions
        if e.frame_busy[edge, e.frame_turn[edge]] == 0:
            break
    return int(e.frame_turn[edge])
