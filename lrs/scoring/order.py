"""Sorting in kernels: indices by rows of integer keys, in O(n log n) whatever a sender contrives."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lrs.scoring.kernel import kernel

_SHORT = 24
_SIGN = np.uint64(1 << 63)


@kernel
def unsigned(value: int) -> Any:
    """A signed integer as one that sorts alike without sign."""
    return np.uint64(value) ^ _SIGN


@kernel
def _before(keys: npt.NDArray[np.uint64], left: int, right: int) -> bool:
    for column in range(keys.shape[1]):
        if keys[left, column] != keys[right, column]:
            return keys[left, column] < keys[right, column]
    return False


@kernel
def argsort_rows(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.int64]:
    """The indices of the first `count` rows in lexicographic order; equal rows keep theirs."""
    order = np.arange(count)
    for start in range(0, count, _SHORT):
        for i in range(start + 1, min(start + _SHORT, count)):
            item = order[i]
            j = i
            while j > start and _before(keys, item, order[j - 1]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = item
    if count <= _SHORT:
        return order
    other = np.empty(count, np.int64)
    width = _SHORT
    while width < count:
        for start in range(0, count, 2 * width):
            middle, stop = min(start + width, count), min(start + 2 * width, count)
            i, j = start, middle
            for k in range(start, stop):
                if i < middle and (j >= stop or not _before(keys, order[j], order[i])):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    return order
