"""Leases: which worker writes for a partition of a stage, and how far the stage has come.

A row of `stage_partition` holds the partition's owner, its epoch, and the next offset. Two rules keep
the output single: whoever is assigned a partition takes a new epoch and starts at the stored offset
(`Leases.seize`); every output transaction begins with `advance`, which moves the offset on where the
epoch is still its own, and is refused otherwise. Who is assigned a partition is settled apart from
that: by heartbeats and fair shares (`Leases.balance`), or by Kafka's group.

Time is the database's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrs.log.port import Fenced, OffsetOutOfLog
from lrs.store.connection import AWAY
from lrs.store.sql import queries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from lrs.log.port import Ends, Record, Source

    Connection = asyncpg.Connection | PoolConnectionProxy

_SQL = queries("lease")

EXPIRY = 5.0
"""Seconds of silence after which a worker is dead and its partitions are free."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for a partition of a stage: the epoch, where to go on, and the instant of the
    last record done (see StageOffset)."""

    partition: int
    epoch: int
    next_offset: int
    theta: int = 0


@dataclass(frozen=True, slots=True)
class StageOffset:
    """How far a stage has come in a partition.

    `theta`: instant, in microseconds since 1970-01-01T00:00Z, of the last record done; 0 before the
    first. `silent`: seconds since the owner's last heartbeat, None without one.
    """

    stage: str
    topic: str
    partition: int
    epoch: int
    owner: str | None
    log_id: str | None
    next_offset: int
    theta: int
    silent: float | None


class Leases:
    """What one worker holds of one stage's partitions."""

    def __init__(self, pool: asyncpg.Pool, stage: str, worker: str, *, expiry: float = EXPIRY) -> None:
        self._pool, self._stage, self._worker, self._expiry = pool, stage, worker, expiry

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self._stage

    @property
    def worker(self) -> str:
        """This worker's name, unlike that of any other, ever."""
        return self._worker

    @property
    def expiry(self) -> float:
        """Seconds of silence after which this worker's partitions are given away."""
        return self._expiry

    async def ensure(self, topic: str, partitions: int, starts: Mapping[int, int] | None = None) -> None:
        """Make the stage's rows, if they are not there; every method but this one relies on them.

        `starts`: where a new row begins, by partition, if not at 0.
        """
        first = [(starts or {}).get(partition, 0) for partition in range(partitions)]
        await self._pool.execute(_SQL["ensure"], self._stage, topic, first)

    async def balance(self, held: Collection[int]) -> set[int]:
        """Beat, and return the partitions that this worker should hold from now on.

        Each living worker's share is the same, but for one. What is held beyond the share is not
        among the returned: call `release` when its work is at an end. What is missing is claimed
        from dead workers, and from those who released it, as far as it is free. Raises Fenced when
        something held belongs to another worker now.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(_SQL["heartbeat"], self._stage, self._worker)
            await connection.execute(_SQL["expire"], self._stage, self._expiry)
            standing = await connection.fetchrow(_SQL["standing"], self._stage, self._worker)
            assert standing is not None
            workers, owned = standing["workers"], set(standing["owned"])
            lost = set(held) - owned
            if lost:
                raise Fenced(
                    f"stage {self._stage}: worker {self._worker} lost the partitions {sorted(lost)}:"
                    f" it was silent for more than {self._expiry} s, or somebody seized them"
                )
            if self._worker not in workers:
                return owned  # it stood still since its beat, and passes for dead until the next one
            share = fair_share(standing["partitions"], len(workers), workers.index(self._worker))
            missing = share - len(owned)
            if missing > 0:
                claimed = await connection.fetch(_SQL["claim"], self._stage, self._worker, missing)
                if len(claimed) < missing:
                    await connection.execute(_SQL["evict"], self._stage, None, self._expiry)
                return owned | {row["partition"] for row in claimed}
            return set(sorted(owned)[:share])

    async def take(self, partitions: Collection[int], log: Source) -> list[Lease]:
        """`seize` what is assigned of a log.

        Raises OffsetOutOfLog only for a log that did not change meanwhile: while this worker stood still
        after it had asked for the ends, another one may have gone past them.
        """
        while True:
            log_id, ends = await log.log_id(), await log.ends()
            try:
                return await self.seize(partitions, log_id, ends)
            except OffsetOutOfLog:
                if ends == await log.ends():
                    raise

    async def seize(self, partitions: Collection[int], log_id: str, ends: Mapping[int, Ends]) -> list[Lease]:
        """Take a new epoch of assigned partitions, and return where to go on.

        Nobody else's output is accepted from now on. An output that is being committed is waited for; one
        whose worker stands still is ended. Raises OffsetOutOfLog, without any effect, when a stored offset
        does not lie inside the log `log_id` with these ends.
        """
        evicting = asyncio.create_task(self._evict(partitions))
        try:
            return await self._seize(partitions, log_id, ends)
        finally:
            evicting.cancel()
            await asyncio.wait({evicting})

    async def _evict(self, partitions: Collection[int]) -> None:
        """End whoever stands still with the rows of partitions, as often as one may be silent."""
        while True:
            await asyncio.sleep(self._expiry)
            with contextlib.suppress(*AWAY):
                await self._pool.execute(_SQL["evict"], self._stage, list(partitions), self._expiry)

    async def _seize(self, partitions: Collection[int], log_id: str, ends: Mapping[int, Ends]) -> list[Lease]:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_SQL["seize"], self._stage, self._worker, list(partitions), log_id)
            for row in rows:
                self._check(row, log_id, ends[row["partition"]])
        return [Lease(row["partition"], row["epoch"], row["next_offset"], row["theta_us"]) for row in rows]

    def _check(self, row: asyncpg.Record, log_id: str, ends: Ends) -> None:
        next_offset = row["next_offset"]
        if row["log_id"] != log_id:
            why = f"the log is {log_id}, the offset belongs to the log {row['log_id']}"
        elif next_offset < ends.start:
            why = "the log forgot records that were not done"
        elif next_offset > ends.end:
            why = "the log is shorter than what was done of it"
        else:
            return
        raise OffsetOutOfLog(f"stage {self._stage}", row["partition"], next_offset, ends.start, ends.end, why)

    async def passed(self, topic: str) -> dict[int, int]:
        """By partition: the offset before which no stage that reads the topic needs a record any more."""
        rows = await self._pool.fetch(_SQL["passed"], topic)
        return {row["partition"]: row["passed"] for row in rows}

    async def release(self, partitions: Collection[int]) -> None:
        """Give partitions back, so that another worker can claim them at once."""
        await self._pool.execute(_SQL["release"], self._stage, self._worker, list(partitions))

    async def leave(self) -> None:
        """Give everything back: the worker is no more."""
        await self._pool.execute(_SQL["leave"], self._stage, self._worker)


def fair_share(partitions: int, workers: int, place: int) -> int:
    """How many of the partitions the worker at this place of the sorted list should hold."""
    each, over = divmod(partitions, workers)
    return each + (place < over)


async def advance(
    connection: Connection,
    stage: str,
    partition: int,
    epoch: int,
    first_offset: int,
    next_offset: int,
    theta: int,
    *,
    patience: float = EXPIRY,
) -> None:
    """Begin an output transaction: what follows in it is done for the records up to `next_offset`.

    `first_offset` is the first record's, `next_offset` the last record's + 1, `theta` its instant.
    Raises Fenced when the epoch is over, or the records were done before: the transaction must be
    rolled back, and the worker stop. The server ends the transaction when its client says nothing for
    `patience` seconds in the middle of it.
    """
    status = await connection.execute(
        _SQL["advance"], stage, partition, epoch, first_offset, next_offset, theta, str(int(patience * 1000))
    )
    if status != "UPDATE 1":
        raise Fenced(
            f"stage {stage}, partition {partition}: the output of epoch {epoch} from offset {first_offset} on"
            " was refused: another worker owns the partition, or has done these records"
        )


async def hold(
    connection: Connection, stage: str, partition: int, epoch: int, *, patience: float = EXPIRY
) -> None:
    """Begin an output transaction that does no records; as `advance` in all else."""
    status = await connection.execute(_SQL["hold"], stage, partition, epoch, str(int(patience * 1000)))
    if status != "SELECT 1":
        raise Fenced(f"stage {stage}, partition {partition}: another worker owns it, epoch {epoch} is over")


async def advance_past(
    connection: Connection, stage: str, partition: int, epoch: int, records: Sequence[Record]
) -> None:
    """`advance` for these records of the partition, in order, at least one."""
    first, last = records[0], records[-1]
    await advance(connection, stage, partition, epoch, first.offset, last.offset + 1, last.end)


async def offsets(connection: Connection | asyncpg.Pool) -> list[StageOffset]:
    """How far every stage has come in every partition."""
    return [
        StageOffset(
            row["stage"],
            row["topic"],
            row["partition"],
            row["epoch"],
            row["owner"],
            row["log_id"],
            row["next_offset"],
            row["theta_us"],
            row["silent"],
        )
        for row in await connection.fetch(_SQL["offsets"])
    ]


async def consistent_through(connection: Connection | asyncpg.Pool, stage: str) -> int:
    """The instant up to which the stage has done everything: the least theta of its partitions.

    Microseconds since 1970-01-01T00:00Z; 0 while a partition has done nothing, or there is none.
    """
    return int(await connection.fetchval(_SQL["consistent_through"], stage))
