"""Levels that are kept: what was read out for whom, so that a change of it is seen when it happens.

The level of a competency changes by evidence, and by time alone. Beside the accumulators stands what
was last read out, and from which day on to look again. Evidence changes both, without a search for
the day (it costs a hundred times as much as the level); the first look after that searches it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.catalogue import LEVELS
from lrs.scoring.competency import DELTA
from lrs.scoring.kernel import kernel
from lrs.scoring.readout import (
    NEVER,
    POLICY,
    UNCALIBRATED,
    Calibration,
    Policy,
    level_of,
    next_change_of,
    sum_competency,
)
from lrs.scoring.table import Tables

LEVEL: Final = np.dtype(
    [
        ("agent", "<i8"),
        ("competency", "<i8"),
        ("level", "<i8"),  # 0: none
        ("look_again", "<i8"),  # a day on which it may differ if nothing happens; NEVER
    ]
)
"""The level of one learner in one competency, as it was read out."""

UNREAD: Final = -2
"""As a level, or as a day on which to look again: it was never read out."""

ACCUMULATED: Final = np.dtype(
    [*((name, DELTA[name]) for name in DELTA.names or ()), ("stood", "<i8"), ("look_again", "<i8")]
)
"""A stored accumulator; and what was last read out of it and the others of its competency, as in LEVEL."""


def read_levels(
    accumulators: npt.NDArray[np.void],
    day: int,
    tables: Tables,
    *,
    search: bool,
    policy: Policy = POLICY,
    calibration: Calibration = UNCALIBRATED,
) -> npt.NDArray[np.void]:
    """The LEVEL on `day` of each (agent, competency) in the accumulators, sorted; DELTA rows in any
    order, those of one accumulator are summed.

    `search`: `look_again` is the very day of the next change; otherwise it is the next day where there
    may ever be one. Competencies that the catalogue does not know are left out.
    """
    rows = accumulators[np.isin(accumulators["competency"], tables.competencies["competency"])]
    rows = rows[np.lexsort((rows["competency"], rows["agent"]))]
    place = np.searchsorted(tables.competencies["competency"], rows["competency"])
    half_lives = np.ascontiguousarray(tables.competencies["half_life"][place])
    out = np.empty(len(rows), LEVEL)
    return out[: _read(rows, half_lives, day, search, *policy.arrays(), calibration.points, out)]


def changed_levels(
    stored: npt.NDArray[np.void], changes: npt.NDArray[np.void], day: int, tables: Tables
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """The LEVEL of every (agent, competency) among the changes (DELTA), after them and before.

    `stored`: every accumulator of these competencies as it was (ACCUMULATED). What was never read out
    stood where it would stand on that day, with UNREAD as `look_again`.
    """
    old = np.empty(len(stored), DELTA)
    for name in DELTA.names or ():
        old[name] = stored[name]
    after = read_levels(np.concatenate([old, changes]), day, tables, search=False)
    pairs = zip(stored["agent"].tolist(), stored["competency"].tolist(), strict=True)
    read = zip(stored["stood"].tolist(), stored["look_again"].tolist(), strict=True)
    stood = dict(zip(pairs, read, strict=True))
    unread = stored["stood"] == UNREAD
    if unread.any():
        for agent, competency, level, _ in read_levels(old[unread], day, tables, search=False).tolist():
            stood[agent, competency] = level, UNREAD
    before = after.copy()
    for row, pair in enumerate(zip(after["agent"].tolist(), after["competency"].tolist(), strict=True)):
        before["level"][row], before["look_again"][row] = stood.get(pair, (0, UNREAD))
    return after, before


@kernel
def _read(
    rows: npt.NDArray[np.void],
    half_lives: npt.NDArray[np.int64],
    day: int,
    search: bool,
    parameters: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    caps: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    out: npt.NDArray[np.void],
) -> int:
    sums = np.empty((3, LEVELS, len(weights)), np.int64)
    raw = np.empty(LEVELS)
    count, start = 0, 0
    while start < len(rows):
        head = rows[start]
        stop = sum_competency(rows, start, sums)
        totals = sums.astype(np.float64)
        reached, capped = level_of(totals, half_lives[start], day, parameters, weights, caps, points, raw)
        again = NEVER
        if search:
            again = next_change_of(totals, half_lives[start], day, parameters, weights, caps, points, raw)
        elif reached > 0 or capped:
            again = day + 1
        found = out[count]
        found["agent"], found["competency"] = head["agent"], head["competency"]
        found["level"], found["look_again"] = reached, again
        count += 1
        start = stop
    return count
