"""How a generator process brings statements to an intake: as records of its topic."""

from __future__ import annotations

import time
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from loadtests.scenario import LoadError

VERSION_HEADER: Final = "x-experience-api-version"
REASON_HEADER: Final = "load-reason"
"""Why the record must be refused; it goes with it to the topic of those that were."""

_LARGEST: Final = 64 << 20
"""Bytes of a record: how long one may be is the topic's business."""
_LONGEST_REQUEST: Final = 30.0


class NotAcknowledged(Exception):
    """The brokers did not acknowledge a record: it may be in the topic or not. The text says why."""


def record_key(seed: int, number: int) -> bytes:
    """The key of a request's record: whoever finds it in another topic knows where it came from."""
    return b"load-%x-%d" % (seed, number)


def request_number(seed: int, key: bytes | None) -> int | None:
    """The request whose record has this key; None for a record of somebody else."""
    head, _, number = (key or b"").rpartition(b"-")
    return int(number) if head == b"load-%x" % seed and number.isdigit() else None


class Producer:
    """Records go to one topic, each as soon as it is there, acknowledged by all replicas in sync.

    It belongs in a process whose standard library gevent has patched: its thread is a greenlet then, and
    `put` holds nobody up but its caller. Repetitions are the producer's own business, and are idempotent.
    """

    def __init__(self, brokers: str, topic: str, give_up: float, *, gzip: bool) -> None:
        """`give_up`: seconds after which a record is no longer sent again; `gzip`: whether some are to be
        compressed. Raises LoadError when the topic is not there."""
        self._topic = topic
        self._settings: dict[str, Any] = {
            "bootstrap_servers": brokers.split(","),
            "acks": "all",
            "linger_ms": 0,
            "max_request_size": _LARGEST,
            "max_block_ms": int(give_up * 1000),
            "delivery_timeout_ms": int(give_up * 1000),
            "request_timeout_ms": int(min(give_up, _LONGEST_REQUEST) * 1000),
            "allow_auto_create_topics": False,
        }
        self._producers = {False: self._connected(None)}
        if gzip:
            self._producers[True] = self._connected("gzip")

    def put(
        self, key: bytes, value: bytes, headers: dict[str, str], *, gzip: bool = False
    ) -> tuple[float, float]:
        """Produce a record and wait for its acknowledgement; when it was sent, and when acknowledged, on the
        clock of `time.perf_counter`. `gzip`: what goes to the brokers is compressed. Raises NotAcknowledged.
        """
        sent = time.perf_counter()
        packed = [(name, text.encode()) for name, text in headers.items()]
        acknowledged: list[float] = []
        try:
            future = self._producers[gzip].send(self._topic, value, key, packed)
            # The moment is taken where the answer is read, not when the caller's greenlet has its turn.
            future.add_callback(lambda _: acknowledged.append(time.perf_counter()))
            future.get(self._settings["delivery_timeout_ms"] / 1000 + _LONGEST_REQUEST)
        except KafkaError as error:
            raise NotAcknowledged(f"{type(error).__name__}: {error}") from None
        return sent, acknowledged[0] if acknowledged else time.perf_counter()

    def _connected(self, compression: str | None) -> Any:
        """A producer that knows its topic, so that no record waits for a connection."""
        brokers = ",".join(self._settings["bootstrap_servers"])
        try:
            producer = KafkaProducer(compression_type=compression, **self._settings)
            partitions = producer.partitions_for(self._topic)
        except KafkaError as error:
            raise LoadError(f"{brokers}: {type(error).__name__}: {error}") from None
        if not partitions:
            raise LoadError(f"topic {self._topic}: it is not on {brokers}")
        return producer
