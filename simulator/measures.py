"""Quantiles out of histograms, bands over seeds, and when a backlog had drained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.compiled import F64, I64
from simulator.engine.state import BUCKETS, BUCKETS_PER_OCTAVE, SMALLEST

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
MIDDLES = SMALLEST * 2.0 ** ((np.arange(BUCKETS) + 0.5) / BUCKETS_PER_OCTAVE)
"""The seconds for which each bucket of a histogram stands; off by 0.55 % at most."""


def quantile(histogram: I64, q: float) -> float | None:
    """The q-quantile of a histogram, in seconds; None if nothing was counted."""
    total = int(histogram.sum())
    if total == 0:
        return None
    return float(MIDDLES[int(np.searchsorted(np.cumsum(histogram), q * total))])


def quantile_name(q: float) -> str:
    """p50, p99, p99.9."""
    return f"p{q * 100:g}"


def quantiles(histogram: I64) -> dict[str, float | None]:
    """The usual quantiles of a histogram, in seconds."""
    return {quantile_name(q): quantile(histogram, q) for q in QUANTILES}


def band(values: Sequence[float]) -> tuple[float, float]:
    """The middle 90 % of the values of several seeds; of fewer than 20 it is, nearly, their whole range."""
    low, high = np.quantile(np.asarray(values, dtype=np.float64), (0.05, 0.95))
    return float(low), float(high)


def drained_after(times: F64, age: F64, threshold: float) -> float | None:
    """Seconds from the largest lag until the lag is within `threshold` again; 0 if it never exceeded it.

    None: it was still above the threshold at the end.
    """
    if len(age) == 0 or age.max() <= threshold:
        return 0.0
    worst = int(age.argmax())
    within = np.flatnonzero(age[worst:] <= threshold)
    return None if len(within) == 0 else float(times[worst + within[0]] - times[worst])


def over(times: F64, age: F64, threshold: float) -> float:
    """For how many seconds, in all, the lag was above `threshold`."""
    if len(times) < 2:
        return 0.0
    return float((age > threshold).sum() * (times[1] - times[0]))
