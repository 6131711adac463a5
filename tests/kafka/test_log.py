"""The log on Kafka keeps the contract; its offsets are not dense, and what it cannot take is told."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition

from lrs.log.brokers import Brokers
from lrs.log.instants import Instants
from lrs.log.kafka import HEADROOM, KafkaLog
from lrs.log.port import LogError, LogUnavailable
from tests.kafka.broker import free_port
from tests.log.contract import MANY, PARTITIONS, LogContract, NewLog, claims, identifier, read_all

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

FRAME_BYTES = 1 << 20


def make_topic(broker: Broker, name: str, **settings: str) -> None:
    """Make a topic with `PARTITIONS` partitions."""
    brokers = Brokers(broker.address)
    options = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": settings}
    brokers.ask(lambda client: client.create_topics({name: options}, wait_for_metadata=True))
    brokers.close()


@pytest.fixture
async def new_log(pool: asyncpg.Pool, broker: Broker) -> AsyncIterator[NewLog]:
    """Topics of the test's own, opened once each."""
    prefix = uuid.uuid4().hex[:8]
    opened: dict[str, KafkaLog] = {}

    async def new(topic: str = "statements") -> KafkaLog:
        if topic not in opened:
            name = f"{prefix}.{topic}"
            make_topic(broker, name, **{"max.message.bytes": str(FRAME_BYTES + HEADROOM)})
            opened[topic] = await KafkaLog.open(pool, Brokers(broker.address), name, PARTITIONS, FRAME_BYTES)
        return opened[topic]

    yield new
    for log in opened.values():
        await log.close()


@pytest.fixture
async def log(new_log: NewLog) -> KafkaLog:
    """An empty log."""
    made = await new_log()
    assert isinstance(made, KafkaLog)
    return made


class TestKafkaLog(LogContract):
    @pytest.fixture
    async def new_log(self, new_log: NewLog) -> NewLog:
        return new_log

    async def forget_something(self, log: object) -> None:
        assert isinstance(log, KafkaLog)
        for _ in range(8):
            await log.append(0, b"x" * 500, 1)
        end = (await log.ends())[0].end
        await log.append(0, b"kept", 1)
        first = TopicPartition(log.name, 0)
        await log.brokers.in_thread(lambda client: client.delete_records({first: end}))


async def transact(broker: Broker, log: KafkaLog, value: bytes, *, commit: bool) -> None:
    """Produce a record to partition 0 in a transaction of its own."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=uuid.uuid4().hex)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(log.name, value, partition=0, headers=[("statements", b"1")])
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def test_what_was_aborted_is_never_read_and_offsets_have_gaps(log: KafkaLog, broker: Broker) -> None:
    await log.append(0, b"first", 1)
    await transact(broker, log, b"aborted", commit=False)
    await transact(broker, log, b"committed", commit=True)
    last = await log.append(0, b"last", 1)
    async with asyncio.timeout(10):  # a transaction ends a moment after its commit is answered
        while len(records := await read_all(log, 0)) < 3:
            pass
    assert [record.value for record in records] == [b"first", b"committed", b"last"]
    assert records[0].offset == 0
    assert records[-1].offset > 2, "what was aborted has an offset, too"
    assert all(one.end < other.end for one, other in itertools.pairwise(records))
    await transact(broker, log, b"aborted", commit=False)
    assert await log.read({0: last.offset + 1}, 10, MANY) == [], "control records alone are nothing to read"


async def test_a_transaction_that_is_open_holds_back_what_comes_after_it(
    log: KafkaLog, broker: Broker
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=uuid.uuid4().hex)
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(log.name, b"open", partition=0)
            await log.append(0, b"after", 1)
            assert await read_all(log, 0) == []
            assert (await log.next_offsets())[0] == 0
    finally:
        await producer.stop()
    assert [record.value for record in await read_all(log, 0)] == [b"open", b"after"]


async def test_a_topic_that_cannot_serve_is_refused_with_every_reason(
    pool: asyncpg.Pool, broker: Broker
) -> None:
    name = uuid.uuid4().hex
    brokers = Brokers(broker.address)
    with pytest.raises(LogError, match="not on the brokers; `lrs topics apply` makes it"):
        await KafkaLog.open(pool, brokers, name, PARTITIONS, FRAME_BYTES)
    make_topic(broker, name, **{"message.timestamp.type": "CreateTime", "cleanup.policy": "compact"})
    with pytest.raises(LogError) as refused:
        await KafkaLog.open(pool, brokers, name, PARTITIONS + 1, 2 << 20)
    for reason in (
        "3 partitions, not 4",
        "message.timestamp.type must be LogAppendTime",
        "cleanup.policy must be delete",
        f"max.message.bytes must be at least {(2 << 20) + HEADROOM}",
    ):
        assert reason in str(refused.value)
    brokers.close()


async def test_a_topic_made_anew_under_its_name_is_another_log(log: KafkaLog, broker: Broker) -> None:
    before = await log.log_id()
    await log.brokers.in_thread(lambda client: client.delete_topics([log.name]))
    async with asyncio.timeout(10):
        while await log.brokers.topic(log.name) is not None:
            pass
    with pytest.raises(LogError, match="not on the brokers any more"):
        await log.log_id()
    make_topic(broker, log.name)
    assert await log.log_id() != before


async def test_brokers_that_do_not_answer_make_the_log_unavailable_within_patience(
    pool: asyncpg.Pool, log: KafkaLog
) -> None:
    nowhere = Brokers(f"127.0.0.1:{free_port()}", patience=0.5)
    topic = await log.brokers.topic(log.name)
    assert topic is not None
    away = KafkaLog(pool, nowhere, log.name, topic)
    started = asyncio.get_running_loop().time()
    with pytest.raises(LogUnavailable, match="do not answer"):
        await away.append(0, b"frame", 1)
    with pytest.raises(LogUnavailable, match="do not answer"):
        await away.read({0: 0}, 1, MANY)
    assert asyncio.get_running_loop().time() - started < 10
    await away.close()


async def test_a_record_longer_than_the_topic_takes_goes_through_the_store(
    log: KafkaLog, pool: asyncpg.Pool
) -> None:
    long = random.Random(1).randbytes(FRAME_BYTES + 1)
    most = FRAME_BYTES - len("statements") - 1
    appended = await log.append(0, long, 3)
    await log.append(0, long[:most], 1)
    assert [(record.offset, record.value, record.count) for record in await read_all(log, 0)] == [
        (appended.offset, long, 3),
        (appended.offset + 1, long[:most], 1),
    ]
    assert await pool.fetchval("select count(*) from log_blob") == 1
    await log.trim({})
    assert await pool.fetchval("select count(*) from log_blob") == 1, "its record is still there"
    await pool.execute("update log_blob set created = created - interval '9 days'")
    await log.trim({})
    with pytest.raises(LogError, match="the store does not hold the blob"):
        await read_all(log, 0)


async def test_an_id_that_the_store_knows_is_judged_before_the_append(
    log: KafkaLog, pool: asyncpg.Pool
) -> None:
    await pool.execute(
        "insert into known_id (tenant, id, digest, pos) values (1, $1, $2, 7)",
        uuid.UUID(bytes=identifier(1)), uuid.UUID(bytes=identifier(1)),
    )  # fmt: skip
    appended = await log.append(0, b"frame", 2, claims([(1, 1)], [(2, 2)]))
    assert (list(appended.repeated), appended.conflicts) == ([0], {})
    assert list((await read_all(log, 0))[0].skip) == [0]
    refused = await log.append(0, b"frame", 3, claims([(3, 3), (1, 9)], [(4, 4)]))
    assert (list(refused.repeated), refused.conflicts) == ([], {0: [1]})
    assert list((await read_all(log, 0))[1].skip) == [0, 1]


async def test_headers_of_others_are_taken_as_if_they_were_not_there(log: KafkaLog, broker: Broker) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.address)
    await producer.start()
    try:
        for name, content in (("statements", b"many"), ("skip", b"1,x,,5"), ("blob", b"short")):
            await producer.send_and_wait(log.name, b"foreign", partition=0, headers=[(name, content)])
    finally:
        await producer.stop()
    for record in await read_all(log, 0):
        assert (record.value, list(record.skip), record.count) == (b"foreign", [], 0)


def test_instants_follow_from_the_records_alone_wherever_the_replay_begins() -> None:
    draw = random.Random(7)
    times, now = [], 1_700_000_000_000
    for _ in range(200):
        now += draw.choice((0, 0, 1, 5, -3))  # a broker's clock may go back
        times.append((now, draw.choice((0, 1, 500, 4000))))
    whole = Instants(0, 0)
    ends = [whole.take(offset, *record) for offset, record in enumerate(times)]
    for begin in (1, 50, 199):
        again = Instants(begin, ends[begin - 1])
        assert [again.take(offset, *times[offset]) for offset in range(begin, 200)] == ends[begin:]
    first = [end - count for end, (_, count) in zip(ends, times, strict=True)]
    assert all(start >= end for start, end in zip(first[1:], ends, strict=False)), "no instant is given twice"
    before = (whole.next_offset, whole.last)
    whole.take(3, *times[3])
    assert (whole.next_offset, whole.last) == before
