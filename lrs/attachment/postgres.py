"""Attachments in PostgreSQL, beside the store: data in pieces, so that nobody holds them whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING, Final

from asyncpg.pgproto.pgproto import UUID

from lrs.attachment.port import GRACE, Checked, NoData
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

PIECE: Final = 1 << 18
"""Bytes of a piece; the last one of an attachment has what is left."""

_AT_ONCE: Final = 2
"""Puts that have a connection at once: large data leave the others to those who have little to ask."""

_SWEPT: Final = 100
"""Attachments that one call of `sweep` looks at."""


class PostgresAttachments:
    """An implementation of `lrs.attachment.port.Attachments`; `grace`: see the port, in seconds."""

    def __init__(self, pool: asyncpg.Pool, grace: float = GRACE) -> None:
        self._pool, self._grace = pool, round(grace * 1_000_000)
        self._queries = queries("attachment")
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def put(
        self, tenant: int, sha2: str, size: int, data: AsyncIterable[bytes], users: Sequence[bytes]
    ) -> None:
        """See the port."""
        digest = bytes.fromhex(sha2)
        async with self._turns, self._pool.acquire() as connection, connection.transaction():
            fresh = await connection.fetchval(self._queries["claim"], tenant, digest, size, self._grace)
            await connection.execute(self._queries["use"], tenant, digest, [UUID(user) for user in users])
            if fresh:
                places = _numbered(tenant, digest, Checked(sha2, size, data))
                await connection.copy_records_to_table(
                    "attachment_piece", records=places, columns=("tenant", "sha2", "place", "bytes")
                )

    async def sizes(self, tenant: int, sha2s: Collection[str]) -> dict[str, int]:
        """See the port."""
        digests = [bytes.fromhex(sha2) for sha2 in sha2s]
        rows = await self._pool.fetch(self._queries["sizes"], tenant, digests) if digests else []
        return {row["sha2"].hex(): row["size"] for row in rows}

    async def used(self, tenant: int, users: Sequence[bytes]) -> dict[str, int]:
        """See the port."""
        ids = [UUID(user) for user in users]
        rows = await self._pool.fetch(self._queries["used"], tenant, ids) if ids else []
        return {row["sha2"].hex(): row["size"] for row in rows}

    async def read(self, tenant: int, sha2: str) -> AsyncIterator[bytes]:
        """See the port. No connection is held between two pieces, however slow the reader is."""
        size = (await self.sizes(tenant, [sha2])).get(sha2)
        if size is None:
            raise NoData(f"there is no attachment with the SHA-2 {sha2}")
        digest = bytes.fromhex(sha2)
        for place in range(1, -(-size // PIECE) + 1):
            piece = await self._pool.fetchval(self._queries["piece"], tenant, digest, place)
            if piece is None:
                raise NoData(f"the attachment with the SHA-2 {sha2} was deleted")
            yield piece

    async def release(self, tenant: int, users: Sequence[bytes]) -> None:
        """See the port."""
        async with self._pool.acquire() as connection, connection.transaction():
            ids = [UUID(user) for user in users]
            used = [row["sha2"] for row in await connection.fetch(self._queries["lock"], tenant, ids)]
            await connection.execute(self._queries["leave"], tenant, ids, used)
            await connection.execute(self._queries["forget"], tenant, used, self._grace)

    async def sweep(self) -> int:
        """See the port."""
        while True:
            [row] = await self._pool.fetch(self._queries["sweep"], _SWEPT)
            if row["gone"] or not row["seen"]:
                return int(row["gone"])


async def _numbered(
    tenant: int, digest: bytes, data: AsyncIterable[bytes]
) -> AsyncIterator[tuple[int, bytes, int, bytes]]:
    """Rows of pieces, each of PIECE bytes but for the last."""
    waiting, place = bytearray(), 0
    async for some in data:
        waiting += some
        while len(waiting) >= PIECE:
            place += 1
            yield tenant, digest, place, bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield tenant, digest, place + 1, bytes(waiting)
