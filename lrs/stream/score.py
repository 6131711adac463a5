"""Score: learning events become evidence, course progress and competency, with the next offset.

The arithmetic is `lrs.scoring.score`; this is the shell that reads what a batch touches and writes
what it changes, in one transaction behind the fence of the partition's lease. A learner's events are
all in one partition, so that no two batches touch the same rows at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import numpy as np

from lrs.log.port import EVIDENCE
from lrs.scoring.event import Events, Pairs
from lrs.scoring.fact import uuid_of
from lrs.store import lease, term
from lrs.store.catalogue import Catalogues, number_in_force
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


class _OtherCatalogue(Exception):
    """Another catalogue came into force; nothing was written."""

    def __init__(self, tenant: int) -> None:
        super().__init__(tenant)
        self.tenant = tenant


@dataclass(frozen=True, slots=True)
class _Events:
    """The events of some records; event i is number `places[i]` in the record at `offsets[i]`."""

    events: Events
    pairs: Pairs
    offsets: NDArray[np.int64]
    places: NDArray[np.int64]


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
        self._pool = pool
        self.max_records, self.max_statements = max_records, max_statements
        self._scored = scored
        self._catalogues = Catalogues(pool, names)

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Score the records; see `lrs.stream.stage.Stage.process`."""
        batch = _gather(records)
        while True:
            try:
                counts = await self._process(partition, epoch, records, batch)
                break
            except _OtherCatalogue as other:
                await self._catalogues.load(other.tenant)
        self._scored((batch.events["pos"] >> term.PARTITION_BITS) + term.EPOCH, counts)

    async def _process(
        self, partition: int, epoch: int, records: Sequence[Record], batch: _Events
    ) -> Counter[str]:
        try:
            return await self._commit(partition, epoch, records, batch, {})
        except DATA_ERRORS:
            poison = await self._poison(batch)
            return await self._commit(partition, epoch, records, batch, poison)

    async def _poison(self, batch: _Events) -> dict[int, str]:
        """Rows of the learners whose events fail alone: what a learner's events change is one set."""
        learners, learner_of = np.unique(batch.events[["tenant", "agent"]], return_inverse=True)

        async def attempt(some: NDArray[np.int64]) -> None:
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    rows = np.flatnonzero(np.isin(learner_of, some))
                    await self._score(connection, *of_rows(batch.events, batch.pairs, rows))
                finally:
                    await transaction.rollback()

        poison = await find_poison(np.arange(len(learners)), attempt)
        return {
            row: reason
            for learner, reason in poison.items()
            for row in np.flatnonzero(learner_of == learner).tolist()
        }

    async def _commit(
        self,
        partition: int,
        epoch: int,
        records: Sequence[Record],
        batch: _Events,
        poison: Mapping[int, str],
    ) -> Counter[str]:
        good = np.setdiff1d(np.arange(len(batch.events)), np.array(list(poison), np.int64))
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.advance_past(connection, self.name, partition, epoch, records)
            for row, reason in poison.items():
                event = batch.events[row]
                await connection.execute(
                    queries("statement")["add_dead_letter"],
                    int(event["tenant"]),
                    self.name,
                    partition,
                    int(batch.offsets[row]),
                    int(batch.places[row]),
                    uuid_of(int(event["id_hi"]), int(event["id_lo"])),
                    "poison",
                    reason,
                    None,
                )
            return await self._score(connection, *of_rows(batch.events, batch.pairs, good))

    async def _score(self, connection: Connection, events: Events, pairs: Pairs) -> Counter[str]:
        counts: Counter[str] = Counter()
        for tenant in np.unique(events["tenant"]).tolist():
            # Asked behind the fence: a catalogue comes into force under the locks of these rows.
            number = await number_in_force(connection, tenant)
            catalogue = self._catalogues.loaded(tenant)
            if number != (None if catalogue is None else catalogue.number):
                raise _OtherCatalogue(tenant)
            mine = np.flatnonzero(events["tenant"] == tenant)
            if catalogue is None:
                counts["no_catalogue"] += len(mine)
                continue
            derived = Derived(tenant, catalogue.number)
            output = await derived.take(connection, *of_rows(events, pairs, mine), catalogue)
            counts.update(output.counts)
        return counts


def _gather(records: Sequence[Record]) -> _Events:
    """The events of all records."""
    parts = [(record.offset, unpack(record.value)) for record in records if record.value]
    events, pairs = joined([part for _, part in parts])
    sizes = np.array([len(part[0]) for _, part in parts], np.int64)
    return _Events(
        events,
        pairs,
        np.repeat(np.array([offset for offset, _ in parts], np.int64), sizes),
        np.concatenate([np.arange(size) for size in sizes]) if parts else np.empty(0, np.int64),
    )
