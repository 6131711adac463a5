"""Intake: plain JSON statements of the inbox go to the statement log, or to those that are refused.

Each record is a request of its own, accepted or refused as a whole, by the validator of the edge. A
statement without an id gets one that follows from the record's position, so that a record that is
read twice is stored once; what is refused may be told twice, after a crash. The offset is committed
when everything is durable where it went.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.log import frame as frames
from lrs.log.inbox import INBOX, Inbox, InboxRecord
from lrs.log.port import Claims
from lrs.store import lease
from lrs.xapi.reader import read_statements
from lrs.xapi.render import format_uuid
from lrs.xapi.statement import Statement
from lrs.xapi.version import Version, negotiate
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    import asyncpg

    from lrs.log.port import Log, Record
    from lrs.store.dictionary import Dictionaries

VERSION_HEADER: Final = "x-experience-api-version"
"""Header of a record: the version of xAPI of its statements; without it they are of 1.0.3."""

ACCEPTED: Final = "accepted"
REASONS: Final = ("version", "invalid", "attachment", "forbidden", "conflict")
"""Why a record is refused: an unknown version, broken rules, data that do not come with it, a void that
the credential may not send, an id of another statement."""

_IDS: Final = uuid.UUID("0b0c7b3e-8f4f-4d0c-9d55-1c0f5e9b6a51")
"""Namespace of ids that follow from a record's position."""


class _Refused(Exception):
    """Why a record is refused; all but the reason as in `lrs.xapi.Violation`."""

    def __init__(self, reason: str, path: str, rule: str, clause: str = "", violations: bytes = b"") -> None:
        super().__init__(reason, path, rule)
        self.reason, self.path, self.rule, self.clause = reason, path, rule, clause
        self.violations = violations


@dataclass(frozen=True, slots=True)
class Sender:
    """As whom the inbox's statements are taken. `voids`: none, own or any statements; `defines`: whether
    their definitions of activities have a say in the canonical ones."""

    tenant: int
    authority: int
    voids: str
    defines: bool


@dataclass(slots=True)
class _Frame:
    """Requests that go to the log together, in the order of their records."""

    records: list[InboxRecord] = field(default_factory=list)
    requests: list[frames.Request] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    size: int = 0

    def takes(self, request: frames.Request, size: int, most: int, longest: int) -> bool:
        """Whether the request may come in: no id stands in a frame twice."""
        return not self.records or (
            len(self.ids) + len(request.ids) <= most
            and self.size + size <= longest
            and self.ids.isdisjoint(request.ids)
        )

    def add(self, record: InboxRecord, request: frames.Request) -> None:
        self.records.append(record)
        self.requests.append(request)
        self.ids.update(request.ids)
        self.size += len(record.value)


class Intake:
    """The stage that takes statements from the inbox. An implementation of `lrs.stream.stage.Stage`."""

    name = "intake"
    topic = INBOX

    def __init__(
        self,
        pool: asyncpg.Pool,
        inbox: Inbox,
        log: Log,
        dictionaries: Dictionaries,
        sender: Callable[[], Awaitable[Sender]],
        *,
        max_records: int,
        max_statements: int,
        frame_statements: int,
        frame_bytes: int,
        became: Callable[[Mapping[str, int]], None] = lambda _counts: None,
    ) -> None:
        """`sender`: as whom everything is taken, asked for each batch; `became`: is told, after a
        commit, how many records were accepted, and how many refused, by reason."""
        self._pool, self._inbox, self._log = pool, inbox, log
        self._dictionaries, self._sender = dictionaries, sender
        self.max_records, self.max_statements = max_records, max_statements
        self._frame_statements, self._frame_bytes = frame_statements, frame_bytes
        self._became = became

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Carry the records on; see `lrs.stream.stage.Stage.process`."""
        sender = await self._sender()
        refused: list[tuple[InboxRecord, _Refused]] = []
        for frame in self._framed(records, sender, refused):
            refused += await self._append(partition, sender.tenant, frame)
        if refused:
            await self._inbox.reject([(record, self._why(record, why)) for record, why in refused])
        async with self._pool.acquire() as connection, connection.transaction():
            await lease.advance_past(connection, self.name, partition, epoch, records)
        counts = Counter(why.reason for _, why in refused)
        counts[ACCEPTED] = len(records) - len(refused)
        self._became(counts)

    def _framed(
        self,
        records: Sequence[Record],
        sender: Sender,
        refused: list[tuple[InboxRecord, _Refused]],
    ) -> Iterator[_Frame]:
        frame = _Frame()
        for record in records:
            assert isinstance(record, InboxRecord)
            try:
                request = self._request(record, sender)
            except _Refused as why:
                refused.append((record, why))
                continue
            if not request.ids:
                continue  # an empty array asks for nothing
            if not frame.takes(request, len(record.value), self._frame_statements, self._frame_bytes):
                yield frame
                frame = _Frame()
            frame.add(record, request)
        if frame.records:
            yield frame

    def _request(self, record: InboxRecord, sender: Sender) -> frames.Request:
        header = record.headers.get(VERSION_HEADER)
        version = Version.V1_0_3 if header is None else negotiate(header.decode("latin-1"))
        if version is None:
            raise _Refused(
                "version",
                VERSION_HEADER,
                "must be 1.0, 1.0.x, 2.0 or 2.0.x",
                "1.0.3 Part Three 3.3; IEEE 9274.1.1 4.1.6",
            )
        try:
            statements = read_statements(record.value, version)
        except Rejected as error:
            first = error.violations[0]
            violations = msgspec.json.encode(error.violations)
            raise _Refused("invalid", first.path, first.rule, first.clause, violations) from None
        _refuse_missing_data(record.value, statements)
        if sender.voids == "none" and any(statement.voids is not None for statement in statements):
            raise _Refused("forbidden", "$.verb", "the intake's credential may not void statements")
        ids = [statement.id or self._id(record, index).bytes for index, statement in enumerate(statements)]
        return frames.Request(
            sender.authority,
            version,
            time.time_ns() // 1000,
            statements,
            ids,
            sender.voids == "any",
            sender.defines,
        )

    def _id(self, record: InboxRecord, index: int) -> uuid.UUID:
        place = f"{self._inbox.topic_id}/{record.partition}/{record.offset}/{index}"
        return uuid.uuid5(_IDS, place)

    async def _append(self, partition: int, tenant: int, frame: _Frame) -> list[tuple[InboxRecord, _Refused]]:
        """Append a frame; the records of those requests that were refused."""
        ids: list[bytes] = []
        digests: list[bytes] = []
        numbers: list[int] = []
        for number, request in enumerate(frame.requests):
            ids += request.ids
            digests += [statement.digest for statement in request.statements]
            numbers += [number] * len(request.ids)
        value = frames.encode(
            tenant, frame.requests, self._dictionaries.newest, self._dictionaries.compressor()
        )
        appended = await self._log.append(
            partition % self._log.partitions,
            value,
            len(ids),
            Claims([tenant] * len(ids), ids, digests, numbers),
        )
        return [
            (record, _conflict(record.value, places[0] - numbers.index(number), ids[places[0]]))
            for number, places in (appended.conflicts or {}).items()
            for record in [frame.records[number]]
        ]

    def _why(self, record: InboxRecord, why: _Refused) -> dict[str, str]:
        """The headers that tell why a record was refused, and where it stood."""
        return {
            "lrs-reason": why.reason,
            "lrs-path": why.path,
            "lrs-rule": why.rule,
            "lrs-clause": why.clause,
            "lrs-violations": why.violations.decode(),
            "lrs-topic": self._inbox.name,
            "lrs-partition": str(record.partition),
            "lrs-offset": str(record.offset),
        }


def _path(data: bytes, index: int) -> str:
    return f"$[{index}]" if data.lstrip()[:1] == b"[" else "$"


def _refuse_missing_data(data: bytes, statements: Sequence[Statement]) -> None:
    """A record brings no attachment's data, so each must be somewhere else."""
    for index, statement in enumerate(statements):
        for place, attachment in enumerate(statement.attachments):
            if not attachment.has_file_url:
                raise _Refused(
                    "attachment",
                    f"{_path(data, index)}.attachments[{place}]",
                    "must have a fileUrl, since its data do not come with the record",
                    "1.0.3 Part Three 1.5.1",
                )


def _conflict(data: bytes, index: int, id_: bytes) -> _Refused:
    return _Refused(
        "conflict",
        f"{_path(data, index)}.id",
        f"a statement id is given to one statement only, and {format_uuid(id_)} is another's",
        "1.0.3 Part Three 2.1.1; IEEE 9274.1.1 4.2.4.1",
    )
