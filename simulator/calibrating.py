"""Calibration: a real record store is run at a few loads, and service times are fitted to what it says of
itself.

The load tests are a part of the source tree, not of the installed package; without them nothing can be
run, only fitted from their reports.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.calibration import written
from simulator.fitting import Fit, fit
from simulator.measurement import Measured, measured
from simulator.scenario import ScenarioError
from simulator.validation import FOREIGN

Tell = Callable[[str], None]
WORKERS = 2
"""Of a system as it is run here, one of each stage."""
FLUSHES = 400
FLUSHED_BYTES = 8192
ANSWERING = 1.0 / 3.0
"""Of what an edge does for a request, the share that comes after its frame is durable: the length of the
edge's turns on a processor, traced for single statements.
"""


class Load(NamedTuple):
    """What a run is driven with."""

    name: str
    rate: float
    """Requests a second, for each core of the system, where the curve is highest."""
    sizes: tuple[int, ...]
    """Statements of the requests (0: a read), in equal shares."""
    curve: tuple[tuple[float, float], ...] = ((0.0, 1.0), (1.0, 1.0))
    """Share of the run's time, and rate relative to the highest; linear in between."""


LOADS = (
    Load("singles, few", 20, (1,)),
    Load("batches of 20, few", 8, (20,)),
    Load("batches of 100, few", 4, (100,)),
    Load("singles", 100, (1,)),
    Load("batches of 20", 30, (20,)),
    Load("batches of 100", 10, (100,)),
    Load("batches of 20 and reads", 40, (20, 0)),
    Load("a flood of singles", 600, (1,)),
)
"""Few and many, small and large: so that frames, transactions, requests and statements can be told apart."""
UNSEEN = (
    Load("singles, unseen", 55, (1,)),
    Load("batches of 10, unseen", 25, (10,)),
    Load("batches of 50, unseen", 12, (50,)),
    Load("batches of 1, 20 and 100, unseen", 18, (1, 20, 100)),
    Load("batches of 20 and reads, unseen", 30, (20, 0)),
    Load("batches of 5 and reads, fewer and fewer, unseen", 50, (5, 0), ((0, 1), (1, 0.2))),
    Load("a wave of batches of 1 and 20, unseen", 45, (1, 20), ((0, 0.3), (0.5, 1), (1, 0.3))),
    Load("a surge at the end, unseen", 120, (50,), ((0, 0.05), (0.8, 0.05), (0.8, 1), (1, 1))),
)
"""Sizes, rates, mixtures and curves that no calibration has seen, to hold its predictions against."""


Found = list[tuple[Load, dict[str, Any]]]
"""Loads, and the findings of the load test at each."""


def turns(unseen: int) -> list[Load]:
    """What is run, in which order: LOADS; or, so many times, LOADS and UNSEEN in turn, so that a machine that
    becomes slower meanwhile is slower for both.
    """
    return [load for pair in zip(LOADS, UNSEEN, strict=True) for load in pair] * unseen or list(LOADS)


def run_loads(within: Path, loads: Sequence[Load], run_s: float, tries: int, tell: Tell) -> Found:
    """The findings of a load test at each of the loads, on one fresh system. A run in which others took too
    much of the system's cores is repeated, up to `tries` times, and so is one to be fitted in which a
    connection to PostgreSQL was replaced; the least disturbed one counts. Raises ScenarioError.
    """
    try:
        from loadtests.scenario import LoadError
    except ImportError:
        raise ScenarioError(
            "calibrate", "loadtests", None, "needs the source tree: load tests are not installed"
        ) from None
    try:
        return asyncio.run(_run_loads(within, loads, run_s, tries, tell))
    except LoadError as error:
        raise ScenarioError("calibrate", "load test", "failed", str(error)) from None


async def _run_loads(within: Path, loads: Sequence[Load], run_s: float, tries: int, tell: Tell) -> Found:
    from loadtests.pinning import Cores
    from loadtests.scenario import Curve, RequestKind, Scenario
    from loadtests.series import fresh_system, run

    cores = Cores.apart()

    def scenario(load: Load, seconds: float) -> Scenario:
        sizes, peak = load.sizes, load.rate * len(cores.system)
        kinds = [RequestKind("send", 1.0, size) if size else RequestKind("progress", 1.0) for size in sizes]
        return Scenario(load.name, "What does it cost?", peak, seconds, Curve(points=list(load.curve)), kinds)

    found = []
    flush = flushes(within)
    async with fresh_system(within, cores) as target:
        tell("warming up")
        await run(target, scenario(Load("warm-up", 30, (1, 20, 0)), min(run_s, 8.0)), lambda _: None)
        for load in loads:
            best: dict[str, Any] | None = None
            for _ in range(tries):
                findings, _verdict = await run(target, scenario(load, run_s), lambda _: None)
                now = measured(findings, load.name)
                tell(
                    f"{load.name}: {100 * now.utilisation:.0f} % by the system,"
                    f" {100 * now.foreign:.0f} % by others"
                )
                if best is None or _taint(now) < _taint(measured(best, load.name)):
                    best = findings
                if now.foreign <= FOREIGN and (now.whole or load not in LOADS):
                    break
            assert best is not None
            found.append((load, {**best, "flush": flush}))
    return found


def _taint(run: Measured) -> tuple[bool, float]:
    return not run.whole, run.foreign


def keep(found: Found, directory: Path) -> None:
    """Write the findings as calibration-0.json and so on, those of loads that the fit does not see as
    unseen-0.json and so on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, loads in (("calibration", LOADS), ("unseen", UNSEEN)):
        for number, findings in enumerate(findings for load, findings in found if load in loads):
            (directory / f"{name}-{number}.json").write_text(json.dumps(findings), encoding="utf-8")


def flushes(within: Path) -> tuple[float, float]:
    """Mean seconds, and coefficient of variation, of a flush of 8 KiB on the disk of a directory."""
    within.mkdir(parents=True, exist_ok=True)
    took = np.empty(FLUSHES)
    with tempfile.TemporaryFile(dir=within) as file:
        for i in range(FLUSHES):
            file.write(b"\0" * FLUSHED_BYTES)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took[i] = time.perf_counter() - began
    return float(took.mean()), float(took.std() / took.mean())


def calibrate(runs: Sequence[Measured], within: Path) -> tuple[str, Fit]:
    """The calibration file that follows from runs, and the fit behind it. Flushes of the disk were measured
    with the runs; else they are measured now, in the directory. Raises ScenarioError when the runs tell too
    little.
    """
    flush = runs[0].report.get("flush") or flushes(within)
    if any(run.cores == 0 for run in runs):
        raise ScenarioError(
            "calibrate", "meter.cores", [], "needs runs whose system had cores of its own (--apart)"
        )
    if len({len(run.due) / run.seconds for run in runs}) < 3:
        raise ScenarioError("calibrate", "runs", len(runs), "needs three different loads at least")
    found = fit(runs)
    us = {name: 1e6 * value for name, value in found.seconds.items()}
    shape = found.cv

    def component(
        transaction: float, request: float, statement: float, cv: float, source: str, noise: str
    ) -> dict[str, Any]:
        times = {"transaction_us": transaction, "request_us": request, "statement_us": statement}
        return {**times, "shape": "lognormal", "cv": round(min(cv, 10.0), 3), "source": f"{source}; {noise}"}

    def off(part: str) -> str:
        return (
            f"measured: fitted to CPU seconds of {len(runs)} runs, off by"
            f" {100 * found.worst[part]:.0f} % at most"
        )

    assumed, from_durations = "spread assumed", "spread of durations in the calmest run"

    def stage(name: str, there: str) -> dict[str, Any]:
        part = name + there
        # What PostgreSQL's own processes do for a statement is done for those that persist writes.
        own = us["postgresql statement"] if part == "persist there" else 0.0
        return component(
            us[f"{part} transaction"],
            0.0,
            us[f"{part} statement"] + own,
            shape[name],
            off(part),
            from_durations,
        )

    answering = ANSWERING * us["edge request"]
    components = {
        "edge": component(
            0.0, us["edge request"] - answering, us["edge statement"], 0.5, off("edge"), assumed
        ),
        "answer": component(us["edge frame"], answering, 0.0, 0.5, off("edge"), "share traced once"),
        "read_edge": component(us["edge read"], 0.0, 0.0, 0.5, off("edge"), assumed),
        "append": component(
            us["edge there transaction"],
            0.0,
            us["edge there statement"],
            shape["append"],
            off("edge there"),
            from_durations,
        ),
        "persist_cpu": stage("persist", ""),
        "persist_postgresql": stage("persist", " there"),
        "score_cpu": stage("score", ""),
        "score_postgresql": stage("score", " there"),
        "read_postgresql": component(us["edge there read"], 0.0, 0.0, 0.8, off("edge there"), assumed),
        "flush": component(
            1e6 * flush[0], 0.0, 0.0, flush[1], f"measured: {FLUSHES} flushes of 8 KiB", "and their spread"
        ),
        "wire": component(
            1e6 * found.wire_s[0],
            0.0,
            1e6 * found.wire_s[1],
            0.5,
            "measured: what clients saw longer than the edge, in calm runs",
            assumed,
        ),
    }
    there = sum(
        us[f"{name} standing"] for name in ("edge there", "persist there", "score there", "postgresql")
    )
    standing = {
        **{name: round(found.seconds[f"{name} standing"], 5) for name in ("edge", "persist", "score")},
        "postgresql": round(1e-6 * there / WORKERS, 5),
        "source": (
            "measured: CPU seconds that no request explains, the load test's own looks at metrics included"
        ),
    }
    return written(components, standing, _about(runs)), found


def _about(runs: Sequence[Measured]) -> dict[str, Any]:
    cores, foreign = runs[0].cores, max(run.foreign for run in runs)
    disturbed = f"; others used up to {100 * foreign:.0f} % of them meanwhile" if foreign > FOREIGN else ""
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"
    return {
        "measured": True,
        "statement": (
            f"fitted to {len(runs)} load tests on a system bound to {cores}"
            f" core{'s' if cores > 1 else ''}{disturbed};"
            " reject and replicate are assumed"
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
    }


def _processor() -> str:
    """The processor's name as the kernel tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
