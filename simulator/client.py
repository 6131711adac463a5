"""The clients between learners and the record store: they gather statements, lose the network, send again.

The web player sends at a full batch and at the end of an item; the mobile application sends every so often.
Both keep what they cannot send, and send the backlog in full batches when the connection is back.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from simulator.behaviour import Behaviour, choose
from simulator.compiled import I32, I64, kernel
from simulator.population import BLOCKS, CONNECTION, DEVICE, PHASE, STATE
from simulator.rng import child, exponential, uniform
from simulator.sitting import MAX_STATEMENTS, TERMINATED, Statements

REPEATED = 1
"""The same statements are sent a second time: the first answer was lost."""
HOT = 2
"""The statements belong to the most popular course."""
BACKLOG = 4
"""The statements waited for a connection."""

MAX_REQUESTS = 2 * MAX_STATEMENTS + 64


class Requests:
    """The requests of a sitting; a buffer that is used again for each."""

    at: Annotated[I64, MAX_REQUESTS]  # when it is due, ms since the period's first midnight
    first: Annotated[I32, MAX_REQUESTS]  # index of its first statement
    count: Annotated[I32, MAX_REQUESTS]
    marks: Annotated[I32, MAX_REQUESTS]


@kernel
def online_from(b: Behaviour, key: np.uint64, at: int) -> int:
    """The first moment from `at` on when a learner has a connection."""
    state = choose(b.states, uniform(key, STATE))
    down = b.down[choose(b.connections, uniform(key, CONNECTION))]
    phase = int(b.block_ms * uniform(key, PHASE))
    t = at
    moved = True
    while moved and t - at < b.hold_ms:
        moved = False
        block = (t + phase) // b.block_ms
        if down > 0.0 and uniform(key, BLOCKS + block) < down:
            t = (block + 1) * b.block_ms - phase + _spread(b, key, 2 * block)
            moved = True
    for k in range(b.outage_count):
        if b.outages[k, 0] == state and b.outages[k, 1] <= t < b.outages[k, 2]:
            t = b.outages[k, 2] + _spread(b, key, 2 * k + 1)
    return t


@kernel
def _spread(b: Behaviour, key: np.uint64, k: int) -> int:
    return int(b.reconnect_ms * min(10.0, exponential(child(key, BLOCKS), k)))


@kernel
def longest_hold(b: Behaviour, key: np.uint64) -> int:
    """An upper bound, in ms, of how long after a sitting its statements can still arrive."""
    hold = b.sync_ms + 3_600_000
    if b.down[choose(b.connections, uniform(key, CONNECTION))] > 0.0:
        hold += b.hold_ms + 2 * b.block_ms
    for k in range(b.outage_count):
        if b.outages[k, 0] == choose(b.states, uniform(key, STATE)):
            hold += b.outages[k, 2] - b.outages[k, 1] + int(10 * b.reconnect_ms)
    return hold


@kernel
def send(
    b: Behaviour, key: np.uint64, sitting: np.uint64, hot: bool, s: Statements, n: int, out: Requests
) -> int:
    """Write the requests that carry the n statements of a sitting; gives their number."""
    mobile = uniform(key, DEVICE) < b.mobile
    most = b.mobile_batch if mobile else b.web_batch
    base = HOT if hot else 0
    m = 0
    first = 0
    clear = 0  # nothing goes out before this: no connection, or the backlog is still going out
    for i in range(n):
        held = i + 1 - first
        now = s.at[i]
        due = held >= most or i == n - 1
        if mobile:
            due = due or s.at[i + 1] >= s.at[first] + b.sync_ms
            if due and held < most:
                now = s.at[first] + b.sync_ms if i < n - 1 else now
        else:
            due = due or s.kind[i] == TERMINATED
        if not due:
            continue
        if now < clear and i < n - 1:
            continue
        moment = online_from(b, key, max(now, clear))
        if moment > now and i < n - 1 and s.at[i + 1] < moment:
            clear = moment
            continue
        m = _flush(b, sitting, mobile, most, base, first, i + 1, moment, moment > now, out, m)
        first = i + 1
        clear = out.at[m - 1] if m > 0 and moment > now else 0
    return m


@kernel
def _flush(
    b: Behaviour,
    sitting: np.uint64,
    mobile: bool,
    most: int,
    base: int,
    first: int,
    last: int,
    at: int,
    late: bool,
    out: Requests,
    m: int,
) -> int:
    """Send the statements first .. last - 1 in batches, the first of them at `at`."""
    batches = (last - first + most - 1) // most
    backwards = batches > 1 and uniform(sitting, 3 * m) < b.shuffle
    for k in range(batches):
        part = batches - 1 - k if backwards else k
        begin = first + part * most
        out.at[m] = at + int(k * b.spacing_ms)
        out.first[m] = begin
        out.count[m] = min(most, last - begin)
        out.marks[m] = base | (BACKLOG if late else 0)
        m += 1
        if mobile and uniform(sitting, 3 * m + 1) < b.repeated:
            out.at[m] = out.at[m - 1] + 1_000 + int(10_000.0 * exponential(sitting, 3 * m + 2))
            out.first[m] = begin
            out.count[m] = out.count[m - 1]
            out.marks[m] = out.marks[m - 1] | REPEATED
            m += 1
    return m
