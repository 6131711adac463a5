"""Running the kernels over a body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lrs.xapi.kernel import reading
from lrs.xapi.kernel.findings import COLUMNS, ID_BYTES
from lrs.xapi.kernel.tape import FREE, FULL, LENGTH, STATE, WIDTH
from lrs.xapi.rules import Rule
from lrs.xapi.version import Version

MOST_VALUES = 1 << 20
"""So many JSON values may one statement have; it bounds the memory that a hostile one takes (100 MB)."""

ALL_RULES = np.ones(len(Rule) + 1, np.uint8)
"""Which rules are asked, by number: all."""

_FIRST_TAPE = 2048
_PADDING = 16
_SMALLEST_STATEMENT = 60
"""Octets; the shortest that is valid has 70."""
_LARGEST_BODY = 2**31 - 2**16


class Scan(NamedTuple):
    """What the kernels left behind.

    ``verdict`` is how many values there are, or the rule broken, negative; ``buffer`` the body and what
    was written after it; ``tape`` the nodes of the last value; the others have a row for each value.
    """

    verdict: int
    buffer: npt.NDArray[np.uint8]
    tape: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint8]
    findings: npt.NDArray[np.int32]
    state: npt.NDArray[np.int64]


def scan(
    body: bytes, form: int, version: Version, most: int = 1, on: npt.NDArray[np.uint8] = ALL_RULES
) -> Scan:
    """Read up to ``most`` values of a form, reading.STATEMENT or reading.AGENT, by the rules ``on``."""
    size = len(body)
    if size > _LARGEST_BODY:
        raise ValueError(f"a body of {size} octets; {_LARGEST_BODY} is the most")
    buffer = np.empty(6 * size + 4096, np.uint8)
    buffer[:size] = np.frombuffer(body, np.uint8)
    buffer[size : size + _PADDING] = 0
    values = max(1, min(most, size // _SMALLEST_STATEMENT + 1))
    rows, ids = np.empty((values, COLUMNS), np.int64), np.empty((values, ID_BYTES), np.uint8)
    findings, state = np.empty((size // 8 + 64, 3), np.int32), np.empty(STATE, np.int64)
    nodes = min(size // 2, _FIRST_TAPE) + 16
    while True:
        tape, hashes, spans = (
            np.empty((nodes, WIDTH), np.int32),
            np.empty(nodes, np.int64),
            np.empty(6 * nodes, np.int64),
        )
        state[:] = 0
        state[FREE], state[LENGTH] = size + _PADDING, size
        v2 = version is Version.V2_0_0
        count = reading.read(buffer, form, v2, most, on, tape, hashes, spans, rows, ids, findings, state)
        if count == FULL and nodes > MOST_VALUES:
            count = -Rule.TOO_MANY_VALUES
        if count != FULL:
            return Scan(count, buffer, tape, rows, ids, findings, state)
        nodes = min(size // 2, MOST_VALUES) + 16
