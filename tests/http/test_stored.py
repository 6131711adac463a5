"""`ack=stored`: the answer comes when persist has stored, or refused, each statement."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg

from lrs.log.port import STATEMENTS
from lrs.store.lease import Leases
from tests.http.client import Client
from tests.http.sample import fresh, statement
from tests.http.system import PARTITIONS, Limits, System, assemble, working

STORED = {"ack": "stored"}


async def in_store(pool: asyncpg.Pool, client: Client, ids: list[str]) -> int:
    """How many of these statements the store holds now."""
    count = await pool.fetchval(
        "select count(*) from statement where tenant = $1 and id = any ($2::uuid[])", client.tenant, ids
    )
    return int(count)


async def test_what_is_answered_is_in_the_store_at_that_moment(system: System, alone: Client) -> None:
    batch = [statement(id=fresh()) for _ in range(20)]
    answer = await alone.post(batch, STORED)
    assert answer.status == 200
    assert await in_store(system.pool, alone, answer.json) == 20
    single = statement(id=fresh())
    assert (await alone.put(single, {"statementId": single["id"], **STORED})).status == 204
    assert await in_store(system.pool, alone, [single["id"]]) == 1
    assert (await alone.post([], STORED)).status == 200


async def test_a_repetition_waits_for_what_came_first(system: System, alone: Client) -> None:
    batch = [statement(id=fresh()) for _ in range(50)]
    first, again = await asyncio.gather(alone.post(batch), alone.post(batch, STORED))
    assert (first.status, again.status) == (200, 200)
    assert await in_store(system.pool, alone, again.json) == 50


async def test_a_conflict_is_refused_before_anything_is_stored(system: System, alone: Client) -> None:
    known = statement(id=fresh())
    await alone.post(known, STORED)
    other = statement(id=fresh())
    answer = await alone.post([other, statement(id=known["id"], result={"completion": True})], STORED)
    assert (answer.status, answer.json["ids"]) == (409, [known["id"]])
    assert "nothing was stored" in answer.json["error"]
    assert await in_store(system.pool, alone, [other["id"]]) == 0


async def test_a_word_that_is_none_is_refused(alone: Client) -> None:
    answer = await alone.post(statement(id=fresh()), {"ack": "read"})
    assert (answer.status, answer.json["path"], answer.json["value"]) == (400, "ack", "read")


async def test_where_it_takes_too_long_the_answer_says_that_it_is_not_known_yet(
    pool: asyncpg.Pool, database: str
) -> None:
    await Leases(pool, "persist", "nobody").ensure(STATEMENTS, PARTITIONS)
    system = await assemble(pool, Limits(stored_wait=0.2))
    alone = await system.tenant()
    sent = statement(id=fresh())
    answer = await alone.post(sent, STORED)
    assert (answer.status, answer.json) == (202, [sent["id"]])
    put = statement(id=fresh())
    assert (await alone.put(put, {"statementId": put["id"], **STORED})).status == 202
    async with working(database):
        patient = (await assemble(pool, Limits(stored_wait=60))).edge
        again = await Client(patient, alone.key, alone.secret, alone.tenant).post(sent, STORED)
    assert again.status == 200
    assert await in_store(pool, alone, [sent["id"]]) == 1


async def test_what_became_a_dead_letter_is_told(pool: asyncpg.Pool) -> None:
    await Leases(pool, "persist", "nobody").ensure(STATEMENTS, PARTITIONS)
    system = await assemble(pool, Limits(stored_wait=60))
    alone = await system.tenant()
    poison = statement(id=fresh())
    answering = asyncio.create_task(alone.post(poison, STORED))
    await _set_aside(pool, alone, poison)
    answer = await answering
    assert (answer.status, answer.json["reason"], answer.json["ids"]) == (500, "put_aside", [poison["id"]])


async def _set_aside(pool: asyncpg.Pool, client: Client, sent: dict[str, Any]) -> None:
    """As persist does with what cannot be stored, once it is in the log."""
    async with asyncio.timeout(20):
        while (head := await pool.fetchrow(
            "select partition, next_offset from log_head where topic = 'statements' and next_offset > 0"
        )) is None:  # fmt: skip
            await asyncio.sleep(0.01)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            'insert into dead_letter (tenant, stage, partition, "offset", place, id, reason, detail)'
            " values ($1, 'persist', $2, $3, 0, $4, 'poison', 'by the test')",
            client.tenant, head["partition"], head["next_offset"] - 1, uuid.UUID(sent["id"]),
        )  # fmt: skip
        await connection.execute(
            "update stage_partition set next_offset = $2 where stage = 'persist' and partition = $1",
            head["partition"], head["next_offset"],
        )  # fmt: skip
