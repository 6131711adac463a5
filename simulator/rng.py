"""Random numbers by counter: the k-th number of a stream is a function of (key, k) and of nothing else.

So a learner's life can be computed anywhere, in any order and by any number of shards, and is always the
same. The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from simulator.compiled import F64, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ULP = 1.0 / 9007199254740992.0
_TAIL = 0.02425
_A = (
    -39.69683028665376,
    220.9460984245205,
    -275.9285104469687,
    138.3577518672690,
    -30.66479806614716,
    2.506628277459239,
)
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572)
_C = (
    -0.007784894002430293,
    -0.3223964580411365,
    -2.400758277161838,
    -2.549732539343734,
    4.374664141464968,
    2.938163982698783,
)
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416)


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
    """The k-th number of a stream, standard normal.

    The inverse of the normal distribution by Acklam's rational approximations (2003), relative error 1.2e-9.
    """
    u = uniform(key, k)
    if u < _TAIL:
        return _tail(math.sqrt(-2.0 * math.log(u)))
    if u > 1.0 - _TAIL:
        return -_tail(math.sqrt(-2.0 * math.log(1.0 - u)))
    q = u - 0.5
    r = q * q
    top = ((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A[3]) * r + _A[4]) * r + _A[5]
    bottom = ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B[3]) * r + _B[4]) * r + 1.0
    return top * q / bottom


@kernel
def _tail(q: float) -> float:
    top = ((((_C[0] * q + _C[1]) * q + _C[2]) * q + _C[3]) * q + _C[4]) * q + _C[5]
    return top / ((((_D[0] * q + _D[1]) * q + _D[2]) * q + _D[3]) * q + 1.0)


def sigma(cv: float) -> float:
    """The parameter of a lognormal distribution with this coefficient of variation."""
    return math.sqrt(math.log(1.0 + cv * cv))


@kernel
def lognormal(key: np.uint64, k: int, sigma: float) -> float:
    """The k-th number of a stream, lognormal with mean 1; `sigma` is that of its logarithm."""
    return math.exp(sigma * normal(key, k) - 0.5 * sigma * sigma)


SHARES = 1024
_SHARE_BITS = np.uint64(54)


@cache
def shares(sigma: float) -> F64:
    """A lognormal distribution with mean 1, cut into SHARES equally likely pieces: the mean of each, for
    `lognormal_of`.
    """
    standard = NormalDist()
    edges = [standard.inv_cdf(share / SHARES) for share in range(1, SHARES)]
    below = [0.0, *(standard.cdf(edge - sigma) for edge in edges), 1.0]
    return np.diff(below) * SHARES


@kernel
def lognormal_of(means: F64, key: np.uint64, k: int, sigma: float) -> float:
    """As `lognormal`, several times as fast, from the `shares` of this sigma: a number of the middle becomes
    the mean of its share; in the two outermost, where a share is wide, it is itself.
    """
    share = word(key, k) >> _SHARE_BITS
    if 0 < share < SHARES - 1:
        return float(means[share])
    return lognormal(key, k, sigma)
