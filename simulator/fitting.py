"""Service times out of load tests: least squares on the system's own counts and processor seconds.

Every run gives one equation for each process: its CPU seconds are what it uses without load, times the
seconds, plus what each transaction, request and statement costs, times their number. PostgreSQL gives one
for each of its masters, and one for its own processes. All costs are found together and are not negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.compiled import F64
from simulator.measurement import Measured

CALM = 0.6
"""What clients saw longer than the edge counts in runs in which the system's cores were in use less than
this, by anybody.
"""
_APPEND, _BATCH = "lrs_log_append_duration_seconds", "lrs_stage_batch_duration_seconds"


def equations(run: Measured, evidence: float) -> dict[str, tuple[float, dict[str, float]]]:
    """What each process, and PostgreSQL for each, spent in a run, and how often that was done on which it was
    spent: a count for each cost. `evidence`: learning events that a statement makes, in the mean.
    """
    time, statements = run.meter["seconds"], run.count("lrs_statements_accepted_total")
    appends = run.count(f"{_APPEND}_count")
    found = {
        "edge": (
            run.cpu("edge") + run.cpu("supervisor"),
            {
                "standing": time,
                "frame": appends,
                "request": run.writes,
                "statement": statements,
                "read": run.reads,
            },
        ),
        "edge there": (
            run.served("edge"),
            {"standing": time, "transaction": appends, "statement": statements, "read": run.reads},
        ),
        "postgresql": (run.served("postgresql"), {"standing": time, "statement": _done(run, "persist")}),
    }
    for stage, each in (("persist", 1.0), ("score", evidence)):
        batches = run.count(f"{_BATCH}_count stage={stage}")
        counts = {"standing": time, "transaction": batches, "statement": _done(run, stage) / each}
        found[stage] = run.cpu(stage), counts
        found[f"{stage} there"] = run.served(stage), counts
    return found


def _done(run: Measured, stage: str) -> float:
    """Statements that persist stored, or events that score took, until the run's end."""
    return run.count(f"lrs_stage_batch_statements_sum stage={stage}")


@dataclass(frozen=True, slots=True)
class Fit:
    """What things cost, and how far that misses the CPU seconds to which it was fitted."""

    seconds: dict[str, float]
    """By part and cost, as `equations` names them: `persist there transaction`."""
    worst: dict[str, float]
    """The largest relative miss over the runs, by part."""
    cv: dict[str, float]
    """Coefficients of variation of append, persist and score durations in the calmest run."""
    wire_s: tuple[float, float]
    """What clients saw longer than the edge, in calm runs: seconds a request, and a statement in it."""


def fit(runs: Sequence[Measured]) -> Fit:
    """The costs that explain the runs best."""
    stored, events = (sum(_done(run, stage) for run in runs) for stage in ("persist", "score"))
    told = [equations(run, events / stored if events else 1.0) for run in runs]
    whole = [sum(spent for spent, _ in each.values()) for each in told]
    seconds: dict[str, float] = {}
    worst: dict[str, float] = {}
    for part in told[0]:
        costs = list(told[0][part][1])
        matrix = np.array([[counts[cost] for cost in costs] for _, counts in (each[part] for each in told)])
        spent = np.array([each[part][0] for each in told])
        weight = 1.0 / np.maximum(whole, 1e-9)
        found = not_negative(matrix * weight[:, None], spent * weight)
        seconds |= {f"{part} {cost}": float(value) for cost, value in zip(costs, found, strict=True)}
        worst[part] = float(np.abs((matrix @ found - spent) / np.maximum(spent, 1e-9)).max())
    calm = [run for run in runs if run.utilisation + run.foreign < CALM]
    calmest = min(runs, key=lambda run: run.utilisation + run.foreign)
    return Fit(
        seconds,
        worst,
        {
            "append": variation(*calmest.buckets(_APPEND)),
            "persist": variation(*calmest.buckets(_BATCH, "stage=persist")),
            "score": variation(*calmest.buckets(_BATCH, "stage=score")),
        },
        _wire(calm or [calmest]),
    )


def not_negative(matrix: F64, wanted: F64, rounds: int = 20_000) -> F64:
    """The x >= 0 with the least |matrix x - wanted|, by coordinate descent on columns of one length."""
    length = np.sqrt((matrix**2).sum(axis=0))
    length[length == 0.0] = 1.0
    columns = matrix / length
    gram, right = columns.T @ columns, columns.T @ wanted
    x = np.zeros(len(length))
    for _ in range(rounds):
        before = x.copy()
        for i in range(len(x)):
            if gram[i, i] > 0.0:
                x[i] = max(0.0, x[i] + (right[i] - gram[i] @ x) / gram[i, i])
        if np.abs(x - before).max() <= 1e-12 * max(1.0, np.abs(x).max()):
            break
    found: F64 = x / length
    return found


def variation(bounds: F64, counts: F64) -> float:
    """Standard deviation by mean of a histogram whose buckets stand for their middles; 0 of nothing."""
    total = counts.sum() if len(counts) else 0.0
    if total <= 0:
        return 0.0
    lower = np.concatenate(([0.0], bounds[:-1]))
    upper = np.where(np.isfinite(bounds), bounds, lower)
    middle = (lower + upper) / 2.0
    mean = float((middle * counts).sum() / total)
    return float(np.sqrt(max(0.0, (middle**2 * counts).sum() / total - mean**2)) / mean)


def _wire(runs: Sequence[Measured]) -> tuple[float, float]:
    name = "lrs_http_request_duration_seconds"
    rows, wanted = [], []
    for run in runs:
        served = run.count(f"{name}_count route=statements")
        if served and run.writes:
            told = float(run.report["arrivals"]["acknowledged"]["mean"] or 0.0)
            rows.append([1.0, float(run.statements.sum()) / run.writes])
            wanted.append(told - run.count(f"{name}_sum route=statements") / served)
    if not rows:
        return 0.0, 0.0
    request, statement = not_negative(np.array(rows), np.array(wanted)).tolist()
    return request, statement
