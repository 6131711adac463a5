"""Worker processes on the PostgreSQL log: killed, stopped and woken, cut off; each record counts once."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lrs.log.port import STATEMENTS
from lrs.log.postgres import PostgresLog
from lrs.store.lease import Leases, offsets
from tests.stream.counting import counted, create_table
from tests.stream.process import FAILED, PARTITIONS
from tests.stream.processes import Workers, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.crash

TAKE_OVER = 10.0
"""Seconds within which a dead worker's partitions must be another's."""


def value(number: int) -> bytes:
    """The value of a record with this number; values sort as numbers do."""
    return b"%08d" % number


class Feed:
    """Appends a record each few milliseconds, to all partitions in turn."""

    def __init__(self, log: PostgresLog) -> None:
        self._log = log
        self.number = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self._log.append(self.number % PARTITIONS, value(self.number), 1)
            self.number += 1
            await asyncio.sleep(0.003)

    async def stop(self) -> None:
        """Append no more; what was begun may be there."""
        self._task.cancel()
        await asyncio.wait({self._task})


@pytest.fixture
async def log(pool: asyncpg.Pool) -> PostgresLog:
    """An empty log, the table of what was counted, and the stage's rows."""
    await create_table(pool)
    await Leases(pool, "count", "").ensure(STATEMENTS, PARTITIONS)
    return await PostgresLog.open(pool, STATEMENTS, PARTITIONS)


@pytest.fixture
async def feed(log: PostgresLog) -> AsyncIterator[Feed]:
    """Records that keep coming."""
    feed = Feed(log)
    yield feed
    await feed.stop()


@pytest.fixture
def workers(pool: asyncpg.Pool, database: str, tmp_path: Path) -> Iterator[Workers]:
    """Worker processes; none is left."""
    workers = Workers(pool, database, "pglog://", tmp_path)
    yield workers
    workers.kill_all()


async def check(pool: asyncpg.Pool, log: PostgresLog, feed: Feed) -> None:
    """Everything that is in the log was counted, once, and each partition by epochs that grow."""
    await feed.stop()
    ends = await log.ends()

    async def done() -> bool:
        at = {each.partition: each.next_offset for each in await offsets(pool)}
        return all(at[partition] >= end.end for partition, end in ends.items())

    await until(done, 20)
    values = await counted(pool)
    assert values == [value(number) for number in range(len(values))]
    assert len(values) >= feed.number > 0
    backwards = await pool.fetchval(
        "select count(*) from ("
        " select epoch - lag(epoch) over (partition by partition order by log_offset) as step from counted"
        ") counted where step < 0"
    )
    assert backwards == 0


async def test_a_killed_workers_partitions_are_taken_over_and_nothing_is_lost_or_counted_twice(
    pool: asyncpg.Pool, log: PostgresLog, feed: Feed, workers: Workers
) -> None:
    workers.start("one")
    await workers.own("one")
    workers.start("two")
    await workers.own("one", "two")
    await asyncio.sleep(0.5)
    workers.signal("one", signal.SIGKILL)
    assert await workers.own("two") < TAKE_OVER
    workers.start("three")
    await workers.own("two", "three")
    workers.signal("two", signal.SIGKILL)
    assert await workers.own("three") < TAKE_OVER
    await check(pool, log, feed)
    workers.signal("three", signal.SIGTERM)
    assert await workers.ended("three", 4.0) == 0
    assert workers.errors("three") == ""


async def test_a_zombie_that_wakes_up_is_refused_says_so_and_stops(
    pool: asyncpg.Pool, log: PostgresLog, feed: Feed, workers: Workers
) -> None:
    workers.start("zombie")
    await workers.own("zombie")
    await asyncio.sleep(0.5)
    workers.signal("zombie", signal.SIGSTOP)
    workers.start("heir")
    assert await workers.own("heir") < TAKE_OVER
    await asyncio.sleep(0.5)
    workers.signal("zombie", signal.SIGCONT)
    assert await workers.ended("zombie") == FAILED
    # It is refused at the fence, or, stopped in the middle of a transaction, finds that the server
    # ended it; the last words are the driver's for the same.
    refusals = (
        *("Fenced", "IdleInTransaction", "ConnectionDoesNotExist"),
        *("underlying connection is closed", "InternalClientError"),
    )
    assert any(said in workers.errors("zombie") for said in refusals), workers.errors("zombie")
    await check(pool, log, feed)


async def test_a_worker_that_loses_its_connections_stops_and_another_goes_on(
    pool: asyncpg.Pool, log: PostgresLog, feed: Feed, workers: Workers
) -> None:
    workers.start("one")
    await workers.own("one")
    await asyncio.sleep(0.5)
    await pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'one'"
    )
    assert await workers.ended("one") == FAILED
    workers.start("two")
    assert await workers.own("two") < TAKE_OVER
    await check(pool, log, feed)
