"""Digests of ranges against the ids themselves, in every way in which a range can be cut up."""

from __future__ import annotations

import asyncio
import random
import uuid

import asyncpg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrs.reconciliation import Digest
from lrs.store import digest, term
from lrs.store.digest import EVERYBODY, LEVELS, cover
from lrs.store.migration import migrations
from tests.store.path import Path, said

INSTANTS = st.integers(0, 1 << 48) | st.builds(
    lambda number, level, off: max(0, (number << level) + off),
    st.integers(0, 1000),
    st.sampled_from((0, *LEVELS)),
    st.integers(-2, 2),
)


@given(INSTANTS, INSTANTS)
@example(0, 0)
@example(0, 1 << 38)
@example(1, (3 << 38) - 1)
def test_a_cover_is_the_range_without_gap_or_overlap(one: int, other: int) -> None:
    low, high = sorted((one, other))
    cut = cover(low, high)
    spans = sorted([*((first << level, last << level) for level, first, last in cut.buckets), *cut.ends])
    assert all(start < end for start, end in spans)
    edges = [low, *(end for _, end in spans)]
    assert [start for start, _ in spans] == edges[:-1]
    assert edges[-1] == high
    assert sum(end - start for start, end in cut.ends) < 2 << LEVELS[0]
    finer = [last - first for level, first, last in cut.buckets if level != LEVELS[-1]]
    assert sum(finer) <= 4 * 256


async def rows(path: Path) -> list[tuple[int, int, uuid.UUID]]:
    """Instant, authority and id of everything stored."""
    return [
        (term.instant(row["pos"]), row["authority"], row["id"])
        for row in await path.pool.fetch("select pos, authority, id from statement order by pos")
    ]


async def expected(path: Path, since: int, until: int, authority: int = EVERYBODY) -> Digest:
    return Digest.of(
        id_.bytes
        for at, whose, id_ in await rows(path)
        if since < at <= until and authority in (EVERYBODY, whose)
    )


async def test_a_digest_is_that_of_the_ids(path: Path) -> None:
    dice = random.Random(1)
    for number in range(12):
        batch = [said(dice.randrange(5)) for _ in range(dice.randrange(1, 20))]
        await path.accept(batch, partition=number % 2, authority=number % 3)
    await path.settle()
    instants = [at for at, *_ in await rows(path)]
    authorities = [EVERYBODY, *[await path.authority(number) for number in range(3)]]
    edges = [term.EPOCH - 1, term.LAST, *dice.sample(instants, 6), instants[0] - 1, instants[-1]]
    for since in edges:
        for until in edges:
            for authority in authorities:
                found = await digest.digest(path.pool, 1, authority, since, max(since, until))
                assert found == await expected(path, since, until, authority)


async def test_ids_are_listed_in_pieces_without_repetition(path: Path) -> None:
    await path.accept([said(n) for n in range(30)], authority=1)
    await path.accept([said(n) for n in range(10)], partition=1, authority=2)
    await path.settle()
    number = await path.authority(1)
    for authority, count in ((EVERYBODY, 40), (number, 30)):
        found: list[tuple[int, uuid.UUID]] = []
        while True:
            after = found[-1][0] if found else -1
            page = await digest.ids(path.pool, 1, authority, term.EPOCH - 1, term.LAST, 7, after)
            if not page:
                break
            found += page
        assert len({id_ for _, id_ in found}) == len(found) == count


async def test_tenants_have_digests_of_their_own(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    await path.send([said(1), said(2)], tenant=1)
    await path.send(said(1), tenant=2)
    counts = [
        (await digest.digest(path.pool, tenant, EVERYBODY, term.EPOCH - 1, term.LAST)).count
        for tenant in (1, 2, 3)
    ]
    assert counts == [2, 1, 0]


async def test_partitions_persisted_at_once_do_not_lose_a_count(path: Path) -> None:
    for _ in range(4):
        for partition in (0, 1):
            await path.accept([said(n) for n in range(25)], partition=partition)
        await asyncio.gather(*(path.do(path.persist, partition) for partition in (0, 1)))
    found = await digest.digest(path.pool, 1, EVERYBODY, term.EPOCH - 1, term.LAST)
    assert found == await expected(path, term.EPOCH - 1, term.LAST)
    assert found.count == 200


async def test_what_was_rolled_back_is_not_counted(path: Path) -> None:
    await path.accept([said(1), said(2)])
    records = await path.unread(path.persist, 0)
    epoch = path.epochs["persist", 0]
    await path.pool.execute("update stage_partition set epoch = epoch + 1 where stage = 'persist'")
    with pytest.raises(Exception, match="refused"):
        await path.persist.process(0, epoch, records)
    assert (await digest.digest(path.pool, 1, EVERYBODY, term.EPOCH - 1, term.LAST)).count == 0


async def test_the_migration_counts_what_is_stored_already(path: Path) -> None:
    for number in range(6):
        await path.accept([said(n) for n in range(8)], partition=number % 2, authority=number % 3)
    await path.settle()
    columns = "tenant, authority, level, bucket, partition, count, sum % (2::numeric ^ 128)"
    query = f"select {columns} from statement_digest order by 1, 2, 3, 4, 5"
    kept: list[asyncpg.Record] = await path.pool.fetch(query)
    [sql] = [one.sql for one in migrations() if one.name == "erasure"]
    refill = sql[sql.index("insert into statement_digest") : sql.index("-- The audit trail")]
    await path.pool.execute("truncate statement_digest")
    await path.pool.execute(refill)
    assert await path.pool.fetch(query) == kept
