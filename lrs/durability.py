"""What a PostgreSQL must promise before it may hold acknowledged statements.

There is no switch that goes on without: an acknowledgement would be a lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

OLDEST = 150000
"""`server_version_num` of the oldest PostgreSQL that is supported."""

REQUIRED = {
    "fsync": "a crash of the machine would lose or corrupt what was acknowledged",
    "full_page_writes": "a crash during a write would leave torn pages",
    "synchronous_commit": "a commit would be reported before it is durable",
}
"""Settings that must not be `off`, and what would happen."""


class NotDurable(Exception):
    """The PostgreSQL may lose what it acknowledged, or is unfit in another way; one line for each."""


async def require(connection: asyncpg.Connection) -> None:
    """Raise NotDurable unless the server keeps what it commits, stores UTF-8 and is new enough."""
    rows = await connection.fetch(
        "select name, setting from pg_settings where name = any($1)",
        [*REQUIRED, "server_version_num", "server_encoding"],
    )
    found = {row["name"]: row["setting"] for row in rows}
    wrong = [
        f"PostgreSQL setting {name} = {found[name]}: must be on, or {danger}; see {_place(name)}"
        for name, danger in REQUIRED.items()
        if found[name] == "off"
    ]
    if found["server_encoding"] != "UTF8":
        wrong.append(f"the database's encoding is {found['server_encoding']}: must be UTF8")
    if int(found["server_version_num"]) < OLDEST:
        wrong.append(
            f"PostgreSQL {int(found['server_version_num']) // 10000}: must be {OLDEST // 10000} or newer"
        )
    if wrong:
        raise NotDurable("\n".join(wrong))


def _place(name: str) -> str:
    return f"select sourcefile, sourceline, source from pg_settings where name = '{name}'"
