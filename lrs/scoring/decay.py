"""Forward decay in integers (Cormode et al., ICDE 2009): newer evidence weighs more, nothing is rescaled.

With d = UTC days of the effective time since the landmark and H = half-life in days:

    u = floor(256 d / H)        gain(w) = ((w * LUT[u & 255]) >> 8) << (u >> 8)

is w (in 256ths) times 2^16 times 2^(d/H), to 0.3 per cent. The read-out divides by 2^16 2^(t/H).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lrs.scoring.event import LANDMARK_US, ONE
from lrs.scoring.kernel import kernel

DAY_US: Final = 86_400_000_000
WEIGHT_ONE: Final = 256
"""A weight of 1."""

LUT: Final = np.round(2.0 ** (16 + np.arange(256) / 256)).astype(np.int64)
"""2^(16 + i/256), rounded."""

HORIZON_DAYS: Final = 7305
"""20 years of 365.25 days: how long an accumulator must hold."""
HORIZON_UNITS: Final = 1 << 20
"""How many full-score units of weight 1 it must hold then."""

_LIMIT: Final = (1 << 63) - 1


class OverflowedError(OverflowError):
    """Accumulators do not fit 64 bits; they must be rebuilt under a later landmark."""


def gain(weight: int, day: int, half_life: int) -> int:
    """The decayed weight, exactly, in unbounded integers; `weight` in 256ths."""
    steps = 256 * max(day, 0) // half_life
    return ((weight * int(LUT[steps & 255])) >> 8) << (steps >> 8)


def capacity(half_life: int, day: int = HORIZON_DAYS) -> int:
    """How many units of weight 1 and score 1 an accumulator can take on that day."""
    return _LIMIT // (gain(WEIGHT_ONE, day, half_life) * ONE)


@kernel
def day_of(effective: int) -> int:
    """UTC days of an effective time since the landmark, never negative."""
    return max(effective - LANDMARK_US, 0) // DAY_US


@kernel
def gain_or_overflow(weight: int, day: int, half_life: int) -> int:
    """`gain` in 64 bits; -1 where ONE times it would leave them."""
    steps = 256 * day // half_life
    mantissa = (weight * LUT[steps & 255]) >> 8
    shift = steps >> 8
    if shift > 62 or mantissa > (_LIMIT // ONE) >> shift:
        return -1
    return mantissa << shift
