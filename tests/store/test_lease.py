"""Leases: one worker writes for a partition, partitions are shared, and nobody resumes outside the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from lrs.composition.store import connected
from lrs.log.port import Ends, Fenced, OffsetOutOfLog
from lrs.settings import Settings
from lrs.store.lease import Lease, Leases, advance, consistent_through, fair_share, offsets

STAGE, TOPIC, PARTITIONS = "persist", "statements", 4

LOG = "11111111-1111-1111-1111-111111111111"


def ends(start: int = 0, end: int = 100) -> dict[int, Ends]:
    """The same ends for every partition."""
    return dict.fromkeys(range(PARTITIONS), Ends(start, end, 0))


@pytest.fixture
async def leases(pool: asyncpg.Pool) -> Leases:
    """The first worker's."""
    leases = Leases(pool, STAGE, "first")
    await leases.ensure(TOPIC, PARTITIONS)
    return leases


@pytest.fixture
def others(pool: asyncpg.Pool, leases: Leases) -> Leases:
    """The second worker's."""
    assert leases
    return Leases(pool, STAGE, "second")


async def silence(pool: asyncpg.Pool, worker: str) -> None:
    """As if the worker had said nothing for a minute."""
    await pool.execute(
        "update stage_worker set heartbeat = heartbeat - interval '1 minute' where worker = $1", worker
    )


@pytest.mark.parametrize("partitions", range(1, 9))
@pytest.mark.parametrize("workers", range(1, 9))
def test_fair_shares_differ_by_one_at_most_and_leave_nothing(partitions: int, workers: int) -> None:
    shares = [fair_share(partitions, workers, place) for place in range(workers)]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


async def test_a_lonely_worker_takes_every_partition(leases: Leases) -> None:
    assert await leases.balance(set()) == {0, 1, 2, 3}
    assert await leases.balance({0, 1, 2, 3}) == {0, 1, 2, 3}


async def test_a_second_worker_gets_its_share_as_soon_as_the_first_gives_it_back(
    leases: Leases, others: Leases
) -> None:
    await leases.balance(set())
    assert await others.balance(set()) == set(), "nothing is taken from the living"
    kept = await leases.balance({0, 1, 2, 3})
    assert len(kept) == 2
    assert await others.balance(set()) == set(), "the first is still at work on it"
    await leases.release({0, 1, 2, 3} - kept)
    assert await others.balance(set()) == {0, 1, 2, 3} - kept


@pytest.mark.usefixtures("leases")
async def test_more_workers_than_partitions_leave_some_idle(pool: asyncpg.Pool) -> None:
    workers = [Leases(pool, STAGE, f"worker {number}") for number in range(6)]
    held: list[set[int]] = [set() for _ in workers]
    for _ in range(3):
        for number, worker in enumerate(workers):
            wanted = await worker.balance(held[number])
            await worker.release(held[number] - wanted)
            held[number] = wanted
    assert sorted(partition for each in held for partition in each) == [0, 1, 2, 3]
    assert sorted(map(len, held)) == [0, 0, 1, 1, 1, 1]


async def test_a_dead_workers_partitions_are_taken_over(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    await leases.balance(set())
    await others.balance(set())
    await silence(pool, "first")
    assert await others.balance(set()) == {0, 1, 2, 3}


async def test_a_worker_that_lost_its_partitions_is_told_so(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    await leases.balance(set())
    await silence(pool, "first")
    await others.balance(set())
    with pytest.raises(Fenced, match="first lost the partitions"):
        await leases.balance({0, 1, 2, 3})


async def test_a_worker_that_was_late_but_lost_nothing_goes_on(leases: Leases, pool: asyncpg.Pool) -> None:
    await leases.balance(set())
    await silence(pool, "first")
    assert await leases.balance({0, 1, 2, 3}) == {0, 1, 2, 3}


async def test_who_leaves_gives_everything_back_at_once(leases: Leases, others: Leases) -> None:
    await leases.balance(set())
    await leases.leave()
    assert await others.balance(set()) == {0, 1, 2, 3}


async def test_stages_are_shared_apart(leases: Leases, pool: asyncpg.Pool) -> None:
    score = Leases(pool, "score", "second")
    await score.ensure("evidence", 2)
    await leases.balance(set())
    assert await score.balance(set()) == {0, 1}


async def test_a_partition_in_the_middle_of_a_transaction_is_claimed_later(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    await leases.balance(set())
    (lease, *_) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection, connection.transaction():
        await advance(connection, STAGE, 0, lease.epoch, 0, 1, 1000)
        await silence(pool, "first")
        assert await others.balance(set()) == {1, 2, 3}
    assert await others.balance({1, 2, 3}) == {0, 1, 2, 3}


# Who stands still in the middle of a statement.


@asynccontextmanager
async def standing_still(pool: asyncpg.Pool, epoch: int) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that has passed the fence of partition 0, has begun a COPY, and sends nothing."""
    begun = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    async def work() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("create temporary table somewhere (n int) on commit drop")
            await advance(connection, STAGE, 0, epoch, 0, 1, 1000)
            await connection.copy_to_table("somewhere", source=nothing())

    working = asyncio.create_task(work())
    await begun.wait()
    try:
        yield working
    finally:
        working.cancel()
        await asyncio.wait({working})


async def test_a_partition_is_seized_from_a_worker_that_stands_still_in_the_middle_of_a_copy(
    leases: Leases, pool: asyncpg.Pool
) -> None:
    (lease,) = await leases.seize({0}, LOG, ends())
    async with standing_still(pool, lease.epoch):
        impatient = Leases(pool, STAGE, "impatient", expiry=0.3)
        assert await impatient.seize({0}, LOG, ends()) == [Lease(0, lease.epoch + 1, 0)]


async def test_a_dead_workers_partition_is_claimed_though_it_stands_still_in_the_middle_of_a_copy(
    leases: Leases, pool: asyncpg.Pool
) -> None:
    assert await leases.balance(set()) == {0, 1, 2, 3}
    (lease, *_) = await leases.seize({0}, LOG, ends())
    async with standing_still(pool, lease.epoch):
        await silence(pool, "first")
        impatient = Leases(pool, STAGE, "impatient", expiry=0.3)
        held: set[int] = set()
        async with asyncio.timeout(30):
            while held != {0, 1, 2, 3}:
                held = await impatient.balance(held)


async def test_a_worker_that_is_cancelled_on_its_way_to_the_commit_keeps_nothing_from_the_next(
    leases: Leases, database: str
) -> None:
    async with connected(Settings(store=database, lease=30.0), 4, "cancelled") as pool:

        async def work(epoch: int, offset: int) -> None:
            async with pool.acquire() as connection, connection.transaction():
                await advance(connection, STAGE, 0, epoch, offset, offset + 1, 1000 + offset)

        for turns in range(60):
            async with asyncio.timeout(8):  # less than a lease: nobody has to be evicted
                (lease,) = await leases.seize({0}, LOG, ends())
            working = asyncio.create_task(work(lease.epoch, lease.next_offset))
            for _ in range(turns):
                await asyncio.sleep(0.0001)
            working.cancel()
            await asyncio.wait({working})


# The fence.


async def test_a_stage_begins_at_the_beginning(leases: Leases) -> None:
    assert await leases.seize({1, 0}, LOG, ends()) == [Lease(0, 1, 0), Lease(1, 1, 0)]


async def test_a_worker_goes_on_where_the_output_ends(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    (lease,) = await leases.seize({2}, LOG, ends())
    async with pool.acquire() as connection, connection.transaction():
        await advance(connection, STAGE, 2, lease.epoch, 0, 17, 1000)
    assert await others.seize({2}, LOG, ends()) == [Lease(2, 2, 17, 1000)]


async def test_an_output_of_an_epoch_that_is_over_is_refused(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    (zombie,) = await leases.seize({0}, LOG, ends())
    (owner,) = await others.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        with pytest.raises(Fenced, match=r"persist, partition 0: the output of epoch 1 from offset 0"):
            await advance(connection, STAGE, 0, zombie.epoch, 0, 1, 1000)
        await advance(connection, STAGE, 0, owner.epoch, 0, 1, 1000)


async def test_records_that_were_done_are_not_done_again(leases: Leases, pool: asyncpg.Pool) -> None:
    (lease,) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        await advance(connection, STAGE, 0, lease.epoch, 0, 10, 1000)
        with pytest.raises(Fenced, match="done these records"):
            await advance(connection, STAGE, 0, lease.epoch, 9, 12, 2000)


async def test_offsets_may_have_gaps(leases: Leases, pool: asyncpg.Pool) -> None:
    (lease,) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        await advance(connection, STAGE, 0, lease.epoch, 3, 10, 1000)
        await advance(connection, STAGE, 0, lease.epoch, 12, 20, 2000)
        assert (await offsets(connection))[0].next_offset == 20


async def test_a_new_epoch_waits_for_the_output_that_is_being_committed(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    (old,) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await advance(connection, STAGE, 0, old.epoch, 0, 42, 1000)
        seizing = asyncio.create_task(others.seize({0}, LOG, ends()))
        await asyncio.sleep(0.1)
        assert not seizing.done()
        await transaction.commit()
    assert await seizing == [Lease(0, 2, 42, 1000)]


async def test_a_client_that_falls_silent_in_its_transaction_loses_it(
    leases: Leases, others: Leases, database: str
) -> None:
    (old,) = await leases.seize({0}, LOG, ends())
    silent = await asyncpg.connect(database)
    try:
        await silent.execute("begin")
        await advance(silent, STAGE, 0, old.epoch, 0, 42, 1000, patience=0.2)
        assert await asyncio.wait_for(others.seize({0}, LOG, ends()), 5) == [Lease(0, 2, 0)]
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await silent.execute("commit")
    finally:
        await silent.close()


# The seek check.


async def at(leases: Leases, pool: asyncpg.Pool, next_offset: int) -> None:
    """Bring partition 0 of the stage to the offset, of the log LOG."""
    (lease,) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        await advance(connection, leases.stage, 0, lease.epoch, 0, next_offset, 1000)


@pytest.mark.parametrize(
    ("next_offset", "start", "end"),
    [(50, 0, 50), (50, 50, 50), (50, 50, 51), (50, 0, 100)],
)
async def test_an_offset_inside_the_log_is_resumed_at(
    leases: Leases, pool: asyncpg.Pool, next_offset: int, start: int, end: int
) -> None:
    await at(leases, pool, next_offset)
    (lease,) = await leases.seize({0}, LOG, ends(start, end))
    assert lease.next_offset == next_offset


@pytest.mark.parametrize(
    ("log_id", "start", "end", "why"),
    [
        (LOG, 51, 100, r"next offset 50 is not inside the log \[51, 100\]: the log forgot records"),
        (LOG, 0, 49, r"next offset 50 is not inside the log \[0, 49\]: the log is shorter"),
        ("another", 0, 100, f"the log is another, the offset belongs to the log {LOG}"),
    ],
    ids=["truncated", "rewound", "re-created"],
)
async def test_an_offset_outside_the_log_is_refused_and_nothing_changes(
    leases: Leases, others: Leases, pool: asyncpg.Pool, log_id: str, start: int, end: int, why: str
) -> None:
    await at(leases, pool, 50)
    before = await offsets(pool)
    with pytest.raises(OffsetOutOfLog, match=why):
        await others.seize({0}, log_id, ends(start, end))
    assert await offsets(pool) == before


async def test_a_new_stage_on_a_log_that_forgot_its_beginning_is_refused(leases: Leases) -> None:
    with pytest.raises(OffsetOutOfLog, match="the log forgot records"):
        await leases.seize({0}, LOG, ends(1, 100))


class Growing:
    """A log whose ends were asked for before another worker went on; `later`: what they are then."""

    partitions = PARTITIONS

    def __init__(self, first: int, later: int) -> None:
        self._ends = [ends(0, first), ends(0, later)]

    async def log_id(self) -> str:
        """As any log."""
        return LOG

    async def ends(self) -> dict[int, Ends]:
        """The ends, the later ones from the second time on."""
        return self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]

    async def trim(self, before: Mapping[int, int]) -> None:
        """Nothing."""


async def test_who_stood_still_after_it_had_asked_for_the_ends_asks_again(
    leases: Leases, others: Leases, pool: asyncpg.Pool
) -> None:
    await at(leases, pool, 50)
    [lease] = await others.take({0}, Growing(40, 60))
    assert lease.next_offset == 50
    with pytest.raises(OffsetOutOfLog, match="shorter than what was done"):
        await others.take({0}, Growing(40, 40))


# What readers learn.


async def test_the_store_is_consistent_through_the_least_instant_of_its_partitions(
    leases: Leases, pool: asyncpg.Pool
) -> None:
    assert await consistent_through(pool, STAGE) == 0
    owned = await leases.seize(range(PARTITIONS), LOG, ends())
    async with pool.acquire() as connection:
        for lease in owned:
            await advance(connection, STAGE, lease.partition, lease.epoch, 0, 1, 1000 + lease.partition)
    assert await consistent_through(pool, STAGE) == 1000


async def test_an_instant_never_goes_back(leases: Leases, pool: asyncpg.Pool) -> None:
    (lease,) = await leases.seize({0}, LOG, ends())
    async with pool.acquire() as connection:
        await advance(connection, STAGE, 0, lease.epoch, 0, 1, 2000)
        await advance(connection, STAGE, 0, lease.epoch, 1, 2, 1000)
    assert (await offsets(pool))[0].theta == 2000


async def test_offsets_name_the_owner_and_its_silence(leases: Leases, pool: asyncpg.Pool) -> None:
    assert {each.owner for each in await offsets(pool)} == {None}
    await leases.balance(set())
    first, *_ = await offsets(pool)
    assert (first.stage, first.topic, first.partition, first.owner) == (STAGE, TOPIC, 0, "first")
    assert first.silent is not None
    assert 0 <= first.silent < 5


async def test_a_topic_is_passed_as_far_as_its_slowest_stage(leases: Leases, pool: asyncpg.Pool) -> None:
    slower = Leases(pool, "archive", "second")
    await slower.ensure(TOPIC, PARTITIONS)
    await at(leases, pool, 50)
    await at(slower, pool, 20)
    assert await leases.passed(TOPIC) == {0: 20, 1: 0, 2: 0, 3: 0}
    assert await leases.passed("evidence") == {}
