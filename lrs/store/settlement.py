"""Settlement: what became of statements that the log took, as soon as persist has said so.

A statement in the log is stored, or it is refused: its id was another statement's before (where the
log cannot claim ids, see `lrs.log.claiming`), or it cannot be stored. It takes persist to say which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from asyncpg.pgproto.pgproto import UUID

from lrs.store.connection import AWAY
from lrs.store.sql import queries

if TYPE_CHECKING:
    from lrs.store.connection import Connection

PATIENCE: Final = 10.0
"""Seconds after which it is said that statements are not settled yet."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.05
_SQL: Final = queries("settlement")


@dataclass(frozen=True, slots=True)
class Settled:
    """Places of the statements that were asked about; all others are stored.

    `pending`: not settled yet. `conflicts`: refused, the id is another statement's. `put_aside`: they
    cannot be stored, and became dead letters.
    """

    pending: Sequence[int] = ()
    conflicts: Sequence[int] = ()
    put_aside: Sequence[int] = ()


class Settlement:
    """Waits for persist."""

    def __init__(self, pool: asyncpg.Pool, patience: float = PATIENCE) -> None:
        """`patience`: the longest wait, in seconds."""
        self._pool, self._patience = pool, patience

    async def of(
        self, tenant: int, ids: Sequence[bytes], digests: Sequence[bytes], position: tuple[int, int]
    ) -> Settled:
        """What became of statements with these ids and digests; `position`: partition of the record that
        they came in, and the offset after it.

        What is not settled after patience, or because the store is away, is pending.
        """
        settled = Settled(pending=range(len(ids)))
        pause = _SHORTEST_PAUSE
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while True:
                    with suppress(*AWAY):
                        async with self._pool.acquire() as connection:
                            settled = await _look(connection, tenant, ids, digests, position)
                    if not settled.pending:
                        break
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        return settled


async def _look(
    connection: Connection,
    tenant: int,
    ids: Sequence[bytes],
    digests: Sequence[bytes],
    position: tuple[int, int],
) -> Settled:
    if not await connection.fetchval(_SQL["reached"], *position):
        return Settled(pending=range(len(ids)))
    names = [UUID(id_) for id_ in ids]
    rows = await connection.fetch(_SQL["standing"], tenant, names, [UUID(digest) for digest in digests])
    conflicts = [row["place"] for row in rows if row["equal"] is False]
    pending = [row["place"] for row in rows if row["equal"] is not False and not row["stored"]]
    put_aside: list[int] = []
    if pending:
        letters = await connection.fetch(
            _SQL["put_aside"], tenant, [names[place] for place in pending], *position
        )
        buried = {row["id"] for row in letters}
        put_aside = [place for place in pending if None in buried or names[place] in buried]
        pending = [place for place in pending if place not in put_aside]
    return Settled(pending, conflicts, put_aside)
