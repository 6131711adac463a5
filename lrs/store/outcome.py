"""The journal of outcomes: written by score in its own transaction, read by whoever follows it.

A position in the journal is a vector: the number of the last outcome seen, by partition. Numbers are
taken under the lock of their partition's row, so that 12 is never visible before 11, and who goes on
from a position misses nothing, however many partitions are written at once.
"""

from __future__ import annotations

import dataclasses
import struct
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from asyncpg.pgproto.pgproto import UUID

from lrs.scoring.outcome import NAMES, About, Evidence, Newest, Outcome, Subject, Turn, outcomes, subjects
from lrs.store.sql import queries
from lrs.xapi.timestamp import format_timestamps

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.catalogue import InForce
    from lrs.store.connection import Asked, Connection

Position = tuple[int, ...]
"""By partition: the number of the last outcome seen; 0 before the first."""

_SQL: Final = queries("outcome")
_PROOF: Final = struct.Struct(">q16s")
_NAMES: Final[Mapping[tuple[int, bool], str]] = {
    (int(about), holds): name for (about, holds), name in NAMES.items()
}
_NOBODY: Final[Subject] = (0, About.CATALOGUE, 0, 0)
_SWITCHES: Final = 0
"""The partition in which it is told that a catalogue came into force."""


class Told(msgspec.Struct, frozen=True):
    """An outcome as others read it; docs/outcomes.md is the contract."""

    id: str
    kind: str
    holds: bool
    tenant: str
    agent: dict[str, Any] | None
    target: str | None
    level: int | None
    effective: str
    recorded: str
    evidence: list[str]
    revision: int
    retracts: str | None
    catalogue: dict[str, Any]
    partition: int
    number: int


@dataclass(frozen=True, slots=True)
class Owned:
    """The outbox of a partition: up to which number it is published, and up to which there are outcomes.
    `epoch`: the lease of its owner."""

    partition: int
    epoch: int
    published: int
    last: int


async def record(
    connection: Connection,
    tenant: int,
    partition: int,
    at: int,
    turns: Sequence[Turn],
    catalogue: InForce,
) -> Counter[str]:
    """Write the outcomes of turns that were found at an instant (µs since 1970), in the transaction that
    makes them so, behind the fence of the partition; how many there are by name, and how many take
    back an earlier one, `outcomes_retracted`.
    """
    if not turns:
        return Counter()
    wanted = subjects(turns, catalogue.tables)
    names: dict[Subject, tuple[str, str]] = {}
    newest: dict[Subject, Newest] = {}
    agents, abouts, targets, levels = (list(column) for column in zip(*wanted, strict=True))
    for row in await connection.fetch(_SQL["newest"], tenant, agents, abouts, targets, levels):
        subject = wanted[row["place"] - 1]
        names[subject] = row["ifi"], row["iri"]
        if row["id"] is not None:
            newest[subject] = _newest(row)
    found = outcomes(turns, newest, catalogue.tables, catalogue.number, at)
    await _add(
        connection, partition, at, [(one.id(tenant, *names[one.subject]), one) for one in found], tenant
    )
    counts = Counter(NAMES[About(one.subject[1]), one.holds] for one in found)
    counts["outcomes_retracted"] = sum(one.retracts is not None for one in found)
    return counts


async def record_switch(connection: Connection, tenant: int, at: int, catalogue: int, digest: str) -> None:
    """Write that a catalogue came into force, in the transaction that puts it so, while nothing is scored."""
    column = [[number] for number in _NOBODY]
    [row] = await connection.fetch(_SQL["newest"], tenant, *column)
    revision = 1 if row["id"] is None else row["revision"] + 1
    switch = Outcome(_NOBODY, revision, True, at, catalogue)
    await _add(connection, _SWITCHES, at, [(switch.id(tenant, "", digest), switch)], tenant)


async def _add(
    connection: Connection, partition: int, at: int, new: Sequence[tuple[uuid.UUID, Outcome]], tenant: int
) -> None:
    if not new:
        return
    first = await connection.fetchval(_SQL["take_numbers"], partition, len(new))
    rows = [
        (
            id_,
            one.subject[1],
            one.subject[0],
            *one.subject[2:],
            one.revision,
            one.holds,
            one.retracts,
            one.effective,
            one.catalogue,
            b"".join(_PROOF.pack(when, proof.bytes) for when, proof in one.evidence),
        )
        for id_, one in new
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_SQL["add"], tenant, partition, first, at, *columns)


async def position(asked: Asked) -> Position:
    """Before the first outcome."""
    return (0,) * (await asked.fetchval(_SQL["partitions"]) or 1)


async def feed(asked: Asked, tenant: int, after: Position, limit: int) -> tuple[list[Told], Position]:
    """A tenant's next outcomes after a position, and the position after them."""
    told = _told(await asked.fetch(_SQL["feed"], tenant, list(after), limit))
    reached = list(after)
    for one in told:
        reached[one.partition] = one.number
    return told, tuple(reached)


async def of_agent(asked: Asked, tenant: int, agent: int, after: int, limit: int) -> list[Told]:
    """Outcomes of one learner after a number, in order; they are all in one partition."""
    return _told(await asked.fetch(_SQL["of_agent"], tenant, agent, after, limit))


async def outbox(asked: Asked, worker: str) -> list[Owned]:
    """The outboxes of the partitions that a worker owns."""
    return [Owned(**row) for row in await asked.fetch(_SQL["outbox"], worker)]


async def unpublished(asked: Asked, owned: Owned, limit: int) -> list[Told]:
    """The first outcomes that were not published, of every tenant."""
    return _told(await asked.fetch(_SQL["unpublished"], owned.partition, owned.published, limit))


async def mark_published(asked: Asked, owned: Owned, number: int) -> Owned | None:
    """Note that everything up to a number is published; None if another worker owns the partition."""
    status = await asked.execute(
        _SQL["mark_published"], owned.partition, owned.epoch, owned.published, number
    )
    return dataclasses.replace(owned, published=number) if status == "UPDATE 1" else None


async def forget(asked: Asked, tenant: int, agent: int) -> None:
    """Delete the outcomes of one learner."""
    await asked.execute(_SQL["forget"], tenant, agent)


def _newest(row: asyncpg.Record) -> Newest:
    return Newest(
        uuid.UUID(bytes=row["id"].bytes),
        row["revision"],
        row["holds"],
        row["effective_us"],
        row["catalogue"],
        _evidence(row["evidence"]),
    )


def _told(rows: Sequence[asyncpg.Record]) -> list[Told]:
    """Rows of the view `outcome_told`, as others read them."""
    effective = format_timestamps([row["effective_us"] for row in rows])
    recorded = format_timestamps([row["recorded_us"] for row in rows])
    return [
        Told(
            str(row["id"]),
            _NAMES[row["about"], row["holds"]],
            row["holds"],
            row["tenant_name"],
            _agent(row["ifi"]) if row["agent"] else None,
            row["iri"],
            row["level"] or None,
            effective[place],
            recorded[place],
            # The driver's UUIDs are written ten times faster than Python's.
            [str(UUID(proof)) for _, proof in _PROOF.iter_unpack(row["evidence"])],
            row["revision"],
            None if row["retracts"] is None else str(row["retracts"]),
            {"number": row["catalogue"], "digest": row["digest"]},
            row["partition"],
            row["number"],
        )
        for place, row in enumerate(rows)
    ]


def _evidence(packed: bytes) -> Evidence:
    return tuple((when, uuid.UUID(bytes=id_)) for when, id_ in _PROOF.iter_unpack(packed))


def _agent(canonical: str) -> dict[str, Any]:
    """An agent as xAPI writes it, with its identifier alone, of its canonical text."""
    kind, _, value = canonical.partition(":")
    if kind != "account":
        return {kind: value}
    home, _, name = value.partition(" ")
    return {"account": {"homePage": home, "name": name}}
