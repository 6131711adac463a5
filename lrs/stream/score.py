"""Score: learning events become evidence, course progress and competency, with the next offset.

The arithmetic is `lrs.scoring.score`; this is the shell that reads what a batch touches and writes
what it changes, in one transaction behind the fence of the partition's lease. A learner's events are
all in one partition, so that no two batches touch the same rows at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
import numpy as np

from lrs.log.port import EVIDENCE
from lrs.scoring.batch import read_batch
from lrs.scoring.event import Events, Pairs
from lrs.scoring.fact import uuid_of
from lrs.scoring.score import score
from lrs.store import lease, term
from lrs.store.catalogue import InForce, load_catalogue
from lrs.store.derived import Derived
from lrs.store.evidence import joined, of_rows, unpack
from lrs.store.sql import queries
from lrs.stream.poison import DATA_ERRORS, find_poison

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from lrs.log.port import Record
    from lrs.store.connection import Connection
    from lrs.store.name import Names


class Score:
    """The stage that scores. An implementation of `lrs.stream.stage.Stage`."""

    name = "score"
    topic = EVIDENCE

    def __init__(
        self,
        pool: asyncpg.Pool,
        names: Names,
        *,
        max_records: int,
        max_statements: int,
        scored: Callable[[NDArray[np.int64], Mapping[str, int]], None] = lambda _stored, _counts: None,
    ) -> None:
        """`scored` is told when a batch is committed: when its statements were stored (µs since
        1970), and what became of them, by reason."""
        self._pool, self._names = pool, names
        self.max_records, self.max_statements = max_records, max_statements
        self._scored = scored
        self._in_force: dict[int, InForce] = {}

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Score the records; see `lrs.stream.stage.Stage.process`."""
        events, pairs, offsets = _gather(records)
        try:
            counts = await self._commit(partition, epoch, records, events, pairs)
        except DATA_ERRORS:
            # The rows of one learner stand or fall together: what they change is one set.
            learners = np.unique(events[["tenant", "agent"]])

            def rows_of(some: NDArray[np.int64]) -> NDArray[np.int64]:
                return np.flatnonzero(np.isin(events[["tenant", "agent"]], learners[some]))

            async def attempt(some: NDArray[np.int64]) -> None:
                async with self._pool.acquire() as connection:
                    transaction = connection.transaction()
                    await transaction.start()
                    try:
                        await self._score(connection, *of_rows(events, pairs, rows_of(some)))
                    finally:
                        await transaction.rollback()

            poison = await find_poison(np.arange(len(learners)), attempt)
            reasons = {
                int(row): reason for learner, reason in poison.items() for row in rows_of(np.array([learner]))
            }
            good = np.setdiff1d(np.arange(len(events)), np.fromiter(reasons, np.int64, len(reasons)))
            buried = [(int(offsets[row]), events[row], row, reason) for row, reason in reasons.items()]
            counts = await self._commit(partition, epoch, records, *of_rows(events, pairs, good), buried)
        self._scored((events["pos"] >> term.PARTITION_BITS) + term.EPOCH, counts)

    async def _commit(
        self,
        partition: int,
        epoch: int,
        records: Sequence[Record],
        events: Events,
        pairs: Pairs,
        buried: Sequence[tuple[int, np.void, int, str]] = (),
    ) -> Counter[str]:
        first, last = records[0], records[-1]
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.advance(
                connection, self.name, partition, epoch, first.offset, last.offset + 1, last.end
            )
            for offset, event, place, reason in buried:
                await connection.execute(
                    queries("statement")["add_dead_letter"],
                    int(event["tenant"]),
                    self.name,
                    partition,
                    offset,
                    place,
                    uuid_of(int(event["id_hi"]), int(event["id_lo"])),
                    "poison",
                    reason,
                    None,
                )
            return await self._score(connection, events, pairs)

    async def _score(self, connection: Connection, events: Events, pairs: Pairs) -> Counter[str]:
        counts: Counter[str] = Counter()
        for tenant in np.unique(events["tenant"]).tolist():
            in_force = await self._catalogue(tenant)
            if in_force is None:
                counts["no_catalogue"] += int((events["tenant"] == tenant).sum())
                continue
            mine = of_rows(events, pairs, np.flatnonzero(events["tenant"] == tenant))
            batch = read_batch(*mine, in_force.tables, in_force.mapping)
            derived = Derived(tenant, in_force.number)
            output = score(batch, *await derived.touched(connection, batch), in_force.tables)
            await derived.apply(connection, output)
            counts.update(output.counts)
        return counts

    async def _catalogue(self, tenant: int) -> InForce | None:
        if tenant not in self._in_force:
            found = await load_catalogue(self._pool, self._names, tenant)
            if found is None:
                return None
            self._in_force[tenant] = found
        return self._in_force[tenant]


def _gather(records: Sequence[Record]) -> tuple[Events, Pairs, NDArray[np.int64]]:
    """The events of all records, and the offset that each came from."""
    parts = [(record.offset, unpack(record.value)) for record in records if record.value]
    events, pairs = joined([part for _, part in parts])
    offsets = np.repeat(
        np.array([offset for offset, _ in parts], np.int64),
        np.array([len(part[0]) for _, part in parts], np.int64),
    )
    return events, pairs, offsets
