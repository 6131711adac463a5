"""Plausible mistakes, each as a program that makes it: the histories must find every one.

A mistake is made here, by replacing one part, and never by a switch in the product.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrs.log.inbox import InboxRecord
from lrs.log.port import STATEMENTS, Appended, Claims
from lrs.log.postgres import PostgresLog, Ring
from lrs.store import lease
from lrs.store.batch import Batch
from lrs.store.name import Names
from lrs.store.sql import queries
from lrs.store.statement import StatementStore
from lrs.stream.intake import Intake
from lrs.stream.persist import Persist
from tests.histories.answers import log
from tests.histories.answers.lease import StagePartition
from tests.histories.database import Answer, Record, Transaction
from tests.histories.loop import now
from tests.histories.program import DICTIONARIES, PARTITIONS, Program


def _instead(answers: Mapping[str, Answer], file: str, name: str, answer: Answer) -> Mapping[str, Answer]:
    return {**answers, queries(file)[name]: answer}


class OffsetAfterOutput(Program):
    """The output is committed first, and the next offset in a transaction of its own."""

    class _Persist(Persist):
        async def process(self, partition: int, epoch: int, records: Sequence[Any]) -> None:
            await super().process(partition, epoch, records)
            async with self._pool.acquire() as connection, connection.transaction():
                await lease.advance_past(connection, self.name, partition, epoch, records)

    persist_type = _Persist

    def answers(self) -> Mapping[str, Answer]:
        """The first `advance` of a batch looks whether it may, and leaves the offset alone."""
        known = super().answers()
        advance = known[queries("lease")["advance"]]

        async def look(transaction: Transaction, stage: str, *given: Any) -> Any:
            key = (stage, given[0])
            before: StagePartition | None = transaction.get("stage_partition", key)
            status = await advance(transaction, stage, *given)
            writes = transaction.database.table("offset_written")
            if stage == "persist" and status == "UPDATE 1" and (key, given[1:3]) not in writes:
                writes[key, given[1:3]] = True
                transaction.put("stage_partition", key, before)
            return status

        return _instead(known, "lease", "advance", look)


class NoFence(Program):
    """Whoever comes moves the offset, whatever the epoch and the offset are."""

    def answers(self) -> Mapping[str, Answer]:
        """`advance` without its conditions."""

        async def advance(
            transaction: Transaction, stage: str, partition: int, *given: Any
        ) -> list[Record] | str:
            _, _, next_offset, theta, _ = given
            key = (stage, partition)
            await transaction.lock(("stage_partition", key))
            row = transaction.get("stage_partition", key)
            moved = row._replace(next_offset=next_offset, theta_us=max(row.theta_us, theta))
            transaction.put("stage_partition", key, moved)
            return "UPDATE 1"

        return _instead(super().answers(), "lease", "advance", advance)


class EvidenceOutside(Program):
    """The learning events are appended in a transaction of their own, after that of the statements."""

    class _Persist(Persist):
        _told: Sequence[Any] = ()

        async def process(self, partition: int, epoch: int, records: Sequence[Any]) -> None:
            self._told = ()
            await super().process(partition, epoch, records)
            if self._told:
                async with self._pool.acquire() as connection, connection.transaction():
                    await self._evidence.append(connection, *self._told)

        async def _store(self, connection: Any, batch: Batch) -> None:
            self._told = (batch, *await self._statements.write(connection, batch))

    persist_type = _Persist


class VoidsUnordered(Program):
    """A transaction with a void takes the lock of the order shared, like any other."""

    def statements(self, names: Names) -> StatementStore:
        """One that knows the shared lock only."""
        made = StatementStore(names, DICTIONARIES)
        made._queries = {**made._queries, "own_order": made._queries["share_order"]}
        return made


class StoredByTheEdge(Program):
    """The edge says when a statement is stored: when it sends it to the log."""

    class _Log(PostgresLog):
        async def append(
            self, partition: int, value: bytes, count: int, claims: Claims | None = None
        ) -> Appended:
            if claims is not None:
                claims = Claims([(tenant, now()) for tenant in claims.tenants], *_rest(claims))  # type: ignore[misc]
            return await super().append(partition, value, count, claims)

    def statement_log(self, world: Any, pool: Any) -> Any:
        """A log that is told the time, wherever it is kept."""
        if world.plan.kafka:
            return super().statement_log(world, pool)
        return self._Log(pool, STATEMENTS, PARTITIONS, Ring())

    def answers(self) -> Mapping[str, Answer]:
        """`log_append` with the time that it is told."""

        async def append(
            transaction: Transaction, topic: str, partition: int, record: bytes, count: int, *claims: Any
        ) -> list[Record]:
            (_, told), *_ = claims[0]
            said: Any = _Said(transaction, int(told * 1_000_000))
            tenants = [tenant for tenant, _ in claims[0]]
            return await log.append(said, topic, partition, record, count, tenants, *claims[1:])

        return _instead(super().answers(), "log", "append_claiming", append)


def _rest(claims: Claims) -> tuple[Any, Any, Any]:
    return claims.ids, claims.digests, claims.requests


class _Said:
    """A transaction whose clock is what somebody said, and whose partition has no last instant."""

    def __init__(self, transaction: Transaction, instant: int) -> None:
        self._transaction, self._instant = transaction, instant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def now(self) -> int:
        return self._instant

    def get(self, table: str, key: Any) -> Any:
        row = self._transaction.get(table, key)
        return (row[0], 0) if table == "log_head" else row


class IntakeOffsetFirst(Program):
    """The intake commits its offset, and then makes durable what it stands for."""

    class _Intake(Intake):
        async def process(self, partition: int, epoch: int, records: Sequence[Any]) -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                await lease.advance_past(connection, self.name, partition, epoch, records)
            sender = await self._sender()
            refused: list[Any] = []
            for frame in self._framed(records, sender, refused):
                refused += await self._append(partition, sender.tenant, frame)
            if refused:
                await self._inbox.reject([(record, self._why(record, why)) for record, why in refused])

    intake_type = _Intake


class IdOfTheMoment(Program):
    """A statement of the inbox without an id gets one that follows from when it is read."""

    class _Intake(Intake):
        def _id(self, record: InboxRecord, index: int) -> uuid.UUID:
            return uuid.uuid5(uuid.NAMESPACE_OID, f"{record.partition}/{record.offset}/{index}/{now()}")

    intake_type = _Intake


class ConflictUntold(Program):
    """A record of the inbox whose id is another's is passed over, and nobody is told."""

    class _Intake(Intake):
        async def _append(self, partition: int, tenant: int, frame: Any) -> Any:
            await super()._append(partition, tenant, frame)
            return []

    intake_type = _Intake


MISTAKES: Mapping[str, Callable[[], Program]] = {
    "the offset is committed after the output": OffsetAfterOutput,
    "nothing fences a worker that lost its partition": NoFence,
    "evidence is written outside of the transaction": EvidenceOutside,
    "a void and its target do not wait for each other": VoidsUnordered,
    "the edge says when a statement was stored": StoredByTheEdge,
    "the intake commits its offset before the append": IntakeOffsetFirst,
    "an id that is missing follows from the moment": IdOfTheMoment,
    "nobody is told of a conflict in the inbox": ConflictUntold,
}
"""What each does wrong, and the program that does it."""
