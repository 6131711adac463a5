"""The log in PostgreSQL: a ring of tables, head rows, and claims in the appending transaction.

Its order and its durability are PostgreSQL's: an append returns when its transaction is committed,
and since offsets are taken under the lock of the partition's head row, they become visible in
order. The functions and tables are those of `lrs/store/migrations/0001_log.sql`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
from asyncpg.pgproto.pgproto import UUID

from lrs.log.port import Appended, Claims, Ends, LogUnavailable, OffsetOutOfLog, OtherPartitions, Record
from lrs.store.connection import AWAY as STORE_AWAY
from lrs.store.sql import queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection | PoolConnectionProxy

_SQL = queries("log")

AWAY = (*STORE_AWAY, asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)
"""What asyncpg raises when PostgreSQL is away, or full."""


@dataclass(frozen=True, slots=True)
class Ring:
    """How a topic's ring of tables turns.

    A segment is closed when it holds `segment_bytes` or is `segment_seconds` old, and forgotten when
    every reader has passed it and it has been closed for `retention_seconds`. `slots` tables are made
    at first, and more when all of them hold what must be kept.
    """

    slots: int = 4
    segment_bytes: int = 128 << 20
    segment_seconds: float = 600.0
    retention_seconds: float = 600.0


class PostgresLog:
    """One topic in PostgreSQL; an implementation of `lrs.log.port.Log`.

    `open` makes it. Every method raises LogUnavailable when PostgreSQL does not answer.
    """

    def __init__(self, pool: asyncpg.Pool, topic: str, partitions: int, ring: Ring) -> None:
        self._pool, self._topic, self._partitions, self._ring = pool, topic, partitions, ring

    @classmethod
    async def open(
        cls, pool: asyncpg.Pool, topic: str, partitions: int, ring: Ring | None = None
    ) -> PostgresLog:
        """Open the topic, making it first if it is not there.

        Raises OtherPartitions.
        """
        ring = ring or Ring()
        with _unavailable():
            existing = await pool.fetchval(_SQL["create"], topic, partitions, ring.slots)
        if existing != partitions:
            raise OtherPartitions(
                f"topic {topic}: it has {existing} partitions, not {partitions}, and that cannot change"
            )
        return cls(pool, topic, partitions, ring)

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic

    @property
    def partitions(self) -> int:
        return self._partitions

    async def log_id(self) -> str:
        with _unavailable():
            return str(await self._pool.fetchval(_SQL["log_id"], self._topic))

    async def append(
        self, partition: int, value: bytes, count: int, claims: Claims | None = None
    ) -> Appended:
        """As the port says, in one round trip.

        When no statement of the record is new it is not written, and what is returned is the place
        and the instant of the partition's newest record (offset -1 and instant 0 if it has none).
        """
        with _unavailable():
            if claims is None:
                row = await self._pool.fetchrow(_SQL["append"], self._topic, partition, value, count)
            else:
                row = await self._pool.fetchrow(
                    _SQL["append_claiming"],
                    self._topic,
                    partition,
                    value,
                    count,
                    claims.tenants,
                    [UUID(id_) for id_ in claims.ids],
                    [UUID(digest) for digest in claims.digests],
                    claims.requests,
                )
        assert row is not None
        conflicts: dict[int, list[int]] = {}
        if claims is not None:
            for place in row["conflicts"]:
                conflicts.setdefault(claims.requests[place], []).append(place)
        return Appended(partition, row["log_offset"], row["end_us"], row["repeated"], conflicts)

    async def append_within(
        self, connection: Connection, records: Mapping[int, tuple[bytes, int]]
    ) -> dict[int, Appended]:
        """Append one record (value, number of statements) to each partition in the caller's transaction.

        It locks the heads of these partitions until that transaction ends, in order: call it last.
        Errors are the caller's, untranslated: they end its transaction.
        """
        if not records:
            return {}
        rows = await connection.fetch(
            _SQL["append_all"],
            self._topic,
            list(records),
            [value for value, _ in records.values()],
            [count for _, count in records.values()],
        )
        return {
            row["partition"]: Appended(row["partition"], row["log_offset"], row["end_us"]) for row in rows
        }

    async def tick(self, idle: float) -> int:
        with _unavailable():
            return int(await self._pool.fetchval(_SQL["tick"], self._topic, idle))

    async def read(self, offsets: Mapping[int, int], max_records: int, max_bytes: int) -> list[Record]:
        if not offsets:
            return []
        with _unavailable():
            rows = await self._pool.fetch(
                _SQL["read"], self._topic, list(offsets), list(offsets.values()), max_records, max_bytes
            )
        records = []
        for row in rows:
            if row["log_offset"] is None:
                await self._missing(row["partition"], offsets[row["partition"]])
            else:
                records.append(
                    Record(
                        row["partition"],
                        row["log_offset"],
                        row["end_us"],
                        row["value"],
                        row["skip"] or (),
                        row["statements"],
                    )
                )
        return records

    async def _missing(self, partition: int, offset: int) -> None:
        ends = (await self.ends())[partition]
        raise OffsetOutOfLog(
            f"a reader of {self._topic}", partition, offset, ends.start, ends.end, "the record is forgotten"
        )

    async def ends(self) -> dict[int, Ends]:
        with _unavailable():
            rows = await self._pool.fetch(_SQL["ends"], self._topic)
        return {row["partition"]: Ends(row["start"], row["next_offset"], row["last_us"]) for row in rows}

    async def trim(self, before: Mapping[int, int]) -> None:
        """Turn the ring: forget whole segments before these offsets, then close the current one if it is due.

        A partition that is not named keeps all its records. A segment that is being read just now is
        left for the next time.
        """
        bounds = [before.get(partition, 0) for partition in range(self._partitions)]
        with _unavailable():
            async with self._pool.acquire() as connection:
                for row in await connection.fetch(
                    _SQL["forgettable_segments"], self._topic, bounds, self._ring.retention_seconds
                ):
                    if not await _forget(connection, row["slot"], row["ordinal"]):
                        break
                current = await connection.fetchrow(_SQL["current_segment"], self._topic)
                assert current is not None
                due = (
                    current["bytes"] >= self._ring.segment_bytes
                    or current["age"] >= self._ring.segment_seconds
                )
                if current["used"] and due:
                    await connection.execute(_SQL["rotate"], self._topic, current["slot"])


async def _forget(connection: Connection, slot: int, ordinal: int) -> bool:
    """Free the slot of a segment and truncate its table; False if somebody holds the table."""
    try:
        async with connection.transaction():
            if await connection.fetchval(_SQL["free_segment"], slot, ordinal) is None:
                return True
            # Waiting for the table's lock would make everybody behind wait as well.
            await connection.execute("set local lock_timeout = '50ms'")
            await connection.execute(f"truncate log_record_{slot:d}")
    except asyncpg.LockNotAvailableError:
        return False
    return True


@contextmanager
def _unavailable() -> Iterator[None]:
    """Errors that mean that PostgreSQL is away, or full, as LogUnavailable."""
    try:
        yield
    except AWAY as error:
        raise LogUnavailable(
            f"the log in PostgreSQL does not answer: {type(error).__name__}: {error}"
        ) from error
