"""Time: pools of cores that tasks share, timers, and the noise of service times."""

from __future__ import annotations

import math

from simulator.compiled import F64, I32, I64, kernel
from simulator.engine.state import (
    BUCKETS,
    BUCKETS_PER_OCTAVE,
    CONSTANT,
    DRAWS,
    EXPONENTIAL,
    MAX_TIMERS,
    SLOT_S,
    SMALLEST,
    TIMERS,
    TROUBLE,
    Engine,
)
from simulator.rng import exponential, lognormal_of, uniform

KIND_BITS = 48
EPOCH_BITS = 28
EPOCHS = 1 << 20
INDEX = (1 << EPOCH_BITS) - 1

# What ends: tasks in pools, then timers.
EDGE_DONE, APPEND_DONE, WORK_DONE, QUERY_DONE, READ_DONE = range(5)
LINGERED, FLUSHED, REPLICATED, RETRIES, STAGE_DUE = range(5, 10)


@kernel
def code_of(kind: int, epoch: int, index: int) -> int:
    """A task or timer as one number: what ends, in which epoch of its lane, and whose it is."""
    return (kind << KIND_BITS) | ((epoch % EPOCHS) << EPOCH_BITS) | index


@kernel
def draw_uniform(e: Engine) -> float:
    """The next number of the run's own stream."""
    e.numbers[DRAWS] += 1
    return uniform(e.key[0], e.numbers[DRAWS])


@kernel
def service(e: Engine, component: int, requests: float, statements: float) -> float:
    """Draw the seconds that a component takes for a transaction with so many requests and statements."""
    row = e.service[component]
    mean = row[0] + row[1] * requests + row[2] * statements
    shape = int(row[3])
    if shape != CONSTANT:
        e.numbers[DRAWS] += 1
        place = e.numbers[DRAWS]
        if shape == EXPONENTIAL:
            mean *= exponential(e.key[0], place)
        else:
            mean *= lognormal_of(e.noise[component], e.key[0], place, row[4])
    e.cpu[component] += mean
    return float(mean)


@kernel
def pause(e: Engine, component: int) -> float:
    """Draw the seconds of one of WAITS, which are nobody's CPU time."""
    return service(e, component, 0.0, 0.0)


@kernel
def _push(at: F64, codes: I64, n: int, when: float, code: int) -> None:
    i = n
    while i > 0:
        parent = (i - 1) >> 1
        if at[parent] <= when:
            break
        at[i] = at[parent]
        codes[i] = codes[parent]
        i = parent
    at[i] = when
    codes[i] = code


@kernel
def _pop(at: F64, codes: I64, n: int) -> None:
    """Take the first of n entries away."""
    n -= 1
    when, code = at[n], codes[n]
    i = 0
    while True:
        below = 2 * i + 1
        if below >= n:
            break
        if below + 1 < n and at[below + 1] < at[below]:
            below += 1
        if at[below] >= when:
            break
        at[i] = at[below]
        codes[i] = codes[below]
        i = below
    at[i] = when
    codes[i] = code


@kernel
def settle(e: Engine, pool: int) -> None:
    """Bring a pool's virtual time up to the clock; between two changes of a pool its rate is constant."""
    dt = e.now[0] - e.pool_since[pool]
    e.pool_since[pool] = e.now[0]
    n = e.tasks[pool]
    if n > 0:
        e.virtual[pool] += dt * e.rate[pool]
        e.pool_busy[pool] += dt * min(float(n), e.cores[pool])


@kernel
def set_rate(e: Engine, pool: int) -> None:
    """Every running task of a pool gets an equal share, and never more than one core."""
    n = e.tasks[pool]
    e.rate[pool] = 1.0 if n <= e.cores[pool] else e.cores[pool] / n
    e.pool_end[pool] = 1e300
    if n > 0:
        e.pool_end[pool] = e.now[0] + (e.task_end[pool, 0] - e.virtual[pool]) / e.rate[pool]


@kernel
def run_task(e: Engine, tier: int, seconds: float, code: int) -> None:
    """Start a task of so many CPU seconds."""
    pool = e.pool[tier]
    settle(e, pool)
    n = e.tasks[pool]
    _push(e.task_end[pool], e.task_code[pool], n, e.virtual[pool] + seconds, code)
    e.tasks[pool] = n + 1
    set_rate(e, pool)


@kernel
def end_task(e: Engine, pool: int) -> int:
    """Take away the task that ends first, and give its code."""
    settle(e, pool)
    code = e.task_code[pool, 0]
    e.virtual[pool] = max(e.virtual[pool], e.task_end[pool, 0])
    _pop(e.task_end[pool], e.task_code[pool], e.tasks[pool])
    e.tasks[pool] -= 1
    set_rate(e, pool)
    return int(code)


@kernel
def set_timer(e: Engine, when: float, code: int) -> None:
    """End something at a moment, whatever the load."""
    if e.numbers[TIMERS] >= MAX_TIMERS:
        e.numbers[TROUBLE] = 1
        return
    _push(e.timer_at, e.timer_code, e.numbers[TIMERS], when, code)
    e.numbers[TIMERS] += 1


@kernel
def end_timer(e: Engine) -> int:
    """Take away the first timer, and give its code."""
    code = e.timer_code[0]
    _pop(e.timer_at, e.timer_code, e.numbers[TIMERS])
    e.numbers[TIMERS] -= 1
    return int(code)


@kernel
def use(e: Engine, part: int, change: int) -> None:
    """A part's processes, connections or disks come into use (+1) or are free again (-1)."""
    e.used[part, 0] -= change * e.now[0]
    e.used[part, 1] += change


@kernel
def used_seconds(e: Engine, part: int) -> float:
    """For how long a part was in use until now, added over its processes."""
    return float(e.used[part, 0] + e.used[part, 1] * e.now[0])


@kernel
def take(e: Engine, what: int, free: I32, most: int) -> int:
    """A free place among calls, requests or segments. If there is none the run ends in trouble, told at
    once.
    """
    if e.free[what] > 0:
        e.free[what] -= 1
        return int(free[e.free[what]])
    if e.ever[what] >= most - 1:
        e.numbers[TROUBLE] = 1
        return most - 1
    e.ever[what] += 1
    return int(e.ever[what] - 1)


@kernel
def give_back(e: Engine, what: int, free: I32, place: int) -> None:
    """A place is free again."""
    free[e.free[what]] = place
    e.free[what] += 1


@kernel
def bucket(seconds: float) -> int:
    """The place of a duration in a histogram of 64 logarithmic buckets an octave (1.1 % wide)."""
    if seconds <= SMALLEST:
        return 0
    return min(BUCKETS - 1, int(math.log2(seconds / SMALLEST) * BUCKETS_PER_OCTAVE))


@kernel
def record(e: Engine, latency: int, since: float, seconds: float, weight: int) -> None:
    """Count a latency, `weight` times, in the slot of the moment from which it is counted."""
    slot = min(e.slots[0] - 1, max(0, int(since / e.settings[SLOT_S])))
    e.histogram[latency, slot, bucket(seconds)] += weight
    e.total[latency] += seconds * weight
    e.square[latency] += seconds * seconds * weight
    e.weight[latency] += weight
