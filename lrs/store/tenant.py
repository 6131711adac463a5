"""Tenants: each has statements, documents, names and scores of its own, and credentials to reach them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

ROOT: Final = 1
"""The tenant `default`, which every store has from the beginning."""

LONGEST: Final = 200


class TenantError(Exception):
    """There is no such tenant, or there is one already, or the name is none."""


class Tenant(msgspec.Struct, frozen=True):
    """A tenant. `credentials`: how many it has that are not revoked; `catalogue`: whether it is scored."""

    tenant: int
    name: str
    created: datetime.datetime
    credentials: int
    catalogue: bool


class Tenants:
    """The tenants of the store."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._queries = queries("tenant")

    async def create(self, name: str) -> int:
        """A new tenant's number; raises TenantError when the name is taken or not printable."""
        if not 0 < len(name) <= LONGEST or not name.isprintable():
            raise TenantError(f"a tenant's name has 1 to {LONGEST} printable characters, not {name!r}")
        number: int | None = await self._pool.fetchval(self._queries["add"], name)
        if number is None:
            raise TenantError(f"there is a tenant {name!r} already")
        return number

    async def number(self, name: str) -> int:
        """The number of a tenant; raises TenantError when there is none of this name."""
        number: int | None = await self._pool.fetchval(self._queries["find"], name)
        if number is None:
            raise TenantError(f"there is no tenant {name!r}")
        return number

    async def all(self) -> list[Tenant]:
        """Every tenant, the oldest first."""
        return [Tenant(**row) for row in await self._pool.fetch(self._queries["list"])]
