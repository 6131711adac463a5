"""Records: many numbers and arrays behind one pointer, declared once, as a class.

A kernel that is given a tuple of fifty arrays spends microseconds on passing it on; a record it passes on for
nothing. A field is an `int`, a `float`, or an array of fixed size: `Annotated[F64, 3, 16]`. Arrays that are
not used cost address space, not memory.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast, get_args, get_type_hints

import numpy as np

from simulator.compiled import F64, I32, I64, U8, U64

R = TypeVar("R")
_SCALARS = {int: "i8", float: "f8"}
_ARRAYS = ((F64, "f8"), (I64, "i8"), (I32, "i4"), (U64, "u8"), (U8, "u1"))


def layout(cls: type) -> np.dtype[np.void]:
    """The numpy type of a record class."""
    fields: list[tuple[str, str, tuple[int, ...]]] = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if hasattr(np.record, name):
            raise TypeError(f"{cls.__name__}.{name}: numpy's own records have an attribute of that name")
        if hint in _SCALARS:
            fields.append((name, _SCALARS[hint], ()))
        else:
            array, *shape = get_args(hint)
            fields.append((name, next(kind for known, kind in _ARRAYS if known == array), tuple(shape)))
    return np.dtype(fields)


def new_record(cls: type[R]) -> R:
    """A record of a class, all zeros. It is a view; what a kernel writes, Python reads."""
    made: Any = np.zeros(1, layout(cls)).view(np.recarray)[0]
    return cast(R, made)
