"""Outcomes on a real Kafka: each at least once, in order, whatever is killed; and what a consumer does."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from lrs.composition.kafka import brokers_of, declared_topics
from lrs.log.topics import carry_out, compare
from lrs.settings import Settings
from lrs.store import outcome
from lrs.stream.outbox import Outbox
from tests.store.path import CATALOGUE, Path, said, void
from tests.stream.processes import REPOSITORY, until

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

PARTITIONS = 2
DOCUMENT = REPOSITORY / "docs" / "outcomes.md"


def settings_for(broker: Broker, database: str, directory: File) -> Settings:
    """An LRS with topics of its own, which are made."""
    (directory / "catalogue.yaml").write_text(CATALOGUE)
    prefix = uuid.uuid4().hex[:8]
    settings = Settings(
        store=database,
        log=f"kafka://{broker.address}",
        partitions=PARTITIONS,
        lease=1.0,
        kafka_topic=f"{prefix}.statements",
        kafka_outcomes=f"{prefix}.outcomes",
        kafka_replication=1,
        catalogue=directory / "catalogue.yaml",
    )
    brokers = brokers_of(settings)
    carry_out(brokers, compare(declared_topics(settings), {}))
    brokers.close()
    return settings


def start(settings: Settings, marks: int = -1) -> subprocess.Popen[bytes]:
    """Start a score worker."""
    given = msgspec.json.encode(settings, enc_hook=str).decode()
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kafka.publishing", given, str(marks)], cwd=REPOSITORY
    )


def published(settings: Settings, broker: Broker) -> list[list[dict[str, Any]]]:
    """By partition: everything in the topic."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    places = [TopicPartition(settings.kafka_outcomes, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    found: list[list[dict[str, Any]]] = [[] for _ in places]
    try:
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(1000).items():
                found[place.partition] += [msgspec.json.decode(record.value) for record in records]
    finally:
        consumer.close()
    return found


async def journal(path: Path) -> list[dict[str, Any]]:
    """Everything that was told."""
    told, _ = await outcome.feed(path.pool, 1, await outcome.position(path.pool), 10_000)
    found: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(told))
    return found


async def all_published(path: Path) -> None:
    """Wait until everything is scored, and its outcomes are marked as published."""
    scoring = (
        "log_head l join stage_partition s on s.stage = 'score' and s.partition = l.partition"
        " where l.topic = 'evidence' and s.next_offset < l.next_offset"
    )

    async def done() -> bool:
        return not await path.count(scoring) and not await path.count(
            "outbox where published < next_number - 1"
        )

    await until(done, 150)


@pytest.mark.timeout(400)
async def test_each_outcome_is_published_at_least_once_and_in_order_whatever_is_killed(
    broker: Broker, database: str, pool: asyncpg.Pool, tmp_path: File
) -> None:
    settings = await asyncio.to_thread(settings_for, broker, database, tmp_path)
    path = await Path.open(pool)
    processes: list[subprocess.Popen[bytes]] = []
    quizzes = [said(number) for number in range(1, 9)]
    try:
        for round_, marks in enumerate((0, 1)):
            await path.accept(quizzes[2 * round_ : 2 * round_ + 2])
            await path.accept([said(number, "completed", "m:text") for number in (1 + round_, 3 + round_)])
            await path.do(path.persist)
            processes.append(start(settings, marks))
            assert await asyncio.to_thread(processes[-1].wait, 150) == -signal.SIGKILL
        await path.accept([*quizzes[4:], void(quizzes[0]), void(quizzes[1])])
        await path.do(path.persist)
        processes.append(start(settings))
        await all_published(path)
        processes[-1].send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(processes[-1].wait, 60) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    told = await journal(path)
    sent = await asyncio.to_thread(published, settings, broker)
    for partition, records in enumerate(sent):
        own = {one["number"]: one for one in told if one["partition"] == partition}
        first = list(dict.fromkeys(record["number"] for record in records))
        assert first == sorted(own), "none is lost, and each comes for the first time in order"
        assert all(record == own[record["number"]] for record in records), "the feed says the same"
    assert sum(map(len, sent)) > len(told), "what was not marked was sent again"
    assert {one["kind"] for one in told if not one["holds"]} >= {"module.completed", "course.completed"}
    await path.proven()


async def test_outcomes_that_wait_go_in_few_batches(
    broker: Broker, database: str, pool: asyncpg.Pool, tmp_path: File
) -> None:
    settings = await asyncio.to_thread(settings_for, broker, database, tmp_path)
    path = await Path.open(pool)
    await path.send([said(number) for number in range(200)])
    await pool.execute("update stage_partition set owner = 'worker' where stage = 'score'")
    told = await journal(path)
    counts: list[int] = []
    brokers = brokers_of(settings)
    outbox = Outbox(
        pool, brokers, settings.kafka_outcomes, PARTITIONS, "worker", published=counts.append
    )  # fmt: skip
    publishing = asyncio.create_task(outbox.run())
    try:
        await all_published(path)
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        brokers.close()
    waiting = Counter(one["partition"] for one in told)
    assert min(waiting.values()) > 50, "more than 16 KiB of each partition"
    assert sorted(counts) == sorted(waiting.values())
    assert await asyncio.to_thread(published, settings, broker) == [
        [one for one in told if one["partition"] == partition] for partition in range(PARTITIONS)
    ]


async def test_the_documented_consumer_knows_what_stands(
    broker: Broker, database: str, pool: asyncpg.Pool, tmp_path: File
) -> None:
    settings = await asyncio.to_thread(settings_for, broker, database, tmp_path)
    path = await Path.open(pool)
    quiz = said(1)
    await path.send([quiz, said(1, "completed", "m:text")])
    await path.send(void(quiz))
    # As if a worker had died before it marked what it had published.
    worker = start(settings)
    try:
        await all_published(path)
        await pool.execute("update outbox set published = 0")
        await all_published(path)
    finally:
        worker.kill()
        worker.wait()
    example = re.search(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert example is not None
    program = example[1].replace("kafka-1:9092", broker.address)
    (tmp_path / "consume.py").write_text(program.replace("lrs.outcomes", settings.kafka_outcomes))
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "consume.py")], stdout=subprocess.PIPE, text=True
    ) as consumer:
        assert consumer.stdout is not None
        try:
            told = await journal(path)
            lines = [await asyncio.to_thread(consumer.stdout.readline) for _ in told]
        finally:
            consumer.kill()
    assert lines[-1].split()[-1] == "1", "the module that was not voided stands"
    assert [line.split()[0] for line in lines] == [one["kind"] for one in told]
