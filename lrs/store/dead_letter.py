"""Dead letters: what was accepted and cannot be stored, to be looked at, sent again, or given up."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.log import frame as frames
from lrs.log.port import Claims
from lrs.store.sql import queries
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    import asyncpg

    from lrs.log.port import Log
    from lrs.store.dictionary import Dictionaries

REASONS: Final = ("conflict", "damaged", "poison")
"""Another statement has the id; the record is no frame; the store does not take it."""

_SQL: Final = queries("dead_letter")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters; None lets everything pass. `since`: not older than this."""

    tenant: int | None = None
    stage: str | None = None
    reason: str | None = None
    id: uuid.UUID | None = None
    since: datetime.datetime | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """One of them. `offset` and `place` are those of the record in the stage's topic, and in it; a
    record that is damaged as a whole has place -1 and no id."""

    number: int
    tenant: int
    stage: str
    partition: int
    offset: int
    place: int
    id: uuid.UUID | None
    reason: str
    detail: str
    created: datetime.datetime


class NotRetried(Exception):
    """The letter cannot be sent again; the text says why."""


async def dead_letters(pool: asyncpg.Pool, wanted: Filter, limit: int) -> list[DeadLetter]:
    """The newest letters that pass the filter, newest first."""
    rows = await pool.fetch(
        _SQL["list"], wanted.tenant, wanted.stage, wanted.reason, wanted.id, wanted.since, limit
    )
    return [_letter(row) for row in rows]


async def content(pool: asyncpg.Pool, number: int) -> tuple[DeadLetter, bytes | None] | None:
    """A letter with its bytes: the statement's as sent, or the whole record's if that is damaged."""
    row = await pool.fetchrow(_SQL["by_number"], number)
    return None if row is None else (_letter(row), row["raw"])


async def discard(pool: asyncpg.Pool, number: int) -> bool:
    """Forget a letter; False if it is not there."""
    return await pool.execute(_SQL["discard"], number) == "DELETE 1"


async def retry(pool: asyncpg.Pool, log: Log, dictionaries: Dictionaries, number: int, received: int) -> None:
    """Append the statement again under its id, as it came and for the same authority; forget the letter.

    However often this is done, and wherever it is killed: the id is stored once. `received`: the time,
    in microseconds since 1970. Raises NotRetried.
    """
    row = await pool.fetchrow(_SQL["by_number"], number)
    if row is None:
        raise NotRetried("there is no such letter")
    if row["reason"] == "conflict":
        raise NotRetried("another statement has its id: it can only be discarded")
    if row["reason"] != "poison" or row["stage"] != "persist" or row["authority"] is None:
        raise NotRetried(
            "only a statement that persist put aside can be sent again; `lrs rebuild` scores what is stored"
        )
    version = Version.V2_0_0 if row["flags"] & frames.VERSION_2 else Version.V1_0_3
    try:
        statements = read_statements(row["raw"], version)
    except Rejected as error:
        raise NotRetried(f"it is no statement any more: {error}") from error
    ids = [row["id"].bytes]
    request = frames.Request(
        row["authority"],
        version,
        received,
        statements,
        ids,
        bool(row["flags"] & frames.VOIDS_ANYONES),
        not row["flags"] & frames.DEFINES_NOTHING,
    )
    value = frames.encode(row["tenant"], [request], dictionaries.newest, dictionaries.compressor())
    # Its first place in the log holds the id, although nothing is stored there.
    await pool.execute(_SQL["free_id"], row["tenant"], row["id"], row["pos"])
    claims = Claims([row["tenant"]], ids, [statements[0].digest], [0])
    appended = await log.append(row["partition"] % log.partitions, value, 1, claims)
    if appended.conflicts:
        raise NotRetried("another statement has its id by now: it can only be discarded")
    await discard(pool, number)


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(
        row["dead_letter"],
        row["tenant"],
        row["stage"],
        row["partition"],
        row["offset"],
        row["place"],
        row["id"] and uuid.UUID(bytes=row["id"].bytes),
        row["reason"],
        row["detail"],
        row["created"],
    )


def numbers(letters: Sequence[DeadLetter]) -> list[int]:
    """Their numbers, the oldest first: they are sent again in the order in which they came."""
    return sorted(letter.number for letter in letters)
