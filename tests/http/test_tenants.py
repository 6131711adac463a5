"""Tenants do not see each other: not by statements, not by a 409, not by a link, not by derived data."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest_asyncio

from lrs.http import statements
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


async def test_a_more_link_changed_by_hand_reaches_no_other_tenant(two: tuple[Client, Client]) -> None:
    mine, others = two
    await others.post([statement("secret") for _ in range(5)])
    own = (await mine.post([statement("secret") for _ in range(5)])).json
    link = (await others.get({"limit": "2", "agent": agent("secret")})).json["more"]
    more = statements._read_more(link.removeprefix(statements.MORE_PATH))
    asked = more.query
    changes: list[dict[str, Any]] = [{name: None} for name in ("agent", "authority", "actor", "after")]
    changes += [{"horizon": ()}, {"authority": 1}, {"actor": asked.agent}, {"related_agents": True}]
    for change in [*changes, {name: value for each in changes[:4] for name, value in each.items()}]:
        query = msgspec.structs.replace(asked, limit=500, **change)
        answer = await mine.more(statements._write_more(msgspec.structs.replace(more, query=query)))
        assert answer.status == 200, answer
        assert {one["id"] for one in answer.json["statements"]} <= set(own)


async def test_one_ids_conflict_is_no_other_tenants(two: tuple[Client, Client]) -> None:
    mine, others = two
    one = statement(id=fresh())
    other = statement(about="another", id=one["id"])
    assert (await others.post(one)).status == 200
    for sent, status in ((other, 200), (other, 200), (one, 409)):
        assert (await mine.post(sent)).status == status
    await mine.post(void(one["id"]))
    assert (await mine.get({"statementId": one["id"]})).status == 404
    assert (await others.get({"statementId": one["id"]})).status == 200


async def test_no_definition_and_no_name_reaches_over(two: tuple[Client, Client]) -> None:
    mine, others = two
    page = {"id": "https://example.org/shared", "definition": {"name": {"en": "Theirs"}}}
    await others.post(statement(agent("learner") | {"name": "Theirs"}, object=page))
    known = (await mine.get({"activityId": page["id"]}, "/xapi/activities")).json
    assert known == {"objectType": "Activity", "id": page["id"]}
    assert "name" not in (await mine.get({"agent": agent("learner")}, "/xapi/agents")).json


async def test_no_document_reaches_over(two: tuple[Client, Client]) -> None:
    mine, others = two
    about = {"activityId": "https://example.org/shared"}
    of = {"agent": agent("learner")}
    for path, query in (
        ("/xapi/activities/state", {**about, **of, "stateId": "s"}),
        ("/xapi/agents/profile", {**of, "profileId": "p"}),
        ("/xapi/activities/profile", {**about, "profileId": "p"}),
    ):
        if_none: dict[str, str | None] = {"if-none-match": "*"}
        for client, body in ((others, b'"theirs"'), (mine, b'"mine"')):
            assert (await client.get(query, path)).status == 404
            assert (await client.request("PUT", path, query, body, if_none)).status == 204
        named = {
            name: value for name, value in query.items() if not name.endswith("Id") or name == "activityId"
        }
        assert (await mine.request("DELETE", path, query)).status == 204
        assert (await mine.get(named, path)).json == []
        assert (await others.get(query, path)).body == b'"theirs"'
