"""The intake on a real Kafka: what others produce is stored, or comes back with the reason."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from lrs.composition import worker
from lrs.composition.kafka import brokers_of, declared_topics
from lrs.log.port import LogError
from lrs.log.topics import Declared, carry_out, compare
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from lrs.process import Process
from lrs.settings import Settings
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.name import Names
from tests.kafka.broker import LIBRARIES
from tests.stream.processes import until

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "kafka.md"
STAGES = ("intake", "persist")


def example(language: str) -> str:
    """The page's example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def said(number: int, **more: Any) -> dict[str, Any]:
    """A statement without an id."""
    return {
        "actor": {"mbox": f"mailto:learner{number}@example.org"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://example.org/courses/files"},
        **more,
    }


@dataclass
class Intake:
    """An intake at work, and what it works on."""

    settings: Settings
    pool: asyncpg.Pool
    broker: Broker
    registry: Any

    def produce(
        self,
        *records: tuple[bytes | None, list[tuple[str, bytes]]],
        timestamp_ms: int | None = None,
        **options: Any,
    ) -> list[int]:
        """Produce records (value, headers) to partition 0; their offsets."""
        producer = KafkaProducer(bootstrap_servers=self.broker.address, acks="all", **options)
        try:
            sent = [
                producer.send(self.settings.kafka_inbox, value, b"key", headers, 0, timestamp_ms)
                for value, headers in records
            ]
            return [each.get(20).offset for each in sent]
        finally:
            producer.close()

    async def stored(self, count: int) -> list[asyncpg.Record]:
        """The statements, once there are so many."""

        async def there() -> bool:
            return int(await self.pool.fetchval("select count(*) from statement")) >= count

        await until(there, 40)
        rows: list[asyncpg.Record] = await self.pool.fetch(
            "select s.id, s.flags, s.tenant, a.document from statement s"
            " join authority a using (tenant, authority) order by pos"
        )
        return rows

    def refused(self, count: int) -> list[Any]:
        """The first records of the topic of those that are refused."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.address, consumer_timeout_ms=15_000)
        place = TopicPartition(self.settings.kafka_rejected, 0)
        consumer.assign([place])
        consumer.seek_to_beginning()
        try:
            return [record for _, record in zip(range(count), consumer, strict=False)]
        finally:
            consumer.close()


async def run(settings: Settings, registry: Any = None, stopping: asyncio.Event | None = None) -> None:
    """Run a worker with the intake and persist."""
    registry = registry or process_registry("worker")
    process = Process(
        settings, "worker", registry, Readiness(worker.checks(STAGES)), stopping or asyncio.Event(), ""
    )
    await worker.worker(process, worker.makers(STAGES))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Any]:
    """A worker at work; its registry."""
    registry, stopping = process_registry("worker"), asyncio.Event()
    task = asyncio.create_task(run(settings, registry, stopping))
    try:
        yield registry
    finally:
        stopping.set()
        await task


def settings_for(broker: Broker, database: str) -> Settings:
    """An LRS with an intake, on topics of its own."""
    prefix = uuid.uuid4().hex[:8]
    return Settings(
        store=database,
        log=f"kafka://{broker.address}",
        partitions=2,
        kafka_topic=f"{prefix}.statements",
        kafka_outcomes=f"{prefix}.outcomes",
        kafka_inbox=f"{prefix}.inbox",
        kafka_rejected=f"{prefix}.rejected",
        kafka_replication=1,
        kafka_intake="platform",
    )


def make_topics(settings: Settings) -> None:
    """As `lrs topics apply`."""
    brokers = brokers_of(settings)
    carry_out(brokers, compare(declared_topics(settings), {}))
    brokers.close()


@pytest.fixture
async def intake(broker: Broker, database: str, pool: asyncpg.Pool) -> AsyncIterator[Intake]:
    """An intake at work on empty topics."""
    settings = settings_for(broker, database)
    await Credentials(pool, Names(pool)).ensure(ROOT_TENANT, "platform", "secret", voids="none")
    await asyncio.to_thread(make_topics, settings)
    async with working(settings) as registry:
        yield Intake(settings, pool, broker, registry)


async def test_what_is_produced_is_stored_or_comes_back_with_the_reason(intake: Intake) -> None:
    given = str(uuid.uuid4())
    v2 = [("X-Experience-API-Version", b"2.0.0")]
    batch = msgspec.json.encode([said(2, id=given), said(3)])
    offsets = await asyncio.to_thread(intake.produce, (msgspec.json.encode(said(1)), []), (batch, v2))
    rows = await intake.stored(3)
    assert len(rows) == 3
    assert given in {str(row["id"]) for row in rows}
    assert {row["tenant"] for row in rows} == {ROOT_TENANT}
    assert all(b"platform" in row["document"] for row in rows)
    assert [bool(row["flags"] & 1 << 8) for row in rows] == [False, True, True], "the header says the version"
    versions = {str(row["id"])[14] for row in rows if str(row["id"]) != given}
    assert versions == {"5"}, "a missing id follows from the position"

    void = said(4, verb={"id": "http://adlnet.gov/expapi/verbs/voided"})
    void["object"] = {"objectType": "StatementRef", "id": given}
    file = {"usageType": "http://example.org/u", "display": {}, "contentType": "a/b", "length": 1}
    bad: list[tuple[bytes | None, list[tuple[str, bytes]]]] = [
        (b'{"actor": \xff}', [("trace", b"7")]),
        (msgspec.json.encode([said(5), said(6, verb={"id": "no iri"})]), []),
        (msgspec.json.encode(said(7)), [("x-experience-api-version", b"3.1")]),
        (msgspec.json.encode(void), []),
        (msgspec.json.encode(said(8, attachments=[file | {"sha2": "ab" * 32}])), []),
        (msgspec.json.encode(said(9, id=given)), []),
        (None, []),
    ]
    places = await asyncio.to_thread(intake.produce, *bad)
    last = (msgspec.json.encode(said(10)), v2)
    await asyncio.to_thread(intake.produce, last)
    await intake.stored(4)
    records = await asyncio.to_thread(intake.refused, len(bad))
    told = {int(dict(record.headers)["lrs-offset"]): record for record in records}
    assert sorted(told) == places
    assert min(places) > max(offsets)
    reasons = [dict(told[place].headers)["lrs-reason"].decode() for place in places]
    assert reasons == ["invalid", "invalid", "version", "forbidden", "attachment", "conflict", "invalid"]
    for place, (value, headers) in zip(places, bad, strict=True):
        assert told[place].value == (value or b"")
        assert told[place].key == b"key"
        assert set(headers) <= set(told[place].headers)
    assert dict(told[places[5]].headers)["lrs-path"] == b"$.id"
    invalid = dict(told[places[1]].headers)
    assert invalid["lrs-path"] == b"$[1].verb.id"
    assert invalid["lrs-rule"]
    assert invalid["lrs-clause"]
    assert invalid["lrs-topic"].decode() == intake.settings.kafka_inbox
    assert msgspec.json.decode(invalid["lrs-violations"])[0]["index"] == 1
    assert len(await intake.stored(4)) == 4

    def counted(became: str) -> float | None:
        found: float | None = intake.registry.get_sample_value("lrs_intake_records_total", {"became": became})
        return found

    async def all_counted() -> bool:
        return counted("accepted") == 3

    await until(all_counted)
    assert [counted(reason) for reason in ("invalid", "version", "forbidden", "attachment", "conflict")] == [
        3, 1, 1, 1, 1,
    ]  # fmt: skip


async def test_a_record_that_is_read_again_is_stored_once_under_the_same_id(
    broker: Broker, database: str, pool: asyncpg.Pool
) -> None:
    settings = settings_for(broker, database)
    await Credentials(pool, Names(pool)).ensure(ROOT_TENANT, "platform", "secret")
    await asyncio.to_thread(make_topics, settings)
    bodies = [msgspec.json.encode([said(1), said(2)]), msgspec.json.encode(said(3))]
    async with working(settings) as registry:
        intake = Intake(settings, pool, broker, registry)
        await asyncio.to_thread(intake.produce, *((body, []) for body in bodies))
        before = {row["id"] for row in await intake.stored(3)}
    # As if the worker had been killed before it committed its offset.
    await pool.execute("update stage_partition set next_offset = 0 where stage = 'intake'")
    async with working(settings) as registry:
        await asyncio.to_thread(intake.produce, (msgspec.json.encode(said(4)), []))
        after = {row["id"] for row in await intake.stored(4)}
    assert len(after) == 4
    assert before < after


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd"])
async def test_every_compression_is_read(intake: Intake, compression: str) -> None:
    body = msgspec.json.encode([said(number) for number in range(20)])
    await asyncio.to_thread(intake.produce, (body, []), compression_type=compression)
    assert len(await intake.stored(20)) == 20


async def test_what_is_too_long_to_come_back_is_refused_without_what_came_with_it(intake: Intake) -> None:
    long = b'"%s"' % (b"x" * 3_000_000)
    await asyncio.to_thread(
        intake.produce, (long, [("trace", b"7")]), (msgspec.json.encode(said(1)), []),
        compression_type="gzip", max_request_size=8 << 20,
    )  # fmt: skip
    assert len(await intake.stored(1)) == 1, "who comes after it is taken"
    [record] = await asyncio.to_thread(intake.refused, 1)
    told = dict(record.headers)
    assert (record.value, record.key, told["lrs-bytes"]) == (b"", None, b"3000002")
    assert (told["lrs-reason"], told["lrs-offset"]) == (b"invalid", b"0")
    assert "trace" not in told


async def test_a_producer_may_say_any_time(intake: Intake) -> None:
    last = (1 << 63) - 1
    brokers = brokers_of(intake.settings)
    allowed = {"message.timestamp.after.max.ms": str(last), "message.timestamp.type": "CreateTime"}
    inbox = Declared(intake.settings.kafka_inbox, 2, 1, allowed)
    await asyncio.to_thread(lambda: carry_out(brokers, compare([inbox], brokers.topics([inbox.name]))))
    brokers.close()
    body = msgspec.json.encode(said(1))
    await asyncio.to_thread(intake.produce, (body, []), timestamp_ms=last)
    assert len(await intake.stored(1)) == 1

    async def done() -> bool:
        row = await intake.pool.fetchrow(
            "select theta_us <= 1000000 * extract(epoch from now() + interval '1 hour') as sane"
            " from stage_partition where stage = 'intake' and partition = 0 and next_offset = 1"
        )
        return row is not None and bool(row["sane"])

    await until(done)


async def test_the_documented_producers_work(intake: Intake, tmp_path: Path) -> None:
    def succeed(program: str, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{program}: {done.stderr[-2000:]}"

    for name, language in (("produce.py", "python"), ("Produce.java", "java")):
        text = example(language).replace("kafka-1:9092", intake.broker.address)
        (tmp_path / name).write_text(text.replace("xapi.inbox", intake.settings.kafka_inbox))
    await asyncio.to_thread(succeed, "python", sys.executable, str(tmp_path / "produce.py"))
    await asyncio.to_thread(succeed, "java", "java", "-cp", f"{LIBRARIES}/*", str(tmp_path / "Produce.java"))
    rows = await intake.stored(2)
    assert sorted(bool(row["flags"] & 1 << 8) for row in rows) == [False, True]


async def test_an_intake_that_cannot_work_is_refused_at_its_start(
    broker: Broker, database: str, pool: asyncpg.Pool
) -> None:
    settings = settings_for(broker, database)
    statements = [topic for topic in declared_topics(settings) if topic.name == settings.kafka_topic]
    brokers = brokers_of(settings)
    await asyncio.to_thread(carry_out, brokers, compare(statements, {}))
    with pytest.raises(LogError, match=r"inbox: it is not on the brokers; `lrs topics apply` makes it"):
        await run(settings)
    await asyncio.to_thread(carry_out, brokers, compare(declared_topics(settings)[1:], {}))
    brokers.close()
    with pytest.raises(LogError, match="'platform': there is no such credential"):
        await run(settings)
    await Credentials(pool, Names(pool)).ensure(
        ROOT_TENANT, "platform", "secret", scopes=("statements/read",)
    )
    with pytest.raises(LogError, match="'platform': it may not write statements"):
        await run(settings)
