"""Several load tests on one system, one after another: what calibration and capacity runs are made of."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.path.system import running
from loadtests.pinning import Cores, bound
from loadtests.scenario import Scenario
from loadtests.target import Target
from loadtests.trial import Findings, Trial
from loadtests.verdict import Objectives, Verdict


@asynccontextmanager
async def fresh_system(within: Path, cores: Cores) -> AsyncIterator[Target]:
    """An `lrs up` on an empty directory, bound to the system's cores; the block runs on the generator's."""
    with bound(cores.system):
        system = running(within)
        started = await system.__aenter__()
    try:
        with bound(cores.generator):
            yield replace(Target.of(started), cores=cores.system)
    finally:
        await system.__aexit__(None, None, None)


async def run(
    target: Target,
    scenario: Scenario,
    tell: Callable[[str], None],
    *,
    objectives: Objectives | None = None,
    seed: int | None = None,
) -> tuple[Findings, Verdict]:
    """One load test."""
    with tempfile.TemporaryDirectory(prefix="load-") as directory:
        trial = Trial(scenario, objectives or Objectives(), Path(directory), seed=seed)
        return await trial.run(target, tell)
