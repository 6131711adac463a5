"""Tenants do not see each other: not by statements, not by a 409, not by a link, not by derived data."""

from __future__ import annotations

import pytest_asyncio

from tests.http.client import Client
from tests.http.sample import agent, fresh, reference, statement, void
from tests.http.system import System


@pytest_asyncio.fixture
async def two(system: System) -> tuple[Client, Client]:
    """Clients of two tenants that have the same catalogue."""
    return await system.tenant(catalogue=True), await system.tenant(catalogue=True)


async def test_one_id_in_two_tenants_is_two_statements(two: tuple[Client, Client]) -> None:
    id_ = fresh()
    for number, client in enumerate(two):
        assert (await client.post(statement(id=id_, about=f"page-{number}"))).status == 200
    for number, client in enumerate(two):
        answer = await client.get({"statementId": id_})
        assert answer.json["object"]["id"].endswith(f"page-{number}")
        assert answer.json["authority"]["account"]["name"] == client.key


async def test_no_list_and_no_id_shows_anothers(two: tuple[Client, Client]) -> None:
    mine, others = two
    theirs = (await others.post([statement(), statement()])).json
    [own] = (await mine.post(statement())).json
    assert await mine.ids() == [own]
    assert await mine.ids(agent=agent("learner"), related_agents="true") == [own]
    for id_ in theirs:
        assert (await mine.get({"statementId": id_})).status == 404
        assert (await mine.get({"voidedStatementId": id_})).status == 404


async def test_a_more_link_shows_whoever_follows_it_his_own(two: tuple[Client, Client]) -> None:
    mine, others = two
    await others.post([statement("secret") for _ in range(5)])
    own = (await mine.post([statement("secret") for _ in range(5)])).json
    for query in ({"limit": "2"}, {"limit": "2", "agent": agent("secret")}):
        link = (await others.get(query)).json["more"]
        answer = await mine.more(link)
        assert answer.status == 200
        assert {one["id"] for one in answer.json["statements"]} <= set(own)


async def test_no_void_and_no_reference_reaches_over(two: tuple[Client, Client]) -> None:
    mine, others = two
    target = statement("secret", id=fresh())
    await others.post(target)
    assert (await mine.post([void(target["id"]), statement(object=reference(target["id"]))])).status == 200
    assert (await others.get({"statementId": target["id"]})).status == 200
    assert await mine.ids(agent=agent("secret")) == []


async def test_one_idempotency_key_in_two_tenants_is_two_keys(two: tuple[Client, Client]) -> None:
    posted = [await client.post(statement(), idempotency_key="k") for client in two]
    assert posted[0].json != posted[1].json


async def test_progress_is_the_tenants_own(two: tuple[Client, Client]) -> None:
    mine, others = two
    verb = {"id": "http://adlnet.gov/expapi/verbs/completed"}
    module = "https://lrs.example.org/module/noting-and-drafting/files"
    await others.post(statement(verb=verb, object={"id": module}))
    query = {"agent": agent("learner")}
    assert (await others.get(query, "/api/v1/progress")).json["activities"] != []
    assert (await mine.get(query, "/api/v1/progress")).json["activities"] == []
