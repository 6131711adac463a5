"""The months' tables are made while the LRS runs, however long it does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lrs.composition.month import keep_months

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MONTHS = """
select count(*) from pg_inherits
where inhparent = 'statement'::regclass
and inhrelid::regclass::text = 'statement_' || $1
"""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await asyncio.sleep(0.01)


async def test_the_month_after_the_next_has_its_table_though_the_store_was_away(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await pool.fetchval("select to_char(now() at time zone 'UTC' + interval '2 months', 'YYYYMM')")
    for parent in ("statement", "posting"):
        await pool.execute(f"drop table if exists {parent}_{name}")
    looks = 0
    execute = asyncpg.Pool.execute

    async def at_first_away(self: asyncpg.Pool, query: str, *given: object) -> str:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise ConnectionRefusedError
        return await execute(self, query, *given)

    monkeypatch.setattr(asyncpg.Pool, "execute", at_first_away)
    keeping = asyncio.create_task(keep_months(pool, pause=0.01))

    async def is_there() -> bool:
        return bool(await pool.fetchval(MONTHS, name))

    try:
        await asyncio.wait_for(until(is_there), 10)
    finally:
        keeping.cancel()
    assert looks > 1
