"""The log and its claims: queries of log.sql, claim.sql and horizon.sql."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asyncpg import SerializationError

from lrs.store import term
from tests.histories.answers import answers, answers_text
from tests.histories.database import Record, Transaction, rows_of

_APPENDED = rows_of("log_offset", "end_us", "written", "repeated", "conflicts")
_APPENDED_ALL = rows_of("partition", "log_offset", "end_us")
_READ = rows_of("partition", "log_offset", "end_us", "value", "skip", "statements")
_ENDS = rows_of("partition", "start", "next_offset", "last_us")
_KNOWN = rows_of("tenant", "id", "digest")
_TAKEN = rows_of("place", "equal")
_ONE = rows_of("value")
_NEXT = rows_of("next_offset")


@answers("log", "append")
@answers("log", "append_claiming")
async def append(
    transaction: Transaction, topic: str, partition: int, record: bytes, statements: int, *claims: list[Any]
) -> list[Record]:
    head = (topic, partition)
    await transaction.lock(("log_head", head))
    next_offset, last = transaction.get("log_head", head)
    end = max(transaction.now(), last + statements)
    repeated: list[int] = []
    conflicts: list[int] = []
    skip = None
    if claims:
        tenants, ids, digests, requests = claims
        at = [term.pos(end - statements + place + 1, partition) for place in range(statements)]
        keys = [(tenant, id_) for tenant, id_ in zip(tenants, ids, strict=True)]
        claimed = 0
        for place in sorted(range(statements), key=lambda place: keys[place]):
            claimed += await transaction.insert("known_id", keys[place], (digests[place], at[place]))
        if claimed < statements:
            for place, key in enumerate(keys):
                known = transaction.get("known_id", key)
                if known is not None and known[1] != at[place]:
                    (repeated if known[0] == digests[place] else conflicts).append(place)
            if len(repeated) + len(conflicts) + claimed != statements:
                raise SerializationError("an id was forgotten while it was claimed; ask again")
            refused = {requests[place] for place in conflicts}
            for place, key in enumerate(keys):
                known = transaction.get("known_id", key)
                if requests[place] in refused and known is not None and known[1] == at[place]:
                    transaction.put("known_id", key, None)
            skip = [place for place in range(statements) if requests[place] in refused or place in repeated]
            if len(skip) == statements:
                return [_APPENDED((next_offset - 1, last, False, repeated, conflicts))]
    transaction.put("log_record", (topic, partition, next_offset), (end, statements, skip, record))
    transaction.put("log_head", head, (next_offset + 1, end))
    return [_APPENDED((next_offset, end, True, repeated, conflicts))]


@answers("log", "append_all")
async def append_all(
    transaction: Transaction, topic: str, partitions: list[int], values: list[bytes], counts: list[int]
) -> list[Record]:
    rows = []
    for partition, value, count in sorted(zip(partitions, values, counts, strict=True)):
        [appended] = await append(transaction, topic, partition, value, count)
        rows.append(_APPENDED_ALL((partition, appended[0], appended[1])))
    return rows


@answers("log", "tick")
async def tick(transaction: Transaction, topic: str, idle: float) -> list[Record]:
    before = transaction.now() - idle * 1_000_000
    quiet = sorted(
        partition
        for (of, partition), (_, last) in transaction.scan("log_head")
        if of == topic and last < before and transaction.free(("log_head", (of, partition)))
    )
    for partition in quiet:
        await append(transaction, topic, partition, b"", 0)
    return [_ONE((len(quiet),))]


@answers("log", "read")
async def read(
    transaction: Transaction, topic: str, partitions: list[int], offsets: list[int], most: int, longest: int
) -> list[Record]:
    rows = []
    for partition, offset in sorted(zip(partitions, offsets, strict=True)):
        end = transaction.get("log_head", (topic, partition))[0]
        size = 0
        for at in range(offset, min(end, offset + most)):
            if size >= longest:
                break
            end_us, statements, skip, value = transaction.get("log_record", (topic, partition, at))
            size += len(value)
            rows.append(_READ((partition, at, end_us, value, skip, statements)))
    return rows


@answers("log", "ends")
async def ends(transaction: Transaction, topic: str) -> list[Record]:
    heads = sorted((key[1], head) for key, head in transaction.scan("log_head") if key[0] == topic)
    return [_ENDS((partition, 0, next_offset, last)) for partition, (next_offset, last) in heads]


@answers("log", "log_id")
async def log_id(transaction: Transaction, topic: str) -> list[Record]:
    return [_ONE((transaction.get("log_topic", topic),))]


@answers_text("select 1")
async def alive(_transaction: Transaction) -> list[Record]:
    return [_ONE((1,))]


@answers("claim", "known")
async def known(transaction: Transaction, tenants: list[int], ids: list[UUID]) -> list[Record]:
    found = [
        (tenant, id_, transaction.get("known_id", (tenant, id_)))
        for tenant, id_ in zip(tenants, ids, strict=True)
    ]
    return [_KNOWN((tenant, id_, row[0])) for tenant, id_, row in found if row is not None]


@answers("claim", "claim")
async def claim(
    transaction: Transaction, tenants: list[int], ids: list[UUID], digests: list[UUID], at: list[int]
) -> str:
    rows = sorted(zip(tenants, ids, at, digests, strict=True))
    done = 0
    for tenant, id_, pos, digest in rows:
        done += await transaction.insert("known_id", (tenant, id_), (digest, pos))
    return f"INSERT 0 {done}"


@answers("claim", "taken")
async def taken(
    transaction: Transaction, tenants: list[int], ids: list[UUID], digests: list[UUID], at: list[int]
) -> list[Record]:
    rows = []
    for place, (tenant, id_, digest, pos) in enumerate(zip(tenants, ids, digests, at, strict=True)):
        row = transaction.get("known_id", (tenant, id_))
        if row is not None and row[1] != pos:
            rows.append(_TAKEN((place, row[0] == digest)))
    return rows


@answers("horizon", "ends")
async def next_offsets(transaction: Transaction, topic: str) -> list[Record]:
    return [_NEXT((row["next_offset"],)) for row in await ends(transaction, topic)]


@answers("horizon", "reached")
async def reached(transaction: Transaction, stage: str, wanted: list[int]) -> list[Record]:
    done = [transaction.get("stage_partition", (stage, place)) for place in range(len(wanted))]
    far = [0 if row is None else row.next_offset for row in done]
    return [_ONE((all(have >= want for have, want in zip(far, wanted, strict=True)),))]


@answers("horizon", "consistent_through")
async def consistent_through(transaction: Transaction) -> list[Record]:
    [row] = await thetas(transaction)
    return [_ONE((min(row[0], default=0),))]


@answers("horizon", "thetas")
async def thetas(transaction: Transaction) -> list[Record]:
    rows = sorted(
        (key[1], row.theta_us) for key, row in transaction.scan("stage_partition") if key[0] == "persist"
    )
    return [_ONE(([theta for _, theta in rows],))]
