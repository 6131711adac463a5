"""PostgreSQL in memory, as far as the stages use it: READ COMMITTED transactions, locks, sessions.

A transaction sees what was committed when it looks, and its own changes. A change locks its row until
the transaction ends; who wants the same row, or the key of a row that is being inserted, waits in a
queue, then looks anew. Advisory locks wait in the same queues. A circle of waiting transactions is
an error of the one that closes it (PostgreSQL documentation, 13.2.1, 13.3).

What a query does is written down for each named query in `tests.histories.answers`. That this database
answers as the real one does is shown by `test_database.py`: whole histories are told to both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import asyncpg

Key = Any
Resource = tuple[str, Key]
Answer = Callable[..., Awaitable["list[Record] | str"]]


class Record(tuple[Any, ...]):
    """A row; its values by place, or by the names of its type."""

    __slots__ = ()
    places: Mapping[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.places[key] if isinstance(key, str) else key)

    def keys(self) -> Iterator[str]:
        """The names of its columns."""
        return iter(self.places)


def rows_of(*names: str) -> Callable[[Sequence[Any]], Record]:
    """The type of rows with these columns."""
    return type("Record", (Record,), {"__slots__": (), "places": {n: i for i, n in enumerate(names)}})


class _Waiting:
    """A transaction in the queue of a lock; awaiting it is waiting."""

    __slots__ = ("resource", "resume", "shared", "transaction")

    def __init__(self, transaction: Transaction, resource: Resource, shared: bool) -> None:
        self.transaction, self.resource, self.shared = transaction, resource, shared
        self.resume: Callable[[], None] = lambda: None

    def __await__(self) -> Generator[_Waiting, None, None]:
        yield self


class _Lock:
    __slots__ = ("holders", "queue")

    def __init__(self) -> None:
        self.holders: dict[Transaction, bool] = {}  # -> shared
        self.queue: list[_Waiting] = []

    def obstacles(
        self, transaction: Transaction, shared: bool, ahead: Sequence[_Waiting]
    ) -> list[Transaction]:
        """Whoever must be done before the transaction can have the lock."""
        found = [
            other
            for other, theirs in self.holders.items()
            if other is not transaction and not (shared and theirs)
        ]
        if transaction not in self.holders:
            found += [
                each.transaction
                for each in ahead
                if each.transaction is not transaction and not (shared and each.shared)
            ]
        return found


class Database:
    """The tables and who locks what. `clock`: µs since 1970."""

    def __init__(self, clock: Callable[[], int], answers: Mapping[str, Answer]) -> None:
        self.clock, self.answers = clock, answers
        self.tables: dict[str, dict[Key, Any]] = {}
        self.numbers: dict[str, int] = {}
        self.committing: Callable[[Mapping[str, Mapping[Key, Any]]], None] = lambda _changes: None
        """Is told, by table and key, what a transaction changes just before everybody can see it."""
        self.trace: list[tuple[Any, ...]] | None = None
        """What sessions are told and answer, in order, if somebody wants to know."""
        self.sessions = 0
        self._locks: dict[Resource, _Lock] = {}

    def table(self, name: str) -> dict[Key, Any]:
        """The committed rows of a table by key."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables[name] = {}
        return found

    def number(self, sequence: str) -> int:
        """The next number of a sequence; what is not used is lost."""
        self.numbers[sequence] = self.numbers.get(sequence, 0) + 1
        return self.numbers[sequence]

    def acquire(self, transaction: Transaction, resource: Resource, shared: bool) -> _Waiting | None:
        """Take a lock, or a place in its queue. Raises DeadlockDetectedError."""
        lock = self._locks.get(resource)
        if lock is None:
            lock = self._locks[resource] = _Lock()
        held = lock.holders.get(transaction)
        if held is False or (held and shared):
            return None
        if not lock.obstacles(transaction, shared, lock.queue):
            lock.holders[transaction] = shared
            transaction.held.append(resource)
            return None
        waiting = _Waiting(transaction, resource, shared)
        lock.queue.append(waiting)
        transaction.waiting = waiting
        if transaction in self._blockers(transaction):
            self.withdraw(transaction)
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return waiting

    def _blockers(self, transaction: Transaction) -> set[Transaction]:
        """Whoever the transaction waits for, directly or not."""
        found: set[Transaction] = set()
        looking = [transaction]
        while looking:
            waiting = looking.pop().waiting
            if waiting is None:
                continue
            lock = self._locks[waiting.resource]
            ahead = lock.queue[: lock.queue.index(waiting)]
            for other in lock.obstacles(waiting.transaction, waiting.shared, ahead):
                if other not in found:
                    found.add(other)
                    looking.append(other)
        return found

    def withdraw(self, transaction: Transaction) -> None:
        """Leave the queue that the transaction stands in."""
        waiting, transaction.waiting = transaction.waiting, None
        if waiting is not None:
            self._locks[waiting.resource].queue.remove(waiting)
            self._grant(waiting.resource)

    def release(self, transaction: Transaction, resource: Resource) -> None:
        """Give one lock back."""
        self._locks[resource].holders.pop(transaction, None)
        self._grant(resource)

    def _grant(self, resource: Resource) -> None:
        """Let those go on who can have the lock now."""
        lock = self._locks.get(resource)
        if lock is None:
            return
        granted = []
        while lock.queue:
            first = lock.queue[0]
            if lock.obstacles(first.transaction, first.shared, ()):
                break
            lock.queue.pop(0)
            if first.transaction not in lock.holders:
                first.transaction.held.append(resource)
            lock.holders[first.transaction] = first.shared
            first.transaction.waiting = None
            granted.append(first)
        if not lock.holders and not lock.queue:
            self._locks.pop(resource, None)
        for each in granted:
            each.resume()


class Transaction:
    """One transaction; its changes are nobody else's until it commits."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.held: list[Resource] = []
        self.waiting: _Waiting | None = None
        self.patience: float | None = None
        """Seconds after which the server ends it when its client says nothing in the middle of it."""
        self._changes: dict[str, dict[Key, Any]] = {}

    def now(self) -> int:
        """The clock, in µs since 1970."""
        return self.database.clock()

    def get(self, table: str, key: Key) -> Any:
        """A row as the transaction sees it; None if it is not there."""
        mine = self._changes.get(table)
        if mine is not None and key in mine:
            return mine[key]
        return self.database.table(table).get(key)

    def scan(self, table: str) -> Iterator[tuple[Key, Any]]:
        """All rows as the transaction sees them, in no order."""
        mine = self._changes.get(table)
        if not mine:
            yield from list(self.database.table(table).items())
            return
        for key, value in (self.database.table(table) | mine).items():
            if value is not None:
                yield key, value

    async def lock(self, resource: Resource, *, shared: bool = False) -> None:
        """Take a lock that is kept until the end."""
        waiting = self.database.acquire(self, resource, shared)
        if waiting is not None:
            await waiting

    def free(self, resource: Resource) -> bool:
        """Whether nobody else holds a lock (skip locked)."""
        lock = self.database._locks.get(resource)
        return lock is None or not lock.obstacles(self, False, lock.queue)

    def put(self, table: str, key: Key, value: Any) -> None:
        """Change a row that is locked, or delete it (None)."""
        self._changes.setdefault(table, {})[key] = value

    async def insert(self, table: str, key: Key, value: Any) -> bool:
        """Insert a row; False if there is one: what is being inserted, changed or deleted is waited for."""
        resource = (table, key)
        held = len(self.held)
        await self.lock(resource)
        if self.get(table, key) is None:
            self.put(table, key, value)
            return True
        if len(self.held) > held:
            self.held.remove(resource)
            self.database.release(self, resource)
        return False

    def commit(self) -> None:
        """Make the changes everybody's."""
        if self._changes:
            self.database.committing(self._changes)
        for name, changes in self._changes.items():
            table = self.database.table(name)
            for key, value in changes.items():
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value
        self._changes = {}
        self._end()

    def rollback(self) -> None:
        """Forget the changes."""
        self._changes = {}
        self._end()

    def _end(self) -> None:
        self.database.withdraw(self)
        held, self.held = self.held, []
        for resource in held:
            self.database.release(self, resource)


class Session:
    """The server's side of a connection: runs one statement after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.transaction: Transaction | None = None
        self.failed = False
        self.gone = False
        database.sessions += 1
        self.number = database.sessions
        self._stuck: tuple[Transaction, Callable[[BaseException], None]] | None = None

    @property
    def waits(self) -> bool:
        """Whether a statement waits for a lock."""
        return self._stuck is not None

    def run(self, query: str, arguments: Sequence[Any], reply: Callable[[Any], None]) -> None:
        """Run a statement, and give `reply` what it returned, or its error, when it has ended."""
        if self.database.trace is not None:
            reply = self._noting(query, arguments, reply)
        if self.gone:
            return reply(asyncpg.ConnectionDoesNotExistError("the server closed the session"))
        if query == "begin":
            self.transaction, self.failed = Transaction(self.database), False
            return reply("BEGIN")
        if query in ("commit", "rollback"):
            return reply(self._finish(query))
        if self.failed:
            return reply(asyncpg.InFailedSQLTransactionError("the transaction is aborted"))
        answer = self.database.answers.get(query)
        if answer is None:
            raise LookupError(f"the database in memory has no answer to this query: {query}")
        single = self.transaction is None
        transaction = self.transaction or Transaction(self.database)
        running = answer(transaction, *arguments).__await__()

        def go_on(error: BaseException | None = None) -> None:
            try:
                waiting = next(running) if error is None else running.throw(error)
            except StopIteration as end:
                result = end.value
                if single:
                    transaction.commit()
            except asyncpg.PostgresError as failure:
                result = failure
                if single:
                    transaction.rollback()
                else:
                    self.failed = True
            else:
                if self._stuck is None:
                    self._tell("waits")
                waiting.resume = go_on
                self._stuck = transaction, go_on
                return
            self._stuck = None
            reply(result)
            if self.gone:
                self.close()

        return go_on()

    def _noting(
        self, query: str, arguments: Sequence[Any], reply: Callable[[Any], None]
    ) -> Callable[[Any], None]:
        trace = self.database.trace
        assert trace is not None
        trace.append(("asked", self.number, self.database.clock(), query, arguments))

        def note(result: Any) -> None:
            trace.append(("answered", self.number, result))
            reply(result)

        return note

    def cancel(self) -> None:
        """End the statement that waits for a lock, if one does."""
        if self._stuck is not None:
            self._tell("cancelled")
            transaction, go_on = self._stuck
            self.database.withdraw(transaction)
            go_on(asyncpg.QueryCanceledError("canceling statement due to user request"))

    def _tell(self, what: str) -> None:
        if self.database.trace is not None:
            self.database.trace.append((what, self.number))

    def _finish(self, how: str) -> str:
        transaction, self.transaction = self.transaction, None
        failed, self.failed = self.failed, False
        if transaction is None:
            return how.upper()
        if how == "commit" and not failed:
            transaction.commit()
            return "COMMIT"
        transaction.rollback()
        return "ROLLBACK"

    def close(self) -> None:
        """The client is no more. A statement that runs ends first: nobody looks at the client meanwhile."""
        if not self.gone:
            self._tell("closed")
        self.gone = True
        if self._stuck is None and self.transaction is not None:
            transaction, self.transaction = self.transaction, None
            transaction.rollback()
