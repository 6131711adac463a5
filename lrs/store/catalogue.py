"""The catalogue in force: which version a tenant is scored by, compiled for its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.mapping import MappingTable, default_mapping
from lrs.scoring.table import Tables, compile_catalogue
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

    from lrs.scoring.catalogue import Catalogue
    from lrs.store.connection import Asked
    from lrs.store.name import Names


class OtherCatalogue(Exception):
    """The tenant is scored by another catalogue than the one that is set."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A tenant's catalogue: its number in the store, its content, and its form for the kernels."""

    number: int
    catalogue: Catalogue
    tables: Tables
    mapping: MappingTable


async def ensure_catalogue(pool: asyncpg.Pool, tenant: int, text: str) -> None:
    """Put this catalogue in force if the tenant has none; raises OtherCatalogue if it has another one.

    Raises CatalogueError when the text is not a valid catalogue.
    """
    digest = read_catalogue(text).digest
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(x'6c727304'::bigint)")
        row = await connection.fetchrow(queries("derived")["catalogue_in_force"], tenant)
        if row is None:
            await connection.execute(queries("derived")["add_catalogue"], tenant, digest, text, True, None)
        elif row["digest"] != digest:
            raise OtherCatalogue(
                f"tenant {tenant} is scored by catalogue {row['catalogue']} (digest {row['digest'][:12]}),"
                f" the one that is set has the digest {digest[:12]}: set the one that is in force, start,"
                " and `lrs rebuild --catalogue FILE` computes everything under the other one"
            )


async def load_catalogue(pool: asyncpg.Pool, names: Names, tenant: int) -> InForce | None:
    """The tenant's catalogue in force, compiled; None if it has none."""
    row = await pool.fetchrow(queries("derived")["catalogue_in_force"], tenant)
    if row is None:
        return None
    return await compiled(names, tenant, row["catalogue"], row["content"])


async def number_in_force(asked: Asked, tenant: int) -> int | None:
    """The number of the tenant's catalogue in force; None if it has none."""
    number: int | None = await asked.fetchval(queries("derived")["number_in_force"], tenant)
    return number


async def scored_tenants(asked: Asked) -> list[int]:
    """The tenants that have a catalogue in force."""
    return [row["tenant"] for row in await asked.fetch(queries("derived")["tenants_scored"])]


class Catalogues:
    """The catalogues in force, each compiled once; whoever reads asks each time which one it is."""

    def __init__(self, pool: asyncpg.Pool, names: Names) -> None:
        self._pool, self._names = pool, names
        self._loaded: dict[int, InForce] = {}

    async def in_force(self, tenant: int) -> InForce | None:
        """The tenant's catalogue that is in force now; None if it has none."""
        number = await number_in_force(self._pool, tenant)
        loaded = self._loaded.get(tenant)
        if loaded is not None and loaded.number == number:
            return loaded
        return await self.load(tenant)

    def loaded(self, tenant: int) -> InForce | None:
        """The one that was in force when it was last asked for, which may be over."""
        return self._loaded.get(tenant)

    async def load(self, tenant: int) -> InForce | None:
        """Read the one that is in force now, and keep it."""
        found = await load_catalogue(self._pool, self._names, tenant)
        if found is None:
            self._loaded.pop(tenant, None)
        else:
            self._loaded[tenant] = found
        return found


async def compiled(names: Names, tenant: int, number: int, text: str) -> InForce:
    """A catalogue and the mapping, for the tenant's numbers; what they name is interned."""
    catalogue, mapping = read_catalogue(text), default_mapping()

    async def numbers(kind: str, wanted: list[str]) -> dict[str, int]:
        return dict(zip(wanted, await names.numbers(kind, tenant, wanted), strict=True))

    tables = compile_catalogue(
        catalogue, await numbers("activity", catalogue.iris()), await numbers("agent", catalogue.agents())
    )
    return InForce(number, catalogue, tables, mapping.compile(await numbers("verb", mapping.verbs())))
