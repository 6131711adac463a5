"""The requests of a window of time, sorted: made once for each seed, used again by everything that runs.

A request is one 64-bit word (`simulator.word`), so that sorting the words sorts the requests, and
any number of shards gives the same bytes. A thinned population makes one request in `thin`; each then stands
for `thin`, moved by up to SPREAD_S seconds either way so that the copies do not come at one moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np

from simulator.behaviour import Behaviour, compile_behaviour, start_ms
from simulator.compiled import F64, U64, kernel
from simulator.population import root
from simulator.rng import child, uniform
from simulator.scenario import Scenario, ScenarioError
from simulator.walk import Sums, new_buffers, requests_of, sums_of
from simulator.word import TICKS_PER_S, moved, statements_of, tick_of

SPREAD_S = 20.0
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
        return int(self.per_second().sum())

    def per_second(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Statements due in each second of the window."""
        total = np.zeros(max(1, int(np.ceil(self.seconds))))
        add_up(self.words, total)
        return total

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
def add_up(words: U64, per_second: F64) -> None:
    """Add the statements of each request to its second."""
    for w in words:
        per_second[int(tick_of(w)) // TICKS_PER_S] += float(statements_of(w))


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
            tick = int(tick_of(words[i])) + int((uniform(key, 2 * c) - 0.5) * width)
            if tick < 0:
                tick = -tick
            if tick >= end:
                tick = 2 * end - tick - 1
            if tick < 0 or tick >= end:
                continue
            out[n] = moved(words[i], np.uint64(tick), child(key, c))
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
    words = _Words()

    def walk(block: tuple[int, int]) -> None:
        nonlocal done
        low, high = block
        buffers, out = new_buffers(), np.empty(_CHUNK, np.uint64)
        while low < high:
            n, reached = requests_of(b, seed, low, high, begin, end, buffers, out)
            if n == 0 and reached == low:
                raise ScenarioError(
                    scenario.name, "learning", low, "one learner makes more requests than a chunk holds"
                )
            words.add(out[:n])
            low = reached
        done += high - block[0]
        progress(done / learners)

    with ThreadPoolExecutor(shards) as pool:
        for _ in pool.map(walk, pairwise(blocks)):
            pass
    base = Arrivals(words.in_order(), seconds, thin)
    return base.times_load(scenario.run.load * thin, seed)


class _Words:
    """Words that shards add in any order. They grow in place, so that none is ever held twice."""

    def __init__(self) -> None:
        self._lock, self._words, self._n = threading.Lock(), np.empty(_CHUNK, np.uint64), 0

    def add(self, part: U64) -> None:
        with self._lock:
            end = self._n + len(part)
            if end > len(self._words):
                self._words.resize(max(end, len(self._words) * 9 // 8), refcheck=False)
            self._words[self._n : end] = part
            self._n = end

    def in_order(self) -> U64:
        self._words.resize(self._n, refcheck=False)
        self._words.sort()
        return self._words


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
