"""Which learner comes next: a bijection of all their numbers, so that none comes twice until all came.

A Feistel network permutes the numbers of 2h bits whatever its round function is; numbers beyond the
last learner are permuted again until they fall inside (cycle walking: Black and Rogaway, "Ciphers with
arbitrary finite domains", CT-RSA 2002). So a draw needs no memory and no agreement: whoever knows the
seed and the draw's number knows the learner, and processes that draw different numbers never share one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

LEARNERS: Final = 20_000_000
"""Two crore."""

_ROUNDS: Final = 6
_U64 = np.uint64
Numbers = npt.NDArray[np.uint64]


def identities(draws: npt.NDArray[np.int64], seed: int, learners: int = LEARNERS) -> npt.NDArray[np.int64]:
    """The learner (0 to `learners` - 1) of each draw; after `learners` draws they come again in the same
    order. Raises ValueError for a negative draw or no learners."""
    if learners < 1:
        raise ValueError(f"there must be a learner at least, not {learners}")
    if len(draws) and draws.min() < 0:
        raise ValueError(f"draws count from 0, not from {draws.min()}")
    half = _U64(max(1, (max(1, learners - 1).bit_length() + 1) // 2))
    keys = [_mixed(np.array([seed % (1 << 64)], _U64) + _U64(number))[0] for number in range(_ROUNDS)]
    found = _feistel((draws % learners).astype(_U64), half, keys)
    while len(outside := np.flatnonzero(found >= _U64(learners))):
        found[outside] = _feistel(found[outside], half, keys)
    return found.astype(np.int64)


def _feistel(numbers: Numbers, half: np.uint64, keys: list[np.uint64]) -> Numbers:
    mask = (_U64(1) << half) - _U64(1)
    left, right = numbers >> half, numbers & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half) | right


def _mixed(numbers: Numbers) -> Numbers:
    """SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = numbers + _U64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> _U64(27))) * _U64(0x94D049BB133111EB)
    return mixed ^ (mixed >> _U64(31))
