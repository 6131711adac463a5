"""Plans of queries, judged: which table or index is read, and by what."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from lrs.store.connection import Connection

ROOTS = """
with recursive up (child, parent) as (
    select c.oid, c.oid from pg_class c
    union all
    select up.child, i.inhparent from up join pg_inherits i on i.inhrelid = up.parent
)
select c.relname as child, p.relname as root, greatest(c.reltuples, 0) as rows
from up join pg_class c on c.oid = up.child join pg_class p on p.oid = up.parent
where not exists (select from pg_inherits i where i.inhrelid = up.parent)
    and c.relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Scan:
    """One scan of a plan. `table`, `index`: without the name of the partition. `condition`: of the index.
    `rows`: of the partition."""

    kind: str
    table: str
    index: str | None
    condition: str
    rows: float


class Planner:
    """Plans queries on one connection."""

    def __init__(self, connection: Connection, roots: dict[str, tuple[str, float]]) -> None:
        self._connection, self._roots = connection, roots
        self._number = 0

    @classmethod
    async def on(cls, connection: Connection) -> Planner:
        """A planner; the tables are analysed first."""
        await connection.execute("analyze")
        rows = await connection.fetch(ROOTS)
        return cls(connection, {row["child"]: (row["root"], row["rows"]) for row in rows})

    async def scans(self, query: str, arguments: Sequence[Any], *, generic: bool) -> list[Scan]:
        """The scans of the plan for these arguments, or of the one that serves any (`generic`)."""
        values = ", ".join(literal(value) for value in arguments)
        mode = "force_generic_plan" if generic else "force_custom_plan"
        self._number += 1
        planned = f"planned_{self._number}"
        await self._connection.execute(f"prepare {planned} as {query}")
        await self._connection.execute(f"set plan_cache_mode = {mode}")
        text = await self._connection.fetchval(f"explain (format json) execute {planned} ({values})")
        await self._connection.execute(f"deallocate {planned}")
        return list(self._scans(msgspec.json.decode(text)[0]["Plan"]))

    def _scans(self, node: dict[str, Any]) -> Iterator[Scan]:
        if "Scan" in node["Node Type"] and ("Relation Name" in node or "Index Name" in node):
            index = node.get("Index Name")
            # A bitmap's index does not say its table.
            table, rows = self._roots[node["Relation Name"]] if "Relation Name" in node else ("", 1.0)
            root = None if index is None else self._roots[index][0]
            yield Scan(node["Node Type"], table, root, node.get("Index Cond", ""), rows)
        for inner in node.get("Plans", ()):
            yield from self._scans(inner)


def literal(value: Any) -> str:
    """The SQL of a value."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, uuid.UUID):
        return f"'{value}'"
    if isinstance(value, list):
        return f"'{{{', '.join(str(int(one)) for one in value)}}}'"
    raise TypeError(f"{value!r} has no literal here")


def equals(condition: str, column: str) -> bool:
    """Whether an index condition fixes a column."""
    return re.search(rf"\b{column} = ", condition) is not None
