"""The log in memory keeps the contract, with and without gaps between its offsets."""

from __future__ import annotations

import pytest

from lrs.log.memory import MemoryLog
from lrs.log.port import LogUnavailable
from tests.log.contract import PARTITIONS, LogContract, NewLog


def new_memory_log(stride: int) -> NewLog:
    """Makes logs whose offsets are `stride` apart."""

    async def new(topic: str = "statements") -> MemoryLog:
        return MemoryLog(topic, PARTITIONS, stride=stride)

    return new


class TestMemoryLog(LogContract):
    @pytest.fixture
    async def new_log(self) -> NewLog:
        return new_memory_log(1)


class TestMemoryLogWithGaps(LogContract):
    @pytest.fixture
    async def new_log(self) -> NewLog:
        return new_memory_log(3)


async def test_a_log_that_is_away_says_so() -> None:
    log = MemoryLog("statements", 1)
    log.away = True
    with pytest.raises(LogUnavailable):
        await log.append(0, b"frame", 1)


async def test_instants_increase_even_when_the_clock_stands_still_or_goes_back() -> None:
    times = iter([100, 100, 50, 1000])
    log = MemoryLog("statements", 1, clock=lambda: next(times))
    assert [(await log.append(0, b"frame", 3)).end for _ in range(4)] == [100, 103, 106, 1000]
