"""Digests: how many statements were stored in a range of time, and the sum of their ids' numbers.

The number of an id is the first half of SHA-256 of its 16 bytes; the sum is taken modulo 2^128. So it
depends on no order, and the digests of two ranges that follow each other add up. Who sent statements
and who stored them compare two numbers, and halve the time until they have found what is missing
(`lrs.reconciliation`).

Persist adds each batch, in its own transaction, to the buckets of a few levels. A range is made of
buckets, the coarsest that fit, and of the ids themselves at its two ends: some thousand rows,
however much was stored. Erased statements stay counted, because they were stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from lrs.reconciliation import MODULUS, Digest
from lrs.store import term
from lrs.store.sql import queries

if TYPE_CHECKING:
    from lrs.store.batch import Batch
    from lrs.store.connection import Asked, Connection

LEVELS: Final = (22, 30, 38)
"""A bucket of a level is 2^level µs long: 4 s, 18 minutes, 3 days."""

EVERYBODY: Final = 0
"""The authority that stands for all of them."""

_SQL: Final = queries("digest")


@dataclass(frozen=True, slots=True)
class Cover:
    """A range of time, cut up. `buckets`: (level, first, one after the last); `ends`: what no bucket
    fits in, from … to before …, in µs since 2020."""

    buckets: Sequence[tuple[int, int, int]]
    ends: Sequence[tuple[int, int]]


def cover(low: int, high: int) -> Cover:
    """Cut up the range from `low` to before `high` (µs since 2020)."""
    buckets: list[tuple[int, int, int]] = []
    ends: list[tuple[int, int]] = []
    # In units of 2^finer µs; what no whole bucket of the next level covers is left to this one.
    finer = 0
    for level in (*LEVELS, None):
        width = 0 if level is None else level - finer
        first, last = -(-low >> width), high >> width
        coarser = level is not None and first < last
        spans = [(low, first << width), (last << width, high)] if coarser else [(low, high)]
        for start, end in spans:
            if start < end and finer:
                buckets.append((finer, start, end))
            elif start < end:
                ends.append((start, end))
        if level is None or not coarser:
            break
        low, high, finer = first, last, level
    return Cover(buckets, ends)


async def add(connection: Connection, batch: Batch) -> None:
    """Count the statements of a batch (at least one), all of one partition, in the caller's transaction."""
    columns = batch.columns
    partition = int(columns["pos"][0]) & (term.PARTITIONS - 1)
    finest = columns["pos"] >> (term.PARTITION_BITS + LEVELS[0])
    groups, group_of = np.unique(
        np.stack((columns["tenant"], columns["authority"], finest), axis=1), axis=0, return_inverse=True
    )
    ids = columns["id"].tobytes()
    hashed = b"".join([sha256(ids[at : at + 16]).digest()[:16] for at in range(0, len(ids), 16)])
    # Digits of 32 bits in 64: a batch has too few statements for a carry to be lost.
    digits = np.zeros((len(groups), 4), np.uint64)
    np.add.at(digits, group_of, np.frombuffer(hashed, ">u4").reshape(-1, 4).astype(np.uint64))
    counts = np.bincount(group_of, minlength=len(groups))
    rows: dict[tuple[int, int, int, int, int], Digest] = {}
    for (tenant, authority, bucket), count, (a, b, c, d) in zip(
        groups.tolist(), counts.tolist(), digits.tolist(), strict=True
    ):
        part = Digest(count, ((a << 96) + (b << 64) + (c << 32) + d) % MODULUS)
        for level in LEVELS:
            for whose in (authority, EVERYBODY):
                key = (tenant, whose, level, bucket >> (level - LEVELS[0]), partition)
                rows[key] = rows.get(key, Digest()) + part
    keys = [list(column) for column in zip(*rows, strict=True)]
    sums = [Decimal(one.sum) for one in rows.values()]
    await connection.execute(_SQL["add"], *keys, [one.count for one in rows.values()], sums)


async def digest(asked: Asked, tenant: int, authority: int, since: int, until: int) -> Digest:
    """Of an authority's statements (`EVERYBODY`: of all) stored after `since` and not after `until`,
    µs since 1970. What is not after persist's horizon never changes any more."""
    cut = cover(*_range(since, until))
    levels = [level for level, _, _ in cut.buckets]
    lows, highs = [low for _, low, _ in cut.buckets], [high for *_, high in cut.buckets]
    row = await asked.fetchrow(_SQL["buckets"], tenant, authority, levels, lows, highs)
    assert row is not None
    found = Digest(row["count"], int(row["sum"]) % MODULUS)
    if cut.ends:
        ends = [_pos(low) for low, _ in cut.ends], [_pos(high) for _, high in cut.ends]
        if authority == EVERYBODY:
            ids = await asked.fetchval(_SQL["ids"], tenant, *ends)
        else:
            ids = await asked.fetchval(_SQL["ids_of_authority"], tenant, *ends, authority)
        found += await asyncio.to_thread(_of_joined, ids)
    return found


def _of_joined(ids: bytes) -> Digest:
    return Digest.of(ids[at : at + 16] for at in range(0, len(ids), 16))


async def ids(
    asked: Asked, tenant: int, authority: int, since: int, until: int, limit: int, after: int = -1
) -> list[tuple[int, UUID]]:
    """Pos and id of the first statements of a range, as `digest` has it, whose pos is above `after`."""
    low, high = (_pos(instant) for instant in _range(since, until))
    given = (tenant, max(low, after + 1), high, limit)
    if authority == EVERYBODY:
        rows = await asked.fetch(_SQL["list"], *given)
    else:
        rows = await asked.fetch(_SQL["list_of_authority"], *given, authority)
    return [(row["pos"], row["id"]) for row in rows]


async def authority_of(asked: Asked, tenant: int, credential: str) -> int | None:
    """The authority of a tenant's credential, by its key; None if there is no such credential."""
    found: int | None = await asked.fetchval(_SQL["authority_of"], tenant, credential)
    return found


def _range(since: int, until: int) -> tuple[int, int]:
    """After … and not after … (µs since 1970) as from … to before … (µs since 2020)."""
    low = max(since - term.EPOCH + 1, 0)
    return low, max(min(until, term.LAST) - term.EPOCH + 1, low)


def _pos(instant: int) -> int:
    return instant << term.PARTITION_BITS
