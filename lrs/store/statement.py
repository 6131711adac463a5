"""Statements as rows: how a batch is written, with its postings, voids and references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from asyncpg.pgproto.pgproto import UUID

from lrs.log import frame as frames
from lrs.store import digest, term
from lrs.store.batch import Batch, flags_of, voiding_rows
from lrs.store.copy import Rows
from lrs.store.reread import Stored, reread
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg
    from numpy.typing import NDArray

    from lrs.store.connection import Connection
    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names

_STATEMENT: Final = Rows(
    "statement",
    {
        "tenant": "int4",
        "authority": "int4",
        "pos": "int8",
        "actor": "int8",
        "object": "int8",
        "verb": "int4",
        "flags": "int4",
        "dictionary": "int4",
        "voided": "bool",
        "id": "uuid",
        "registration": "uuid",
    },
    tail="raw",
)
_POSTING: Final = Rows("posting", {"tenant": "int4", "term": "int8", "pos": "int8"})

LONGEST_CHAIN: Final = 32
"""References are followed so far; nothing is inherited from farther away, or twice around a circle."""


class StatementStore:
    """Writes batches into the tables of statements."""

    def __init__(self, names: Names, dictionaries: Dictionaries) -> None:
        self._names = names
        self.dictionaries = dictionaries
        self._queries = queries("statement")

    async def write(self, connection: Connection, batch: Batch) -> tuple[NDArray[np.bool_], list[Stored]]:
        """Write the batch in the caller's transaction.

        Returns which of its statements are voided from the beginning, and the stored statements
        (of this batch or earlier) that were in sight until now and are voided by it.
        """
        meets = flags_of(batch.columns, frames.VOIDS | frames.REFERS)
        await connection.execute(self._queries["own_order" if meets.any() else "share_order"])
        voided, referrers = await self._awaited(connection, batch)
        columns = dict(batch.columns) | {"voided": voided, "registration": registrations(batch)}
        await _STATEMENT.copy(connection, _STATEMENT.encode(batch.rows, columns, batch.raws))
        found = postings(batch)
        if batch.refs:
            found = _sorted(np.concatenate((found, await self._inherited(connection, batch))))
        if len(found):
            values = {name: found[name] for name in ("tenant", "term", "pos")}
            await _POSTING.copy(connection, _POSTING.encode(len(found), values))
        await self._bequeath(connection, referrers)
        await digest.add(connection, batch)
        return voided, await self._void(connection, batch)

    async def _awaited(
        self, connection: Connection, batch: Batch
    ) -> tuple[NDArray[np.bool_], list[tuple[int, bytes, int]]]:
        """Rows that a void was waiting for, and (tenant, target, pos) of references to this batch."""
        voided = np.zeros(batch.rows, np.bool_)
        referrers: list[tuple[int, bytes, int]] = []
        columns = batch.columns
        for tenant in np.unique(columns["tenant"]).tolist():
            rows = np.flatnonzero(columns["tenant"] == tenant)
            ids = [UUID(value) for value in uuids(columns["id"][rows])]
            found = await connection.fetch(self._queries["awaited"], tenant, ids)
            if not found:
                continue
            place = {value.bytes: int(row) for value, row in zip(ids, rows, strict=True)}
            met: dict[bytes, int] = {}
            for waiting in found:
                target = waiting["target"].bytes
                row = place[target]
                if not waiting["voids"]:
                    referrers.append((tenant, target, waiting["pos"]))
                    continue
                met[target] = int(columns["pos"][row])
                may = waiting["anyone"] or waiting["authority"] == int(columns["authority"][row])
                if may and not int(columns["flags"][row]) & frames.VOIDS:
                    voided[row] = True
            if met:
                await connection.execute(
                    self._queries["meet_voids"], tenant, [UUID(target) for target in met], list(met.values())
                )
        return voided, referrers

    async def _void(self, connection: Connection, batch: Batch) -> list[Stored]:
        retracted: list[Stored] = []
        columns = batch.columns
        for row in voiding_rows(batch):
            found = await connection.fetchrow(
                self._queries["void"],
                int(columns["tenant"][row]),
                UUID(batch.refs[row]),
                int(columns["pos"][row]),
                int(columns["authority"][row]),
                bool(int(columns["flags"][row]) & frames.VOIDS_ANYONES),
                frames.VOIDS,
            )
            if found is not None:
                retracted.append(Stored.of(int(columns["tenant"][row]), found))
        return retracted

    async def _inherited(self, connection: Connection, batch: Batch) -> NDArray[Any]:
        """Note the batch's references; the terms that its statements inherit through them."""
        columns = batch.columns
        found: list[tuple[int, int, int]] = []
        by_tenant: dict[int, list[tuple[bytes, int]]] = {}
        for row, target in batch.refs.items():
            by_tenant.setdefault(int(columns["tenant"][row]), []).append((target, int(columns["pos"][row])))
        for tenant, refs in by_tenant.items():
            targets, poss = [UUID(target) for target, _ in refs], [pos for _, pos in refs]
            await connection.execute(self._queries["add_refs"], tenant, targets, poss)
            inherited = await self.inherited(connection, tenant, {target for target, _ in refs})
            found += [(tenant, each, pos) for target, pos in refs for each in inherited[target]]
        return np.array(found, _POSTING_ROW)

    async def _bequeath(self, connection: Connection, referrers: Sequence[tuple[int, bytes, int]]) -> None:
        """Give what refers to the batch's statements, and came before them, their terms, and so on."""
        heirs: dict[int, dict[bytes, list[int]]] = {}
        for tenant, target, pos in referrers:
            heirs.setdefault(tenant, {}).setdefault(target, []).append(pos)
        for tenant, by_target in heirs.items():
            for target, terms in (await self.inherited(connection, tenant, by_target)).items():
                poss, distances = by_target[target], list(terms.values())
                await connection.execute(
                    self._queries["inherit"], tenant, poss, list(terms), distances, LONGEST_CHAIN
                )

    async def inherited(
        self, connection: Connection, tenant: int, targets: Iterable[bytes]
    ) -> dict[bytes, dict[int, int]]:
        """What is inherited from each of these statements: its terms, and those of the statements that
        it refers to in turn, with the distance (from 1) of the nearest one that has the term."""
        known: dict[bytes, tuple[set[int], bytes | None]] = {}
        wanted = set(targets)
        for _ in range(LONGEST_CHAIN):
            if not wanted:
                break
            rows = await connection.fetch(
                self._queries["by_ids"], tenant, [UUID(each) for each in sorted(wanted)]
            )
            known.update((missing, (set(), None)) for missing in wanted)
            known.update(await self._own_terms(connection, tenant, rows))
            wanted = {known[each][1] for each in wanted} - known.keys() - {None}  # type: ignore[assignment]
        return {target: _down(target, known) for target in targets}

    async def _own_terms(
        self, connection: Connection, tenant: int, rows: Sequence[asyncpg.Record]
    ) -> dict[bytes, tuple[set[int], bytes | None]]:
        """By id of some statements: everything that they are found by, and what they refer to."""
        if not rows:
            return {}
        stored = [Stored.of(tenant, row) for row in rows]
        batch = await reread(stored, self.dictionaries, self._names, connection)
        terms = terms_of(batch)
        for row, own in zip(rows, terms, strict=True):
            own.add(term.term(term.RELATED_AGENT, row["authority_agent"]))
        return {one.id: (terms[place], batch.refs.get(place)) for place, one in enumerate(stored)}


def _down(start: bytes, known: Mapping[bytes, tuple[set[int], bytes | None]]) -> dict[int, int]:
    terms: dict[int, int] = {}
    seen: set[bytes] = set()
    target: bytes | None = start
    while target is not None and target in known and target not in seen and len(seen) < LONGEST_CHAIN:
        seen.add(target)
        own, following = known[target]
        for each in own:
            terms.setdefault(each, len(seen))
        target = following
    return terms


def uuids(column: NDArray[Any]) -> list[bytes]:
    """The values of a column of UUIDs."""
    buffer = column.tobytes()
    return [buffer[at : at + 16] for at in range(0, len(buffer), 16)]


def registrations(batch: Batch) -> NDArray[Any]:
    """The registration column as it is stored: zeros mean none, so a sender's nil UUID moves."""
    given = batch.columns["registration"]
    zero = given.view(np.uint64).reshape(-1, 2).any(axis=1) == 0
    nil = zero & flags_of(batch.columns, frames.HAS_REGISTRATION)
    if not nil.any():
        return given
    stored = given.copy()
    stored[nil] = np.void(term.registration(bytes(16)))
    return stored


_POSTING_ROW: Final = np.dtype([("tenant", "<i8"), ("term", "<i8"), ("pos", "<i8")])


def postings(batch: Batch) -> NDArray[Any]:
    """One row for each term of each statement that its own columns do not hold, without repetition."""
    agents = batch.agents
    kind = np.where(agents[:, 2] == frames.DIRECT, term.AGENT, term.RELATED_AGENT)
    activities = batch.activities[batch.activities[:, 2] == frames.RELATED]
    rows = np.concatenate((agents[:, 0], activities[:, 0]))
    found = np.empty(len(rows), _POSTING_ROW)
    found["tenant"] = batch.columns["tenant"][rows]
    found["term"] = np.concatenate((agents[:, 1] << 3 | kind, activities[:, 1] << 3 | term.RELATED_ACTIVITY))
    found["pos"] = batch.columns["pos"][rows]
    return _sorted(found)


def _sorted(found: NDArray[Any]) -> NDArray[Any]:
    """In the order of the primary key, where neighbours share index pages; without repetition."""
    found = found[np.lexsort((found["pos"], found["term"], found["tenant"]))]
    return found[np.concatenate(([True], found[1:] != found[:-1]))] if len(found) > 1 else found


def terms_of(batch: Batch) -> list[set[int]]:
    """Everything by which each statement of a batch is found, columns and postings."""
    columns = batch.columns
    row_of = {pos: row for row, pos in enumerate(columns["pos"].tolist())}
    found: list[set[int]] = [set() for _ in range(batch.rows)]
    for _, own, pos in postings(batch).tolist():
        found[row_of[pos]].add(own)
    named = zip(*(columns[name].tolist() for name in ("verb", "actor", "object", "flags")), strict=True)
    for terms, registration, (verb, actor, activity, flags) in zip(
        found, uuids(registrations(batch)), named, strict=True
    ):
        terms.add(term.term(term.VERB, verb))
        if actor:
            terms.add(term.term(term.AGENT, actor))
        if activity:
            terms.add(term.term(term.ACTIVITY, activity))
        if flags & frames.HAS_REGISTRATION:
            terms.add(term.term(term.REGISTRATION, term.registration_number(registration)))
    return found
