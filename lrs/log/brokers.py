"""The brokers of a Kafka cluster: how they are reached, and what is asked of them beside records.

Records go through aiokafka, which Faust brings: an append is awaited in the event loop, without a
thread. What is asked seldom (topics, settings, ends) goes through kafka-python's admin client, which
knows every such request; it is synchronous, so that it runs in a thread here.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AsyncKafkaError
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from lrs.log.port import LogUnavailable

PATIENCE: Final = 10.0
"""Seconds after which brokers that do not answer are away."""

_Answer = TypeVar("_Answer")


class _Client(KafkaAdminClient):
    """One that ends its thread when it cannot reach the brokers."""

    def __init__(self, **options: Any) -> None:
        self._closed = False
        try:
            super().__init__(**options)
        except BaseException:
            self.close()
            raise


AWAY = (KafkaError, AsyncKafkaError, OSError, TimeoutError)
"""What the clients raise when the brokers do not answer, or refuse."""


@dataclass(frozen=True, slots=True)
class Security:
    """How brokers and we prove who we are. Plain text without anything.

    `mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, with user and password; empty: no SASL.
    `tls`: encrypted; `ca`: PEM file of who signs the brokers' certificates (None: the system's);
    `certificate` and `key`: PEM files of our own, where brokers ask for one.
    """

    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    mechanism: str = ""
    user: str = ""
    password: str = ""

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None without TLS. Raises OSError when a file cannot be read."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def options(self) -> dict[str, Any]:
        """The same as options of aiokafka's and kafka-python's clients."""
        found: dict[str, Any] = {
            "security_protocol": ("SASL_" if self.mechanism else "") + ("SSL" if self.tls else "PLAINTEXT")
        }
        if self.tls:
            found["ssl_context"] = self.context()
        if self.mechanism:
            found["sasl_mechanism"] = self.mechanism
            found["sasl_plain_username"], found["sasl_plain_password"] = self.user, self.password
        return found


@dataclass(frozen=True, slots=True)
class Topic:
    """What the brokers say of a topic. `settings`: every setting's value, as text."""

    id: uuid.UUID
    partitions: int
    replication: int
    settings: Mapping[str, str]


class Brokers:
    """A cluster. What is not `async` blocks; every method raises LogUnavailable when no broker answers."""

    def __init__(self, servers: str, security: Security | None = None, *, patience: float = PATIENCE) -> None:
        """`servers`: host:port, more of them after commas."""
        self.servers = servers
        self.security = security or Security()
        self.patience = patience
        self._client: KafkaAdminClient | None = None
        self._lock = threading.Lock()

    async def producer(self, longest: int) -> AIOKafkaProducer:
        """A started producer of records, and of batches, of up to so many bytes: what it has sent is durable,
        and there once.

        Raises KafkaError or OSError when no broker answers.
        """
        producer = AIOKafkaProducer(
            **self.options(),
            acks="all",
            enable_idempotence=True,
            max_request_size=longest,
            # Its own limit of 16 KiB would send what is there to send in many small requests.
            max_batch_size=longest,
            request_timeout_ms=int(self.patience * 1000),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    def options(self) -> dict[str, Any]:
        """Options that every client of these brokers takes."""
        return {"bootstrap_servers": self.servers.split(","), **self.security.options()}

    def ask(self, question: Callable[[KafkaAdminClient], _Answer]) -> _Answer:
        """One question at a time; after an error the next one is asked through a new client."""
        with unavailable(self.servers), self._lock:
            try:
                if self._client is None:
                    milliseconds = int(self.patience * 1000)
                    self._client = _Client(
                        **self.options(), bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds
                    )
                return question(self._client)
            except Exception:
                self._forget()
                raise

    def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            self._forget()

    async def in_thread(self, question: Callable[[KafkaAdminClient], _Answer]) -> _Answer:
        """`ask`, without holding up the event loop."""
        return await asyncio.to_thread(self.ask, question)

    async def cluster_id(self) -> str:
        """Names the cluster."""
        return str((await self.in_thread(lambda client: client.describe_cluster()))["cluster_id"])

    def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of the topics that are there."""
        wanted = list(names)

        def question(client: KafkaAdminClient) -> dict[str, Topic]:
            there = [each for each in client.describe_topics(wanted) if not each["error_code"]]
            resources = [ConfigResource(ConfigResourceType.TOPIC, each["name"]) for each in there]
            settings = client.describe_configs(resources, config_filter="all")["topic"] if there else {}
            return {each["name"]: _topic(each, settings[each["name"]]) for each in there}

        return self.ask(question)

    async def topic(self, name: str) -> Topic | None:
        """A topic, None if it is not there."""
        return (await asyncio.to_thread(self.topics, [name])).get(name)

    async def offsets(self, topic: str, partitions: int) -> dict[int, tuple[int, int, int]]:
        """By partition: the first offset, the one after the last that may be read, and the greatest
        timestamp (ms since 1970, -1 while the partition is empty)."""
        wanted = [TopicPartition(topic, partition) for partition in range(partitions)]

        def question(client: KafkaAdminClient) -> dict[int, tuple[int, int, int]]:
            start, end, newest = (
                client.list_partition_offsets(dict.fromkeys(wanted, spec), "read_committed")
                for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST, OffsetSpec.MAX_TIMESTAMP)
            )
            return {
                each.partition: (start[each].offset, end[each].offset, newest[each].timestamp)
                for each in wanted
            }

        return await self.in_thread(question)


def _topic(described: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> Topic:
    partitions = described["partitions"]
    return Topic(
        uuid.UUID(str(described["topic_id"])),
        len(partitions),
        min(len(each["replica_nodes"]) for each in partitions),
        {name: str(setting["value"]) for name, setting in settings.items()},
    )


@contextmanager
def unavailable(servers: str) -> Iterator[None]:
    """Errors that mean that the brokers are away, as LogUnavailable."""
    try:
        yield
    except AWAY as error:
        raise LogUnavailable(
            f"the brokers at {servers} do not answer: {type(error).__name__}: {error}"
        ) from error
