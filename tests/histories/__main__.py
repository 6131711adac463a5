"""Histories by the hundred thousand: `make histories`.

Ends with 1 and the shortest history that goes wrong, if one does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.histories.history import happen, judged, shortest, time_of_histories
from tests.histories.plan import drawn
from tests.histories.report import Coverage, swept, told

TOGETHER = 250
"""Seeds that a process takes at a time."""


def main() -> int:
    """Let many histories happen."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default %(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default %(default)s)"
    )
    given = parser.parse_args()
    began, last = time.monotonic(), given.first + given.histories
    parts = [range(at, min(at + TOGETHER, last)) for at in range(given.first, last, TOGETHER)]
    coverage, bad, shown = Coverage(), [], 0
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as workers:
        tasks = [workers.submit(swept, part) for part in parts]
        for task in as_completed(tasks):
            seed, part = task.result()
            coverage.merge(part)
            if coverage.histories // 10_000 > shown:
                shown = coverage.histories // 10_000
                print(f"{coverage.histories} histories, {time.monotonic() - began:.0f} s", flush=True)
            if seed is not None:
                bad.append(seed)
                workers.shutdown(cancel_futures=True)
                break
    for seed in bad:
        print(_explained(seed))
    print(coverage.line(time.monotonic() - began))
    return 1 if bad else 0


def _explained(seed: int) -> str:
    with time_of_histories():
        plan, dice = drawn(seed)
        happen(plan, dice)
        plan = shortest(plan, lambda some: bool(judged(some)))
        return f"seed {seed} goes wrong; its shortest history:\n" + told(plan)


if __name__ == "__main__":
    sys.exit(main())
