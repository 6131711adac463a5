"""Persist: frames of the statement log become statements, postings and learning events.

Everything that follows from a batch of records is committed in one transaction together with the
partition's next offset, behind the fence of its lease; so a statement is stored exactly once,
wherever the process is killed. Only what fails alone is poison: on a data error the batch is halved
until the statement that cannot be stored stands alone; it goes to the dead letters, in the same
transaction as the rest and the offset. Any other error leaves the records in the log and ends the
worker.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
import numpy as np
from asyncpg.pgproto.pgproto import UUID

from lrs.log import frame as frames
from lrs.log.port import STATEMENTS
from lrs.store import lease
from lrs.store.batch import Batch, check, gather
from lrs.store.definition import Definitions
from lrs.store.sql import queries
from lrs.store.statement import StatementStore
from lrs.stream.poison import DATA_ERRORS, find_poison

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lrs.log.frame import Frame
    from lrs.log.port import Record
    from lrs.store.connection import Connection
    from lrs.store.evidence import EvidenceWriter
    from lrs.store.name import Names


class Persist:
    """The stage that stores. An implementation of `lrs.stream.stage.Stage`."""

    name = "persist"
    topic = STATEMENTS

    def __init__(
        self,
        pool: asyncpg.Pool,
        names: Names,
        statements: StatementStore,
        evidence: EvidenceWriter,
        *,
        max_records: int,
        max_statements: int,
        stored: Callable[[NDArray[np.int64]], None] = lambda _received: None,
        buried: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """`stored` is told when a batch is committed: the edges' receiving times of its statements;
        `buried`, how many dead letters were written."""
        self._pool, self._names = pool, names
        self._statements, self._evidence = statements, evidence
        self._definitions = Definitions(pool)
        self.max_records, self.max_statements = max_records, max_statements
        self._stored, self._buried = stored, buried

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Store the records; see `lrs.stream.stage.Stage.process`."""
        damaged: list[tuple[Record, str]] = []
        readable: list[tuple[Record, Frame]] = []
        for record in records:
            if not record.value:
                continue
            try:
                frame = frames.decode(record.value)
                check(frame)
            except ValueError as error:
                damaged.append((record, str(error)))
            else:
                readable.append((record, frame))
        # A dictionary that the store lacks ends the worker: what it compressed could never be read.
        await self._statements.dictionaries.load(self._pool, {frame.dictionary for _, frame in readable})
        batch = await self._gather(partition, readable, damaged)
        await self._definitions.merge(batch.definitions)
        poison: dict[int, str] = {}
        try:
            await self._commit(partition, epoch, records, batch, poison, damaged)
        except DATA_ERRORS:
            poison = await find_poison(np.arange(batch.rows), functools.partial(self._attempt, batch))
            await self._commit(partition, epoch, records, batch, poison, damaged)
        if batch.rows:
            self._stored(batch.columns["received"])
        if poison or damaged:
            self._buried(len(poison) + len(damaged))

    async def _gather(
        self, partition: int, readable: list[tuple[Record, Frame]], damaged: list[tuple[Record, str]]
    ) -> Batch:
        """One batch of all frames but those with names that the store does not take, which are damaged."""
        try:
            return await gather(partition, readable, self._names)
        except DATA_ERRORS:
            good = []
        for record, frame in readable:
            try:
                await gather(partition, [(record, frame)], self._names)
                good.append((record, frame))
            except DATA_ERRORS as error:
                damaged.append((record, f"{type(error).__name__}: {error}"))
        return await gather(partition, good, self._names)

    async def _commit(
        self,
        partition: int,
        epoch: int,
        records: Sequence[Record],
        batch: Batch,
        poison: dict[int, str],
        damaged: Sequence[tuple[Record, str]],
    ) -> None:
        good = batch
        if poison:
            good = batch.take(np.setdiff1d(np.arange(batch.rows), np.fromiter(poison, np.int64)))
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.advance(
                connection,
                self.name,
                partition,
                epoch,
                records[0].offset,
                records[-1].offset + 1,
                records[-1].end,
            )
            for row, reason in poison.items():
                await self._bury(connection, partition, batch, row, reason)
            for record, reason in damaged:
                await connection.execute(
                    queries("statement")["add_dead_letter"],
                    0, self.name, partition, record.offset, -1, None, "damaged", reason, record.value,
                )  # fmt: skip
            if good.rows:
                await self._store(connection, good)

    async def _store(self, connection: Connection, batch: Batch) -> None:
        voided, retracted = await self._statements.write(connection, batch)
        await self._evidence.append(connection, batch, voided, retracted)

    async def _attempt(self, batch: Batch, rows: NDArray[np.int64]) -> None:
        """Store some rows in a transaction that is rolled back."""
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._store(connection, batch.take(rows))
            finally:
                await transaction.rollback()

    async def _bury(
        self, connection: Connection, partition: int, batch: Batch, row: int, reason: str
    ) -> None:
        columns = batch.columns
        await connection.execute(
            queries("statement")["add_dead_letter"],
            int(columns["tenant"][row]),
            self.name,
            partition,
            int(batch.offsets[row]),
            int(batch.places[row]),
            UUID(columns["id"][row].tobytes()),
            "poison",
            reason,
            self._statements.dictionaries.decompress(int(columns["dictionary"][row]), batch.raws[row]),
        )
