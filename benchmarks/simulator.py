"""How fast the simulator is: a day of two crore learners, and statements rendered by one core.

    python -m benchmarks.simulator [--learners N] [--shards N]

Beside them stand published rates of other generators of learning records, for scale; they were measured on
other machines: DATASIM 0.4.4 with 4,900 statements/s, xapi-db-load with 19,400 events/s on a core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time

from simulator.arrivals import arrivals
from simulator.calibration import load_calibration
from simulator.emission import Emission
from simulator.scenario import Scenario, load
from simulator.system import simulate
from simulator.warming import warm

DAY = ("run.begin=00:00", "run.hours=24", "learning.participation=0.1215")
"""The deadline day from midnight to midnight, with as many participants as make 200 million statements."""
DATASIM, XAPI_DB_LOAD = 4_900.0, 19_400.0


def day(scenario: Scenario, shards: int) -> dict[str, float]:
    """Generate the arrivals of a whole day and run them through the record store."""
    began, cpu = time.perf_counter(), time.process_time()
    came = arrivals(scenario, 1, shards=shards)
    generated, generated_cpu = time.perf_counter(), time.process_time()
    outcome = simulate(scenario, load_calibration(), came, 1)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    return {
        "learners": scenario.population.learners,
        "statements": came.statements,
        "requests": came.requests,
        "scored": outcome.counts["scored_statements"],
        "arrivals_s": generated - began,
        "arrivals_cpu_s": generated_cpu - cpu,
        "engine_s": ended - generated,
        "engine_cpu_s": ended_cpu - generated_cpu,
        "total_s": ended - began,
        "largest_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def rendering(statements: int) -> dict[str, float]:
    """Make, sort and render statements on one core; nothing is written."""
    scenario = load(["learning-week"], ["population.learners=100000", "run.begin=08:00", "run.hours=12"])
    began, cpu, made, size = time.perf_counter(), time.process_time(), 0, 0
    for _text, ends, _firsts, _due in Emission(scenario, 1, limit=statements).chunks():
        made, size = made + len(ends), size + int(ends[-1])
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "statements": made,
        "bytes_per_statement": size / made,
        "per_s": made / seconds,
        "per_cpu_s": made / cpu_s,
        "ratio_to_datasim": made / cpu_s / DATASIM,
        "ratio_to_xapi_db_load": made / cpu_s / XAPI_DB_LOAD,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=20_000_000)
    parser.add_argument("--shards", type=int, default=2)
    arguments = parser.parse_args()
    scenario = load(["deadline-day"], [*DAY, f"population.learners={arguments.learners}"])
    warm()  # compiling is not measured
    # Others on the machine stretch the seconds, not the processor time.
    found = {"load_average_before": dict(zip(("1m", "5m", "15m"), os.getloadavg(), strict=True))}
    found |= {"day": day(scenario, arguments.shards), "rendering": rendering(1_000_000)}
    print(json.dumps({k: {n: round(v, 3) for n, v in d.items()} for k, d in found.items()}, indent=1))


if __name__ == "__main__":
    main()
