"""The port of the log: what the edge and the stages need of it, whatever it is kept in.

A log has topics, a topic has partitions, a partition is a sequence of records in the order in
which they became durable. Offsets grow but need not be dense (Kafka's are not): nobody asks for
"the last one plus one". A record of the statement topic is a frame (`lrs.log.frame`): one or more
whole requests, never a part of one.

Every adapter passes one contract suite: `tests/log/contract.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

STATEMENTS = "statements"
"""The topic of accepted statements; its records are frames."""

EVIDENCE = "evidence"
"""The topic of learning events by learner; written by persist in its own transaction."""


class LogError(Exception):
    """The log cannot do what was asked."""


class LogUnavailable(LogError):
    """The log does not answer, or is full: nothing is known to be durable. Ask again later."""


class OtherPartitions(LogError):
    """The topic has another number of partitions than was asked for; that number is for ever."""


class OffsetOutOfLog(LogError):
    """The offset to resume at is not inside the log: it was truncated, re-created or rewound.

    Carries all numbers; only an operator's `lrs offsets repair` goes on. `reader` is a stage's name,
    or says who else reads.
    """

    def __init__(self, reader: str, partition: int, next_offset: int, start: int, end: int, why: str) -> None:
        super().__init__(
            f"{reader}, partition {partition}: next offset {next_offset} is not inside the log"
            f" [{start}, {end}]: {why}"
        )
        self.reader, self.partition = reader, partition
        self.next_offset, self.start, self.end = next_offset, start, end


class Fenced(LogError):
    """Another worker owns the partition now: this one's output was refused and it must stop."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The ids that a frame wants to be first with; row i speaks of the frame's statement i.

    `requests[i]` numbers the request that statement i came in: a request is accepted or refused
    as a whole. An id never stands in two requests of one frame.
    """

    tenants: Sequence[int]
    ids: Sequence[bytes]
    digests: Sequence[bytes]
    requests: Sequence[int]


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a record went, and what became of the ids it claimed.

    `end`: the instant, in microseconds since 1970-01-01T00:00Z, of the frame's last statement; its
    n statements have the instants end-n+1 ... end, in order.
    `repeated`: places in the frame of statements that were known before with an equal digest: they
    are stored already, and the stages pass over them.
    `conflicts`: number of the request -> places of its statements whose id is known with another
    digest: the whole request is refused (409), its other claims were taken back, and the stages
    pass over it.
    When nothing of the frame is new it is not written: `offset` and `end` are then those of the
    partition's newest record (-1 and 0 if there is none).
    A log that cannot claim ids itself (Kafka) tells what is known when it appends; what it says nothing of
    is settled by persist.
    """

    partition: int
    offset: int
    end: int
    repeated: Sequence[int] = ()
    conflicts: Mapping[int, Sequence[int]] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it is read back.

    `skip`: places of the frame that no stage may store. `count`: the statements (or events) that it
    was appended with, the skipped ones included; 0 for a tick.
    """

    partition: int
    offset: int
    end: int
    value: bytes
    skip: Sequence[int] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Ends:
    """`start`: the first offset that can still be read; `end`: the one that comes next; `last`: the
    instant of the newest record (0 before the first)."""

    start: int
    end: int
    last: int


class Source(Protocol):
    """What a stage asks of its topic beside the records."""

    @property
    def partitions(self) -> int:
        """How many partitions the topic has; fixed when the log is created."""

    async def log_id(self) -> str:
        """Names this incarnation of the log: a re-created one has another."""

    async def ends(self) -> dict[int, Ends]:
        """Start and end of each partition."""

    async def trim(self, before: Mapping[int, int]) -> None:
        """Allow that records before these offsets are forgotten; the adapter does it when it can."""


class Log(Source, Protocol):
    """One topic of a log."""

    async def append(
        self, partition: int, value: bytes, count: int, claims: Claims | None = None
    ) -> Appended:
        """Make a record of `count` statements durable, then return.

        Its instants are `end = max(now, last + count)`; a record of no statements (a tick) moves the
        partition's time on. Raises LogUnavailable when it is not known whether it is durable; with
        claims, appending the same again is then harmless.
        """

    async def tick(self, idle: float) -> int:
        """Append an empty record to every partition without one for `idle` seconds; return how many."""

    async def read(self, offsets: Mapping[int, int], max_records: int, max_bytes: int) -> list[Record]:
        """Records from the given offset of each partition on, in offset order within a partition.

        The limits are each partition's. At least one record of a partition that has one, whatever its
        size; nothing is returned that is not durable, and nothing is passed over that became durable
        before: raises OffsetOutOfLog when a record from the offset on was forgotten.
        """
