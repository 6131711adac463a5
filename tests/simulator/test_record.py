from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from simulator.compiled import F64, I64, kernel
from simulator.record import layout, new_record


class _Some:
    whole: int
    fraction: float
    table: Annotated[F64, 2, 3]
    list_: Annotated[I64, 4]


@kernel
def _fill(r: _Some) -> None:
    r.whole = 7
    r.fraction += 0.5
    r.table[1, 2] = 3.0
    r.list_[3] += 1


def test_what_a_kernel_writes_python_reads() -> None:
    record = new_record(_Some)
    _fill(record)
    _fill(record)
    assert (record.whole, record.fraction, record.table[1, 2], record.list_[3]) == (7, 1.0, 3.0, 2)
    assert layout(_Some).itemsize == 8 * (1 + 1 + 6 + 4)


def test_a_name_that_numpy_uses_is_refused() -> None:
    class Bad:
        size: int

    with pytest.raises(TypeError, match=r"Bad\.size"):
        new_record(Bad)
    assert hasattr(np.record, "size")
