"""Running the kernels over a body."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lrs.xapi.kernel import reading
from lrs.xapi.kernel.findings import COLUMNS, ID_BYTES
from lrs.xapi.kernel.layout import FREE, FULL, LENGTH, STATE, WIDTH
from lrs.xapi.rules import Rule
from lrs.xapi.version import Version

MOST_VALUES = 1 << 19
"""So many JSON values and names may one statement have, as fit into 1 MB; they take up to 50 MB."""

ALL_RULES = np.ones(len(Rule) + 1, np.uint8)
"""Which rules are asked, by number: all."""

_PADDING = 16
_SMALLEST_STATEMENT = 60
"""Octets; the shortest that is valid has 70."""
_LARGEST_BODY = 2**31 - 2**16
_ORDINARY_BODY = 1 << 17
_ORDINARY_TAPE = 2048


class Scan(NamedTuple):
    """What the kernels left behind. It is overwritten by the next scan of the same thread.

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


class _Workspace:
    """The arrays for a body of up to ``size`` octets with up to ``nodes`` values in one statement."""

    def __init__(self, size: int = _ORDINARY_BODY, nodes: int = _ORDINARY_TAPE) -> None:
        rows = size // _SMALLEST_STATEMENT + 1
        self.buffer = np.empty(6 * size + 4096, np.uint8)
        self.rows = np.empty((rows, COLUMNS), np.int64)
        self.ids = np.empty((rows, ID_BYTES), np.uint8)
        self.findings = np.empty((size // 8 + 64, 3), np.int32)
        self.state = np.zeros(STATE, np.int64)
        self.tape = np.empty((nodes + 16, WIDTH), np.int32)
        self.hashes = np.empty(nodes + 16, np.int64)
        self.spans = np.empty(6 * (nodes + 16), np.int64)


class _PerThread(threading.local):
    """Each thread keeps what ordinary bodies need (2 MB)."""

    def __init__(self) -> None:
        self.work = _Workspace()


_ordinary = _PerThread()


def scan(
    body: bytes, form: int, version: Version, most: int = 1, on: npt.NDArray[np.uint8] = ALL_RULES
) -> Scan:
    """Read up to ``most`` values of a form, reading.STATEMENT or reading.AGENT, by the rules ``on``."""
    size = len(body)
    if size > _LARGEST_BODY:
        raise ValueError(f"a body of {size} octets; {_LARGEST_BODY} is the most")
    work = _ordinary.work if size <= _ORDINARY_BODY else _Workspace(size)
    verdict = _read(work, body, form, version, most, on)
    if verdict == FULL:
        work = _Workspace(size, min(size // 2, MOST_VALUES))
        verdict = _read(work, body, form, version, most, on)
    if verdict == FULL:
        verdict = -Rule.TOO_MANY_VALUES
    return Scan(verdict, work.buffer, work.tape, work.rows, work.ids, work.findings, work.state)


def _read(
    work: _Workspace, body: bytes, form: int, version: Version, most: int, on: npt.NDArray[np.uint8]
) -> int:
    size = len(body)
    work.buffer[:size] = np.frombuffer(body, np.uint8)
    work.buffer[size : size + _PADDING] = 0
    work.state[FREE], work.state[LENGTH] = size + _PADDING, size
    verdict: int = reading.read(
        *(work.buffer, form, version is Version.V2_0_0, most, on, work.tape, work.hashes, work.spans),
        *(work.rows, work.ids, work.findings, work.state),
    )
    return verdict
