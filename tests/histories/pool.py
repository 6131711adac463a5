"""The pool of a process's connections to the database in memory, with asyncpg's interface.

A statement travels to the server, is run there, and its answer travels back: two deliveries, between
which anything may happen.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from lrs.store.connection import AWAY
from tests.histories.database import Database, Record, Session
from tests.histories.loop import Loop, Process


class Pool:
    """Connections of one process; as many as it wants."""

    def __init__(self, loop: Loop, database: Database, process: Process) -> None:
        self.loop, self.database, self.process = loop, database, process
        self._free: list[Connection] = []
        self._used: dict[Connection, None] = {}
        process.at_death.append(self.sever)

    def acquire(self) -> _Acquired:
        """A connection, for as long as it is used in `async with`."""
        return _Acquired(self)

    def take(self) -> Connection:
        """A connection that nobody uses."""
        connection = self._free.pop() if self._free else Connection(self)
        self._used[connection] = None
        return connection

    def give_back(self, connection: Connection) -> None:
        """It is not used any more. A transaction that was left open, because its commit was cancelled on its
        way, is rolled back first (asyncpg's Pool.release does)."""
        if connection.broken or connection.session.transaction is None:
            self._free_again(connection)
            return

        def run() -> None:
            connection.session.run("rollback", (), lambda _result: self._free_again(connection))

        self.loop.send(None, ("ask", self.process.name, "rollback"), run)

    def _free_again(self, connection: Connection) -> None:
        self._used.pop(connection, None)
        if not connection.broken:
            self._free.append(connection)

    def sever(self) -> None:
        """Lose all connections; the server hears of it when it does."""
        for connection in [*self._used, *self._free]:
            connection.sever()
        self._free.clear()

    def stand_still(self) -> None:
        """Say nothing from now on."""
        for connection in list(self._used):
            connection.stand_still()

    async def _once(self, method: str, *given: Any, **how: Any) -> Any:
        connection = self.take()
        try:
            return await getattr(connection, method)(*given, **how)
        finally:
            self.give_back(connection)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._once("execute", query, *arguments, timeout=timeout)

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._once("fetch", query, *arguments, timeout=timeout)

    async def fetchrow(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._once("fetchrow", query, *arguments, timeout=timeout)

    async def fetchval(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._once("fetchval", query, *arguments, timeout=timeout)


class _Acquired:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = self._pool.take()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._pool.give_back(self._connection)


class Connection:
    """The client's side of a session."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._loop = pool, pool.loop
        self.session = Session(pool.database)
        self.broken = False
        self._answered: asyncio.Future[Any] | None = None
        self._turns = 0

    # What asyncpg offers.

    def transaction(self) -> _Block:
        """A transaction, begun by `start` or `async with`."""
        return _Block(self)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        result = await self.ask(query, *arguments, timeout=timeout)
        return result if isinstance(result, str) else f"SELECT {len(result)}"

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> list[Record]:
        result = await self.ask(query, *arguments, timeout=timeout)
        return [] if isinstance(result, str) else result

    async def fetchrow(self, query: str, *arguments: Any, timeout: float | None = None) -> Record | None:
        rows = await self.fetch(query, *arguments, timeout=timeout)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        row = await self.fetchrow(query, *arguments, timeout=timeout)
        return None if row is None else row[0]

    async def copy_to_table(
        self, table: str, *, source: AsyncIterator[bytes], columns: Sequence[str], format: str
    ) -> str:
        assert format == "binary"
        stream = b"".join([part async for part in source])
        return await self.execute(f"copy {table}", list(columns), _copied(stream, columns))

    # How it travels.

    async def ask(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        """Have a statement run; its answer, or its error."""
        if self.broken or not self._pool.process.alive:
            raise asyncpg.InterfaceError("the connection is closed")
        if timeout is None:
            return await self._ask(query, arguments)
        async with asyncio.timeout(timeout):
            return await self._ask(query, arguments)

    async def _ask(self, query: str, arguments: Sequence[Any]) -> Any:
        answered = self._loop.create_future()
        self._answered = answered
        name = (self._pool.process.name, query)

        def reply(result: Any) -> None:
            self._loop.send(self._pool.process, ("answer", *name), lambda: _tell(answered, result))
            if self._pool.process.paused:
                self.stand_still()

        def run() -> None:
            self._turns += 1
            self.session.run(query, arguments, reply)

        travelling = self._loop.send(None, ("ask", *name), run)
        try:
            result = await answered
        except asyncio.CancelledError:
            # The statement is cancelled where it is: on its way, maybe, or waiting for a lock.
            if travelling in self._loop.deliveries:
                self._loop.deliveries.remove(travelling)
                if self._loop.pick(2):
                    run()
            self.session.cancel()
            raise
        if isinstance(result, Exception):
            if isinstance(result, AWAY):
                self.broken = True
            raise result
        return result

    def sever(self) -> None:
        """Lose the connection. What is on its way to the server may still arrive, before the server
        knows that nobody is there."""
        if self.broken:
            return
        self.broken = True
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(asyncpg.ConnectionDoesNotExistError("the connection was lost"))
        self._loop.send(None, ("lost", self._pool.process.name), self.session.close)

    def stand_still(self) -> None:
        """The client says nothing from now on: the server ends a transaction that it will not wait for."""
        transaction, turns = self.session.transaction, self._turns
        if transaction is None or transaction.patience is None or self.session.waits:
            return

        def end() -> None:
            if self.session.transaction is transaction and self._turns == turns:
                self.session.close()

        self._loop.call_later(transaction.patience, end, context=contextvars.Context())


class _Block:
    """A transaction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        connection = self._connection
        if connection.broken:
            raise asyncpg.InterfaceError("the connection is closed")
        connection.session.run("begin", (), lambda _result: None)  # which nobody can tell from later

    async def commit(self) -> None:
        await self._connection.ask("commit")

    async def rollback(self) -> None:
        await self._connection.ask("rollback")

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(self, kind: object, *_: object) -> None:
        await (self.commit() if kind is None else self.rollback())


def _tell(answered: asyncio.Future[Any], result: Any) -> None:
    if not answered.done():
        answered.set_result(result)


_HEAD = 19
_TYPES: Mapping[int, Callable[[bytes], Any]] = {
    1: lambda value: value != b"\0",
    4: lambda value: int.from_bytes(value, "big", signed=True),
    8: lambda value: int.from_bytes(value, "big", signed=True),
    16: lambda value: UUID(bytes=value),
}


def _copied(stream: bytes, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows of a binary COPY (PostgreSQL documentation, COPY, "Binary Format")."""
    rows = []
    at = _HEAD
    while (count := int.from_bytes(stream[at : at + 2], "big", signed=True)) >= 0:
        assert count == len(columns)
        at += 2
        row = []
        for column in columns:
            size = int.from_bytes(stream[at : at + 4], "big")
            value = stream[at + 4 : at + 4 + size]
            row.append(value if column == "raw" else _TYPES[size](value))
            at += 4 + size
        rows.append(tuple(row))
    return rows
