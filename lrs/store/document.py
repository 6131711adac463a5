"""Documents of the store: State, Agent Profile, Activity Profile (1.0.3 Part Three 2.2).

A change says which content it saw, and is refused when that is not the content any more: of several
that saw the same, one wins. Whoever loses looks again and judges anew.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from asyncpg.pgproto.pgproto import UUID

from lrs.store import term
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.connection import Asked

PIECE: Final = 1 << 20
"""The most bytes of a piece, and of a document that is one piece."""


class Kind(enum.IntEnum):
    """What a document belongs to. The numbers are stored: they never change."""

    STATE = 1
    AGENT_PROFILE = 2
    ACTIVITY_PROFILE = 3


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where documents stand that are listed together. `agent`, `activity`: store numbers, 0 where the
    kind has none. `registration`: 16 bytes, None for none, or in a list for any."""

    tenant: int
    kind: Kind
    agent: int
    activity: int
    registration: bytes | None = None

    def _values(self) -> tuple[Any, ...]:
        return self.tenant, self.kind, self.agent, self.activity

    def all(self) -> tuple[Any, ...]:
        """The first arguments of a query for the whole shelf."""
        given = self.registration
        return *self._values(), None if given is None else UUID(term.registration(given))

    def place(self, id: str) -> tuple[Any, ...]:
        """The first arguments of a query for one document."""
        return *self._values(), UUID(term.registration(self.registration)), UUID(term.key(id))


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it was seen. `content`: the number of these very bytes. `updated`: µs since 1970.
    `whole`: its bytes, where they were asked for and are one piece."""

    content: int
    content_type: str
    sha1: bytes
    size: int
    updated: int
    whole: bytes | None


@dataclass(frozen=True, slots=True)
class Stream:
    """More bytes than should be in memory at once. `read`: all of them, in pieces of up to PIECE bytes,
    as often as it is called."""

    size: int
    read: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a document is to become."""

    content_type: str
    sha1: bytes
    data: bytes | Stream

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.data.size if isinstance(self.data, Stream) else len(self.data)

    def values(self) -> tuple[Any, ...]:
        """The last arguments of a query that writes it, with its pieces unless they come in a stream."""
        pieces: list[memoryview] = []
        if not isinstance(self.data, Stream):
            view = memoryview(self.data)
            pieces = [view[start : start + PIECE] for start in range(0, len(view), PIECE)]
        return self.content_type, self.sha1, self.size, pieces


class DocumentStore:
    """Reads and changes documents. Each method is one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._queries = queries("document")

    async def find(self, shelf: Shelf, id: str, *, whole: bool = False) -> Document | None:
        """The document; with `whole`, its bytes as well if they are one piece."""
        row = await self._pool.fetchrow(self._queries["find"], *shelf.place(id), whole, PIECE)
        if row is None:
            return None
        small = whole and row["size"] <= PIECE
        return Document(
            row["content"],
            row["content_type"],
            row["sha1"],
            row["size"],
            row["updated_us"],
            (row["bytes"] or b"") if small else None,
        )

    async def read(self, shelf: Shelf, document: Document) -> bytes | None:
        """The bytes of the document as it was seen; None when it has been changed since."""
        if document.whole is not None:
            return document.whole
        rows = await self._pool.fetch(self._queries["pieces"], shelf.tenant, document.content)
        data = b"".join([row["bytes"] for row in rows])
        return data if len(data) == document.size else None

    async def pieces(self, shelf: Shelf, document: Document) -> AsyncIterator[bytes]:
        """The bytes of the document as it was seen, piece by piece; too few when it has been changed."""
        place = 1
        while (piece := await self._piece(shelf, document, place)) is not None:
            yield piece
            place += 1

    async def _piece(self, shelf: Shelf, document: Document, place: int) -> bytes | None:
        found: bytes | None = await self._pool.fetchval(
            self._queries["piece"], shelf.tenant, document.content, place
        )
        return found

    async def put(self, shelf: Shelf, id: str, seen: Document | None, draft: Draft) -> bool:
        """Write the document, if what was seen (None: that there was none) is still so."""
        if not isinstance(draft.data, Stream):
            return await self._put(self._pool, shelf, id, seen, draft) is not None
        async with self._pool.acquire() as connection, connection.transaction():
            content = await self._put(connection, shelf, id, seen, draft)
            if content is not None:
                pieces = _numbered(shelf.tenant, content, draft.data)
                columns = ("tenant", "content", "place", "bytes")
                await connection.copy_records_to_table("document_piece", records=pieces, columns=columns)
        return content is not None

    async def _put(
        self, asked: Asked, shelf: Shelf, id: str, seen: Document | None, draft: Draft
    ) -> int | None:
        """The number of the content; None when what was seen is not so any more."""
        query, known = ("create", id) if seen is None else ("replace", seen.content)
        found: int | None = await asked.fetchval(
            self._queries[query], *shelf.place(id), known, *draft.values()
        )
        return found

    async def delete(self, shelf: Shelf, id: str, seen: Document) -> bool:
        """Delete the document, if it is still the one that was seen."""
        return await self._pool.fetchval(self._queries["delete"], *shelf.place(id), seen.content) is not None

    async def ids(self, shelf: Shelf, since: int) -> list[str]:
        """Ids of the shelf's documents that were changed after an instant (µs since 1970), sorted."""
        rows = await self._pool.fetch(self._queries["ids"], *shelf.all(), since)
        return [row["id"] for row in rows]

    async def clear(self, shelf: Shelf) -> None:
        """Delete every document of the shelf."""
        await self._pool.execute(self._queries["clear"], *shelf.all())


async def _numbered(tenant: int, content: int, data: Stream) -> AsyncIterator[tuple[int, int, int, bytes]]:
    """Rows of pieces."""
    place = 0
    async for piece in data.read():
        place += 1
        yield tenant, content, place, piece
