"""The queues between Faust and the stage: order, limits, back-pressure, and giving up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.log.port import Record
from lrs.store.lease import Lease
from lrs.stream import assignment as assignments
from lrs.stream.assignment import QUEUED_BATCHES, Assignment
from lrs.stream.stage import Unobserved


class Recorder:
    """A stage that keeps what it is handed; while `held`, its batches wait. Its flow is recorded, too."""

    name, topic = "recorder", "statements"

    def __init__(self, max_records: int = 4, max_statements: int = 100) -> None:
        self.max_records, self.max_statements = max_records, max_statements
        self.batches: list[list[Record]] = []
        self.flow: list[tuple[str, int]] = []
        self.errors: list[BaseException] = []
        self.free = asyncio.Event()
        self.free.set()
        self.finished = 0

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Keep the batch."""
        assert {record.partition for record in records} == {partition}
        assert epoch == 7
        self.batches.append(list(records))
        await self.free.wait()
        self.finished += 1

    def full(self, partition: int) -> None:
        """As a consumer would."""
        self.flow.append(("full", partition))

    def room(self, partition: int) -> None:
        """As a consumer would."""
        self.flow.append(("room", partition))


def record(offset: int, partition: int = 0, count: int = 1, size: int = 1) -> Record:
    """A record of so many statements and bytes."""
    return Record(partition, offset, 1000 + offset, b"x" * size, (), count)


@pytest.fixture(autouse=True, scope="module")
def without_pace() -> Iterator[None]:
    """What is queued is taken at once, so that a test need not wait; one test is about the pace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignments, "PACE", 0.0)
        yield


async def test_under_busy_traffic_the_next_batch_gathers_until_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assignments, "PACE", 3600.0)
    stage = Recorder(max_records=100, max_statements=200)
    assignment = assign(stage, 0)
    for offset in range(2):  # a rate is known from the second on
        assignment.put(record(offset, count=50))
        await settle()
        assert len(stage.batches) == offset + 1
    assignment.put(record(2, count=150))
    await settle()
    assert len(stage.batches) == 2, "less than a full batch waits"
    assignment.put(record(3, count=50))
    await settle()
    assert [each.offset for each in stage.batches[2]] == [2, 3]
    await assignment.close()


async def test_light_traffic_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "PACE", 3600.0)
    monkeypatch.setattr(assignments, "BUSY", 1e9)
    stage = Recorder(max_records=100)
    assignment = assign(stage, 0)
    for offset in range(3):
        assignment.put(record(offset, count=1))
        await settle()
        assert len(stage.batches) == offset + 1
    await assignment.close()


def assign(stage: Recorder, *partitions: int, next_offset: int = 0) -> Assignment:
    """An assignment of these partitions."""
    assignment = Assignment(stage, stage, Unobserved(), stage.errors.append)
    assignment.open(Lease(partition, 7, next_offset) for partition in partitions)
    return assignment


async def settle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), max_size=60),
    first=st.integers(0, 10),
    max_records=st.integers(1, 6),
    max_statements=st.integers(1, 80),
)
async def test_whatever_arrives_the_stage_gets_growing_offsets_within_its_limits(
    arrivals: list[tuple[int, int]], first: int, max_records: int, max_statements: int
) -> None:
    """Offsets come with gaps, again, and out of order, as after a rebalance."""
    stage = Recorder(max_records, max_statements)
    assignment = assign(stage, 0, next_offset=first)
    expected, last = [], first - 1
    for offset, count in arrivals:
        assignment.put(record(offset, count=count))
        if offset > last:
            expected.append(offset)
            last = offset
    await settle()
    for batch in stage.batches:
        assert len(batch) <= max_records
        assert len(batch) == 1 or sum(each.count for each in batch) <= max_statements
    assert [each.offset for batch in stage.batches for each in batch] == expected
    await assignment.close()


async def test_a_batch_takes_all_that_is_queued_when_the_one_before_it_ends() -> None:
    stage = Recorder(max_records=10)
    assignment = assign(stage, 0)
    stage.free.clear()
    assignment.put(record(0))
    await settle()
    for offset in range(1, 6):
        assignment.put(record(offset))
    stage.free.set()
    await settle()
    assert [len(batch) for batch in stage.batches] == [1, 5]
    await assignment.close()


async def test_what_one_read_brings_to_an_idle_partition_makes_one_batch_however_slowly_it_comes() -> None:
    stage = Recorder(max_records=10)
    assignment = assign(stage, 0)
    for offset in range(5):
        assignment.put(record(offset), more=offset < 4)
        assert stage.batches == []
        await settle()
    assert [len(batch) for batch in stage.batches] == [5]
    await assignment.close()


async def test_a_batch_begins_when_it_is_full_though_more_is_to_come() -> None:
    stage = Recorder(max_records=3)
    assignment = assign(stage, 0)
    for offset in range(4):
        assignment.put(record(offset), more=True)
        await settle()
    assert [len(batch) for batch in stage.batches] == [3]
    # The last one was there before: what waits need not wait for it.
    assignment.put(record(2), more=False)
    await settle()
    assert [len(batch) for batch in stage.batches] == [3, 1]
    await assignment.close()


async def test_a_full_queue_stops_its_own_partition_until_half_of_it_is_done() -> None:
    stage = Recorder(max_records=4)
    assignment = assign(stage, 0, 1)
    stage.free.clear()
    for offset in range(4 * QUEUED_BATCHES - 1):
        assignment.put(record(offset))
    assert stage.flow == []
    assignment.put(record(100))
    assert stage.flow == [("full", 0)]
    assignment.put(record(101))
    assert stage.flow == [("full", 0)], "it is said once"
    stage.free.set()
    await settle()
    assert stage.flow == [("full", 0), ("room", 0)]
    await assignment.close()


@pytest.mark.parametrize(
    "heavy", [record(0, count=200), record(0, size=40 << 20)], ids=["statements", "bytes"]
)
async def test_a_queue_is_full_by_statements_and_by_bytes_too(heavy: Record) -> None:
    stage = Recorder(max_records=1000)
    assignment = assign(stage, 0)
    stage.free.clear()
    assignment.put(heavy)
    assert stage.flow == [("full", 0)]
    await assignment.close(0.0)


async def test_a_partition_that_hangs_holds_no_other() -> None:
    stage = Recorder()
    assignment = assign(stage, 0, 1)
    stage.free.clear()
    assignment.put(record(0, partition=0))
    await settle()
    assignment.put(record(0, partition=1))
    await settle()
    assert [batch[0].partition for batch in stage.batches] == [0, 1]
    await assignment.close(0.0)


async def test_closing_waits_for_the_batch_under_way_and_drops_the_rest() -> None:
    stage = Recorder(max_records=1)
    assignment = assign(stage, 0)
    stage.free.clear()
    assignment.put(record(0))
    assignment.put(record(1))
    await settle()
    closing = asyncio.create_task(assignment.close(10.0))
    await settle()
    assert not closing.done()
    assignment.put(record(2))
    stage.free.set()
    await closing
    assert (len(stage.batches), stage.finished) == (1, 1)
    assert assignment.partitions == set()


async def test_closing_cancels_a_batch_that_does_not_end() -> None:
    stage = Recorder()
    assignment = assign(stage, 0)
    stage.free.clear()
    assignment.put(record(0))
    await settle()
    await asyncio.wait_for(assignment.close(0.01), 5)
    assert (len(stage.batches), stage.finished, stage.errors) == (1, 0, [])


async def test_a_record_of_a_partition_that_is_not_owned_is_passed_over() -> None:
    stage = Recorder()
    assignment = assign(stage, 0)
    assignment.put(record(0, partition=3))
    await settle()
    assert stage.batches == []
    await assignment.close()


async def test_an_error_of_the_stage_is_told_and_ends_its_partition() -> None:
    class Broken(Recorder):
        async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
            await super().process(partition, epoch, records)
            raise ConnectionError("gone")

    stage = Broken()
    assignment = assign(stage, 0)
    assignment.put(record(0))
    await settle()
    assignment.put(record(1))
    await settle()
    assert [str(error) for error in stage.errors] == ["gone"]
    assert len(stage.batches) == 1
    await assignment.close()
