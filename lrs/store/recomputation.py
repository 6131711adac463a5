"""Recomputation: what must be derived for a range of learners, from nothing but stored statements.

What the score stage has done is told by its offsets in the evidence log. So, in one snapshot of the
store, what is derived must be the fold over the learners' statements, but for those whose events
are not done, and with those that are voided by a retraction that is not done.

On the way each statement's row is held against its bytes, and its id against the ids that were claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from asyncpg.pgproto.pgproto import UUID

from lrs.scoring.state import State
from lrs.store.batch import Batch
from lrs.store.evidence import Authorities, events_of, joined
from lrs.store.reread import Stored, Unreadable, reread
from lrs.store.sql import queries
from lrs.store.statement import StatementStore, postings, registrations, terms_of, uuids

if TYPE_CHECKING:
    import asyncpg
    from numpy.typing import NDArray

    from lrs.scoring.event import Events, Pairs
    from lrs.store.catalogue import InForce
    from lrs.store.connection import Connection
    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names
    from lrs.store.tail import Tail

_SLICE: Final = 2_000
"""Statements that are read at a time."""

_FOLD: Final = 100_000
"""Events that are folded at a time; of a learner with more, only events and facts stay in memory."""

_SAMPLE: Final = 64
"""The postings of one statement in so many are held against its bytes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a stored statement."""

    id: UUID
    text: str


@dataclass
class Recomputed:
    """What the statements of a range of learners say. Without a catalogue nothing is derived."""

    state: State = field(default_factory=State)
    statements: int = 0
    learners: set[int] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class _Undone:
    """Statements, by pos, of which an event is not done, and ids that score gave up."""

    facts: NDArray[np.int64]
    retractions: NDArray[np.int64]
    buried: frozenset[UUID]


class Recomputation:
    """Recomputes ranges of learners, one after the other, as far as one stage has come."""

    def __init__(self, names: Names, dictionaries: Dictionaries) -> None:
        self._names, self._dictionaries = names, dictionaries
        self._authorities = Authorities()
        self._statements = StatementStore(names, dictionaries)
        self._queries = queries("verification")

    async def learners(
        self, connection: Connection, tail: Tail, tenant: int, low: int, high: int, catalogue: InForce | None
    ) -> Recomputed:
        """Recompute the learners from `low` to before `high`, in the snapshot of the connection's
        transaction; `tail` is what is not done in that snapshot."""
        undone = _Undone(
            tail.facts(tenant),
            tail.retractions(tenant),
            frozenset(row["id"] for row in await connection.fetch(self._queries["buried"], tenant, "score")),
        )
        result = Recomputed()
        waiting: list[tuple[Events, Pairs]] = []
        cursor = await connection.cursor(self._queries["statements"], tenant, low, high)
        while rows := await cursor.fetch(_SLICE):
            result.statements += len(rows)
            result.learners.update(row["actor"] for row in rows)
            for some, batch in await self._readable(connection, tenant, rows, result):
                result.faults += _faults(some, batch)
                await self._check_postings(connection, tenant, some, batch, result)
                done = np.flatnonzero(_done(some, undone))
                batch = batch.take(done) if len(done) < batch.rows else batch
                waiting.append(events_of(batch, await self._authorities.of(connection, batch)))
            if sum(len(events) for events, _ in waiting) >= _FOLD:
                _fold(result.state, waiting, catalogue)
        _fold(result.state, waiting, catalogue)
        result.learners.discard(0)
        return result

    async def _readable(
        self, connection: Connection, tenant: int, rows: Sequence[asyncpg.Record], result: Recomputed
    ) -> list[tuple[Sequence[asyncpg.Record], Batch]]:
        """The rows with their batch; if some of them cannot be read, each of the others alone."""
        stored = [Stored.of(tenant, row) for row in rows]
        try:
            return [(rows, await reread(stored, self._dictionaries, self._names, connection))]
        except Unreadable:
            found: list[tuple[Sequence[asyncpg.Record], Batch]] = []
        for row, one in zip(rows, stored, strict=True):
            try:
                batch = await reread([one], self._dictionaries, self._names, connection)
                found.append(([row], batch))
            except Unreadable as error:
                result.faults.append(Fault(row["id"], f"cannot be read: {error}"))
        return found

    async def _check_postings(
        self,
        connection: Connection,
        tenant: int,
        rows: Sequence[asyncpg.Record],
        batch: Batch,
        result: Recomputed,
    ) -> None:
        """Of a sample: whether each is found by everything that it names, itself or through a reference."""
        mixed = batch.columns["pos"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        sample = np.flatnonzero(
            mixed >> np.uint64(32) & np.uint64(0xFFFFFFFF) < np.uint64((1 << 32) // _SAMPLE)
        )
        if not len(sample):
            return
        some = batch.take(sample)
        wanted = {(row["term"], row["pos"]) for row in postings(some)}
        inherited = await self._statements.inherited(connection, tenant, set(some.refs.values()))
        for row, target in some.refs.items():
            wanted |= {(of, int(some.columns["pos"][row])) for of in inherited[target]}
        terms, poss = [int(term) for term, _ in wanted], [int(pos) for _, pos in wanted]
        missing = await connection.fetch(self._queries["missing_postings"], tenant, terms, poss)
        ids = {row["pos"]: row["id"] for row in rows} if missing else {}
        result.faults += [
            Fault(ids[row["pos"]], f"is not found by its term {row['term']}: the posting is missing")
            for row in missing
        ]

    async def surplus(self, connection: Connection, number: int) -> list[tuple[int, Fault]]:
        """Of some postings taken at random: those whose statement has no such term, with the tenant."""
        faults: list[tuple[int, Fault]] = []
        statements: dict[int, dict[int, asyncpg.Record]] = {}
        found: dict[tuple[int, int], list[int]] = {}
        for row in await connection.fetch(self._queries["some_postings"], number):
            if row["id"] is not None:
                statements.setdefault(row["tenant"], {})[row["pos"]] = row
                found.setdefault((row["tenant"], row["pos"]), []).append(row["term"])
            else:
                nobody = (
                    f"a posting of the term {row['term']} stands at pos {row['pos']}, a statement does not"
                )
                faults.append((row["tenant"], Fault(UUID(bytes(16)), nobody)))
        for tenant, rows in statements.items():
            # What cannot be read is told where its learner is recomputed.
            for some, batch in await self._readable(connection, tenant, list(rows.values()), Recomputed()):
                inherited = await self._statements.inherited(connection, tenant, set(batch.refs.values()))
                for place, (row, own) in enumerate(zip(some, terms_of(batch), strict=True)):
                    terms = own | inherited.get(batch.refs.get(place, b""), {}).keys()
                    for stray in set(found[tenant, row["pos"]]) - terms:
                        text = f"is found by the term {stray}, which it has not"
                        faults.append((tenant, Fault(row["id"], text)))
        return faults


def _fold(state: State, waiting: list[tuple[Events, Pairs]], catalogue: InForce | None) -> None:
    events, pairs = joined(waiting)
    waiting.clear()
    if catalogue is not None and len(events):
        state.take(events, pairs, catalogue.tables, catalogue.mapping)


def _done(rows: Sequence[asyncpg.Record], undone: _Undone) -> NDArray[np.bool_]:
    """Which of the statements count in what is derived."""
    poss = np.array([row["pos"] for row in rows], np.int64)
    counts = ~np.array([row["voided"] for row in rows], np.bool_) | np.isin(poss, undone.retractions)
    counts &= ~np.isin(poss, undone.facts)
    if undone.buried:
        counts &= ~np.array([row["id"] in undone.buried for row in rows], np.bool_)
    return counts


def _faults(rows: Sequence[asyncpg.Record], batch: Batch) -> Iterator[Fault]:
    """Where a statement's row or its claim is not what its bytes say."""
    columns = batch.columns
    said = zip(
        *(columns[name].tolist() for name in ("actor", "object", "verb", "flags")),
        uuids(registrations(batch)),
        uuids(columns["digest"]),
        strict=True,
    )
    for row, (actor, subject, verb, flags, registration, digest) in zip(rows, said, strict=True):
        stored = (row["actor"], row["object"], row["verb"], row["flags"], row["registration"].bytes)
        if stored != (actor, subject, verb, flags, registration):
            yield Fault(
                row["id"],
                "its row (actor, object, verb, flags, registration) is"
                f" {_row(stored)}, its bytes say {_row((actor, subject, verb, flags, registration))}",
            )
        if row["known_pos"] is None:
            yield Fault(row["id"], "its id is not among the ids that were claimed")
        elif row["known_pos"] != row["pos"]:
            yield Fault(
                row["id"], f"it stands at pos {row['pos']}, its id was claimed for {row['known_pos']}"
            )
        elif row["known_digest"].bytes != digest:
            yield Fault(row["id"], "its digest is not the one with which its id was claimed")


def _row(values: tuple[int, int, int, int, bytes]) -> str:
    *numbers, registration = values
    return f"({', '.join(str(number) for number in numbers)}, {registration.hex()})"
