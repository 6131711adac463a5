"""Service times out of load tests: least squares on the system's own counts and processor seconds.

Every run gives one equation for each process: its CPU seconds are what it uses without load, times the
seconds, plus what each transaction, request and statement costs, times their number. PostgreSQL serves
three masters at once; what a transaction of each costs there is told apart by how long appends and batches
took in runs that were not busy: that time is CPU time stretched by 1 / (1 - utilisation) (processor
sharing), and a flush. All costs are found together and are not negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.compiled import F64
from simulator.measurement import Measured

CALM = 0.6
"""Durations are used of runs in which the system's cores were in use less than this, by anybody."""
UNKNOWNS = (
    *("edge standing", "edge request", "edge statement", "edge read"),
    *("persist standing", "persist transaction", "persist statement"),
    *("score standing", "score transaction", "score statement"),
    *("postgresql standing", "append transaction", "append statement"),
    *("persist transaction there", "persist statement there"),
    *("score transaction there", "score statement there", "read there"),
)
_APPEND, _BATCH = "lrs_log_append_duration_seconds", "lrs_stage_batch_duration_seconds"
_SURE, _UNSURE = 1.0, 0.25
"""Weights: CPU seconds are counted, stretched durations are a model's."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Seconds for each of UNKNOWNS, and how far they miss the CPU seconds that they were fitted to."""

    seconds: dict[str, float]
    worst: dict[str, float]
    """The largest relative miss over the runs, by process."""
    cv: dict[str, float]
    """Coefficients of variation of append, persist and score durations in the calmest run."""
    wire_s: tuple[float, float]
    """What clients saw longer than the edge, in calm runs: seconds a request, and a statement in it."""
    calm_runs: int


def fit(runs: Sequence[Measured], flush_s: float) -> Fit:
    """The costs that explain the runs best. `flush_s`: mean seconds of a flush of the disk."""
    rows: list[dict[str, float]] = []
    wanted: list[float] = []
    weights: list[float] = []
    cpu_rows: list[tuple[str, int]] = []

    def equation(value: float, weight: float, /, **terms: float) -> None:
        rows.append({name.replace("_", " "): number for name, number in terms.items()})
        wanted.append(value)
        weights.append(weight)

    calm: list[Measured] = []
    for run in runs:
        time, statements = run.meter["seconds"], run.count("lrs_statements_accepted_total")
        appends = run.count(f"{_APPEND}_count")
        batches = {stage: run.count(f"{_BATCH}_count stage={stage}") for stage in ("persist", "score")}
        scale = 1.0 / max(sum(run.meter["cpu_s"].values()), 1e-9)
        for part, terms in (
            ("edge", {"edge standing": time, "edge request": run.writes, "edge read": run.reads}),
            ("persist", {"persist standing": time, "persist transaction": batches["persist"]}),
            ("score", {"score standing": time, "score transaction": batches["score"]}),
            (
                "postgresql",
                {
                    "postgresql standing": 2 * time,
                    "append transaction": appends,
                    "append statement": statements,
                    "persist transaction there": batches["persist"],
                    "persist statement there": statements,
                    "score transaction there": batches["score"],
                    "score statement there": statements,
                    "read there": run.reads,
                },
            ),
        ):
            cpu_rows.append((part, len(rows)))
            own = {} if part == "postgresql" else {f"{part} statement": statements}
            supervisor = run.cpu("supervisor") if part == "edge" else 0.0
            equation(run.cpu(part) + supervisor, _SURE * scale, **{**terms, **own})
        busy = run.utilisation + run.foreign
        if busy >= CALM:
            continue
        calm.append(run)
        for name, key, count in (
            ("append", f"{_APPEND}_sum", appends),
            ("persist", f"{_BATCH}_sum stage=persist", batches["persist"]),
            ("score", f"{_BATCH}_sum stage=score", batches["score"]),
        ):
            there = "" if name == "append" else " there"
            terms = {f"{name} transaction{there}": count, f"{name} statement{there}": statements}
            if there:
                terms |= {f"{name} transaction": count, f"{name} statement": statements}
            equation((run.count(key) - count * flush_s) * (1.0 - busy), _UNSURE * scale, **terms)
    matrix = np.array([[row.get(name, 0.0) for name in UNKNOWNS] for row in rows])
    weight = np.array(weights)
    found = not_negative(matrix * weight[:, None], np.array(wanted) * weight)
    worst: dict[str, float] = {}
    for part, row in cpu_rows:
        miss = float(abs(matrix[row] @ found / max(wanted[row], 1e-9) - 1.0))
        worst[part] = max(worst.get(part, 0.0), miss)
    calmest = min(runs, key=lambda run: run.utilisation + run.foreign)
    return Fit(
        dict(zip(UNKNOWNS, found.tolist(), strict=True)),
        worst,
        {
            "append": variation(*calmest.buckets(_APPEND)),
            "persist": variation(*calmest.buckets(_BATCH, "stage=persist")),
            "score": variation(*calmest.buckets(_BATCH, "stage=score")),
        },
        _wire(calm or [calmest]),
        len(calm),
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
