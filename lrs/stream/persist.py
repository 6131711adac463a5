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
from lrs.log.claiming import settle
from lrs.log.port import STATEMENTS
from lrs.store import lease
from lrs.store.batch import Batch, check, gather
from lrs.store.definition import Definitions
from lrs.store.sql import queries
from lrs.store.statement import StatementStore, uuids
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
        claims: bool = False,
        stored: Callable[[NDArray[np.int64]], None] = lambda _received: None,
        buried: Callable[[int], None] = lambda _count: None,
        refused: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """`claims`: ids are claimed here, where the log could not do it when it took them.

        `stored` is told when a batch is committed: the edges' receiving times of its statements;
        `buried`, how many dead letters were written; `refused`, how many of them had been acknowledged
        before their id turned out to be another statement's.
        """
        self._pool, self._names = pool, names
        self._statements, self._evidence = statements, evidence
        self._definitions = Definitions(pool)
        self.max_records, self.max_statements = max_records, max_statements
        self._claims = claims
        self._stored, self._buried, self._refused = stored, buried, refused

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
                if frame.rows != record.count:
                    raise ValueError(f"a frame of {frame.rows} statements in a record of {record.count}")
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
            conflicts = await self._commit(partition, epoch, records, batch, poison, damaged)
        except DATA_ERRORS:
            poison = await find_poison(np.arange(batch.rows), functools.partial(self._attempt, batch))
            conflicts = await self._commit(partition, epoch, records, batch, poison, damaged)
        if batch.rows:
            self._stored(batch.columns["received"])
        if poison or damaged or conflicts:
            self._buried(len(poison) + len(damaged) + conflicts)
        if conflicts:
            self._refused(conflicts)

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
    ) -> int:
        """Commit a batch; how many of its statements were refused because their id was taken."""
        good, conflicts = batch, 0
        if poison:
            good = batch.take(np.setdiff1d(np.arange(batch.rows), np.fromiter(poison, np.int64)))
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.advance_past(connection, self.name, partition, epoch, records)
            for row, reason in poison.items():
                await self._bury(connection, partition, batch, row, "poison", reason)
            for record, reason in damaged:
                await connection.execute(
                    queries("statement")["add_dead_letter"],
                    0, self.name, partition, record.offset, -1, None, "damaged", reason, record.value,
                )  # fmt: skip
            if self._claims and good.rows:
                good, conflicts = await self._claim(connection, partition, good)
            if good.rows:
                await self._store(connection, good)
        return conflicts

    async def _claim(self, connection: Connection, partition: int, batch: Batch) -> tuple[Batch, int]:
        """The statements that are first with their ids, and how many of the others mean something else.

        What is stored already is passed over; what lost its id after it was acknowledged is put aside.
        """
        columns = batch.columns
        repeated, conflicts = await settle(
            connection,
            columns["tenant"].tolist(),
            uuids(columns["id"]),
            uuids(columns["digest"]),
            columns["pos"].tolist(),
        )
        for row in conflicts:
            detail = "another statement was stored under this id before"
            await self._bury(connection, partition, batch, row, "conflict", detail)
        if not repeated and not conflicts:
            return batch, 0
        first = np.setdiff1d(np.arange(batch.rows), np.array(repeated + conflicts, np.int64))
        return batch.take(first), len(conflicts)

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
        self, connection: Connection, partition: int, batch: Batch, row: int, reason: str, detail: str
    ) -> None:
        columns = batch.columns
        await connection.execute(
            queries("dead_letter")["add_statement"],
            int(columns["tenant"][row]),
            self.name,
            partition,
            int(batch.offsets[row]),
            int(batch.places[row]),
            UUID(columns["id"][row].tobytes()),
            reason,
            detail,
            self._statements.dictionaries.decompress(int(columns["dictionary"][row]), batch.raws[row]),
            int(columns["pos"][row]),
            int(columns["authority"][row]),
            int(columns["flags"][row]),
        )
