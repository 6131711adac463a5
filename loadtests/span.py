"""When requests were under way: what a sender knows of the moment at which a statement was stored."""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Ticks = npt.NDArray[np.uint32]
Instants = npt.NDArray[np.int64]

TICK_US: Final = 100
"""Microseconds of a tick: 32 bits last for five days."""

_LAST: Final = (1 << 32) - 1
_PER_SECOND: Final = 1_000_000 // TICK_US


class Spans:
    """From when until when each of some requests was under way: begun before its first attempt, ended after
    its final answer, or when it was given up. In ticks since the run began; eight bytes a request."""

    def __init__(self, begun: Ticks, ended: Ticks) -> None:
        self.begun, self.ended = begun, ended

    @classmethod
    def of(cls, requests: int) -> Self:
        """Of requests of which nothing is known: they may have been under way at any time."""
        return cls(np.zeros(requests, np.uint32), np.full(requests, _LAST, np.uint32))

    def note(self, place: int, begun: float, ended: float) -> None:
        """One request was under way from `begun` to `ended`, seconds since the run began."""
        self.begun[place] = max(0, math.floor(begun * _PER_SECOND))
        self.ended[place] = min(_LAST, math.ceil(ended * _PER_SECOND))

    def packed(self) -> bytes:
        """As bytes that `unpacked` reads."""
        return self.begun.astype("<u4").tobytes() + self.ended.astype("<u4").tobytes()

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """What `packed` gave."""
        begun, ended = np.frombuffer(content, "<u4").astype(np.uint32).reshape(2, -1)
        return cls(begun, ended)
