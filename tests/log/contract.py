"""What every log keeps, whatever it is kept in. An adapter's test class inherits it."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Protocol

import pytest

from lrs.log.port import Claims, Log, OffsetOutOfLog, Record

PARTITIONS = 3

MANY = 1 << 30


class NewLog(Protocol):
    """Makes a log of a topic; the same topic again gives the same log."""

    async def __call__(self, topic: str = "statements") -> Log:
        """The log of the topic, with `PARTITIONS` partitions."""


def identifier(number: int) -> bytes:
    """The 16 bytes of the id, or the digest, with this number."""
    return number.to_bytes(16, "big")


def claims(*requests: Sequence[tuple[int, int]], tenant: int = 1) -> Claims:
    """Claims of requests, each of (id, digest) numbers."""
    rows = [(number, id_, digest) for number, request in enumerate(requests) for id_, digest in request]
    return Claims(
        [tenant] * len(rows),
        [identifier(id_) for _, id_, _ in rows],
        [identifier(digest) for _, _, digest in rows],
        [number for number, _, _ in rows],
    )


async def read_all(log: Log, partition: int) -> list[Record]:
    """All records of a partition that can be read, by small reads."""
    offset = (await log.ends())[partition].start
    found: list[Record] = []
    while records := await log.read({partition: offset}, 2, MANY):
        found += records
        offset = records[-1].offset + 1
    return found


class LogContract:
    """Tests of the port; the subclass has the fixture `new_log`."""

    @pytest.fixture
    async def new_log(self) -> NewLog:
        """Overridden by the adapter's tests."""
        raise NotImplementedError

    @pytest.fixture
    async def log(self, new_log: NewLog) -> Log:
        """An empty log."""
        return await new_log()

    async def test_an_empty_log_has_nothing_to_read_and_begins_where_it_ends(self, log: Log) -> None:
        assert log.partitions == PARTITIONS
        assert await log.read({0: 0, 1: 0, 2: 0}, 10, MANY) == []
        for ends in (await log.ends()).values():
            assert (ends.start, ends.end, ends.last) == (0, 0, 0)

    async def test_a_record_is_read_back_as_it_was_appended(self, log: Log) -> None:
        appended = await log.append(1, b"\x00frame\xff", 3)
        (record,) = await log.read({0: 0, 1: 0, 2: 0}, 10, MANY)
        assert record == Record(1, appended.offset, appended.end, b"\x00frame\xff", record.skip, 3)
        assert list(record.skip) == []
        assert not appended.repeated
        assert not appended.conflicts

    async def test_records_are_read_in_the_order_in_which_they_were_appended(self, log: Log) -> None:
        appended = [await log.append(0, str(number).encode(), 1) for number in range(20)]
        records = await read_all(log, 0)
        assert [record.value for record in records] == [str(number).encode() for number in range(20)]
        assert [record.offset for record in records] == [each.offset for each in appended]
        assert [each.offset for each in appended] == sorted({each.offset for each in appended})

    async def test_a_read_keeps_to_its_limits_in_each_partition(self, log: Log) -> None:
        for partition in range(PARTITIONS):
            for _ in range(6):
                await log.append(partition, b"x" * 1000, 1)
        by_number = await log.read({0: 0, 1: 0}, 4, MANY)
        assert [record.partition for record in by_number].count(0) == 4
        assert [record.partition for record in by_number].count(1) == 4
        by_size = await log.read({2: 0}, 100, 2500)
        assert 1 <= len(by_size) <= 3

    async def test_a_record_larger_than_the_limit_is_read_alone(self, log: Log) -> None:
        big = random.Random(1).randbytes(3_000_000)
        await log.append(0, big, 1)
        await log.append(0, b"small", 1)
        (record,) = await log.read({0: 0}, 10, 1000)
        assert record.value == big
        (after,) = await log.read({0: record.offset + 1}, 10, 1000)
        assert after.value == b"small"

    async def test_an_offset_between_two_records_reads_the_one_after_it(self, log: Log) -> None:
        await log.append(0, b"first", 1)
        second = await log.append(0, b"second", 1)
        (record,) = await log.read({0: second.offset}, 10, MANY)
        assert record.value == b"second"

    async def test_the_instants_of_statements_increase_strictly_and_never_overlap(self, log: Log) -> None:
        last = 0
        for count in (1, 5000, 1, 700, 1, 1):
            appended = await log.append(0, b"frame", count)
            assert appended.end - count + 1 > last
            last = appended.end
        assert [record.end for record in await read_all(log, 0)][-1] == last

    async def test_the_ends_follow_the_appends_of_their_partition(self, log: Log) -> None:
        appended = await log.append(2, b"frame", 10)
        ends = await log.ends()
        assert ends[2].end > appended.offset
        assert ends[2].last == appended.end
        assert (ends[0].end, ends[0].last) == (0, 0)
        assert await log.read({2: ends[2].end}, 10, MANY) == []

    async def test_topics_are_apart(self, new_log: NewLog) -> None:
        one, other = await new_log(), await new_log("evidence")
        await one.append(0, b"frame", 1)
        assert await other.read({0: 0}, 10, MANY) == []
        assert await one.log_id() != await other.log_id()

    async def test_the_log_keeps_its_name(self, log: Log) -> None:
        before = await log.log_id()
        await log.append(0, b"frame", 1)
        assert await log.log_id() == before

    async def test_a_reader_never_sees_a_record_before_the_one_ahead_of_it(self, log: Log) -> None:
        """Writers append numbers in the order of their turns; each read continues without a gap."""
        writers, each = 8, 25
        counter = iter(range(writers * each))

        async def write() -> None:
            for _ in range(each):
                await log.append(0, str(next(counter)).encode(), 1)
                await asyncio.sleep(0)

        async def follow() -> list[Record]:
            seen: list[Record] = []
            while len(seen) < writers * each:
                offset = seen[-1].offset + 1 if seen else 0
                seen += await log.read({0: offset}, 7, MANY)
                await asyncio.sleep(0.001)
            return seen

        followed, *_ = await asyncio.gather(follow(), follow(), *(write() for _ in range(writers)))
        again = await read_all(log, 0)
        assert followed == again
        assert sorted(int(record.value) for record in again) == list(range(writers * each))
        assert all(one.end < other.end for one, other in itertools.pairwise(again))

    # Ticks.

    async def test_a_tick_moves_the_time_of_idle_partitions_on(self, log: Log) -> None:
        await log.append(0, b"frame", 1)
        before = await log.ends()
        assert await log.tick(3600.0) == PARTITIONS - 1  # those that never had a record are idle
        await asyncio.sleep(0.01)
        assert await log.tick(0.001) == PARTITIONS
        after = await log.ends()
        assert all(after[partition].last > before[partition].last for partition in range(PARTITIONS))
        tick = (await read_all(log, 0))[-1]
        assert (tick.value, tick.count) == (b"", 0)

    async def test_a_busy_partition_gets_no_tick(self, log: Log) -> None:
        for partition in range(PARTITIONS):
            await log.append(partition, b"frame", 1)
        assert await log.tick(60.0) == 0

    # Claims.

    async def test_new_ids_are_claimed(self, log: Log) -> None:
        appended = await log.append(0, b"frame", 3, claims([(1, 1), (2, 2)], [(3, 3)]))
        assert not appended.repeated
        assert not appended.conflicts
        (record,) = await read_all(log, 0)
        assert list(record.skip) == []

    async def test_a_known_id_with_an_equal_digest_is_repeated_and_skipped(self, log: Log) -> None:
        await log.append(0, b"frame", 1, claims([(1, 1)]))
        appended = await log.append(1, b"frame", 3, claims([(2, 2)], [(1, 1), (3, 3)]))
        assert list(appended.repeated) == [1]
        assert not appended.conflicts
        (record,) = await read_all(log, 1)
        assert list(record.skip) == [1]

    async def test_a_known_id_with_another_digest_refuses_its_whole_request_and_no_other(
        self, log: Log
    ) -> None:
        await log.append(0, b"frame", 1, claims([(1, 1)]))
        appended = await log.append(0, b"frame", 4, claims([(2, 2)], [(3, 3), (1, 9)], [(4, 4)]))
        assert {key: list(places) for key, places in (appended.conflicts or {}).items()} == {1: [2]}
        assert list((await read_all(log, 0))[-1].skip) == [1, 2]

    async def test_the_other_claims_of_a_refused_request_are_taken_back(self, log: Log) -> None:
        await log.append(0, b"frame", 2, claims([(1, 1), (5, 5)]))
        await log.append(0, b"frame", 3, claims([(3, 3), (5, 5), (1, 9)]))
        again = await log.append(0, b"frame", 1, claims([(3, 7)]))
        assert not again.repeated
        assert not again.conflicts
        kept = await log.append(0, b"frame", 1, claims([(5, 6)]))
        assert list(kept.conflicts or {}) == [0], "what was known before the refused request stays known"

    async def test_a_record_without_anything_new_is_not_written(self, log: Log) -> None:
        first = await log.append(0, b"frame", 2, claims([(1, 1), (2, 2)]))
        again = await log.append(0, b"frame", 2, claims([(1, 1), (2, 2)]))
        assert list(again.repeated) == [0, 1]
        assert (again.offset, again.end) == (first.offset, first.end)
        refused = await log.append(1, b"frame", 2, claims([(1, 8), (7, 7)]))
        assert list(refused.conflicts or {}) == [0]
        assert (refused.offset, refused.end) == (-1, 0)
        assert await read_all(log, 1) == []
        assert len(await read_all(log, 0)) == 1

    async def test_an_id_is_claimed_for_one_tenant(self, log: Log) -> None:
        await log.append(0, b"frame", 1, claims([(1, 1)], tenant=1))
        other = await log.append(0, b"frame", 1, claims([(1, 2)], tenant=2))
        assert not other.conflicts

    async def test_of_many_who_claim_an_id_at_once_one_is_first(self, log: Log) -> None:
        """Tasks claim overlapping ids in different orders, to all partitions."""
        tasks, ids, each = 12, 60, 30

        async def claim(number: int) -> list[int]:
            order = random.Random(number).sample(range(ids), each)
            appended = await log.append(
                number % PARTITIONS, b"frame", each, claims(*([(id_, 1000)] for id_ in order))
            )
            return [id_ for place, id_ in enumerate(order) if place not in appended.repeated]

        won = await asyncio.gather(*(claim(number) for number in range(tasks)))
        assert sorted(id_ for ids_ in won for id_ in ids_) == list(range(ids))
        records = [await read_all(log, partition) for partition in range(PARTITIONS)]
        assert sum(record.count - len(record.skip) for found in records for record in found) == ids

    async def test_of_many_who_claim_an_id_with_different_digests_one_is_accepted(self, log: Log) -> None:
        """Every other request is refused as a whole, so that its own id is free again."""
        tasks = 10

        async def claim(number: int) -> bool:
            appended = await log.append(
                number % PARTITIONS, b"frame", 2, claims([(100 + number, 1), (1, 200 + number)])
            )
            return not appended.conflicts

        accepted = await asyncio.gather(*(claim(number) for number in range(tasks)))
        assert accepted.count(True) == 1
        for number in range(tasks):
            later = await log.append(0, b"frame", 1, claims([(100 + number, 999)]))
            assert bool(later.conflicts) == accepted[number]

    # Forgetting.

    async def test_what_is_not_passed_is_never_forgotten(self, log: Log) -> None:
        offsets = [(await log.append(0, b"x" * 500, 1)).offset for _ in range(8)]
        await log.trim({0: offsets[5], 1: 0, 2: 0})
        ends = (await log.ends())[0]
        assert ends.start <= offsets[5]
        kept = await log.read({0: offsets[5]}, 100, MANY)
        assert [record.offset for record in kept] == offsets[5:]

    async def test_a_read_from_what_is_forgotten_is_refused(self, log: Log) -> None:
        await self.forget_something(log)
        start = (await log.ends())[0].start
        assert start > 0
        with pytest.raises(OffsetOutOfLog, match=rf"next offset 0 .*\[{start}, "):
            await log.read({0: 0}, 10, MANY)

    async def forget_something(self, log: Log) -> None:
        """Append to partition 0 and bring the log to forget some of it."""
        for _ in range(8):
            await log.append(0, b"x" * 500, 1)
        end = (await log.ends())[0].end
        await log.append(0, b"kept", 1)
        await log.trim({0: end, 1: 0, 2: 0})
