"""The one way in which this package compiles: numba, cached on disk, without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from lrs.compilation import keep, stamp

P = ParamSpec("P")
R = TypeVar("R")

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_STAMP = stamp(Path(__file__).parent.rglob("*.py"))


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use; the machine code is cached beside the module for the next process."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(Callable[P, R], keep(compiled, _STAMP))
