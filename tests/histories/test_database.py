"""The database in memory answers as PostgreSQL does."""

from __future__ import annotations

import asyncpg
import pytest

from tests.histories.database import Database, Transaction
from tests.histories.history import time_of_histories
from tests.histories.plan import drawn
from tests.histories.program import PARTITIONS, Program
from tests.histories.retelling import Retelling, furnish
from tests.histories.world import World

SEEDS = (3, 10, 21)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_history_is_answered_alike_by_the_database_in_memory_and_by_postgresql(
    seed: int, database: str
) -> None:
    world = World(*drawn(seed), Program())
    connection = await asyncpg.connect(database)
    try:
        await furnish(connection, world.database, PARTITIONS)
        trace = world.database.trace = []
        with time_of_histories():
            world.run()
            world.close()
        retelling = Retelling(database, connection)
        await retelling.tell(trace)
        assert not retelling.differences, "\n".join(retelling.differences)
    finally:
        await connection.close()


def test_who_closes_a_circle_of_waiting_transactions_gets_an_error() -> None:
    database = Database(lambda: 0, {})
    one, other = Transaction(database), Transaction(database)
    row, next_row = ("agent", 1), ("agent", 2)
    assert database.acquire(one, row, False) is None
    assert database.acquire(other, next_row, False) is None
    assert database.acquire(one, next_row, False) is not None
    with pytest.raises(asyncpg.DeadlockDetectedError):
        database.acquire(other, row, False)


def test_who_wants_a_lock_for_itself_is_not_passed_by_those_who_would_share_it() -> None:
    database = Database(lambda: 0, {})
    sharer, owner, late = (Transaction(database) for _ in range(3))
    order = ("advisory", "order")
    granted: list[str] = []
    assert database.acquire(sharer, order, True) is None
    for name, transaction, shared in (("owner", owner, False), ("late", late, True)):
        waiting = database.acquire(transaction, order, shared)
        assert waiting is not None
        waiting.resume = lambda name=name: granted.append(name)  # type: ignore[misc]
    sharer.commit()
    assert granted == ["owner"]
    owner.rollback()
    assert granted == ["owner", "late"]
