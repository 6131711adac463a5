"""Names: one number each, for ever, whoever asks first and how many at once."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from lrs.store.name import KINDS, Names, _Recent


@pytest.fixture
def names(pool: asyncpg.Pool) -> Names:
    """Names that keep few."""
    return Names(pool, recent=3)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_keeps_its_number(pool: asyncpg.Pool, names: Names, kind: str) -> None:
    wanted = [f"{kind}:{number}" for number in range(20)]
    numbers = await names.numbers(kind, 1, wanted)
    assert len(set(numbers)) == 20
    assert await names.numbers(kind, 1, wanted[::-1]) == numbers[::-1]
    assert await Names(pool).numbers(kind, 1, [*wanted, wanted[0]]) == [*numbers, numbers[0]]
    assert await Names(pool).find(kind, 1, wanted[7]) == numbers[7]


async def test_a_name_that_is_looked_up_is_not_added(pool: asyncpg.Pool, names: Names) -> None:
    assert await names.find("agent", 1, "mbox:mailto:nobody@example.org") is None
    assert await pool.fetchval("select count(*) from agent") == 0


async def test_tenants_have_numbers_of_their_own(names: Names) -> None:
    assert await names.numbers("verb", 1, ["v:1"]) != await names.numbers("verb", 2, ["v:1"])
    assert await names.find("verb", 3, "v:1") is None


async def test_many_who_want_the_same_new_names_at_once_get_the_same_numbers(pool: asyncpg.Pool) -> None:
    wanted = [f"a:{number}" for number in range(200)]
    found = await asyncio.gather(
        *(Names(pool).numbers("activity", 1, wanted[::step]) for step in (1, -1, 2, -2, 3, -3, 1, -1))
    )
    by_name = dict(zip(wanted, found[0], strict=True))
    for numbers, step in zip(found, (1, -1, 2, -2, 3, -3, 1, -1), strict=True):
        assert numbers == [by_name[name] for name in wanted[::step]]
    assert await pool.fetchval("select count(*) from activity") == 200


async def test_within_a_transaction_known_names_need_no_other_connection(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as narrow:
        [number] = await Names(narrow).numbers("agent", 1, ["a"])
        async with narrow.acquire() as connection, connection.transaction(), asyncio.timeout(10):
            assert await Names(narrow).numbers("agent", 1, ["a", "a"], connection) == [number, number]


async def test_a_number_outlives_the_transaction_in_which_it_was_asked_for(pool: asyncpg.Pool) -> None:
    names = Names(pool)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        numbers = await names.numbers("agent", 1, ["fresh"], connection)
        await transaction.rollback()
    assert await Names(pool).numbers("agent", 1, ["fresh"]) == numbers


def test_recent_names_are_bounded_and_those_in_use_stay() -> None:
    recent = _Recent(10)
    for number in range(1_000):
        recent.put((1, str(number)), number)
        assert recent.get((1, "0")) == 0
    assert len(recent._young) + len(recent._old) <= 20
    assert recent.get((1, "500")) is None
