"""How far the stages are behind the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from lrs.store.lease import offsets

if TYPE_CHECKING:
    import asyncpg

    from lrs.log.port import Source


class Lag(msgspec.Struct, frozen=True):
    """One stage in one partition. `records` counts offsets between where it goes on and the log's
    end; `seconds` is the time between the instants of the log's newest record and the last one done."""

    stage: str
    partition: int
    owner: str | None
    next_offset: int
    end: int
    records: int
    seconds: float


async def lags(pool: asyncpg.Pool, logs: Mapping[str, Source]) -> list[Lag]:
    """The lag of every stage that ever ran, by stage and partition; `logs` by topic."""
    # The offsets first: a stage that moves on meanwhile then shows a lag too large, never below zero.
    async with pool.acquire() as connection:
        stages = await offsets(connection)
    # One that nobody reads any more (an intake that was switched off) has left its rows behind.
    stages = [stage for stage in stages if stage.topic in logs]
    ends = {topic: await logs[topic].ends() for topic in {stage.topic for stage in stages}}
    found = []
    for stage in stages:
        end = ends[stage.topic][stage.partition]
        records = end.end - stage.next_offset
        seconds = (end.last - stage.theta) / 1e6 if records and stage.theta else 0.0
        found.append(
            Lag(stage.stage, stage.partition, stage.owner, stage.next_offset, end.end, records, seconds)
        )
    return sorted(found, key=lambda lag: (lag.stage, lag.partition))
