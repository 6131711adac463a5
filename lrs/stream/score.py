"""Score: learning events become evidence, course progress and competency, with the next offset.

The arithmetic is `lrs.scoring.score`; this is the shell that reads what a batch touches and writes
what it changes, in one transaction behind the fence of the partition's lease. A learner's events are
all in one partition, so that no two batches touch the same rows at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg
import numpy as np

from lrs.log.port import EVIDENCE
from lrs.scoring.event import Events, Pairs
from lrs.scoring.fact import uuid_of
from lrs.scoring.readout import day_in_kolkata
from lrs.store import lease, outcome, term
from lrs.store.catalogue import Catalogues, InForce, number_in_force, scored_tenants
from lrs.store.derived import Derived
from lrs.store.evidence import joined, of_rows, unpack
from lrs.store.sql import queries
from lrs.stream.poison import DATA_ERRORS, find_poison

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from numpy.typing import NDArray

    from lrs.log.port import Record
    from lrs.store.connection import Connection
    from lrs.store.name import Names


_Result = TypeVar("_Result")

_LOOKING: Final = 0.5
"""Seconds for which records wait while levels are looked at that change by time alone."""

_TOGETHER: Final = 200
"""Levels of a tenant that are looked at in one transaction."""


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
        self._days: dict[int, tuple[int, int]] = {}

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Score the records; see `lrs.stream.stage.Stage.process`."""
        batch = _gather(records)
        counts = await self._in_force(lambda: self._process(partition, epoch, records, batch))
        counts.update(await self.look_again(partition, epoch, records[-1].end))
        self._scored((batch.events["pos"] >> term.PARTITION_BITS) + term.EPOCH, counts)

    async def look_again(self, partition: int, epoch: int, at: int) -> Counter[str]:
        """Tell of the levels that changed by time alone, up to the day of an instant (µs since 1970).

        Some of them; the others follow with the next records, so that no record waits for long.
        """
        counts: Counter[str] = Counter()
        day = day_in_kolkata(at)
        until = monotonic() + _LOOKING
        while self._days.get(partition, (epoch, 0)) < (epoch, day):
            looked = await self._in_force(lambda: self._look_again(partition, epoch, at, counts))
            if not looked:
                self._days[partition] = epoch, day
            if monotonic() > until:
                break
        return counts

    async def _look_again(self, partition: int, epoch: int, at: int, counts: Counter[str]) -> int:
        """Look at some levels of every tenant that are due; how many there were."""
        looked, found = 0, Counter[str]()
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.hold(connection, self.name, partition, epoch)
            for tenant in await scored_tenants(connection):
                catalogue = await self._catalogue(connection, tenant)
                if catalogue is None:
                    continue
                some, turns = await Derived(tenant, catalogue.number).look_again(
                    connection, partition, catalogue.tables, day_in_kolkata(at), _TOGETHER
                )
                looked += some
                found.update(await outcome.record(connection, tenant, partition, at, turns, catalogue))
        counts.update(found)
        return looked

    async def _in_force(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do it under the catalogues that are in force when it is committed."""
        while True:
            try:
                return await work()
            except _OtherCatalogue as other:
                await self._catalogues.load(other.tenant)

    async def _catalogue(self, connection: Connection, tenant: int) -> InForce | None:
        """The catalogue in force, asked for behind the fence: one comes into force under its locks."""
        number = await number_in_force(connection, tenant)
        catalogue = self._catalogues.loaded(tenant)
        if number != (None if catalogue is None else catalogue.number):
            raise _OtherCatalogue(tenant)
        return catalogue

    async def _process(
        self, partition: int, epoch: int, records: Sequence[Record], batch: _Events
    ) -> Counter[str]:
        try:
            return await self._commit(partition, epoch, records, batch, {})
        except DATA_ERRORS:
            poison = await self._poison(batch, partition, records[-1].end)
            return await self._commit(partition, epoch, records, batch, poison)

    async def _poison(self, batch: _Events, partition: int, at: int) -> dict[int, str]:
        """Rows of the learners whose events fail alone: what a learner's events change is one set."""
        learners, learner_of = np.unique(batch.events[["tenant", "agent"]], return_inverse=True)

        async def attempt(some: NDArray[np.int64]) -> None:
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    rows = np.flatnonzero(np.isin(learner_of, some))
                    await self._score(connection, *of_rows(batch.events, batch.pairs, rows), partition, at)
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
            some = of_rows(batch.events, batch.pairs, good)
            return await self._score(connection, *some, partition, records[-1].end)

    async def _score(
        self, connection: Connection, events: Events, pairs: Pairs, partition: int, at: int
    ) -> Counter[str]:
        """Score events of a partition, of which the last record has the instant `at`."""
        counts: Counter[str] = Counter()
        for tenant in np.unique(events["tenant"]).tolist():
            catalogue = await self._catalogue(connection, tenant)
            mine = np.flatnonzero(events["tenant"] == tenant)
            if catalogue is None:
                counts["no_catalogue"] += len(mine)
                continue
            derived = Derived(tenant, catalogue.number)
            output, turns = await derived.take(
                connection, *of_rows(events, pairs, mine), catalogue, day_in_kolkata(at)
            )
            counts.update(output.counts)
            counts.update(await outcome.record(connection, tenant, partition, at, turns, catalogue))
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
