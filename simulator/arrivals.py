"""The requests of a window of time, sorted: made once for each seed, used again by everything that runs.

A request is one 64-bit word (`simulator.walk.requests_of`), so that sorting the words sorts the requests, and
any number of shards gives the same bytes. A thinned population makes one request in `thin`; each then stands
for `thin`, moved by up to SPREAD_S seconds either way so that the copies do not come at one moment.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np

from simulator.behaviour import Behaviour, compile_behaviour, start_ms
from simulator.compiled import U64, kernel
from simulator.population import root
from simulator.rng import child, uniform
from simulator.scenario import Scenario, ScenarioError
from simulator.walk import TICKS_PER_MS, Sums, new_buffers, requests_of, sums_of

SPREAD_S = 20.0
TICKS_PER_S = TICKS_PER_MS * 1000
_CHUNK = 1 << 20
_BLOCK = 50_000
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Sorted words of requests; times count from the window's begin."""

    words: U64
    seconds: float
    thin: int

    @property
    def requests(self) -> int:
        return len(self.words)

    @property
    def statements(self) -> int:
        """All statements that are sent, repetitions included."""
        return int(((self.words >> np.uint64(24)) & np.uint64(255)).sum())

    def times(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """When each request is due, in seconds."""
        return (self.words >> np.uint64(32)).astype(np.float64) / TICKS_PER_S

    def per_second(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Statements due in each second of the window."""
        second = (self.words >> np.uint64(32)) // np.uint64(TICKS_PER_S)
        size = ((self.words >> np.uint64(24)) & np.uint64(255)).astype(np.float64)
        total = np.bincount(second.astype(np.int64), weights=size, minlength=int(np.ceil(self.seconds)))
        return total.astype(np.float64)

    def window(self, begin: float, seconds: float) -> Arrivals:
        """The part from `begin` on, its times counted from there."""
        low = np.uint64(int(begin * TICKS_PER_S)) << np.uint64(32)
        high = np.uint64(int((begin + seconds) * TICKS_PER_S)) << np.uint64(32)
        first, last = np.searchsorted(self.words, np.array([low, high], np.uint64))
        return Arrivals(self.words[first:last] - low, seconds, self.thin)

    def times_load(self, load: float, seed: int) -> Arrivals:
        """Each request as often as `load` says: copies (or gaps) are drawn, and the copies spread."""
        return self if load == 1.0 else Arrivals(_copies(self, load, seed), self.seconds, self.thin)


def _copies(arrivals: Arrivals, load: float, seed: int) -> U64:
    most = int(len(arrivals.words) * (int(load) + 1)) + 1
    out = np.empty(most, np.uint64)
    n = multiply(arrivals.words, load, int(arrivals.seconds * TICKS_PER_S), seed, out)
    words = out[:n].copy()
    words.sort()
    return words


@kernel
def multiply(words: U64, load: float, end: int, seed: int, out: U64) -> int:
    """Write each word floor(load) or one more times; all but the first are moved in time and in learner."""
    n = 0
    width = 2.0 * SPREAD_S * TICKS_PER_S
    for i in range(len(words)):
        key = child(root(seed) ^ words[i], i)
        copies = int(load) + (1 if uniform(key, 0) < load - int(load) else 0)
        for c in range(copies):
            if c == 0:
                out[n] = words[i]
                n += 1
                continue
            tick = int(words[i] >> np.uint64(32)) + int((uniform(key, 2 * c) - 0.5) * width)
            if tick < 0:
                tick = -tick
            if tick >= end:
                tick = 2 * end - tick - 1
            if tick < 0 or tick >= end:
                continue
            other = child(key, c) >> np.uint64(44)
            out[n] = (np.uint64(tick) << np.uint64(32)) | (words[i] & np.uint64(0xFFF00000)) | other
            n += 1
    return n


def arrivals(
    scenario: Scenario,
    seed: int,
    *,
    thin: int = 1,
    shards: int = 1,
    begin_s: float = 0.0,
    seconds: float | None = None,
    progress: Progress = lambda _share: None,
) -> Arrivals:
    """The requests of the scenario's window (or of `seconds` from `begin_s` on inside it).

    Every shard is a thread that walks its own learners; the result does not depend on their number.
    """
    if scenario.run.hours > 96:
        raise ScenarioError(scenario.name, "run.hours", scenario.run.hours, "must be at most 96")
    b = compile_behaviour(scenario)
    seconds = scenario.run.hours * 3600.0 if seconds is None else seconds
    begin = int(start_ms(scenario, scenario.run.begin) + begin_s * 1000)
    end = begin + int(seconds * 1000)
    learners = max(1, scenario.population.learners // thin)
    blocks = [*range(0, learners, _BLOCK), learners]
    done = 0

    def walk(block: tuple[int, int]) -> list[U64]:
        nonlocal done
        low, high = block
        parts, buffers = [], new_buffers()
        while low < high:
            out = np.empty(_CHUNK, np.uint64)
            n, reached = requests_of(b, seed, low, high, begin, end, buffers, out)
            if n == 0 and reached == low:
                raise ScenarioError(
                    scenario.name, "learning", low, "one learner makes more requests than a chunk holds"
                )
            parts.append(out[:n].copy())
            low = reached
        done += high - block[0]
        progress(done / learners)
        return parts

    words = _sorted(_each(walk, blocks, shards))
    base = Arrivals(words, seconds, thin)
    return base.times_load(scenario.run.load * thin, seed)


def _each(walk: Callable[[tuple[int, int]], list[U64]], blocks: list[int], shards: int) -> list[U64]:
    if shards == 1:
        return [part for block in pairwise(blocks) for part in walk(block)]
    with ThreadPoolExecutor(shards) as pool:
        return [part for parts in pool.map(walk, pairwise(blocks)) for part in parts]


def _sorted(parts: list[U64]) -> U64:
    """All words in order. The parts are given up one after the other, so that nothing is held twice."""
    words = np.empty(sum(map(len, parts)), np.uint64)
    place = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        words[place : place + len(part)] = part
        place += len(part)
    words.sort()
    return words


def sums(scenario: Scenario, seed: int, *, thin: int = 1, shards: int = 1) -> Sums:
    """What the whole period comes to, for a population thinned by `thin` (not scaled up)."""
    b: Behaviour = compile_behaviour(scenario)
    learners = max(1, scenario.population.learners // thin)
    blocks = [*range(0, learners, _BLOCK), learners]

    def walk(block: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return sums_of(b, seed, *block, new_buffers())

    with ThreadPoolExecutor(shards) as pool:
        total = reduce(np.add, pool.map(walk, pairwise(blocks)))
    return Sums(*(int(x) for x in total))
