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
from lrs.store.credential import Credentials
from lrs.store.dictionary import Dictionaries
from lrs.store.erasure import PATIENCE, Eraser, Erasure, NobodyKnown, trail
from lrs.store.export import Exporter
from lrs.store.horizon import Horizon
from lrs.store.name import Names
from lrs.store.tenant import Tenants

if TYPE_CHECKING:
    from lrs.settings import Settings

_CONNECTIONS = 5
"""A snapshot, what is written, the lock that keeps rebuildings away, and one for names."""


async def export_person(settings: Settings, tenant: str, agent: str, target: Path) -> int:
    """For `lrs person export`: write the archive, and return its bytes. Raises TenantError, NobodyKnown."""
    async with connected(settings, _CONNECTIONS, "person") as pool:
        names, home = Names(pool), await Tenants(pool).number(tenant)
        number = await names.find("agent", home, agent)
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
            async for piece in exporter.archive(home, agent, number, time.time_ns() // 1000):
                file.write(piece)
            return file.tell()


async def erase_person(settings: Settings, tenant: str, agent: str, by: str, *, related: bool) -> Erasure:
    """For `lrs person erase`; raises TenantError, and as `Eraser.erase`."""
    async with (
        connected(settings, _CONNECTIONS, "person") as pool,
        opened_logs(pool, settings) as logs,
    ):
        horizon = Horizon(pool, PATIENCE, logs.kafka.next_offsets if logs.kafka else None)
        eraser = Eraser(pool, Names(pool), Dictionaries(), PostgresAttachments(pool), horizon)
        return await eraser.erase(await Tenants(pool).number(tenant), agent, by, related=related)


async def erasures(settings: Settings, tenant: str) -> list[Erasure]:
    """For `lrs person audit`; raises TenantError."""
    async with connected(settings, 1, "person") as pool:
        return await trail(pool, await Tenants(pool).number(tenant))


@dataclass(frozen=True)
class _Stored:
    """What an authority of a tenant stored; an implementation of `lrs.reconciliation.Store`."""

    pool: asyncpg.Pool
    tenant: int
    authority: int

    async def digest(self, since: int, until: int) -> Digest:
        return await digest.digest(self.pool, self.tenant, self.authority, since, until)

    async def ids(self, since: int, until: int) -> set[UUID]:
        found: set[UUID] = set()
        after = -1
        while True:
            some = await digest.ids(self.pool, self.tenant, self.authority, since, until, 10_000, after)
            if not some:
                return found
            after = some[-1][0]
            found |= {id_ for _, id_ in some}


async def differences(
    settings: Settings,
    tenant: str,
    sent: Sequence[tuple[int, UUID]],
    since: int,
    until: int,
    credential: str | None,
) -> Difference:
    """For `lrs digest compare`. Raises TenantError, and LookupError for a credential that is not there."""
    async with connected(settings, 2, "digest") as pool:
        home = await Tenants(pool).number(tenant)
        authority: int | None = digest.EVERYBODY
        if credential is not None:
            authority = await digest.authority_of(pool, home, credential)
        if authority is None:
            raise LookupError(f"there is no credential {credential!r}")
        return await compare(sent, _Stored(pool, home, authority), since, until)


async def digest_of(settings: Settings, tenant: str, since: int, until: int) -> Digest:
    """For `lrs digest show`; raises TenantError."""
    async with connected(settings, 1, "digest") as pool:
        return await digest.digest(pool, await Tenants(pool).number(tenant), digest.EVERYBODY, since, until)
