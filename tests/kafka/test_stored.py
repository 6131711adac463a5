"""`ack=stored` where the log cannot claim ids: the answer about a conflict is exact nevertheless."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lrs.composition.kafka import open_log
from lrs.log.port import STATEMENTS
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.lease import Leases
from lrs.store.name import Names
from tests.http.client import Client
from tests.http.sample import fresh, statement
from tests.http.system import Limits, assemble
from tests.kafka.test_intake import make_topics, settings_for, working

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


async def test_of_two_edges_that_take_the_same_id_at_once_one_is_told_of_the_conflict(
    broker: Broker, database: str, pool: asyncpg.Pool
) -> None:
    settings = settings_for(broker, database)
    await asyncio.to_thread(make_topics, settings)
    # The intake takes statements as this credential.
    await Credentials(pool, Names(pool)).ensure(ROOT_TENANT, settings.kafka_intake, "secret")
    await Leases(pool, "persist", "nobody").ensure(STATEMENTS, settings.partitions)
    logs = [await open_log(pool, settings) for _ in range(2)]
    try:
        one, other = [await assemble(pool, Limits(stored_wait=60), log=log) for log in logs]
        client = await one.tenant()
        elsewhere = Client(other.edge, client.key, client.secret, client.tenant)
        id_, beside = fresh(), [statement(id=fresh()), statement(id=fresh())]
        rivals = [[statement(id=id_, result={"completion": done})] for done in (True, False)]
        answering = [
            asyncio.create_task(who.post([beside[place], *rivals[place]], {"ack": "stored"}))
            for place, who in enumerate((client, elsewhere))
        ]
        for log in logs:  # both are in the log before anything is stored
            async with asyncio.timeout(20):
                while sum(end.end for end in (await log.ends()).values()) < 2:
                    await asyncio.sleep(0.05)
        assert not any(each.done() for each in answering)
        async with working(settings):
            answers = await asyncio.gather(*answering)
        assert sorted(answer.status for answer in answers) == [200, 409]
        refused = next(answer for answer in answers if answer.status == 409)
        assert refused.json["ids"] == [id_]
        assert "nothing" not in refused.json["error"]
        stored = await pool.fetch("select id::text from statement where tenant = $1", client.tenant)
        assert {row["id"] for row in stored} == {id_, *(each["id"] for each in beside)}
        # Whoever repeats it is told again, now before it goes to the log.
        loser = answers.index(refused)
        again = await client.post([beside[loser], *rivals[loser]], {"ack": "stored"})
        assert (again.status, again.json["ids"]) == (409, [id_])
    finally:
        for log in logs:
            await log.close()
