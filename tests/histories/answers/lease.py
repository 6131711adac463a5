"""Who reads which partition, and how far it has come: queries of lease.sql."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from tests.histories.answers import answers
from tests.histories.database import Record, Transaction, rows_of


class StagePartition(NamedTuple):
    """A row of stage_partition, keyed by stage and partition."""

    topic: str
    epoch: int = 0
    owner: str | None = None
    log_id: str | None = None
    next_offset: int = 0
    theta_us: int = 0


_STANDING = rows_of("partitions", "workers", "owned")
_SEIZED = rows_of("partition", "epoch", "log_id", "next_offset", "theta_us")
_PARTITION = rows_of("partition")


def _rows(transaction: Transaction, stage: str) -> list[tuple[int, StagePartition]]:
    return sorted((key[1], row) for key, row in transaction.scan("stage_partition") if key[0] == stage)


@answers("lease", "ensure")
async def ensure(transaction: Transaction, stage: str, topic: str, starts: list[int]) -> str:
    done = 0
    for partition, start in enumerate(starts):
        row = StagePartition(topic, next_offset=start)
        done += await transaction.insert("stage_partition", (stage, partition), row)
    return f"INSERT 0 {done}"


@answers("lease", "heartbeat")
async def heartbeat(transaction: Transaction, stage: str, worker: str) -> str:
    await transaction.lock(("stage_worker", (stage, worker)))
    transaction.put("stage_worker", (stage, worker), transaction.now())
    return "INSERT 0 1"


@answers("lease", "expire")
async def expire(transaction: Transaction, stage: str, seconds: float) -> str:
    before = transaction.now() - seconds * 1_000_000
    late = sorted(
        key for key, heartbeat in transaction.scan("stage_worker") if key[0] == stage and heartbeat < before
    )
    deleted = 0
    for key in late:
        await transaction.lock(("stage_worker", key))
        beaten = transaction.get("stage_worker", key)
        if beaten is not None and beaten < before:
            transaction.put("stage_worker", key, None)
            deleted += 1
    return f"DELETE {deleted}"


def _living(transaction: Transaction, stage: str) -> list[str]:
    return sorted(key[1] for key, _ in transaction.scan("stage_worker") if key[0] == stage)


@answers("lease", "standing")
async def standing(transaction: Transaction, stage: str, worker: str) -> list[Record]:
    rows = _rows(transaction, stage)
    owned = [partition for partition, row in rows if row.owner == worker]
    return [_STANDING((len(rows), _living(transaction, stage), owned))]


@answers("lease", "evict")
async def evict(*_asked: object) -> str:
    """Nobody: here no client stands still in the middle of a statement."""
    return "SELECT 0"


@answers("lease", "claim")
async def claim(transaction: Transaction, stage: str, worker: str, most: int) -> list[Record]:
    living = _living(transaction, stage)
    claimed: list[Record] = []
    for partition, row in _rows(transaction, stage):
        key = (stage, partition)
        if len(claimed) == most:
            break
        if row.owner in living or not transaction.free(("stage_partition", key)):
            continue
        await transaction.lock(("stage_partition", key))
        transaction.put("stage_partition", key, row._replace(owner=worker))
        claimed.append(_PARTITION((partition,)))
    return claimed


@answers("lease", "seize")
async def seize(
    transaction: Transaction, stage: str, worker: str, partitions: list[int], log_id: str
) -> list[Record]:
    found = []
    for partition in sorted(partitions):
        key = (stage, partition)
        await transaction.lock(("stage_partition", key))
        row = transaction.get("stage_partition", key)
        row = row._replace(owner=worker, epoch=row.epoch + 1, log_id=row.log_id or log_id)
        transaction.put("stage_partition", key, row)
        found.append(_SEIZED((partition, row.epoch, row.log_id, row.next_offset, row.theta_us)))
    return found


@answers("lease", "release")
async def release(transaction: Transaction, stage: str, worker: str, partitions: list[int]) -> str:
    mine = [p for p, row in _rows(transaction, stage) if row.owner == worker and p in partitions]
    return await _free(transaction, stage, worker, mine)


@answers("lease", "leave")
async def leave(transaction: Transaction, stage: str, worker: str) -> str:
    mine = [partition for partition, row in _rows(transaction, stage) if row.owner == worker]
    await transaction.lock(("stage_worker", (stage, worker)))
    transaction.put("stage_worker", (stage, worker), None)
    return await _free(transaction, stage, worker, mine)


async def _free(transaction: Transaction, stage: str, worker: str, partitions: list[int]) -> str:
    freed = 0
    for partition in partitions:
        key = (stage, partition)
        await transaction.lock(("stage_partition", key))
        row = transaction.get("stage_partition", key)
        if row.owner == worker:
            transaction.put("stage_partition", key, row._replace(owner=None))
            freed += 1
    return f"UPDATE {freed}"


@answers("lease", "advance")
async def advance(
    transaction: Transaction,
    stage: str,
    partition: int,
    epoch: int,
    first_offset: int,
    next_offset: int,
    theta: int,
    patience: str,
) -> str:
    if theta >= 1 << 63:
        raise asyncpg.DataError("value out of int64 range")
    transaction.patience = int(patience) / 1000
    key = (stage, partition)
    row = transaction.get("stage_partition", key)
    if row is None or row.epoch != epoch or row.next_offset > first_offset:
        return "UPDATE 0"
    await transaction.lock(("stage_partition", key))
    row = transaction.get("stage_partition", key)  # whoever held it may have changed it
    if row.epoch != epoch or row.next_offset > first_offset:
        return "UPDATE 0"
    row = row._replace(next_offset=next_offset, theta_us=max(row.theta_us, theta))
    transaction.put("stage_partition", key, row)
    return "UPDATE 1"


@answers("lease", "hold")
async def hold(
    transaction: Transaction, stage: str, partition: int, epoch: int, patience: str
) -> list[Record]:
    transaction.patience = int(patience) / 1000
    key = (stage, partition)
    if transaction.get("stage_partition", key).epoch != epoch:
        return []
    await transaction.lock(("stage_partition", key))
    return [Record()] if transaction.get("stage_partition", key).epoch == epoch else []
