"""A small real stage: every record becomes a row, behind the fence.

Nothing but the fence keeps a record from being counted twice: the table has no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg

from lrs.log.port import Record
from lrs.store.lease import advance


async def create_table(pool: asyncpg.Pool) -> None:
    """Make the table that the stage writes to."""
    await pool.execute(
        "create table counted (partition int, log_offset bigint, value bytea, epoch bigint, worker text)"
    )


async def counted(pool: asyncpg.Pool) -> list[bytes]:
    """The values that were counted, sorted; ticks left out."""
    return [
        row["value"] for row in await pool.fetch("select value from counted where value <> '' order by value")
    ]


class CountingStage:
    """Writes each record's value. An implementation of `lrs.stream.stage.Stage`.

    While `stuck` holds a partition, its batches hang before they write. `batches` are the sizes of the
    batches that were committed, `done` the partitions and offsets of their records.
    """

    max_records = 50
    max_statements = 1000

    def __init__(
        self, pool: asyncpg.Pool, worker: str, name: str = "count", topic: str = "statements"
    ) -> None:
        self._pool, self._worker = pool, worker
        self.name, self.topic = name, topic
        self.stuck: set[int] = set()
        self.batches: list[int] = []
        self.done: list[tuple[int, int]] = []
        self.seconds = 0.0

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Count the records, once."""
        async with self._pool.acquire() as connection, connection.transaction():
            await advance(
                connection,
                self.name,
                partition,
                epoch,
                records[0].offset,
                records[-1].offset + 1,
                records[-1].end,
            )
            while partition in self.stuck:
                await asyncio.sleep(0.01)
            await connection.copy_records_to_table(
                "counted",
                records=[(partition, each.offset, each.value, epoch, self._worker) for each in records],
            )
            await asyncio.sleep(self.seconds)
        self.batches.append(len(records))
        self.done += [(partition, each.offset) for each in records]
