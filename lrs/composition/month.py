"""The tables of months, into which statements and postings go: made before their time comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from lrs.composition.store import AWAY

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger("lrs.composition")

PAUSE = 3600.0
"""Seconds between two looks; tables are made two months ahead."""


async def ensure_months(pool: asyncpg.Pool) -> None:
    """Make the tables for this month's statements and the next ones', if they are not there."""
    await pool.execute("select ensure_statement_partitions(now())")


async def keep_months(pool: asyncpg.Pool, pause: float = PAUSE) -> None:
    """Make them again and again, until this is cancelled: a process may run for longer than months."""
    while True:
        try:
            await ensure_months(pool)
        except AWAY as error:
            log.warning("the next months' tables were not made", error=str(error))
        await asyncio.sleep(pause)
