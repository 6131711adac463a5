"""Events per second of the score stage's pure heart, beside what the machine can do in the same run.

    python benchmarks/scoring_kernel.py [--batch 2000] [--learners 1500] [--seconds 10]

A synthetic cohort works through the demonstration's catalogue; its state grows in memory as it would
in the store. Yardsticks: numba's random read-modify-write of 64-byte lines over an array as large as
memory bandwidth needs (256 MB), and numpy's lexsort of the same batches' keys.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from time import perf_counter, thread_time
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from lrs.scoring.batch import read_batch
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.event import EVENT, LANDMARK_US, PAIR, PARTITION_BITS, Flag
from lrs.scoring.level import ACCUMULATED, UNREAD, changed_levels
from lrs.scoring.mapping import default_mapping
from lrs.scoring.outcome import level_turns, milestones
from lrs.scoring.score import score
from lrs.scoring.state import State
from lrs.scoring.table import compile_catalogue
from lrs.scoring.warming import warm

SESSION = (
    "launched",
    "initialized",
    "progressed",
    "progressed",
    "completed",
    "passed",
    "terminated",
    "failed",
)
DAY_US = 86_400_000_000


@njit(cache=True, nogil=True)
def _read_modify_write(lines: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> None:
    for i in range(len(places)):
        lines[places[i] * 8] += 1


def random_rmw_rate(rng: np.random.Generator) -> float:
    """Random read-modify-writes of one 64-byte line each, per second on one core."""
    lines = np.ones(1 << 25, np.int64)
    places = rng.integers(0, len(lines) // 8, 4_000_000)
    _read_modify_write(lines, places[:10])
    started = thread_time()
    _read_modify_write(lines, places)
    return len(places) / (thread_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2_000, help="events of a batch")
    parser.add_argument("--learners", type=int, default=1_500, help="learners active at once")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    warm()
    rng = np.random.default_rng(1)
    catalogue = read_catalogue(files("lrs.demo").joinpath("catalogue.yaml").read_text(encoding="utf-8"))
    activities = {iri: number for number, iri in enumerate(catalogue.iris(), start=1)}
    agents = {agent: -number for number, agent in enumerate(catalogue.agents(), start=1)}
    tables = compile_catalogue(catalogue, activities, agents)
    mapping = default_mapping()
    verbs = {verb: number for number, verb in enumerate(mapping.verbs(), start=1)}
    table = mapping.compile(verbs)
    session = np.array([verbs["http://adlnet.gov/expapi/verbs/" + verb] for verb in SESSION], np.int32)
    modules = np.array([activities[module.id] for module in catalogue.modules])
    courses = np.array([activities[course.id] for course in catalogue.courses])

    def batch(number: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        size = options.batch
        events = np.zeros(size, EVENT)
        serial = number * size + np.arange(size)
        events["pos"] = (2_500 * DAY_US + serial * 50) << PARTITION_BITS
        events["id_hi"], events["id_lo"] = rng.integers(0, 1 << 63, size), serial
        events["agent"] = (
            1 + rng.integers(0, options.learners, size) + serial // (8 * options.learners) * options.learners
        )
        events["activity"] = modules[(events["agent"] + rng.integers(0, 2, size)) % len(modules)]
        events["registration_lo"] = events["agent"]
        events["session"] = 1
        events["timestamp"] = (
            LANDMARK_US + (events["pos"] >> PARTITION_BITS) - rng.integers(0, 10_000_000, size)
        )
        events["verb"] = session[rng.integers(0, len(session), size)]
        events["flags"] = Flag.CMI5 | Flag.MOVE_ON | Flag.HAS_SCALED
        events["scaled"] = rng.integers(3_000, 10_001, size)
        events["progress"] = events["mastery"] = events["duration_ms"] = -1
        pairs = np.zeros(size, PAIR)
        pairs["row"], pairs["activity"] = np.arange(size), courses[events["activity"] % len(courses)]
        return events, pairs

    state = State()
    events_done, reading, scoring, sorting, keys, rows, stored = 0, 0.0, 0.0, 0.0, 0, 0, 0
    telling, told = 0.0, 0
    levels: dict[tuple[int, int], tuple[int, int]] = {}
    sums_of: dict[tuple[int, int], dict[tuple[int, int], tuple[int, int, int]]] = {}
    number, until = 0, perf_counter() + options.seconds
    while perf_counter() < until:
        events, pairs = batch(number)
        number += 1
        t0 = thread_time()
        read = read_batch(events, pairs, tables, table)
        t1 = thread_time()
        evidence, course_rows = state.evidence_of(read), state.courses_of(read)
        t2 = thread_time()
        output = score(read, evidence, course_rows, tables)
        list(output.evidence)
        output.courses.rows()
        t3 = thread_time()
        np.lexsort((events["activity"], events["agent"]))
        t4 = thread_time()
        touched = {(row[0], row[1]) for row in output.competencies.tolist()}
        accumulated = np.array(
            [
                (*pair, level, kind, *sums, *levels.get(pair, (UNREAD, UNREAD)))
                for pair in touched
                for (level, kind), sums in sums_of.get(pair, {}).items()
            ],
            ACCUMULATED,
        )
        t5 = thread_time()
        turns = milestones(output, tables)
        after, before = changed_levels(accumulated, output.competencies, 2_600, tables)
        turns += level_turns(before, after, output)
        t6 = thread_time()
        for agent, competency, level, again in after.tolist():
            levels[agent, competency] = level, again
        state.apply(output)
        for agent, competency, level, kind, *_ in output.competencies.tolist():
            key = (agent, competency, level, kind)
            sums_of.setdefault((agent, competency), {})[level, kind] = state.accumulators[key]
        if number > 3:
            events_done += len(events)
            reading, scoring, sorting = reading + t1 - t0, scoring + t3 - t2, sorting + t4 - t3
            telling, told = telling + t6 - t5, told + len(turns)
            keys += len(read.keys)
            rows += len(output.evidence)
            stored += sum(len(row[3]) for row in evidence) // 96
    measured = number - 3
    rmw = random_rmw_rate(rng)
    rate = events_done / (reading + scoring + telling)
    print(
        f"batches of {options.batch:,}; each {keys / measured:,.0f} keys, {stored / measured:,.0f} facts read"
    )
    print(f"read_batch          {reading / events_done * 1e6:8.2f} us an event")
    print(f"score, rows packed  {scoring / events_done * 1e6:8.2f} us an event")
    print(
        f"what turned         {telling / events_done * 1e6:8.2f} us an event, {told / measured:,.0f} a batch"
    )
    print(f"together            {rate:12,.0f} events/s")
    sort_rate = events_done / sorting
    print(f"numpy lexsort       {sort_rate:12,.0f} keys/s       ratio {rate / sort_rate:8.4f}")
    print(f"random RMW          {rmw:12,.0f} /s           ratio {rate / rmw:8.4f}")


if __name__ == "__main__":
    main()
