"""Statements with their postings, voids and references: queries of statement.sql, and COPY."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import UniqueViolationError

from lrs.store import listing, term
from tests.histories.answers import answers, answers_text
from tests.histories.database import Record, Transaction, rows_of

_ORDER = ("advisory", "order")
_AWAITED = rows_of("target", "pos", "authority", "anyone", "voids")
_VOIDED = rows_of("pos", "id", "authority", "flags", "dictionary", "raw")
_BY_ID = rows_of("pos", "flags", "dictionary", "raw", "id", "authority", "authority_agent")
_DICTIONARY = rows_of("dictionary", "content")
_AUTHORITY = rows_of("authority", "agent", "document")
_LISTED = rows_of("pos", "id", "authority", "flags", "dictionary", "thetas", "raw")


class Statement(NamedTuple):
    """A row of statement, keyed by tenant and pos; in the order in which it is copied."""

    tenant: int
    authority: int
    pos: int
    actor: int
    object: int
    verb: int
    flags: int
    dictionary: int
    voided: bool
    id: UUID
    registration: UUID
    raw: bytes


class Void(NamedTuple):
    """A row of void, keyed by tenant, target and pos."""

    authority: int
    anyone: bool
    target_pos: int | None


@answers("statement", "share_order")
async def share_order(transaction: Transaction) -> list[Record]:
    await transaction.lock(_ORDER, shared=True)
    return [Record((None,))]


@answers("statement", "own_order")
async def own_order(transaction: Transaction) -> list[Record]:
    await transaction.lock(_ORDER)
    return [Record((None,))]


@answers_text("copy statement")
async def copy_statement(transaction: Transaction, columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    assert tuple(columns) == Statement._fields
    for values in rows:
        row = Statement(*values)
        if not await transaction.insert("statement", (row.tenant, row.pos), row):
            raise UniqueViolationError("duplicate key value violates unique constraint of statement")
    return f"COPY {len(rows)}"


@answers_text("copy posting")
async def copy_posting(transaction: Transaction, columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    assert columns == ["tenant", "term", "pos"]
    for values in rows:
        if not await transaction.insert("posting", values, True):
            raise UniqueViolationError("duplicate key value violates unique constraint of posting")
    return f"COPY {len(rows)}"


@answers("statement", "awaited")
async def awaited(transaction: Transaction, tenant: int, ids: list[UUID]) -> list[Record]:
    targets = set(ids)
    found = [
        _AWAITED((key[1], key[2], void.authority, void.anyone, True))
        for key, void in transaction.scan("void")
        if key[0] == tenant and key[1] in targets and void.target_pos is None
    ]
    for key, _ in transaction.scan("statement_ref"):
        if key[0] == tenant and key[1] in targets:
            found.append(_AWAITED((key[1], key[2], 0, False, False)))
    return found


@answers("statement", "meet_voids")
async def meet_voids(transaction: Transaction, tenant: int, targets: list[UUID], at: list[int]) -> str:
    met = dict(zip(targets, at, strict=True))
    rows = [key for key, row in transaction.scan("void") if key[0] == tenant and key[1] in met]
    changed = 0
    for key in rows:
        if transaction.get("void", key).target_pos is not None:
            continue
        await transaction.lock(("void", key))
        row = transaction.get("void", key)
        if row.target_pos is None:
            transaction.put("void", key, row._replace(target_pos=met[key[1]]))
            changed += 1
    return f"UPDATE {changed}"


@answers("statement", "add_refs")
async def add_refs(transaction: Transaction, tenant: int, targets: list[UUID], at: list[int]) -> str:
    for target, pos in zip(targets, at, strict=True):
        if not await transaction.insert("statement_ref", (tenant, target, pos), True):
            raise UniqueViolationError("duplicate key value violates unique constraint of statement_ref")
    return f"INSERT 0 {len(at)}"


def _by_known(transaction: Transaction, tenant: int, id_: UUID) -> Statement | None:
    known = transaction.get("known_id", (tenant, id_))
    return None if known is None else transaction.get("statement", (tenant, known[1]))


@answers("statement", "void")
async def void(
    transaction: Transaction, tenant: int, target: UUID, pos: int, authority: int, anyone: bool, voids: int
) -> list[Record]:
    met = _by_known(transaction, tenant, target)
    row = Void(authority, anyone, None if met is None else met.pos)
    if not await transaction.insert("void", (tenant, target, pos), row):
        raise UniqueViolationError("duplicate key value violates unique constraint of void")
    if met is None or met.voided or met.flags & voids or not (anyone or met.authority == authority):
        return []
    await transaction.lock(("statement", (tenant, met.pos)))
    met = transaction.get("statement", (tenant, met.pos))
    if met is None or met.voided:
        return []
    transaction.put("statement", (tenant, met.pos), met._replace(voided=True))
    return [_VOIDED((met.pos, met.id, met.authority, met.flags, met.dictionary, met.raw))]


@answers("statement", "by_ids")
async def by_ids(transaction: Transaction, tenant: int, ids: list[UUID]) -> list[Record]:
    found = [_by_known(transaction, tenant, id_) for id_ in ids]
    return [
        _BY_ID((s.pos, s.flags, s.dictionary, s.raw, s.id, s.authority, authority[0]))
        for s in found
        if s is not None and (authority := transaction.get("authority", (tenant, s.authority)))
    ]


@answers("statement", "inherit")
async def inherit(
    transaction: Transaction,
    tenant: int,
    first: list[int],
    terms: list[int],
    distances: list[int],
    longest: int,
) -> str:
    heirs = {(pos, 1) for pos in first}
    looking = list(heirs)
    while looking:
        pos, distance = looking.pop()
        row = transaction.get("statement", (tenant, pos))
        if row is None or distance >= longest:
            continue
        for key, _ in transaction.scan("statement_ref"):
            heir = (key[2], distance + 1)
            if key[0] == tenant and key[1] == row.id and heir not in heirs:
                heirs.add(heir)
                looking.append(heir)
    nearest: dict[int, int] = {}
    for pos, distance in heirs:
        nearest[pos] = min(distance, nearest.get(pos, distance))
    inherited = zip(terms, distances, strict=True)
    wanted = {(t, pos) for t, d in inherited for pos, near in nearest.items() if near + d - 1 <= longest}
    done = 0
    for each, pos in sorted(wanted):
        done += await transaction.insert("posting", (tenant, each, pos), True)
    return f"INSERT 0 {done}"


@answers("statement", "add_dead_letter")
async def add_dead_letter(
    transaction: Transaction,
    tenant: int,
    stage: str,
    partition: int,
    offset: int,
    place: int,
    id_: UUID | None,
    reason: str,
    detail: str,
    _raw: bytes | None,
) -> str:
    key = (tenant, stage, partition, offset, place)
    return f"INSERT 0 {await transaction.insert('dead_letter', key, (id_, reason, detail)):d}"


@answers("dead_letter", "add_statement")
async def add_statement(transaction: Transaction, *given: Any) -> str:
    return await add_dead_letter(transaction, *given[:9])


@answers("statement", "dictionaries")
async def dictionaries(transaction: Transaction, numbers: list[int]) -> list[Record]:
    found = [(number, transaction.get("dictionary", number)) for number in numbers]
    return [_DICTIONARY(row) for row in found if row[1] is not None]


@answers("statement", "authorities")
async def authorities(transaction: Transaction, tenant: int, numbers: list[int]) -> list[Record]:
    found = [(number, transaction.get("authority", (tenant, number))) for number in numbers]
    return [_AUTHORITY((number, *row)) for number, row in found if row is not None]


@answers("digest", "add")
async def add_digests(transaction: Transaction, *columns: list[Any]) -> str:
    rows = sorted(zip(*columns, strict=True))
    for *key, count, total in rows:
        place = tuple(key)
        await transaction.lock(("statement_digest", place))
        old = transaction.get("statement_digest", place) or (0, 0)
        transaction.put("statement_digest", place, (old[0] + count, old[1] + total))
    return f"INSERT 0 {len(rows)}"


def _list(ascending: bool) -> Any:
    async def page(
        transaction: Transaction, tenant: int, limit: int, low: int, high: int, *horizons: list[int]
    ) -> list[Record]:
        thetas = [
            row.theta_us for key, row in sorted(transaction.scan("stage_partition")) if key[0] == "persist"
        ]
        there = []
        for key, row in transaction.scan("statement"):
            if key[0] != tenant or row.voided or not low < row.pos <= high:
                continue
            partition = row.pos & (term.PARTITIONS - 1)
            if horizons and (partition >= len(horizons[0]) or term.instant(row.pos) > horizons[0][partition]):
                continue
            there.append(row)
        there.sort(key=lambda row: row.pos, reverse=not ascending)
        rows = [
            _LISTED((row.pos, row.id, row.authority, row.flags, row.dictionary, thetas, row.raw))
            for row in there[:limit]
        ]
        return rows or [_LISTED((None, None, None, None, None, thetas, None))]

    return page


for _ascending in (True, False):
    for _horizon in ((), (1,)):
        _query = listing.Query(limit=1, ascending=_ascending, horizon=_horizon)
        answers_text(listing.statement(1, _query)[0])(_list(_ascending))
