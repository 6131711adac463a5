"""Answers: how the calls of a frame that is durable are answered and leave, and what is then forgotten."""

from __future__ import annotations

from simulator.compiled import kernel
from simulator.engine.frames import frame_landed
from simulator.engine.pool import give_back, record, service
from simulator.engine.state import ACKNOWLEDGED, CALLS, IN_SYSTEM, N_ACKED, REQUESTS, WIRE, Engine

INSIDE, GONE, LISTED, LANDED = 1, 2, 4, 8
"""Bits of a call's state: an edge has it; its client has given it up; it is listed for a timeout; it leads a
frame that is durable.
"""
ANSWERED, STORED, GIVEN_UP = 1, 2, 4
"""Bits of a request's state."""


@kernel
def free_call(e: Engine, call: int) -> None:
    """Forget a call, once nobody refers to it."""
    if e.call_state[call] & (INSIDE | LISTED) == 0:
        give_back(e, CALLS, e.call_free, call)


@kernel
def release(e: Engine, request: int) -> None:
    """One attempt or timer less refers to a request; the last one frees it."""
    e.request_live[request] -= 1
    if e.request_live[request] == 0:
        give_back(e, REQUESTS, e.request_free, request)


@kernel
def frame_calls(e: Engine, call: int) -> int:
    """How many calls a durable frame has."""
    calls = 0
    while call >= 0:
        calls += 1
        call = e.call_frame_next[call]
    return calls


@kernel
def answer(e: Engine, call: int) -> None:
    """An edge answers the calls of a durable frame; the next frame may leave."""
    now = e.now[0]
    e.call_state[call] &= ~LANDED
    while call >= 0:
        after = e.call_frame_next[call]
        if e.call_frame[call] >= 0:
            frame_landed(e, e.call_frame[call], -2 - after)
        request = e.call_request[call]
        state = e.request_state[request]
        if e.call_state[call] & GONE == 0 and state & ANSWERED == 0:
            e.request_state[request] = state | ANSWERED
            e.counts[N_ACKED] += 1
            seconds = now - e.request_due[request] + service(e, WIRE, 0.0, e.call_size[call])
            record(e, ACKNOWLEDGED, e.request_due[request], seconds, 1)
        e.numbers[IN_SYSTEM] -= 1
        e.call_state[call] &= ~INSIDE
        free_call(e, call)
        release(e, request)
        call = after
