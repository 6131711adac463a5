"""Interned names and what is said of activities: queries of name.sql and definition.sql."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from tests.histories.answers import answers
from tests.histories.database import Answer, Record, Transaction, rows_of

_FOUND = rows_of("key", "number")
_LOCKED = rows_of("tenant", "activity", "definition", "defined_us")


class Name(NamedTuple):
    """A row of agent, activity or verb, keyed by tenant and key."""

    number: int
    text: str
    definition: bytes | None = None
    defined_us: int | None = None


def _find(table: str) -> Answer:
    async def find(transaction: Transaction, tenant: int, keys: list[UUID]) -> list[Record]:
        found = [(key, transaction.get(table, (tenant, key))) for key in keys]
        return [_FOUND((key, row.number)) for key, row in found if row is not None]

    return find


def _add(table: str) -> Answer:
    async def add(transaction: Transaction, tenant: int, keys: list[UUID], names: list[str]) -> list[Record]:
        added = []
        for key, name in sorted(zip(keys, names, strict=True)):
            number = transaction.database.number(table)
            if await transaction.insert(table, (tenant, key), Name(number, name)):
                added.append(_FOUND((key, number)))
        return added

    return add


for _kind in ("agent", "activity", "verb"):
    answers("name", f"find_{_kind}")(_find(_kind))
    answers("name", f"add_{_kind}")(_add(_kind))


def _activities(transaction: Transaction) -> dict[tuple[int, int], tuple[int, UUID]]:
    return {(key[0], row.number): key for key, row in transaction.scan("activity")}


@answers("definition", "lock")
async def lock(transaction: Transaction, tenants: list[int], activities: list[int]) -> list[Record]:
    keys = _activities(transaction)
    found = []
    for tenant, activity in sorted(zip(tenants, activities, strict=True)):
        key = keys.get((tenant, activity))
        if key is not None:
            await transaction.lock(("activity", key))
            row = transaction.get("activity", key)
            found.append(_LOCKED((tenant, activity, row.definition, row.defined_us or 0)))
    return found


@answers("definition", "put")
async def put(
    transaction: Transaction,
    tenants: list[int],
    activities: list[int],
    definitions: list[bytes],
    instants: list[int],
) -> str:
    keys = _activities(transaction)
    for tenant, activity, definition, instant in zip(tenants, activities, definitions, instants, strict=True):
        key = keys[tenant, activity]
        await transaction.lock(("activity", key))
        row = transaction.get("activity", key)
        transaction.put("activity", key, row._replace(definition=definition, defined_us=instant))
    return f"UPDATE {len(tenants)}"
