"""Read-out: from accumulators to competency levels, for a day. All policy is here, none in the evidence.

With delta = 2^(-t/H) 2^-16 on day t since the landmark (Asia/Kolkata), per level and class:

    A' = clip(A + reference W - E, 0, 10^4 W), and W and A' times min(1, cap / (delta W))
    a_l = a0 + delta 10^-4 sum over levels >= l of weight A'
    b_l = b0 + delta 10^-4 sum over levels <= l of weight (10^4 W - A')
    P_l = I_{1-m}(b_l, a_l), the probability that the share of ability exceeds m

and the level is the greatest l whose published probability g(P_l) is at least gamma. P_l falls with l.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.beta import incomplete_beta
from lrs.scoring.catalogue import LEVELS, EvidenceClass
from lrs.scoring.decay import DAY_US
from lrs.scoring.event import LANDMARK_US, ONE
from lrs.scoring.fact import REFERENCE_SCORE
from lrs.scoring.kernel import kernel
from lrs.scoring.table import Tables

KOLKATA_US: Final = 19_800_000_000
"""Asia/Kolkata is UTC+05:30, without summer time."""

_FADED: Final = 64
"""After so many half-lives nothing is left of what 64 bits can hold."""

NEVER: Final = -1
"""As next_change: the level stays as it is."""

STANDING: Final = np.dtype(
    [
        ("agent", "<i8"),
        ("competency", "<i8"),
        ("level", "<i4"),  # 0: none
        ("claimed", "<i4"),  # the highest level of a self-claim; 0: none
        ("next_change", "<i8"),  # the day on which the level will differ if nothing happens; NEVER
        ("raw", "<f8", (LEVELS,)),  # P_l
        ("probability", "<f8", (LEVELS,)),  # g(P_l), as published
    ]
)
"""Where one learner stands in one competency on a day."""


@dataclass(frozen=True)
class Policy:
    """The parameters of the read-out. `weights` and `caps` by EvidenceClass; a cap is in full weights
    of 1 per level and class."""

    version: int = 1
    a0: float = 0.5
    b0: float = 1.0
    m: float = 0.6
    gamma: float = 0.8
    weights: tuple[float, ...] = (8.0, 4.0, 2.0, 0.25, 0.0)
    caps: tuple[float, ...] = (8.0, 8.0, 8.0, 2.0, 0.0)

    def arrays(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """For kernels."""
        parameters = np.array([self.a0, self.b0, self.m, self.gamma])
        return parameters, np.array(self.weights), np.array(self.caps)


@dataclass(frozen=True)
class Calibration:
    """g: a monotone map from P to the published probability, linear between its points. It is the
    identity until it is fitted; a fit has a version of its own."""

    version: int = 0
    raw: tuple[float, ...] = (0.0, 1.0)
    published: tuple[float, ...] = (0.0, 1.0)
    _points: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        points = np.array([self.raw, self.published])
        rises = (np.diff(points[0]) > 0).all() and (np.diff(points[1]) >= 0).all()
        if points.shape[1] < 2 or not rises or points[0, 0] != 0 or points[0, -1] != 1:
            raise ValueError(
                f"calibration {self.version}: raw must rise from 0 to 1, published must not fall"
            )
        object.__setattr__(self, "_points", points)

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """For kernels: raw and published."""
        return self._points


POLICY: Final = Policy()
UNCALIBRATED: Final = Calibration()


def day_in_kolkata(instant: int) -> int:
    """The day since the landmark, in Asia/Kolkata, of an instant in microseconds since 1970."""
    return (instant - LANDMARK_US + KOLKATA_US) // DAY_US


def read_out(
    accumulators: npt.NDArray[np.void],
    day: int,
    tables: Tables,
    policy: Policy = POLICY,
    calibration: Calibration = UNCALIBRATED,
) -> npt.NDArray[np.void]:
    """The STANDING of each (agent, competency) in the accumulators (DELTA rows, in any order) on `day`.

    Competencies that the catalogue does not know are left out.
    """
    known = np.isin(accumulators["competency"], tables.competencies["competency"])
    rows = accumulators[known]
    rows = rows[np.lexsort((rows["competency"], rows["agent"]))]
    place = np.searchsorted(tables.competencies["competency"], rows["competency"])
    half_lives = np.ascontiguousarray(tables.competencies["half_life"][place])
    out = np.empty(len(rows), STANDING)
    return out[: _read_all(rows, half_lives, day, *policy.arrays(), calibration.points, out)]


@kernel
def _read_all(
    rows: npt.NDArray[np.void],
    half_lives: npt.NDArray[np.int64],
    day: int,
    parameters: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    caps: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    out: npt.NDArray[np.void],
) -> int:
    totals = np.empty((3, LEVELS, len(weights)))
    raw = np.empty(LEVELS)
    count, start = 0, 0
    while start < len(rows):
        head = rows[start]
        stop = sum_competency(rows, start, totals)
        claimed = 0
        for row in rows[start:stop]:
            if row["evidence"] == EvidenceClass.SELF_CLAIM and row["w"] > 0:
                claimed = max(claimed, row["level"])
        standing = out[count]
        standing["agent"], standing["competency"], standing["claimed"] = (
            head["agent"],
            head["competency"],
            claimed,
        )
        standing["next_change"] = next_change_of(
            totals, half_lives[start], day, parameters, weights, caps, points, raw
        )
        level, _ = level_of(totals, half_lives[start], day, parameters, weights, caps, points, raw)
        standing["level"] = level
        for i in range(LEVELS):
            standing["raw"][i], standing["probability"][i] = raw[i], _published(raw[i], points)
        count += 1
        start = stop
    return count


@kernel
def sum_competency(
    rows: npt.NDArray[np.void],
    start: int,
    sums: npt.NDArray[np.int64] | npt.NDArray[np.float64],
) -> int:
    """Put W, A and E by level and evidence class, of the (agent, competency) whose accumulators (DELTA,
    sorted) begin at `start`, into `sums`; where those of the next one begin."""
    head = rows[start]
    sums[:] = 0
    stop = start
    while stop < len(rows):
        row = rows[stop]
        if row["agent"] != head["agent"] or row["competency"] != head["competency"]:
            break
        level, evidence = row["level"] - 1, row["evidence"]
        sums[0, level, evidence] += row["w"]
        sums[1, level, evidence] += row["a"]
        sums[2, level, evidence] += row["e"]
        stop += 1
    return stop


@kernel
def level_of(
    totals: npt.NDArray[np.float64],
    half_life: int,
    day: int,
    parameters: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    caps: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    raw: npt.NDArray[np.float64],
) -> tuple[int, bool]:
    """The level, with P_l put into `raw`; and whether any cap that matters was at work."""
    delta = 2.0 ** (-day / half_life - 16.0)
    gained, missed = np.zeros(LEVELS), np.zeros(LEVELS)
    capped = False
    for level in range(LEVELS):
        for evidence in range(len(weights)):
            w = totals[0, level, evidence]
            if w <= 0.0 or weights[evidence] == 0.0:
                continue
            a = totals[1, level, evidence] + REFERENCE_SCORE * w - totals[2, level, evidence]
            a = min(max(a, 0.0), ONE * w)
            scale = weights[evidence] * delta / ONE
            if delta * w > caps[evidence]:
                scale *= caps[evidence] / (delta * w)
                capped = True
            gained[level] += scale * a
            missed[level] += scale * (ONE * w - a)
    a, b = parameters[0] + gained.sum(), parameters[1]
    found = 0
    for level in range(LEVELS):
        b += missed[level]
        raw[level] = incomplete_beta(b, max(a, parameters[0]), 1.0 - parameters[2])
        if _published(raw[level], points) >= parameters[3]:
            found = level + 1
        a -= gained[level]
    return found, capped


@kernel
def next_change_of(
    totals: npt.NDArray[np.float64],
    half_life: int,
    day: int,
    parameters: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    caps: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    raw: npt.NDArray[np.float64],
) -> int:
    """The first day after `day` with another level, in steps of 1/32 half-life and then by halving.

    Without evidence or with none that is capped, level 0 is for ever: what is left fades alike.
    """
    now, capped = level_of(totals, half_life, day, parameters, weights, caps, points, raw)
    low, step = day, max(half_life // 32, 1)
    while (now > 0 or capped) and low < day + _FADED * half_life:
        high = low + step
        then, capped = level_of(totals, half_life, high, parameters, weights, caps, points, raw)
        if then != now:
            while high - low > 1:
                middle = (low + high) // 2
                then, _ = level_of(totals, half_life, middle, parameters, weights, caps, points, raw)
                if then == now:
                    low = middle
                else:
                    high = middle
            return high
        low = high
    return NEVER


@kernel
def _published(raw: float, points: npt.NDArray[np.float64]) -> float:
    for i in range(1, points.shape[1]):
        if raw <= points[0, i]:
            share = (raw - points[0, i - 1]) / (points[0, i] - points[0, i - 1])
            return points[1, i - 1] + share * (points[1, i] - points[1, i - 1])
    return points[1, points.shape[1] - 1]
