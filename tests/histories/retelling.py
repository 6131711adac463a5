"""A history told again to a real PostgreSQL: statement by statement, session by session.

What waits for a lock there must wait here, and everything must be answered alike. The real one's clock
is set to that of the history before each statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from tests.histories.database import Database, Record

_CLOCK = """
create table simulated_clock (us bigint);
insert into simulated_clock values (0);
create function simulated_timestamp() returns timestamptz language plpgsql volatile as $$
begin
    return timestamptz '1970-01-01Z' + (select us from simulated_clock) * interval '1 microsecond';
end $$;
"""

_COLUMNS: Mapping[str, Sequence[str]] = {
    "dictionary": ("dictionary", "content"),
    "catalogue": ("tenant", "catalogue", "digest", "content", "in_force"),
    "authority": ("tenant", "authority", "agent", "document"),
    "agent": ("tenant", "key", "agent", "ifi"),
    "activity": ("tenant", "key", "activity", "iri"),
    "verb": ("tenant", "key", "verb", "iri"),
}
"""Of each table that a history begins with: the columns of its key and of its rows."""


def _flat(row: Any) -> tuple[Any, ...]:
    return tuple(row) if isinstance(row, tuple) else (row,)


async def furnish(
    connection: asyncpg.Connection[asyncpg.Record], database: Database, partitions: int
) -> None:
    """Put what a history begins with into a migrated database, and give it a clock that can be set."""
    await connection.execute(_CLOCK)
    text = await connection.fetchval("select pg_get_functiondef('log_append'::regproc)")
    await connection.execute(text.replace("clock_timestamp()", "simulated_timestamp()"))
    for topic, log_id in database.tables["log_topic"].items():
        await connection.execute("select log_create($1, $2, 2)", topic, partitions)
        await connection.execute("update log_topic set log_id = $2 where topic = $1", topic, log_id)
    for table, columns in _COLUMNS.items():
        rows = [(*_flat(key), *_flat(row))[: len(columns)] for key, row in database.tables[table].items()]
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        await connection.executemany(
            f"insert into {table} ({', '.join(columns)}) overriding system value values ({places})", rows
        )
    for table, number in database.numbers.items():
        await connection.execute(f"select setval(pg_get_serial_sequence('{table}', '{table}'), {number})")


class Retelling:
    """The sessions of a history on a real server; `differences`: what was answered in another way."""

    def __init__(self, url: str, control: asyncpg.Connection[asyncpg.Record]) -> None:
        self._url, self._control = url, control
        self._sessions: dict[int, asyncpg.Connection[asyncpg.Record]] = {}
        self._running: dict[int, asyncio.Task[Any]] = {}
        self._closed: set[int] = set()
        self.waited = 0
        """Statements that had to wait for others."""
        self.differences: list[str] = []

    async def tell(self, trace: Sequence[tuple[Any, ...]]) -> None:
        """Tell all of it."""
        for what, number, *told in trace:
            if what == "asked":
                await self._ask(number, *told)
            elif what == "waits":
                await self._until_it_waits(number)
            elif what == "answered":
                await self._answered(number, told[0])
            elif what == "cancelled":
                await self._control.fetchval("select pg_cancel_backend($1)", self._pid(number))
            elif what == "closed":
                self._closed.add(number)
                await self._close(number)
        for number in list(self._sessions):
            await self._close(number)

    async def _ask(self, number: int, clock: int, query: str, arguments: Sequence[Any]) -> None:
        if number in self._closed:
            return
        if number not in self._sessions:
            self._sessions[number] = await asyncpg.connect(self._url)
        await self._control.execute("update simulated_clock set us = $1", clock)
        self._running[number] = asyncio.create_task(self._run(self._sessions[number], query, arguments))

    async def _run(
        self, session: asyncpg.Connection[asyncpg.Record], query: str, arguments: Sequence[Any]
    ) -> Any:
        if query in ("begin", "commit", "rollback"):
            return await session.execute(query)
        if query.startswith("copy "):
            columns, rows = arguments
            return await session.copy_records_to_table(query.split()[1], records=rows, columns=columns)
        prepared = await session.prepare(query.replace("clock_timestamp()", "simulated_timestamp()"))
        rows = await prepared.fetch(*arguments)
        return rows, prepared.get_statusmsg()

    async def _until_it_waits(self, number: int) -> None:
        self.waited += 1
        while not self._running[number].done():
            waiting = await self._control.fetchval(
                "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1", self._pid(number)
            )
            if waiting:
                return
            await asyncio.sleep(0.002)
        self.differences.append(f"session {number} was to wait for a lock, and did not")

    async def _answered(self, number: int, expected: Any) -> None:
        task = self._running.pop(number, None)
        if task is None:
            return
        try:
            found = await asyncio.wait_for(task, 10)
        except (asyncpg.PostgresError, TimeoutError) as error:
            found = error
        if isinstance(found, tuple):
            found = found[isinstance(expected, str)]
        if _plain(found) != _plain(expected):
            self.differences.append(f"session {number}: {_plain(found)}\n instead of {_plain(expected)}")
        if number in self._closed:
            await self._close(number)

    async def _close(self, number: int) -> None:
        if number in self._sessions and number not in self._running:
            await self._sessions.pop(number).close()

    def _pid(self, number: int) -> int:
        return self._sessions[number].get_server_pid()


def _plain(result: Any) -> Any:
    """A result in a form in which two can be compared; rows have no order but that of their values."""
    if isinstance(result, BaseException):
        return type(result).__name__
    if isinstance(result, str):
        return result
    rows = [tuple(row) if isinstance(row, Record) else tuple(row.values()) for row in result]
    return sorted(repr(row) for row in rows)
