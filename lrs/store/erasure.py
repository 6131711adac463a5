"""Erasure of a person: everything that the store keeps of an agent goes, but for tombstones.

What goes: every statement whose actor the person is, with its postings and references and the use of
its attachments; the person's State and Agent Profile documents; evidence, progress, competency, outcomes.
What stays: id and digest of each statement, so that a repetition is a repetition and another content
is refused; that it was stored, for the digests; and the audit trail, which knows the person by a hash.

Statements of others that name the person (as a member of a group, an instructor, an object …) are
records of somebody else, and immutable: they stay, and are counted, unless `related` asks for them,
too. What the person's own credential vouches for always stays.

An erasure covers what was acknowledged before it began, or began anew. What comes later is new: it is kept
until somebody asks again. It can be killed at any time: begun again, it goes on where it was.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from asyncpg.pgproto.pgproto import UUID

from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.store import outcome, rebuilding, term
from lrs.store.derived import Derived
from lrs.store.reread import Stored, reread
from lrs.store.sql import queries
from lrs.store.statement import LONGEST_CHAIN, StatementStore, terms_of
from lrs.store.verification import Examiner

if TYPE_CHECKING:
    import asyncpg

    from lrs.attachment.port import Attachments
    from lrs.store.connection import Connection
    from lrs.store.dictionary import Dictionaries
    from lrs.store.horizon import Horizon
    from lrs.store.name import Names

PATIENCE: Final = 30.0
"""Seconds for which an erasure waits for the stages."""

_TOGETHER: Final = 200
"""Statements that are erased in one transaction."""

_SQL: Final = queries("erasure")


class NobodyKnown(Exception):
    """Nothing was ever stored of this person."""


class StagesBehind(Exception):
    """The stages have not done what the log holds: ask again later, the erasure goes on then."""


class Erasure(msgspec.Struct, frozen=True):
    """A line of the audit trail. `key`: hash of the person's canonical identifier (lrs.store.term.key).
    `through`: µs since 1970, by partition, up to which it covers what was stored. `finished` None: it
    must be begun again. `kept`: statements that name the person still, and are somebody else's."""

    erasure: int
    key: str
    requested_by: str
    related: bool
    through: list[int]
    requested: datetime.datetime
    finished: datetime.datetime | None
    statements: int
    documents: int
    kept: int

    @classmethod
    def of(cls, row: asyncpg.Record) -> Erasure:
        """Of a row of the table."""
        names = ("erasure", "requested_by", "related", "requested", "finished")
        counts = ("statements", "documents", "kept")
        return cls(
            key=str(row["key"]), through=row["through_us"], **{name: row[name] for name in (*names, *counts)}
        )


async def trail(pool: asyncpg.Pool, tenant: int) -> list[Erasure]:
    """Every erasure of a tenant, the oldest first."""
    return [Erasure.of(row) for row in await pool.fetch(_SQL["trail"], tenant)]


async def _find(pool: asyncpg.Pool, tenant: int, number: int) -> Erasure:
    row = await pool.fetchrow(_SQL["find"], tenant, number)
    assert row is not None
    return Erasure.of(row)


class Eraser:
    """Erases persons, one after the other; while it does, nothing is rebuilt."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        names: Names,
        dictionaries: Dictionaries,
        attachments: Attachments,
        horizon: Horizon,
    ) -> None:
        """`horizon`: as patient as an erasure should wait for the stages (PATIENCE)."""
        self._pool, self._names, self._dictionaries = pool, names, dictionaries
        self._statements = StatementStore(names, dictionaries)
        self._examiner = Examiner(pool, names, dictionaries)
        self._attachments, self._horizon = attachments, horizon

    async def erase(self, tenant: int, agent: str, by: str, *, related: bool = False) -> Erasure:
        """Erase the person with this canonical identifier, or go on with it; `by`: who asks.

        Raises NobodyKnown, StagesBehind, and RebuildingRuns.
        """
        if not await self._horizon.caught_up(STATEMENTS):
            raise StagesBehind("the persist stage is behind the log: ask again later")
        number = await self._names.find("agent", tenant, agent)
        if number is None:
            raise NobodyKnown("nothing was ever stored of this person")
        async with rebuilding.alone(self._pool):
            begun = await self._pool.fetchval(_SQL["begin"], tenant, number, by, related)
            if not await self._horizon.caught_up(EVIDENCE):
                raise StagesBehind("the score stage is behind its log: ask again later")
            # What is being filled may have been derived from what goes now.
            await rebuilding.give_up(self._pool, tenant)
            erasure = await _find(self._pool, tenant, begun)
            await self._erase_statements(tenant, erasure, "own", number)
            if erasure.related:
                await self._erase_statements(tenant, erasure, "related", number)
            await self._pool.execute(_SQL["erase_documents"], tenant, number, begun)
            await self._empty_dead_letters(tenant, agent)
            # Retractions of what is erased now are all in the log; after them nothing brings a fact back.
            if not await self._horizon.caught_up(EVIDENCE):
                raise StagesBehind("the score stage is behind its log: ask again later")
            await self._refold(tenant, number)
            await outcome.forget(self._pool, tenant, number)
            kept = await self._pool.fetchval(_SQL["kept"], tenant, _terms(number))
            if not kept:
                await self._pool.execute(_SQL["forget_name"], tenant, number)
            await self._pool.execute(_SQL["finish"], tenant, begun, kept)
        return await _find(self._pool, tenant, begun)

    async def _erase_statements(self, tenant: int, erasure: Erasure, query: str, number: int) -> None:
        after = -1
        wanted = number if query == "own" else _terms(number)
        while True:
            async with self._pool.acquire() as connection, connection.transaction():
                # So no void and no reference comes between looking and erasing.
                await connection.execute(queries("statement")["own_order"])
                rows = await connection.fetch(_SQL[query], tenant, after, erasure.through, _TOGETHER, wanted)
                if not rows:
                    return
                after = rows[-1]["pos"]
                stored = [Stored.of(tenant, row) for row in rows]
                if query == "related":
                    stored = await self._naming(connection, stored, number)
                if stored:
                    await self._erase(connection, tenant, erasure.erasure, stored)

    async def _naming(self, connection: Connection, stored: Sequence[Stored], number: int) -> list[Stored]:
        """Those that name the agent themselves, not only in what they refer to."""
        batch = await reread(stored, self._dictionaries, self._names, connection)
        named = set(batch.agents[batch.agents[:, 1] == number, 0].tolist())
        return [one for row, one in enumerate(stored) if row in named]

    async def _erase(
        self, connection: Connection, tenant: int, erasure: int, stored: Sequence[Stored]
    ) -> None:
        ids, poss = [UUID(one.id) for one in stored], [one.pos for one in stored]
        heirs = [
            Stored.of(tenant, row)
            for row in await connection.fetch(_SQL["heirs"], tenant, ids, LONGEST_CHAIN)
        ]
        await self._attachments.release(tenant, [one.id for one in stored])
        before = await self._found_by(connection, tenant, [*stored, *heirs])
        await connection.execute(_SQL["erase"], tenant, poss, erasure)
        gone = sorted(before - await self._found_by(connection, tenant, heirs))
        terms, places = [own for own, _ in gone], [pos for _, pos in gone]
        await connection.execute(_SQL["forget_postings"], tenant, terms, places)

    async def _found_by(
        self, connection: Connection, tenant: int, stored: Sequence[Stored]
    ) -> set[tuple[int, int]]:
        """(term, pos) by which these statements are found, themselves and through what they refer to."""
        if not stored:
            return set()
        batch = await reread(stored, self._dictionaries, self._names, connection)
        inherited = await self._statements.inherited(connection, tenant, set(batch.refs.values()))
        return {
            (each, one.pos)
            for row, (one, own) in enumerate(zip(stored, terms_of(batch), strict=True))
            for each in own | inherited.get(batch.refs.get(row, b""), {}).keys()
        }

    async def _empty_dead_letters(self, tenant: int, agent: str) -> None:
        """What could not be stored of the person keeps its place and its reason only."""
        named = [part.encode() for part in agent.partition(":")[2].split(" ")]
        for row in await self._pool.fetch(_SQL["dead_letters"], tenant):
            text = _plain(row["raw"])
            if all(part in text for part in named):
                await self._pool.execute(_SQL["empty_dead_letter"], tenant, row["dead_letter"])

    async def _refold(self, tenant: int, number: int) -> None:
        """Derive anew what is derived for the person, and for whoever erased statements were about."""
        await self._refold_learner(tenant, number)
        while rows := await self._pool.fetch(_SQL["learners"], tenant, _TOGETHER):
            for row in rows:
                await self._refold_learner(tenant, row["learner"])

    async def _refold_learner(self, tenant: int, learner: int) -> None:
        await rebuilding.replace_learners(self._examiner, tenant, learner, learner + 1)
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_SQL["other_catalogues"], tenant):
                await Derived(tenant, row["catalogue"]).forget(connection, learner, learner + 1)
            await connection.execute(_SQL["refolded"], tenant, learner)


def _terms(agent: int) -> list[int]:
    return [term.term(kind, agent) for kind in (term.AGENT, term.RELATED_AGENT)]


def _plain(raw: bytes) -> bytes:
    """The JSON without needless escapes; anything else as it is."""
    try:
        decoded: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw
    return msgspec.json.encode(decoded)
