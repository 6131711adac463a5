"""Random numbers by counter: the k-th number of a stream is a function of (key, k) and of nothing else.

So a learner's life can be computed anywhere, in any order and by any number of shards, and is always the
same. The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

from __future__ import annotations

import math

import numpy as np

from simulator.compiled import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ULP = 1.0 / 9007199254740992.0


@kernel
def mix(x: np.uint64) -> np.uint64:
    """A bijection of 64-bit words in which each input bit changes each output bit with probability 1/2."""
    x = (x ^ (x >> _S30)) * _M1
    x = (x ^ (x >> _S27)) * _M2
    return x ^ (x >> _S31)


@kernel
def child(key: np.uint64, index: int) -> np.uint64:
    """The key of the stream number `index` below `key`."""
    return mix(key ^ mix((np.uint64(index) + np.uint64(1)) * GOLDEN))


@kernel
def word(key: np.uint64, k: int) -> np.uint64:
    """The k-th 64-bit word of a stream."""
    return mix(key + np.uint64(k) * GOLDEN)


@kernel
def uniform(key: np.uint64, k: int) -> float:
    """The k-th number of a stream, uniform in (0, 1), never 0 and never 1."""
    return (float(word(key, k) >> _S11) + 0.5) * _ULP


@kernel
def exponential(key: np.uint64, k: int) -> float:
    """The k-th number of a stream, exponential with mean 1."""
    return -math.log(uniform(key, k))


@kernel
def normal(key: np.uint64, k: int) -> float:
    """A standard normal number from the numbers k and k + 1 of a stream (Box and Muller, 1958)."""
    return math.sqrt(2.0 * exponential(key, k)) * math.cos(6.283185307179586 * uniform(key, k + 1))


@kernel
def lognormal(key: np.uint64, k: int, cv: float) -> float:
    """A lognormal number with mean 1 and coefficient of variation `cv`, from the numbers k and k + 1."""
    if cv <= 0.0:
        return 1.0
    variance = math.log(1.0 + cv * cv)
    return math.exp(math.sqrt(variance) * normal(key, k) - 0.5 * variance)
