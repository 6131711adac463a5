"""The journal of outcomes: queries of outcome.sql."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import UniqueViolationError

from tests.histories.answers import answers
from tests.histories.database import Record, Transaction, rows_of

_NEWEST = rows_of(
    "place", "ifi", "iri", "id", "revision", "holds", "effective_us", "catalogue", "evidence"
)  # fmt: skip
_FIRST = rows_of("next_number")
_OWNED = rows_of("partition", "epoch", "published", "last")
_TOLD = rows_of(
    "tenant", "partition", "number", "id", "about", "agent", "target", "level", "revision", "holds",
    "retracts", "effective_us", "recorded_us", "catalogue", "evidence", "tenant_name", "ifi", "iri", "digest",
)  # fmt: skip


class Outcome(NamedTuple):
    """A row of outcome, keyed by tenant, partition and number; in the order in which it is added."""

    id: UUID
    about: int
    agent: int
    target: int
    level: int
    revision: int
    holds: bool
    retracts: UUID | None
    effective_us: int
    catalogue: int
    evidence: bytes
    recorded_us: int

    @property
    def subject(self) -> tuple[int, int, int, int]:
        """What it speaks of."""
        return self.agent, self.about, self.target, self.level


def _names(transaction: Transaction, tenant: int) -> dict[str, dict[int, str]]:
    return {
        table: {row.number: row.text for key, row in transaction.scan(table) if key[0] == tenant}
        for table in ("agent", "activity")
    }


@answers("outcome", "newest")
async def newest(
    transaction: Transaction,
    tenant: int,
    agents: list[int],
    abouts: list[int],
    targets: list[int],
    levels: list[int],
) -> list[Record]:
    last: dict[tuple[int, int, int, int], Outcome] = {}
    for key, row in transaction.scan("outcome"):
        if key[0] == tenant and (row.subject not in last or last[row.subject].revision < row.revision):
            last[row.subject] = row
    names = _names(transaction, tenant)
    found = []
    for place, subject in enumerate(zip(agents, abouts, targets, levels, strict=True), 1):
        row = last.get(subject)
        told = (
            (None,) * 6
            if row is None
            else (row.id, row.revision, row.holds, row.effective_us, row.catalogue, row.evidence)
        )
        ifi, iri = names["agent"].get(subject[0], ""), names["activity"].get(subject[2], "")
        found.append(_NEWEST((place, ifi, iri, *told)))
    return found


@answers("outcome", "take_numbers")
async def take_numbers(transaction: Transaction, partition: int, count: int) -> list[Record]:
    await transaction.lock(("outbox", partition))
    first, published = transaction.get("outbox", partition) or (1, 0)
    transaction.put("outbox", partition, (first + count, published))
    return [_FIRST((first,))]


@answers("outcome", "add")
async def add(
    transaction: Transaction, tenant: int, partition: int, first: int, recorded: int, *columns: list[Any]
) -> str:
    rows = [Outcome._make((*values, recorded)) for values in zip(*columns, strict=True)]
    for number, row in enumerate(rows, first):
        key = (tenant, row.subject, row.revision)
        if not await transaction.insert("outcome_subject", key, True):
            raise UniqueViolationError("duplicate key value violates unique constraint of outcome")
        await transaction.insert("outcome", (tenant, partition, number), row._replace(about=int(row.about)))
    return f"INSERT 0 {len(rows)}"


@answers("outcome", "outbox")
async def outbox(transaction: Transaction, worker: str) -> list[Record]:
    found = []
    for partition, (following, published) in sorted(transaction.scan("outbox")):
        owned = transaction.get("stage_partition", ("score", partition))
        if owned is not None and owned.owner == worker:
            found.append(_OWNED((partition, owned.epoch, published, following - 1)))
    return found


@answers("outcome", "unpublished")
async def unpublished(transaction: Transaction, partition: int, after: int, most: int) -> list[Record]:
    found = []
    for (tenant, of, number), row in sorted(transaction.scan("outcome")):
        if of == partition and number > after:
            names = _names(transaction, tenant)
            found.append(
                _TOLD((
                    tenant, partition, number, row.id, row.about, row.agent, row.target, row.level,
                    row.revision, row.holds, row.retracts, row.effective_us, row.recorded_us, row.catalogue,
                    row.evidence, "default", names["agent"].get(row.agent), names["activity"].get(row.target),
                    transaction.get("catalogue", (tenant, row.catalogue))[0],
                ))
            )  # fmt: skip
    return sorted(found, key=lambda row: row["number"])[:most]


@answers("outcome", "mark_published")
async def mark_published(
    transaction: Transaction, partition: int, epoch: int, before: int, published: int
) -> str:
    if not _marks(transaction, partition, epoch, before):
        return "UPDATE 0"
    await transaction.lock(("outbox", partition))
    if not _marks(transaction, partition, epoch, before):  # whoever held it may have changed it
        return "UPDATE 0"
    transaction.put("outbox", partition, (transaction.get("outbox", partition)[0], published))
    return "UPDATE 1"


def _marks(transaction: Transaction, partition: int, epoch: int, before: int) -> bool:
    owned, box = (
        transaction.get("stage_partition", ("score", partition)), transaction.get("outbox", partition)
    )  # fmt: skip
    return owned is not None and owned.epoch == epoch and box is not None and box[1] == before
