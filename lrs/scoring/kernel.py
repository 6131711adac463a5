"""Kernels: the one way in which this package compiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba import njit

from lrs.compilation import keep, stamp

F = TypeVar("F", bound=Callable[..., Any])

_STAMP: Final = stamp(Path(__file__).parent.glob("*.py"))


def kernel(function: F) -> F:
    """Compile on first use, without the interpreter lock; the machine code is kept for the next process."""
    return cast(F, keep(njit(nogil=True, cache=True)(function), _STAMP))
