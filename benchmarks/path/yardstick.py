"""Yardsticks: what the parts that others made do with the same statements on the same machine."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import msgspec

from loadtests.bodies import Body
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version

_ROWS: Final = 2_000
"""Rows in one COPY and commit, as persist takes them."""
_CHUNKS: Final = 20


def decode_rate(bodies: list[Body], seconds: float) -> float:
    """Statements per second that msgspec decodes to Python objects, one core."""
    return _rate(bodies, seconds, msgspec.json.Decoder().decode)


def validate_rate(bodies: list[Body], seconds: float) -> float:
    """Statements per second that `lrs.xapi` reads and validates, one core: a part of the path itself."""
    return _rate(bodies, seconds, lambda content: read_statements(content, Version.V1_0_3))


def _rate(bodies: list[Body], seconds: float, read: Callable[[bytes], object]) -> float:
    contents = [(body.fresh(0).content, body.statements) for body in bodies]
    read(contents[0][0])
    started, statements = time.perf_counter(), 0
    while True:
        for content, count in contents:
            read(content)
            statements += count
            if (spent := time.perf_counter() - started) >= seconds:
                return statements / spent


async def copy_rate(store: asyncpg.Connection[asyncpg.Record]) -> float:
    """Rows per second of COPY into a table like `statement`, with its indexes, one commit each 2,000."""
    chunks = []
    last = 0
    for _ in range(_CHUNKS):
        rows = io.BytesIO()
        query = "select * from statement where pos > $1 order by pos limit $2"
        await store.copy_from_query(query, last, _ROWS, output=rows, format="binary")
        newest = f"select max(pos) from ({query}) chunk"
        reached = await store.fetchval(newest, last, _ROWS)
        if reached is None:
            break
        count = await store.fetchval(f"select count(*) from ({query}) chunk", last, _ROWS)
        chunks.append((count, rows.getvalue()))
        last = reached
    await store.execute("create table yardstick_copy (like statement including all)")
    try:
        started = time.perf_counter()
        for _, rows_in in chunks:
            await store.copy_to_table("yardstick_copy", source=io.BytesIO(rows_in), format="binary")
        return sum(count for count, _ in chunks) / (time.perf_counter() - started)
    finally:
        await store.execute("drop table yardstick_copy")


async def commit_rate(store: asyncpg.Connection[asyncpg.Record], seconds: float) -> float:
    """Commits per second of one row, one connection: each waits for the disk."""
    await store.execute("create table yardstick_commit (number bigint)")
    try:
        return await _repeat(lambda: store.execute("insert into yardstick_commit values (1)"), seconds)
    finally:
        await store.execute("drop table yardstick_commit")


async def _repeat(once: Callable[[], Awaitable[object]], seconds: float) -> float:
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds or not count:
        await once()
        count += 1
    return count / spent


def flush_rate(directory: str | os.PathLike[str], seconds: float) -> float:
    """Flushes per second of one block of 8 KiB, written at the end of a file."""
    path = os.path.join(directory, "yardstick-flush")
    block = os.urandom(8192)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        started, count = time.perf_counter(), 0
        while (spent := time.perf_counter() - started) < seconds or not count:
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            count += 1
        return count / spent
    finally:
        os.close(descriptor)
        os.unlink(path)
