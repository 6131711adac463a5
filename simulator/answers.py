"""A study as plain data: what the JSON holds, what the report draws, what two runs are compared by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.engine.state import WAITS
from simulator.measures import QUANTILES, band, drained_after, over, quantile, quantile_name
from simulator.parameters import FAULTS, SECTIONS
from simulator.study import Study, verdict
from simulator.system import SERIES, SLOTS, TIERS, Outcome

FORMAT = 1
LATENCIES = ("acknowledged", "queryable", "scored", "read")
SHARES = ("edges", "persist_workers", "score_workers", "flush", "connections", *TIERS)


def answers(study: Study) -> dict[str, Any]:
    """Everything a study says, without a word about when or how fast it was computed: same seeds, same
    bytes.
    """
    s, c = study.scenario, study.calibration
    first = study.outcomes[0]
    return {
        "format": FORMAT,
        "scenario": {"name": s.name, "title": s.title, "question": s.question},
        "calibration": {
            "file": c.file,
            "measured": c.measured,
            "statement": c.statement,
            "date": c.date,
            "machine": c.machine,
            "sources": c.sources,
        },
        "seeds": [o.seed for o in study.outcomes],
        "thin": study.thin,
        "bias": _bias(study),
        "arrivals": {
            "requests": study.requests,
            "statements": study.statements,
            "statements_peak_second": study.peak_per_s,
            "statements_mean_second": study.statements / first.seconds,
        },
        "latency_s": {
            name: {
                quantile_name(q): _over_seeds(study, lambda o, n=name, q=q: quantile(o.latency(n), q))  # type: ignore[misc]
                for q in QUANTILES
            }
            | {"mean": _over_seeds(study, lambda o, n=name: o.means[n])}  # type: ignore[misc]
            for name in LATENCIES
        },
        "lag": {
            f"{stage}_{unit}": _over_seeds(study, lambda o, col=column: float(o.column(col).max(initial=0.0)))  # type: ignore[misc]
            for stage in ("persist", "score")
            for unit, column in (("messages", f"{stage}_backlog"), ("seconds", f"{stage}_lag_s"))
        },
        "drain_s": _over_seeds(study, lambda o: _drain(study, o)),
        "late_s": _over_seeds(
            study, lambda o: over(o.column("seconds"), o.column("score_lag_s"), s.slo.scored_p99_s)
        ),
        "counts": {name: _over_seeds(study, lambda o, n=name: o.counts[n]) for name in first.counts},  # type: ignore[misc]
        "lost_statements": _over_seeds(study, lambda o: o.lost_statements),
        "utilisation": {
            name: {
                "mean": _over_seeds(study, lambda o, n=name: _within(o, n).mean()),  # type: ignore[misc]
                "peak": _over_seeds(study, lambda o, n=name: _within(o, n).max(initial=0.0)),  # type: ignore[misc]
            }
            for name in SHARES
        },
        "cpu_s_per_1000": {
            name: _over_seeds(study, lambda o, n=name: 1000.0 * o.cpu_s[n] / max(1, o.counts["statements"]))  # type: ignore[misc]
            for name in first.cpu_s
            if name not in WAITS
        },
        "capacity": None if study.capacity is None else dataclasses.asdict(study.capacity),
        "cost": _cost(study),
        "verdict": verdict(s, first),
        "series": _series(first),
        "by_time": _by_time(first),
        "faults": [
            {key: value for key, value in dataclasses.asdict(f).items() if key in _keys_of(f.kind)}
            for f in s.faults
        ],
        "window": {"day": s.run.day, "begin": s.run.begin, "hours": s.run.hours},
        "parameters": [
            {
                "key": f"{section}.{f.name}",
                "value": getattr(getattr(s, section), f.name),
                "unit": f.metadata["unit"],
                "meaning": f.metadata["meaning"],
                "source": s.sources[f"{section}.{f.name}"].text,
                "file": s.sources[f"{section}.{f.name}"].file,
            }
            for section, cls in SECTIONS.items()
            for f in dataclasses.fields(cls)
        ],
    }


def _keys_of(kind: str) -> set[str]:
    return {"kind", "at", "seconds", "source", *FAULTS[kind]}


def _within(outcome: Outcome, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The samples of the window, without the drain after it."""
    return outcome.column(column)[outcome.column("seconds") <= outcome.seconds]


def _over_seeds(study: Study, of: Callable[[Outcome], float | None]) -> dict[str, float | None]:
    """The median over the seeds and the band; None where a seed has no value."""
    values = [of(o) for o in study.outcomes]
    known = [float(v) for v in values if v is not None]
    if len(known) < len(values):
        return {"value": None, "low": None, "high": None}
    low, high = band(known)
    return {"value": float(np.median(known)), "low": low, "high": high}


def _drain(study: Study, outcome: Outcome) -> float | None:
    return drained_after(
        outcome.column("seconds"), outcome.column("score_lag_s"), study.scenario.slo.scored_p99_s
    )


def _bias(study: Study) -> dict[str, Any] | None:
    if study.bias is None:
        return None
    return {
        "thin": study.bias.thin,
        "at_s": study.bias.at_s,
        "seconds": study.bias.seconds,
        "full_s": study.bias.full,
        "thinned_s": study.bias.thinned,
        "ratio": study.bias.ratio,
    }


def _cost(study: Study) -> dict[str, float]:
    """Rupees for a crore of statements, at the load of the window."""
    s, cost = study.scenario.system, study.scenario.cost
    own = s.edge_cores + s.worker_cores + s.postgresql_cores + (2 * s.brokers if s.log == "kafka" else 0)
    cores = s.shared_cores or own
    hours = study.outcomes[0].seconds / 3600.0
    crores = max(study.statements, 1) / 1e7
    return {
        "cores": float(cores),
        "cores_inr_per_crore": cores * hours * cost.core_hour_inr / crores,
        "storage_gb_per_crore": cost.statement_bytes * 1e7 / 1e9,
        "storage_inr_per_crore_month": cost.statement_bytes * 1e7 / 1e9 * cost.gb_month_inr,
    }


def _series(outcome: Outcome, points: int = 720) -> dict[str, list[float]]:
    """The samples of the first seed, a few hundred of them: of each group the largest."""
    rows = outcome.series
    group = max(1, -(-len(rows) // points))
    padded = rows[: len(rows) // group * group] if len(rows) >= group else rows
    folded = padded.reshape(-1, group, rows.shape[1]).max(axis=1)
    return {name: [round(float(v), 6) for v in folded[:, i]] for i, name in enumerate(SERIES)}


def _by_time(outcome: Outcome) -> dict[str, list[float | None]]:
    """Quantiles of each latency in each slot of the window, counted from when it began; None: nothing."""
    slot = outcome.seconds / SLOTS
    table: dict[str, list[float | None]] = {"seconds": [round((i + 0.5) * slot, 3) for i in range(SLOTS)]}
    for place, name in enumerate(LATENCIES):
        for q in (0.5, 0.99):
            table[f"{name} {quantile_name(q)}"] = [
                quantile(outcome.histogram[place, i], q) for i in range(SLOTS)
            ]
    return table
