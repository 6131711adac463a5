"""A study: one scenario, several seeds, how far thinning bends it, and how much more it could carry."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.arrivals import Arrivals, arrivals
from simulator.calibration import Calibration
from simulator.measures import quantile
from simulator.scenario import Scenario
from simulator.system import Outcome, simulate

PLAIN_LEARNERS = 400_000
"""Without a word about thinning, so many learners stand for all."""
SLICE_S = 120.0
SLICE_DRAIN_S = 30.0
MOST_REQUESTS = 2_000_000
Progress = Callable[[str, float], None]


def quiet(_what: str, _share: float) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Bias:
    """What thinning does to the figures: the busiest slice as it is, and with ten times as many learners.

    (With all of them, when there are no more than that.)
    """

    thin: int
    at_s: float
    seconds: float
    full: dict[str, float]
    thinned: dict[str, float]

    @property
    def ratio(self) -> dict[str, float]:
        return {name: self.thinned[name] / self.full[name] for name in self.full if self.full[name] > 0}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the busiest slice says about size, without faults."""

    statements_per_s: float
    headroom: float | None
    """The largest load, as a multiple of the scenario's, that keeps the SLO; None: not even the
    scenario's.
    """
    headroom_is_bound: bool
    """Whether the search ended before anything broke: then the headroom is larger than said."""
    smallest: dict[str, int] | None
    """The smallest number of partitions, and with those of workers, that keeps the SLO."""


@dataclass(frozen=True, slots=True)
class Study:
    """All outcomes of a scenario."""

    scenario: Scenario
    calibration: Calibration
    thin: int
    outcomes: list[Outcome]
    requests: int
    statements: int
    peak_per_s: float
    bias: Bias | None
    capacity: Capacity | None


def thinning(scenario: Scenario) -> int:
    """The factor that leaves PLAIN_LEARNERS to simulate, or nearly."""
    return max(1, round(scenario.population.learners / PLAIN_LEARNERS))


def study(
    scenario: Scenario,
    calibration: Calibration,
    *,
    seeds: int = 3,
    first_seed: int = 1,
    thin: int | None = None,
    shards: int = 1,
    sizing: bool = True,
    progress: Progress = quiet,
) -> Study:
    """Run a scenario for several seeds. `shards` threads share the seeds; the answer does not depend on
    them.
    """
    factor = thinning(scenario) if thin is None else thin
    done = [0.0] * seeds

    def one(index: int) -> tuple[Outcome, Arrivals | None, int, int, float]:
        def tell(share: float) -> None:
            done[index] = share
            progress("seeds", sum(done) / seeds)

        seed = first_seed + index
        came = arrivals(scenario, seed, thin=factor, progress=lambda share: tell(0.2 * share))
        outcome = simulate(scenario, calibration, came, seed, progress=lambda share: tell(0.2 + 0.8 * share))
        keep = came if index == 0 else None
        per_second = came.per_second()
        return outcome, keep, came.requests, came.statements, float(per_second.max(initial=0.0))

    if shards == 1:
        runs = [one(i) for i in range(seeds)]
    else:
        with ThreadPoolExecutor(shards) as pool:
            runs = list(pool.map(one, range(seeds)))
    first = runs[0][1]
    assert first is not None
    bias = measure_bias(scenario, calibration, first, first_seed, shards, progress) if factor > 1 else None
    capacity = size(scenario, calibration, first, first_seed, progress) if sizing else None
    return Study(
        scenario,
        calibration,
        factor,
        [run[0] for run in runs],
        int(np.mean([run[2] for run in runs])),
        int(np.mean([run[3] for run in runs])),
        float(np.mean([run[4] for run in runs])),
        bias,
        capacity,
    )


def busiest(came: Arrivals, seconds: float) -> float:
    """When the busiest `seconds` of the arrivals begin."""
    per_second = came.per_second()
    width = int(min(seconds, came.seconds))
    if len(per_second) <= width:
        return 0.0
    sums = np.convolve(per_second, np.ones(width), "valid")
    return float(sums.argmax())


def figures(outcome: Outcome) -> dict[str, float]:
    """The latencies by which slices are compared."""
    return {
        f"{name} {label}": quantile(outcome.latency(name), q) or 0.0
        for name in ("acknowledged", "queryable", "scored")
        for label, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def measure_bias(
    scenario: Scenario,
    calibration: Calibration,
    thinned: Arrivals,
    seed: int,
    shards: int,
    progress: Progress,
) -> Bias:
    """Run the busiest slice with ten times as many learners, and with the thinned ones, and compare."""
    less = max(1, thinned.thin // 10)
    seconds = min(SLICE_S, thinned.seconds)
    at = busiest(thinned, seconds)
    full = arrivals(
        scenario,
        seed,
        thin=less,
        shards=shards,
        begin_s=at,
        seconds=seconds,
        progress=lambda share: progress("bias of thinning", share),
    )
    slice_ = _slice(scenario, seconds)
    part = thinned.window(at, seconds)
    return Bias(
        less,
        at,
        seconds,
        figures(simulate(slice_, calibration, full, seed, faults=False)),
        figures(simulate(slice_, calibration, part, seed, faults=False)),
    )


def _slice(scenario: Scenario, seconds: float, **system: Any) -> Scenario:
    run = replace(scenario.run, hours=seconds / 3600.0)
    return replace(scenario, run=run, system=replace(scenario.system, **system), faults=())


def keeps_slo(scenario: Scenario, outcome: Outcome) -> bool:
    """Whether a run kept every promise, and ended without a lag that grew."""
    return all(row["kept"] for row in verdict(scenario, outcome))


def verdict(scenario: Scenario, outcome: Outcome) -> list[dict[str, Any]]:
    """Each promise beside what was simulated."""
    slo = scenario.slo
    rows: list[dict[str, Any]] = []
    for name, limit in (
        ("acknowledged", slo.ack_p99_s),
        ("queryable", slo.queryable_p99_s),
        ("scored", slo.scored_p99_s),
    ):
        value = quantile(outcome.latency(name), 0.99)
        rows.append(
            {
                "name": f"{name} p99 (s)",
                "limit": limit,
                "value": value,
                "kept": value is None or value <= limit,
            }
        )
    share = outcome.counts["given_up_statements"] / max(1, outcome.counts["statements"])
    rows.append(
        {
            "name": "statements given up (share)",
            "limit": slo.given_up,
            "value": share,
            "kept": share <= slo.given_up,
        }
    )
    rows.append(
        {"name": "drained at the end", "limit": True, "value": outcome.drained, "kept": outcome.drained}
    )
    return rows


def size(
    scenario: Scenario, calibration: Calibration, came: Arrivals, seed: int, progress: Progress = quiet
) -> Capacity:
    """Search, on the busiest slice, for the headroom and for the smallest installation that keeps the SLO."""
    seconds = min(SLICE_S, came.seconds)
    peak = came.window(busiest(came, seconds), seconds)
    step = 0

    def keeps(load: float, **system: Any) -> bool:
        nonlocal step
        step += 1
        progress("sizing", min(0.99, step / 25.0))
        slice_ = _slice(scenario, seconds, **system)
        came_more = peak.times_load(load, seed)
        outcome = simulate(slice_, calibration, came_more, seed, faults=False, drain_s=SLICE_DRAIN_S)
        return keeps_slo(slice_, outcome)

    most = max(1.0, MOST_REQUESTS / max(1, peak.requests))
    low, high = 0.0, 1.0
    while high <= most and keeps(high):
        low, high = high, high * 2.0
    bound = high > most
    if not bound:
        for _ in range(5):
            middle = (low + high) / 2.0
            low, high = (middle, high) if keeps(middle) else (low, middle)
    progress("sizing", 1.0)
    return Capacity(
        statements_per_s=peak.statements / seconds,
        headroom=low if low >= 1.0 else None,
        headroom_is_bound=bound,
        smallest=_smallest(scenario, keeps) if low >= 1.0 else None,
    )


def _smallest(scenario: Scenario, keeps: Callable[..., bool]) -> dict[str, int]:
    """Fewest partitions first, by halving; then fewest workers of each stage, by halving."""
    found = {
        "partitions": scenario.system.partitions,
        "persist_workers": scenario.system.persist_workers,
        "score_workers": scenario.system.score_workers,
    }
    for name in found:
        while found[name] > 1:
            fewer = {**found, name: found[name] // 2}
            if not keeps(1.0, **fewer):
                break
            found = fewer
    return found
