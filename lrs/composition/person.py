"""Export and erasure of a person, and digests, put together for commands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from lrs.attachment.postgres import PostgresAttachments
from lrs.composition.store import connected, opened_logs
from lrs.reconciliation import Difference, Digest, compare
from lrs.store import digest
from lrs.store.catalogue import Catalogues
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.dictionary import Dictionaries
from lrs.store.erasure import PATIENCE, Eraser, Erasure, NobodyKnown, trail
from lrs.store.export import Exporter
from lrs.store.horizon import Horizon
from lrs.store.name import Names

if TYPE_CHECKING:
    from lrs.settings import Settings

_CONNECTIONS = 5
"""A snapshot, what is written, the lock that keeps rebuildings away, and one for names."""


async def export_person(settings: Settings, agent: str, target: Path) -> int:
    """For `lrs person export`: write the archive, and return its bytes. Raises NobodyKnown."""
    async with connected(settings, _CONNECTIONS, "person") as pool:
        names = Names(pool)
        number = await names.find("agent", ROOT_TENANT, agent)
        if number is None:
            raise NobodyKnown("nothing was ever stored of this person")
        exporter = Exporter(
            pool,
            Credentials(pool, names),
            Dictionaries(),
            Catalogues(pool, names),
            PostgresAttachments(pool),
        )
        with target.open("xb") as file:
            async for piece in exporter.archive(ROOT_TENANT, agent, number, time.time_ns() // 1000):
                file.write(piece)
            return file.tell()


async def erase_person(settings: Settings, agent: str, by: str, *, related: bool) -> Erasure:
    """For `lrs person erase`; raises as `Eraser.erase`."""
    async with (
        connected(settings, _CONNECTIONS, "person") as pool,
        opened_logs(pool, settings) as logs,
    ):
        horizon = Horizon(pool, PATIENCE, logs.kafka.next_offsets if logs.kafka else None)
        eraser = Eraser(pool, Names(pool), Dictionaries(), PostgresAttachments(pool), horizon)
        return await eraser.erase(ROOT_TENANT, agent, by, related=related)


async def erasures(settings: Settings) -> list[Erasure]:
    """For `lrs person audit`."""
    async with connected(settings, 1, "person") as pool:
        return await trail(pool, ROOT_TENANT)


@dataclass(frozen=True)
class _Stored:
    """What an authority stored; an implementation of `lrs.reconciliation.Store`."""

    pool: asyncpg.Pool
    authority: int

    async def digest(self, since: int, until: int) -> Digest:
        return await digest.digest(self.pool, ROOT_TENANT, self.authority, since, until)

    async def ids(self, since: int, until: int) -> set[UUID]:
        found: set[UUID] = set()
        after = -1
        while True:
            some = await digest.ids(self.pool, ROOT_TENANT, self.authority, since, until, 10_000, after)
            if not some:
                return found
            after = some[-1][0]
            found |= {id_ for _, id_ in some}


async def differences(
    settings: Settings, sent: Sequence[tuple[int, UUID]], since: int, until: int, credential: str | None
) -> Difference:
    """For `lrs digest compare`. Raises LookupError for a credential that is not there."""
    async with connected(settings, 2, "digest") as pool:
        authority: int | None = digest.EVERYBODY
        if credential is not None:
            authority = await digest.authority_of(pool, ROOT_TENANT, credential)
        if authority is None:
            raise LookupError(f"there is no credential {credential!r}")
        return await compare(sent, _Stored(pool, authority), since, until)


async def digest_of(settings: Settings, since: int, until: int) -> Digest:
    """For `lrs digest show`."""
    async with connected(settings, 1, "digest") as pool:
        return await digest.digest(pool, ROOT_TENANT, digest.EVERYBODY, since, until)
