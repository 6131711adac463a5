"""No list scans: each filter, and each pair of filters, is answered from the indexes made for it."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from lrs.store import term
from lrs.store.listing import Query, probe, statement
from tests import postgres
from tests.store.path import Path, learner, said
from tests.store.plan import Planner, Scan, equals

STATEMENTS = 12_000
TOGETHER = 400

FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "agent": ({"agent": 1}, {"statement_actor"}),
    "related agent": ({"agent": 1, "related_agents": True}, {"statement_actor", "statement_authority"}),
    "actor": ({"actor": 1}, {"statement_actor"}),
    "activity": ({"activity": 1}, {"statement_object"}),
    "related activity": ({"activity": 1, "related_activities": True}, {"statement_object"}),
    "verb": ({"verb": 1}, {"statement_verb"}),
    "registration": ({"registration": uuid.UUID(int=7).bytes}, {"statement_registration"}),
    "authority": ({"authority": 1}, {"statement_authority"}),
}
"""By name: what is asked, and the indexes of the statement's own columns."""

PAIRS = [
    pair
    for pair in itertools.combinations(FILTERS, 2)
    if {"agent", "related agent"} != {*pair} != {"activity", "related activity"}
]


@pytest_asyncio.fixture(scope="module")
async def planner(postgres_url: str, migrated: str) -> AsyncIterator[Planner]:
    """A store with statements of many learners, a few of whom have most of them."""
    dice = random.Random(3)
    async with (
        postgres.copy(postgres_url, migrated) as url,
        asyncpg.create_pool(url, min_size=1, max_size=6) as pool,
    ):
        path = await Path.open(pool)
        for number in range(STATEMENTS // TOGETHER):
            batch = [some(dice) for _ in range(TOGETHER)]
            await path.accept(batch, partition=number % 2, authority=number % 5)
            await path.do(path.persist)
        async with pool.acquire() as connection:
            yield await Planner.on(connection)


def some(dice: random.Random) -> dict[str, Any]:
    """A statement that names much, and little that all others name."""
    crowd = 1 if dice.random() < 0.3 else dice.randrange(500)
    context = {
        "registration": str(uuid.UUID(int=1 + dice.randrange(3000))),
        "instructor": learner(dice.randrange(20)),
        "contextActivities": {"parent": [{"id": f"a:{dice.randrange(30)}"}]},
    }
    return said(crowd, f"v:{dice.randrange(8)}", f"a:{dice.randrange(300)}", context=context)


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("names", [*((name,) for name in FILTERS), *PAIRS], ids="+".join)
async def test_filters_are_answered_from_their_indexes(
    planner: Planner, names: tuple[str, ...], generic: bool
) -> None:
    asked = {name: value for filter_ in names for name, value in FILTERS[filter_][0].items()}
    allowed = {"statement_pkey", "posting_pkey", *(index for name in names for index in FILTERS[name][1])}
    now = term.EPOCH + (1 << 47)
    for more in (
        {},
        {"ascending": True},
        {"since": now, "until": now + 10**9},
        {"after": 1 << 59, "horizon": (now, now)},
    ):
        query = Query(limit=100, **asked, **more)
        texts = [statement(1, query, lead) for lead in range(len(names))]
        for text in [*texts, probe(1, query)]:
            judge_all(await planner.scans(*text, generic=generic), allowed, filtered=True)


@pytest.mark.parametrize("generic", [False, True])
async def test_everything_is_read_in_the_order_of_the_key(planner: Planner, generic: bool) -> None:
    for ascending in (False, True):
        query = Query(limit=100, ascending=ascending, after=1 << 59)
        judge_all(
            await planner.scans(*statement(1, query), generic=generic), {"statement_pkey"}, filtered=False
        )


def judge_all(scans: list[Scan], allowed: set[str], *, filtered: bool) -> None:
    assert scans
    for scan in scans:
        judge(scan, allowed, filtered=filtered)


def judge(scan: Scan, allowed: set[str], *, filtered: bool) -> None:
    """Fail if the scan reads what the filters do not ask for."""
    if scan.table in ("authority", "stage_partition", "known_id", "statement_ref") or scan.rows == 0:
        return
    assert scan.kind != "Seq Scan", scan
    assert scan.index in allowed | {None}, scan
    if scan.index == "posting_pkey":
        assert equals(scan.condition, "term"), scan
    elif scan.index == "statement_pkey":
        assert equals(scan.condition, "pos") or not filtered, scan
    elif scan.index is not None:
        column = scan.index.removeprefix("statement_")
        assert equals(scan.condition, column), scan


async def test_the_judge_sees_a_scan(planner: Planner) -> None:
    for query in (
        "select count(*) from statement where tenant = 1 and dictionary = $1",
        "select pos from statement where tenant = 1 and flags = $1 order by pos limit 100",
        "select pos from posting where tenant = 1 and pos > $1",
    ):
        scans = await planner.scans(query, [1], generic=False)
        with pytest.raises(AssertionError):
            judge_all(scans, {"statement_pkey", "posting_pkey"}, filtered=True)
