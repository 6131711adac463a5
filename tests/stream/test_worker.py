"""A worker on the PostgreSQL log: every record once, no partition waits for another, and it stops well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from faust.types import TP

from lrs.log.port import Fenced, OffsetOutOfLog
from lrs.log.postgres import PostgresLog
from lrs.store.lease import Leases, offsets
from lrs.stream.app import StageApp, stage_app
from lrs.stream.stage import StageObserver, Unobserved
from lrs.stream.worker import run
from tests.stream.counting import CountingStage, counted, create_table

PARTITIONS = 3


@pytest.fixture
async def log(pool: asyncpg.Pool) -> PostgresLog:
    """An empty log, and the table of what was counted."""
    await create_table(pool)
    return await PostgresLog.open(pool, "statements", PARTITIONS)


class Worker:
    """A worker in this process."""

    def __init__(
        self, pool: asyncpg.Pool, log: PostgresLog, name: str, observer: StageObserver | None = None
    ) -> None:
        self.stage = CountingStage(pool, name)
        self.leases = Leases(pool, self.stage.name, name, expiry=2.0)
        self.app: StageApp = stage_app(self.stage, log, self.leases, observer=observer)
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(run([self.app], self._stop))

    async def stop(self) -> float:
        """Stop as SIGTERM does; the seconds that it took."""
        started = time.perf_counter()
        self._stop.set()
        await self.task
        return time.perf_counter() - started


@asynccontextmanager
async def worker(
    pool: asyncpg.Pool, log: PostgresLog, name: str = "first", observer: StageObserver | None = None
) -> AsyncIterator[Worker]:
    """A worker that is stopped at the end, if it still runs."""
    worker = Worker(pool, log, name, observer)
    try:
        yield worker
    finally:
        worker.stage.stuck.clear()
        if not worker.task.done():
            await worker.stop()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def until_counted(pool: asyncpg.Pool, number: int) -> list[bytes]:
    """Wait until so many values were counted, and return them."""

    async def enough() -> bool:
        return len(await counted(pool)) >= number

    await until(enough)
    return await counted(pool)


async def until_assigned(worker: Worker, number: int = PARTITIONS) -> None:
    """Wait until the worker owns so many partitions."""

    async def assigned() -> bool:
        return len(worker.app.assignment.partitions) == number

    await until(assigned)


def value(number: int) -> bytes:
    """The value of a record with this number; values sort as numbers do."""
    return b"%06d" % number


async def append(log: PostgresLog, numbers: range) -> list[bytes]:
    """Append a record for each number, to all partitions in turn."""
    await asyncio.gather(*(log.append(number % PARTITIONS, value(number), 1) for number in numbers))
    return [value(number) for number in numbers]


async def test_every_record_is_counted_once_in_order(pool: asyncpg.Pool, log: PostgresLog) -> None:
    values = await append(log, range(100))
    async with worker(pool, log) as first:
        await until_counted(pool, 100)
        values += await append(log, range(100, 200))
        assert await until_counted(pool, 200) == values
    for partition in range(PARTITIONS):
        offsets_done = [offset for of, offset in first.stage.done if of == partition]
        assert offsets_done == list(range(len(offsets_done)))


class Assignments(Unobserved):
    """Remembers what was assigned."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        self.seen.append(list(partitions))


async def test_a_worker_for_whom_nothing_is_left_is_at_work_nevertheless(pool: asyncpg.Pool) -> None:
    await create_table(pool)
    log = await PostgresLog.open(pool, "statements", 1)
    busy, spare = Assignments(), Assignments()

    async def told() -> bool:
        return bool(spare.seen)

    async with worker(pool, log, "busy", busy) as first:
        await until_assigned(first, 1)
        async with worker(pool, log, "spare", spare):
            await until(told)
    assert (busy.seen, spare.seen) == ([[0]], [[]])


async def test_batches_grow_under_load_up_to_the_stages_limit(pool: asyncpg.Pool, log: PostgresLog) -> None:
    await append(log, range(400))
    async with worker(pool, log) as first:
        first.stage.seconds = 0.1
        await until_counted(pool, 400)
        assert max(first.stage.batches) == CountingStage.max_records
        assert len(first.stage.batches) < 100


async def test_what_one_read_finds_makes_one_batch(pool: asyncpg.Pool, log: PostgresLog) -> None:
    async with worker(pool, log) as first:
        await until_assigned(first)
        for together in range(1, 6):
            numbers = range(10 * together, 10 * together + together)
            async with pool.acquire() as connection, connection.transaction():
                for number in numbers:
                    await log.append_within(connection, {0: (value(number), 1)})
            await until_counted(pool, sum(range(together + 1)))
        # Ticks of idle partitions make batches of one, of an empty value.
        assert [size for size in first.stage.batches if size > 1][-4:] == [2, 3, 4, 5]


async def test_a_restarted_worker_goes_on_where_the_store_is(pool: asyncpg.Pool, log: PostgresLog) -> None:
    values = await append(log, range(50))
    async with worker(pool, log):
        await until_counted(pool, 50)
    values += await append(log, range(50, 90))
    async with worker(pool, log, "second"):
        assert await until_counted(pool, 90) == values


async def test_a_worker_stops_within_three_seconds_and_gives_its_leases_back(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async with worker(pool, log) as first:
        await append(log, range(50))
        await until_counted(pool, 50)
        assert await first.stop() < 3.0
    assert {each.owner for each in await offsets(pool)} == {None}


async def test_a_batch_under_way_is_committed_when_the_worker_stops(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async with worker(pool, log) as first:
        await until_assigned(first)
        first.stage.seconds = 0.5
        await log.append(0, value(1), 1)
        await asyncio.sleep(0.3)
        await first.stop()
    assert await counted(pool) == [value(1)]


async def test_a_stuck_partition_holds_no_other(pool: asyncpg.Pool, log: PostgresLog) -> None:
    """Far more than any buffer holds goes to the stuck partition; the others go on as before."""
    async with worker(pool, log) as first:
        await until_assigned(first)
        first.stage.stuck.add(0)
        for number in range(600):
            await log.append(0, value(number), 1)
        for number in range(1000, 1600):
            await log.append(1 + number % 2, value(number), 1)
        assert await until_counted(pool, 600) == [value(number) for number in range(1000, 1600)]
        position = await first.app.consumer.position(TP("statements", 0))
        assert position < 400, "it is not read further than its queue holds"
        started = time.perf_counter()
        await log.append(1, value(2000), 1)
        await until_counted(pool, 601)
        assert time.perf_counter() - started < 5.0
        first.stage.stuck.clear()
        assert len(await until_counted(pool, 1201)) == 1201


async def test_partitions_that_are_all_stuck_go_on_together(pool: asyncpg.Pool, log: PostgresLog) -> None:
    async with worker(pool, log) as first:
        await until_assigned(first)
        first.stage.stuck |= {0, 1, 2}
        values = await append(log, range(900))
        await asyncio.sleep(1.0)
        assert await counted(pool) == []
        first.stage.stuck.clear()
        assert await until_counted(pool, 900) == values


async def test_two_workers_share_the_partitions_and_count_each_record_once(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async with worker(pool, log) as first:
        values = await append(log, range(60))
        await until_counted(pool, 60)
        async with worker(pool, log, "second") as second:
            feeding = asyncio.create_task(append(log, range(60, 300)))
            await until_assigned(second, 1)
            await until_assigned(first, 2)
            values += await feeding
            await append(log, range(300, 360))
            await until_counted(pool, 360)
        values += await append(log, range(360, 400))
        await until_counted(pool, 400)
    assert await counted(pool) == [value(number) for number in range(400)]
    assert values


async def test_a_worker_whose_partitions_were_seized_stops_and_says_so(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async with worker(pool, log) as first:
        await append(log, range(30))
        await until_counted(pool, 30)
        other = Leases(pool, "count", "other")
        await other.seize({0, 1, 2}, await log.log_id(), await log.ends())
        await log.append(0, value(30), 1)
        with pytest.raises(Fenced, match="count"):
            await asyncio.wait_for(first.task, 10)
    assert len(await counted(pool)) == 30


async def test_an_offset_outside_the_log_stops_the_worker_with_both_numbers(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    await append(log, range(30))
    async with worker(pool, log):
        await until_counted(pool, 30)
    await pool.execute("update stage_partition set next_offset = 77 where partition = 1")
    async with worker(pool, log, "second") as second:
        with pytest.raises(
            OffsetOutOfLog, match=r"partition 1: next offset 77 is not inside the log \[0, \d+\]"
        ):
            await asyncio.wait_for(second.task, 10)


async def test_an_error_of_the_stage_stops_the_worker_and_leaves_the_records(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async with worker(pool, log) as first:
        await until_assigned(first)
        await pool.execute("alter table counted rename to elsewhere")
        await append(log, range(3))
        with pytest.raises(asyncpg.UndefinedTableError):
            await asyncio.wait_for(first.task, 10)
    await pool.execute("alter table elsewhere rename to counted")
    async with worker(pool, log, "second"):
        assert await until_counted(pool, 3) == [value(0), value(1), value(2)]


async def test_an_idle_partition_is_ticked_so_that_its_instant_moves_on(
    pool: asyncpg.Pool, log: PostgresLog
) -> None:
    async def least() -> int:
        return min(each.theta for each in await offsets(pool))

    async with worker(pool, log) as first:
        await until_assigned(first)
        before = 0
        for _ in range(2):

            async def moved_on(than: int = before) -> bool:
                return await least() > than

            await until(moved_on)
            before = await least()


async def test_a_worker_that_cannot_beat_stops_itself(
    pool: asyncpg.Pool, log: PostgresLog, database: str
) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as own, worker(pool, log) as first:
        await until_assigned(first)
        await own.execute("alter table stage_worker rename to away")
        with pytest.raises(asyncpg.UndefinedTableError):
            await asyncio.wait_for(first.task, 10)
        await own.execute("alter table away rename to stage_worker")
