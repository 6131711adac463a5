"""Bytes on disk by table and index, of the store that was filled."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

_SIZES: Final = """
select coalesce(pg_partition_root(c.oid)::regclass, c.oid::regclass)::text as name,
       t.relname as of_table,
       sum(pg_relation_size(c.oid)
           + pg_relation_size(c.oid, 'fsm') + pg_relation_size(c.oid, 'vm')
           + case when c.relkind = 'r' then coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)
                  else 0 end)::bigint as bytes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
left join pg_index i on i.indexrelid = c.oid
left join pg_class t on t.oid = coalesce(pg_partition_root(i.indrelid), i.indrelid)
where c.relkind in ('r', 'i')
group by 1, 2
"""


async def sizes(store: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    """Bytes by relation: a table with what it keeps aside, or an index as `table: index`; partitions
    are counted with their root."""
    found = {}
    for row in await store.fetch(_SIZES):
        name = f"{row['of_table']}: {row['name']}" if row["of_table"] else row["name"]
        found[name] = int(row["bytes"])
    return found


def bytes_in(directory: Path) -> int:
    """Bytes that the files of a directory take, those of its directories included."""
    return sum(file.stat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())


def per_statement(before: dict[str, int], after: dict[str, int], statements: int) -> dict[str, float]:
    """What grew, in bytes per statement, the largest first."""
    grown = {name: (size - before.get(name, 0)) / statements for name, size in after.items()}
    return {
        name: round(grown[name], 1) for name in sorted(grown, key=lambda one: -grown[one]) if grown[name] > 0
    }
