"""Statements as rows: how a batch is written, with its postings, voids and references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from asyncpg.pgproto.pgproto import UUID

from lrs.log import frame as frames
from lrs.store import term
from lrs.store.batch import Batch, flags_of, voiding_rows
from lrs.store.copy import Rows
from lrs.store.reread import Stored, reread
from lrs.store.sql import queries

if TYPE_CHECKING:
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
        registration = registrations(batch)
        columns = dict(batch.columns) | {"voided": voided, "registration": registration}
        await _STATEMENT.copy(connection, _STATEMENT.encode(batch.rows, columns, batch.raws))
        if len(found := postings(batch)):
            values = {name: found[name] for name in ("tenant", "term", "pos")}
            await _POSTING.copy(connection, _POSTING.encode(len(found), values))
        await self._refer(connection, batch, referrers)
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

    async def _refer(
        self, connection: Connection, batch: Batch, referrers: Sequence[tuple[int, bytes, int]]
    ) -> None:
        """Give every statement that refers to another one, directly or not, that one's terms."""
        columns = batch.columns
        fresh = [
            (int(columns["tenant"][row]), target, int(columns["pos"][row]))
            for row, target in batch.refs.items()
        ]
        for tenant in {tenant for tenant, _, _ in fresh}:
            mine = [(UUID(target), pos) for of, target, pos in fresh if of == tenant]
            await connection.execute(
                self._queries["add_refs"], tenant, [target for target, _ in mine], [pos for _, pos in mine]
            )
        heirs: dict[tuple[int, bytes], list[int]] = {}
        for tenant, target, pos in [*fresh, *referrers]:
            heirs.setdefault((tenant, target), []).append(pos)
        for (tenant, target), poss in heirs.items():
            terms = await self.inherited(connection, tenant, target)
            if terms:
                await connection.execute(
                    self._queries["inherit"], tenant, poss, list(terms), list(terms.values()), LONGEST_CHAIN
                )

    async def inherited(self, connection: Connection, tenant: int, target: bytes | None) -> dict[int, int]:
        """Terms of the statement with this id and of those that it refers to in turn, with the
        distance (from 1) of the nearest one that has the term."""
        terms: dict[int, int] = {}
        seen: set[bytes] = set()
        while target is not None and target not in seen and len(seen) < LONGEST_CHAIN:
            seen.add(target)
            row = await connection.fetchrow(self._queries["by_id"], tenant, UUID(target))
            if row is None:
                break
            batch = await reread([Stored.of(tenant, row)], self.dictionaries, self._names, connection)
            for inherited in (*terms_of(batch), term.term(term.RELATED_AGENT, row["authority_agent"])):
                terms.setdefault(inherited, len(seen))
            target = batch.refs.get(0)
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
    # In the order of the primary key: neighbours share index pages.
    order = np.lexsort((found["pos"], found["term"], found["tenant"]))
    found = found[order]
    if len(found) > 1:
        found = found[np.concatenate(([True], found[1:] != found[:-1]))]
    return found


def terms_of(batch: Batch) -> set[int]:
    """Everything by which the single statement of this batch is found, its columns and its postings."""
    columns = batch.columns
    terms = set(postings(batch)["term"].tolist())
    terms.add(term.term(term.VERB, int(columns["verb"][0])))
    if actor := int(columns["actor"][0]):
        terms.add(term.term(term.AGENT, actor))
    if activity := int(columns["object"][0]):
        terms.add(term.term(term.ACTIVITY, activity))
    if int(columns["flags"][0]) & frames.HAS_REGISTRATION:
        stored = registrations(batch)[0].tobytes()
        terms.add(term.term(term.REGISTRATION, term.registration_number(stored)))
    return terms
