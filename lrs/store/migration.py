"""Numbered migrations: `lrs/store/migrations/NNNN_name.sql`, applied in order, once, under a lock.

A migration only expands the schema (new tables, new nullable columns, new functions), so that the
program before it runs beside the program after it; what is no longer used is taken away by a
migration of a later release. An applied file never changes: its digest is kept and compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrs.store.connection import Connection

LOCK = 0x6C7273_01
"""Key of the advisory lock that lets one process migrate at a time."""


class MigrationError(Exception):
    """The schema is not one that this program can bring up to date."""


@dataclass(frozen=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the text, by which a later change of an applied file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations of this program, in order; their numbers are 1, 2, 3 and so on without a gap."""
    found = []
    for entry in resources.files("lrs.store").joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(number), name, entry.read_text("utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the migrations are not numbered without a gap: {[m.number for m in found]}")
    return found


async def applied(connection: Connection) -> dict[int, str]:
    """Digests of the applied migrations by number; empty for a database without the schema."""
    if await connection.fetchval("select to_regclass('migration')") is None:
        return {}
    return {
        row["number"]: row["digest"] for row in await connection.fetch("select number, digest from migration")
    }


async def migrate(connection: Connection) -> list[Migration]:
    """Apply what is missing, each in a transaction of its own, and return what was applied.

    A database that is ahead of this program is left alone, since a schema only expands. Raises
    MigrationError when a file was changed after it had been applied.
    """
    known = migrations()
    await connection.execute("select pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(
            "create table if not exists migration (number int primary key, name text not null,"
            " digest text not null, applied timestamptz not null default now())"
        )
        done = await applied(connection)
        fresh = []
        for migration in known:
            if migration.number in done:
                if done[migration.number] != migration.digest:
                    raise MigrationError(
                        f"migration {migration.number:04d}_{migration.name}.sql was changed after it had been"
                        " applied"
                    )
                continue
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "insert into migration (number, name, digest) values ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.digest,
                )
            fresh.append(migration)
        return fresh
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)
