"""Export of a person: everything that the store keeps of an agent, as a zip archive in pieces.

`statements.ndjson` has a line for each statement that is found by the person: `relation` (`actor`, or
`related`: the person is named, or vouches for it, or it refers to such a one), `voided`, and the
`statement` as it is read over HTTP. `documents.ndjson` describes State and Agent Profile documents;
the bytes of each stand in the `file` that it names. The data of attachments stand under `attachments/`
by their SHA-2. `derived.ndjson` has evidence, course progress and
competency under the catalogue in force (`lrs.scoring.canonical`), `outcomes.ndjson` what was told of the
person (docs/outcomes.md). `manifest.json`, the last, counts.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lrs.log import frame as frames
from lrs.scoring.canonical import export as canonical
from lrs.store import outcome, term
from lrs.store.derivation import Texts, derived_live
from lrs.store.document import Kind
from lrs.store.reread import Stored
from lrs.store.sql import queries
from lrs.xapi.render import render_exact
from lrs.xapi.timestamp import format_timestamp

if TYPE_CHECKING:
    import asyncpg

    from lrs.attachment.port import Attachments
    from lrs.store.catalogue import Catalogues
    from lrs.store.credential import Credentials
    from lrs.store.dictionary import Dictionaries

_TOGETHER: Final = 500
"""Statements that are read at a time."""

_SQL: Final = queries("export")


class _Sink(io.RawIOBase):
    """What a zip archive is written to, and taken from in pieces."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class Exporter:
    """Exports persons."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        credentials: Credentials,
        dictionaries: Dictionaries,
        catalogues: Catalogues,
        attachments: Attachments,
    ) -> None:
        self._pool, self._credentials, self._attachments = pool, credentials, attachments
        self._dictionaries, self._catalogues = dictionaries, catalogues

    async def archive(self, tenant: int, agent: str, number: int, at: int) -> AsyncIterator[bytes]:
        """The archive of the agent with this canonical identifier and number; `at`: now, in µs since 1970.

        Each table is read in pieces, so that what is written meanwhile may be in it or not.
        """
        sink = _Sink()
        counts: dict[str, int] = {}
        attached: set[str] = set()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, lines in (
                ("statements", self._statements(tenant, number, attached)),
                ("derived", self._derived(tenant, number)),
                ("outcomes", self._outcomes(tenant, number)),
            ):
                counts[name] = 0
                with archive.open(f"{name}.ndjson", "w", force_zip64=True) as member:
                    async for some in lines:
                        counts[name] += len(some)
                        await asyncio.to_thread(member.write, b"".join([line + b"\n" for line in some]))
                        yield sink.take()
            for sha2 in sorted(attached):
                with archive.open(f"attachments/{sha2}", "w", force_zip64=True) as member:
                    async for piece in self._attachments.read(tenant, sha2):
                        await asyncio.to_thread(member.write, piece)
                        yield sink.take()
            counts["attachments"] = len(attached)
            documents: list[bytes] = []
            for row in await self._pool.fetch(_SQL["documents"], tenant, number):
                file = f"documents/{len(documents) + 1:06d}"
                documents.append(_document(row, file))
                with archive.open(file, "w", force_zip64=True) as member:
                    async for piece in self._pieces(tenant, row["content"]):
                        await asyncio.to_thread(member.write, piece)
                        yield sink.take()
            archive.writestr("documents.ndjson", b"".join([line + b"\n" for line in documents]))
            counts["documents"] = len(documents)
            manifest = {"agent": agent, "exported": format_timestamp(at), **counts}
            archive.writestr("manifest.json", msgspec.json.encode(manifest))
        yield sink.take()

    async def _statements(
        self, tenant: int, number: int, attached: set[str]
    ) -> AsyncIterator[Sequence[bytes]]:
        """Lines; the SHA-2 of each attachment that came with its statement goes to `attached`."""
        terms = [term.term(kind, number) for kind in (term.AGENT, term.RELATED_AGENT)]
        authorities = await self._credentials.documents(tenant)
        after = -1
        while True:
            rows = await self._pool.fetch(_SQL["statements"], tenant, number, after, _TOGETHER, *terms)
            if not rows:
                return
            after = rows[-1]["pos"]
            ids = [row["id"] for row in rows]
            attached |= {
                row["sha2"].hex() for row in await self._pool.fetch(_SQL["attachments"], tenant, ids)
            }
            await self._dictionaries.load(self._pool, {row["dictionary"] for row in rows})
            if not {row["authority"] for row in rows} <= authorities.keys():
                authorities = await self._credentials.documents(tenant)
            yield await asyncio.to_thread(self._written, tenant, rows, authorities)

    def _written(
        self, tenant: int, rows: Iterable[asyncpg.Record], authorities: dict[int, bytes]
    ) -> list[bytes]:
        lines = []
        for row in rows:
            one = Stored.of(tenant, row)
            at = term.instant(one.pos)
            statement = render_exact(
                self._dictionaries.decompress(one.dictionary, one.raw),
                one.flags & 0xFF,
                id=one.id,
                stored=at,
                authority=authorities[one.authority],
                version="2.0.0" if one.flags & frames.VERSION_2 else "1.0.0",
                timestamp=at,
            )
            # Within a string of JSON a line break is escaped; between its tokens it is white space.
            lines.append(
                b'{"relation":"%b","voided":%b,"statement":%b}'
                % (
                    b"actor" if row["own"] else b"related",
                    b"true" if row["voided"] else b"false",
                    statement.replace(b"\r", b" ").replace(b"\n", b" "),
                )
            )
        return lines

    async def _derived(self, tenant: int, number: int) -> AsyncIterator[Sequence[bytes]]:
        catalogue = await self._catalogues.in_force(tenant)
        if catalogue is None:
            return
        async with self._pool.acquire() as connection:
            derivation, _ = await derived_live(connection, tenant, catalogue, number, number + 1)
            texts = Texts()
            await texts.load(connection, tenant, derivation, catalogue.tables)
        rows = (derivation.evidence, derivation.courses, derivation.accumulators)
        yield await asyncio.to_thread(canonical, *rows, texts, catalogue.tables)

    async def _outcomes(self, tenant: int, number: int) -> AsyncIterator[Sequence[bytes]]:
        after = 0
        while told := await outcome.of_agent(self._pool, tenant, number, after, _TOGETHER):
            after = told[-1].number
            yield [msgspec.json.encode(one) for one in told]

    async def _pieces(self, tenant: int, content: int) -> AsyncIterator[bytes]:
        """The bytes of a document, unless it was changed since: then it ends early."""
        place = 1
        while (
            piece := await self._pool.fetchval(queries("document")["piece"], tenant, content, place)
        ) is not None:
            yield piece
            place += 1


def _document(row: asyncpg.Record, file: str) -> bytes:
    registration = row["registration"]
    return msgspec.json.encode(
        {
            "kind": Kind(row["kind"]).name.lower(),
            "activity": row["activity"],
            "id": row["id"],
            "registration": str(registration) if registration.int else None,
            "content_type": row["content_type"],
            "size": row["size"],
            "updated": format_timestamp(row["updated_us"]),
            "file": file,
        }
    )
