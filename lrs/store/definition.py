"""Activity definitions of the store: merged from what statements say, one for each activity.

They are merged in short sorted transactions of their own before the statements are stored, like
names: who sees a statement sees its definitions, no popular activity is locked for long, and merging
the same again changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from asyncpg.pgproto.pgproto import UUID

from lrs.store.sql import queries
from lrs.store.term import key
from lrs.xapi.definition import merge_definitions

if TYPE_CHECKING:
    import asyncpg

    from lrs.log.frame import Frame

Fresh = Sequence[tuple[int, int, int, bytes]]
"""(tenant, activity's number, instant in µs since 1970, its definition as JSON)."""

LONGEST: Final = 4 << 20
"""Bytes that a merged definition may have; what would make it longer is left in its statement."""


def fresh_definitions(frame: Frame, skip: Sequence[int]) -> list[tuple[int, bytes]]:
    """The frame's definitions (place in its activities, JSON), but for those that only statements at
    the places `skip`, which are not stored, may have brought."""
    if not (len(skip) and frame.definitions):
        return frame.definitions
    stored = np.ones(frame.rows, np.bool_)
    stored[np.asarray(skip, np.int64)] = False
    related = frame.activity_relations
    named = {place - 1 for place in frame.columns["object"][stored].tolist()}
    named.update(related["name"][stored[related["row"]]].tolist())
    return [(place, definition) for place, definition in frame.definitions if place in named]


class Definitions:
    """Reads and merges definitions."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._queries = queries("definition")

    async def merge(self, fresh: Fresh) -> None:
        """Merge what statements say into what is known; what is no definition is passed over."""
        if not fresh:
            return
        wanted = sorted({(tenant, activity) for tenant, activity, _, _ in fresh})
        columns = [list(column) for column in zip(*wanted, strict=True)]
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(self._queries["lock"], *columns)
            before: dict[tuple[int, int], _Known] = {(row[0], row[1]): (row[2], row[3]) for row in rows}
            after = dict(before)
            for tenant, activity, instant, definition in sorted(fresh, key=lambda one: one[2]):
                if (tenant, activity) in after:
                    after[tenant, activity] = _merged(after[tenant, activity], definition, instant)
            changed = [(*place, *known) for place, known in after.items() if known != before[place]]
            if changed:
                await connection.execute(
                    self._queries["put"], *[list(column) for column in zip(*changed, strict=True)]
                )

    async def of(self, tenant: int, activities: Collection[str]) -> dict[str, bytes]:
        """The definitions (JSON) of those of the activities that have one, by IRI."""
        keys = [UUID(key(iri)) for iri in activities]
        rows = await self._pool.fetch(self._queries["known"], tenant, keys)
        return {row["iri"]: row["definition"] for row in rows}


_Known = tuple[bytes | None, int]
"""A definition, and the instant of the newest statement that had a say in it."""


def _merged(known: _Known, fresh: bytes, instant: int) -> _Known:
    """What comes late, since its partition was behind, does not win over what is newer."""
    definition, newest = known
    try:
        if definition is not None and instant < newest:
            merged = merge_definitions(fresh, definition)
        else:
            merged = merge_definitions(definition, fresh)
    except ValueError:
        return known
    return (merged, max(instant, newest)) if len(merged) <= LONGEST else known
