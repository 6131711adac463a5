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
            await connection.execute(queries("derived")["add_catalogue"], tenant, digest, text, True)
        elif row["digest"] != digest:
            raise OtherCatalogue(
                f"tenant {tenant} is scored by catalogue {row['catalogue']} (digest {row['digest'][:12]}),"
                f" the one that is set has the digest {digest[:12]}: `lrs rebuild` computes everything under it"
            )


async def load_catalogue(pool: asyncpg.Pool, names: Names, tenant: int) -> InForce | None:
    """The tenant's catalogue in force, compiled; None if it has none."""
    row = await pool.fetchrow(queries("derived")["catalogue_in_force"], tenant)
    if row is None:
        return None
    return await compiled(names, tenant, row["catalogue"], row["content"])


async def compiled(names: Names, tenant: int, number: int, text: str) -> InForce:
    """A catalogue and the mapping, for the tenant's numbers; what they name is interned."""
    catalogue, mapping = read_catalogue(text), default_mapping()

    async def numbers(kind: str, wanted: list[str]) -> dict[str, int]:
        return dict(zip(wanted, await names.numbers(kind, tenant, wanted), strict=True))

    tables = compile_catalogue(
        catalogue, await numbers("activity", catalogue.iris()), await numbers("agent", catalogue.agents())
    )
    return InForce(number, catalogue, tables, mapping.compile(await numbers("verb", mapping.verbs())))
