"""A partition that is stuck in the store holds no other, and goes on by itself."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from lrs.ending import Ending
from tests.store.path import PARTITIONS, Path
from tests.stream.persisting import Worker, log, stored


async def test_a_lock_on_one_partition_of_the_store_holds_up_no_other(
    pool: asyncpg.Pool, database: str
) -> None:
    path = await Path.open(pool)
    first = [await log(path, number, number) for number in range(PARTITIONS)]
    worker = Worker(database)
    await stored(path, first)
    async with pool.acquire() as holding, holding.transaction():
        await holding.execute(
            "select from stage_partition where stage = 'persist' and partition = 0 for update"
        )
        held = await log(path, 100, 0)
        others = [await log(path, 101 + turn, 1 + turn % (PARTITIONS - 1)) for turn in range(6)]
        await stored(path, first + others)
        await asyncio.sleep(0.2)
        assert held not in {str(row["id"]) for row in await pool.fetch("select id from statement")}
    await stored(path, [*first, *others, held])
    await worker.stop()


async def test_a_full_disk_of_the_store_is_no_poison_and_ends_the_worker(
    pool: asyncpg.Pool, database: str
) -> None:
    path = await Path.open(pool)
    await pool.execute(
        "create function full_disk() returns trigger language plpgsql as"
        " $$ begin raise exception 'no space left on device' using errcode = 'disk_full'; end $$"
    )
    await pool.execute(
        "create trigger full_disk before insert on statement for each row execute function full_disk()"
    )
    sent = [await log(path, number, number % PARTITIONS) for number in range(4)]
    with pytest.raises(asyncpg.DiskFullError) as told:
        await asyncio.wait_for(Worker(database).task, 30)
    assert Ending.of_error(told.value) is Ending.UNAVAILABLE
    assert await path.count("statement") == await path.count("dead_letter") == 0
    await pool.execute("drop trigger full_disk on statement")
    worker = Worker(database)
    await stored(path, sent)
    await worker.stop()
