"""The log in PostgreSQL keeps the contract; its ring turns, and its claims carry positions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrs.log.memory import MemoryLog
from lrs.log.port import LogUnavailable, OffsetOutOfLog, OtherPartitions
from lrs.log.postgres import PostgresLog, Ring, _forget
from tests.log.contract import MANY, PARTITIONS, LogContract, NewLog, claims, identifier, read_all

RESTLESS = Ring(slots=2, segment_bytes=1, segment_seconds=3600.0, retention_seconds=0.0)
"""Closes a segment at every turn, and forgets it as soon as it is passed."""


class TestPostgresLog(LogContract):
    @pytest.fixture
    async def new_log(self, pool: asyncpg.Pool) -> NewLog:
        async def new(topic: str = "statements") -> PostgresLog:
            return await PostgresLog.open(pool, topic, PARTITIONS, RESTLESS)

        return new

    async def forget_something(self, log: object) -> None:
        assert isinstance(log, PostgresLog)
        for _ in range(8):
            await log.append(0, b"x" * 500, 1)
        nothing = dict.fromkeys(range(PARTITIONS), 0)
        await log.trim(nothing)  # closes the segment
        end = (await log.ends())[0].end
        await log.append(0, b"kept", 1)
        await log.trim(nothing | {0: end})


@pytest.fixture
async def log(pool: asyncpg.Pool) -> PostgresLog:
    """An empty log whose ring turns at every occasion."""
    return await PostgresLog.open(pool, "statements", PARTITIONS, RESTLESS)


async def passed(log: PostgresLog) -> dict[int, int]:
    """Everything that is in the log now."""
    return {partition: ends.end for partition, ends in (await log.ends()).items()}


async def slots(pool: asyncpg.Pool) -> list[int | None]:
    """The ordinal of each slot's segment, None for a free one."""
    return [row["ordinal"] for row in await pool.fetch("select ordinal from log_segment order by slot")]


async def test_offsets_are_dense(log: PostgresLog) -> None:
    await asyncio.gather(*(log.append(0, b"frame", 1) for _ in range(30)))
    assert [record.offset for record in await read_all(log, 0)] == list(range(30))


async def test_a_topic_keeps_its_number_of_partitions(log: PostgresLog, pool: asyncpg.Pool) -> None:
    assert log.partitions == PARTITIONS
    with pytest.raises(OtherPartitions, match="has 3 partitions, not 5"):
        await PostgresLog.open(pool, "statements", 5)


async def test_a_partition_that_is_not_there_is_refused(log: PostgresLog) -> None:
    with pytest.raises(asyncpg.NoDataFoundError, match="no partition 7 of the topic statements"):
        await log.append(7, b"frame", 1)


async def test_reading_goes_on_across_segments(log: PostgresLog, pool: asyncpg.Pool) -> None:
    for number in range(12):
        await log.append(number % 2, str(number).encode(), 1)
        if number % 3 == 2:
            await log.trim({})
    assert len([ordinal for ordinal in await slots(pool) if ordinal is not None]) == 5
    assert [record.value for record in await read_all(log, 0)] == [b"0", b"2", b"4", b"6", b"8", b"10"]
    assert [record.value for record in await read_all(log, 1)] == [b"1", b"3", b"5", b"7", b"9", b"11"]
    assert await read_all(log, 2) == []


async def test_a_ring_full_of_unread_records_grows_and_keeps_them(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    for _ in range(4):
        await log.append(0, b"unread", 1)
        await log.trim(dict.fromkeys(range(PARTITIONS), 0))
    assert len(await slots(pool)) == 5
    assert len(await read_all(log, 0)) == 4


async def test_a_slot_is_used_again_once_its_segment_is_passed(log: PostgresLog, pool: asyncpg.Pool) -> None:
    for _ in range(10):
        await log.append(0, b"read", 1)
        await log.trim(await passed(log))
    assert len(await slots(pool)) == 2, "the ring did not grow"
    ends = (await log.ends())[0]
    assert ends.start > 0
    assert ends.end == 10


async def test_a_segment_is_kept_for_the_retention_time(pool: asyncpg.Pool) -> None:
    log = await PostgresLog.open(pool, "statements", PARTITIONS, Ring(2, 1, 3600.0, 3600.0))
    for _ in range(3):
        await log.append(0, b"read", 1)
        await log.trim(await passed(log))
    assert len(await read_all(log, 0)) == 3


async def test_a_partition_that_is_not_passed_keeps_the_whole_segment(log: PostgresLog) -> None:
    await log.append(0, b"read", 1)
    await log.append(1, b"unread", 1)
    await log.trim({})
    await log.append(0, b"read", 1)
    await log.trim({0: 2, 1: 0, 2: 0})
    assert [record.value for record in await read_all(log, 1)] == [b"unread"]


async def test_two_who_turn_the_ring_at_once_lose_nothing(log: PostgresLog, pool: asyncpg.Pool) -> None:
    """What one of them found to be forgettable may be another segment, in use, a moment later."""
    read: list[bytes] = []
    for number in range(20):
        await log.append(0, str(number).encode(), 1)
        offset = len(read)
        await asyncio.gather(*(log.trim({0: offset, 1: 0, 2: 0}) for _ in range(4)))
        read += [record.value for record in await log.read({0: offset}, 10, MANY)]
    assert read == [str(number).encode() for number in range(20)]
    assert (await log.ends())[0].start > 0
    assert len(await slots(pool)) <= 4


async def test_a_segment_that_is_in_use_again_is_not_freed_by_who_comes_late(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    for number in range(3):
        await log.append(0, str(number).encode(), 1)
        await log.trim(await passed(log))
    await log.append(0, b"new", 1)
    in_use = await pool.fetchrow(
        "select slot, ordinal from log_segment order by ordinal desc nulls last limit 1"
    )
    assert in_use is not None
    async with pool.acquire() as connection:
        assert await _forget(connection, in_use["slot"], in_use["ordinal"] - 2)
    assert [record.value for record in await log.read({0: 3}, 10, MANY)] == [b"new"]


async def test_an_empty_segment_is_not_closed(log: PostgresLog, pool: asyncpg.Pool) -> None:
    for _ in range(3):
        await log.trim(await passed(log))
    assert await slots(pool) == [0, None]


async def test_a_segment_that_is_being_read_is_forgotten_later(log: PostgresLog, pool: asyncpg.Pool) -> None:
    await log.append(0, b"read", 1)
    await log.trim({})
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("select * from log_record")
        await log.trim(await passed(log))
        assert (await log.ends())[0].start == 0
    await log.trim(await passed(log))
    assert (await log.ends())[0].start == 1


async def test_the_ring_turns_under_writers_and_readers_without_losing_a_record(log: PostgresLog) -> None:
    writers, each = 3, 40
    done = asyncio.Event()
    read: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    offsets = dict.fromkeys(range(PARTITIONS), 0)

    async def write(partition: int) -> None:
        for number in range(each):
            await log.append(partition, str(number).encode(), 1)

    async def follow() -> None:
        while not all(len(values) == each for values in read.values()):
            for record in await log.read(offsets, 5, MANY):
                read[record.partition].append(record.value)
                offsets[record.partition] = record.offset + 1
            await asyncio.sleep(0)
        done.set()

    async def turn() -> None:
        while not done.is_set():
            await log.trim(dict(offsets))
            await asyncio.sleep(0.005)

    await asyncio.wait_for(asyncio.gather(follow(), turn(), *(write(p) for p in range(writers))), 30)
    assert all(values == [str(number).encode() for number in range(each)] for values in read.values())
    assert (await log.ends())[0].start > 0


async def test_a_claim_carries_the_position_of_its_statement(log: PostgresLog, pool: asyncpg.Pool) -> None:
    appended = await log.append(2, b"frame", 3, claims([(1, 1), (2, 2), (3, 3)]))
    rows = await pool.fetch("select id, pos from known_id order by id")
    assert [row["id"].bytes for row in rows] == [identifier(1), identifier(2), identifier(3)]
    instants = [(row["pos"] >> 12) + 1_577_836_800_000_000 for row in rows]
    assert instants == [appended.end - 2, appended.end - 1, appended.end]
    assert [row["pos"] & 0xFFF for row in rows] == [2, 2, 2]


async def test_writers_that_claim_the_same_ids_in_opposite_orders_never_deadlock(log: PostgresLog) -> None:
    for number in range(10):
        ids = [(1000 * number + place, 1) for place in range(600)]
        one, other = await asyncio.gather(
            log.append(0, b"frame", len(ids), claims(ids)),
            log.append(1, b"frame", len(ids), claims(ids[::-1])),
        )
        assert sorted([len(one.repeated), len(other.repeated)]) == [0, 600]


async def test_within_a_transaction_records_appear_with_its_commit(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        appended = await log.append_within(connection, {2: (b"two", 2), 0: (b"zero", 1)})
        assert {partition: each.offset for partition, each in appended.items()} == {0: 0, 2: 0}
        assert await log.read({0: 0, 2: 0}, 10, MANY) == []
        await transaction.commit()
        assert await log.append_within(connection, {}) == {}
    records = await log.read({0: 0, 2: 0}, 10, MANY)
    assert [(record.partition, record.value, record.count) for record in records] == [
        (0, b"zero", 1),
        (2, b"two", 2),
    ]
    assert [record.end for record in records] == [appended[0].end, appended[2].end]


async def test_a_transaction_that_is_rolled_back_leaves_no_gap(log: PostgresLog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await log.append_within(connection, {0: (b"lost", 1)})
        await transaction.rollback()
    await log.append(0, b"kept", 1)
    assert [(record.offset, record.value) for record in await read_all(log, 0)] == [(0, b"kept")]


async def test_transactions_that_append_to_the_same_partitions_never_deadlock(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    async def append(number: int) -> None:
        order = [0, 1, 2] if number % 2 else [2, 1, 0]
        async with pool.acquire() as connection, connection.transaction():
            await log.append_within(connection, dict.fromkeys(order, (b"event", 1)))

    await asyncio.wait_for(asyncio.gather(*(append(number) for number in range(40))), 30)
    assert [len(await read_all(log, partition)) for partition in range(PARTITIONS)] == [40, 40, 40]


async def test_a_record_that_was_forgotten_under_a_reader_is_told(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    """As when the slot is truncated between a reader's look at the head and at the table."""
    await log.append(0, b"frame", 1)
    await pool.execute("truncate log_record_1")
    with pytest.raises(OffsetOutOfLog, match="forgotten"):
        await log.read({0: 0}, 10, MANY)


@pytest.fixture
async def lonely_pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool whose only connection the test breaks."""
    async with asyncpg.create_pool(database, min_size=1, max_size=1, timeout=5) as pool:
        yield pool


async def test_a_broken_connection_says_that_the_log_is_unavailable(
    pool: asyncpg.Pool, lonely_pool: asyncpg.Pool
) -> None:
    log = await PostgresLog.open(lonely_pool, "statements", PARTITIONS)
    backend = await lonely_pool.fetchval("select pg_backend_pid()")
    async with pool.acquire() as holder:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("select from log_head for update")
        append = asyncio.create_task(log.append(0, b"frame", 1))
        await asyncio.sleep(0.05)
        assert await holder.fetchval("select pg_terminate_backend($1)", backend)
        with pytest.raises(LogUnavailable):
            await append
        await transaction.rollback()
    await log.append(0, b"frame", 1)
    assert len(await read_all(log, 0)) == 1


tenants = itertools.count(1000)
"""A tenant of its own for each example, so that they are apart in one database."""

FRAMES = st.lists(
    st.tuples(
        st.integers(0, PARTITIONS - 1),
        st.lists(
            st.dictionaries(st.integers(0, 7), st.integers(0, 2), min_size=1, max_size=3),
            min_size=1,
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=8,
)
"""Frames: a partition, and requests, each of ids with their digests."""


def apart(requests: list[dict[int, int]]) -> list[list[tuple[int, int]]]:
    """The requests without ids that stand in an earlier one: no frame holds such."""
    seen: set[int] = set()
    kept = []
    for request in requests:
        kept.append([(id_, digest) for id_, digest in request.items() if id_ not in seen])
        seen |= request.keys()
    return [request for request in kept if request]


@given(frames=FRAMES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_claims_end_as_in_the_log_in_memory(
    pool: asyncpg.Pool, frames: list[tuple[int, list[dict[int, int]]]]
) -> None:
    """The same frames, one after the other, are judged alike by both logs."""
    tenant = next(tenants)
    real = await PostgresLog.open(pool, f"topic {tenant}", PARTITIONS)
    model = MemoryLog("statements", PARTITIONS)
    for partition, requests in frames:
        claimed = claims(*apart(requests), tenant=tenant)
        outcomes = [await log.append(partition, b"frame", len(claimed.ids), claimed) for log in (real, model)]
        one, other = ((list(each.repeated), each.conflicts, each.offset) for each in outcomes)
        assert one == other
    for partition in range(PARTITIONS):
        found, expected = await read_all(real, partition), await read_all(model, partition)
        assert [list(each.skip) for each in found] == [list(each.skip) for each in expected]
