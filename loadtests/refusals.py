"""The trial's side of an intake: what it refused, and when it had read everything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from loadtests.plan import agent
from loadtests.producer import REASON_HEADER, VERSION_HEADER, request_number
from loadtests.scenario import LoadError
from loadtests.target import Inbox

_PATIENCE: Final = 20.0
"""Seconds that brokers have for an answer, and the intake from the last record to the last refusal."""
_MOST: Final = 2_000


@dataclass(frozen=True)
class Refusal:
    """A record that came back: the request it belongs to, why it had to (empty: it had not), why it did."""

    number: int
    expected: str
    reason: str
    rule: str


class Refusals:
    """What an intake refuses from now on."""

    def __init__(self, inbox: Inbox, ends: Mapping[TopicPartition, int]) -> None:
        self._inbox, self._ends = inbox, ends

    @classmethod
    def from_now(cls, inbox: Inbox) -> Refusals:
        """Raises LoadError when the topics are not there."""
        with _consumer(inbox) as consumer:
            return cls(inbox, consumer.end_offsets(_places(consumer, inbox.rejected, inbox)))

    def told(self, seed: int, least: set[int]) -> list[Refusal]:
        """The refusals of a plan's records, each once; waits a while until those of `least` are among them.
        Raises LoadError."""
        found: dict[tuple[str, str], Refusal] = {}
        with _consumer(self._inbox) as consumer:
            consumer.assign(list(self._ends))
            for place, end in self._ends.items():
                consumer.seek(place, end)
            deadline = time.monotonic() + _PATIENCE
            while True:
                last = consumer.end_offsets(list(self._ends))
                for records in consumer.poll(500, _MOST).values():
                    for record in records:
                        where, refusal = _read(record, seed)
                        if refusal is not None:
                            found[where] = refusal
                read = all(consumer.position(place) >= last[place] for place in self._ends)
                lacking = least - {refusal.number for refusal in found.values()}
                if read and (not lacking or time.monotonic() > deadline):
                    return sorted(found.values(), key=lambda refusal: refusal.number)


def mark(inbox: Inbox) -> list[str]:
    """Put a new statement at the end of each of the inbox's partitions; their ids. The intake reads in order:
    when they can be queried, so can everything that was in the topic before. Raises LoadError."""
    with _consumer(inbox) as consumer, _errors(inbox):
        places = _places(consumer, inbox.topic, inbox)
        producer = KafkaProducer(bootstrap_servers=inbox.brokers.split(","), acks="all")
        try:
            ids = []
            for place in places:
                id_ = str(uuid4())
                value = msgspec.json.encode(
                    {
                        "id": id_,
                        "actor": agent(0),
                        "verb": {"id": "http://adlnet.gov/expapi/verbs/experienced"},
                        "object": {"id": "https://lrs.example.org/load/end"},
                    }
                )
                headers = [(VERSION_HEADER, b"1.0.3")]
                sent = producer.send(inbox.topic, value, headers=headers, partition=place.partition)
                sent.get(_PATIENCE)
                ids.append(id_)
            return ids
        finally:
            producer.close(_PATIENCE)


def _read(record: Any, seed: int) -> tuple[tuple[str, str], Refusal | None]:
    """Where a refused record stood in the inbox (a refusal may be told twice), and what it says of the
    plan."""
    headers = {name: (value or b"").decode() for name, value in record.headers}
    where = headers.get("lrs-partition", ""), headers.get("lrs-offset", "")
    number = request_number(seed, record.key)
    if number is None:
        return where, None
    expected, reason = headers.get(REASON_HEADER, ""), headers.get("lrs-reason", "")
    return where, Refusal(number, expected, reason, headers.get("lrs-rule", ""))


def _places(consumer: Any, topic: str, inbox: Inbox) -> list[TopicPartition]:
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise LoadError(f"topic {topic}: it is not on {inbox.brokers}; `lrs topics apply` makes it")
    return [TopicPartition(topic, number) for number in sorted(partitions)]


@contextmanager
def _consumer(inbox: Inbox) -> Iterator[Any]:
    with _errors(inbox):
        consumer = KafkaConsumer(
            bootstrap_servers=inbox.brokers.split(","),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
        )
        try:
            yield consumer
        finally:
            consumer.close()


@contextmanager
def _errors(inbox: Inbox) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise LoadError(f"{inbox.brokers}: {type(error).__name__}: {error}") from None
