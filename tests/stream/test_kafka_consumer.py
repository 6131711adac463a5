"""What the consumer of Kafka hands on when its partitions are assigned anew while it waits for the store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from lrs.log.kafka import BLOB_HEADER, KafkaLog
from lrs.store.lease import Lease
from lrs.stream.kafka import Consumer

TOPIC = TP("xapi.statements", 0)
BLOB = bytes(range(16))


def fetched(offset: int) -> ConsumerRecord[bytes, bytes]:
    """A record whose value is in the store."""
    return ConsumerRecord(
        *(TOPIC.topic, TOPIC.partition, offset, 0, 0, None, b"", None, -1, 0, ((BLOB_HEADER, BLOB),))
    )


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """A consumer that has fetched the record at offset 150."""

    async def fetch(_self: Any, _active: Any, _timeout: float) -> Any:
        return {TOPIC: [fetched(150)]}

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    found = Consumer.__new__(Consumer)
    found._instants, found._has_read = {}, 0.0
    found.app = SimpleNamespace(stage_log=KafkaLog.__new__(KafkaLog))  # type: ignore[assignment]
    found._resume([lease(100)])
    return found


def lease(next_offset: int) -> Lease:
    return Lease(TOPIC.partition, 1, next_offset, 0)


async def test_what_was_fetched_has_its_value_from_the_store(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blob(_self: KafkaLog, name: bytes) -> bytes:
        assert name == BLOB
        return b"long"

    monkeypatch.setattr(KafkaLog, "blob", blob)
    [record] = (await consumer._getmany({TOPIC}, 1.0))[TOPIC]
    assert (record.offset, record.value) == (150, b"long")


async def test_what_was_fetched_before_an_assignment_is_not_taken_after_it(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blob(_self: KafkaLog, _name: bytes) -> bytes:
        consumer._resume([lease(100)])  # while the store is slow, the group gives the partition out anew
        return b"long"

    monkeypatch.setattr(KafkaLog, "blob", blob)
    assert await consumer._getmany({TOPIC}, 1.0) == {}
