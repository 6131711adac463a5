"""Scopes: who may do what, and of what is not everybody's, who sees what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lrs.http import scope, statements
from lrs.http.edge import ROUTES
from lrs.http.error import Refusal
from lrs.http.statements import MORE_PATH
from lrs.store.credential import Credential, Subject
from tests.http.client import Answer, Client
from tests.http.sample import ROOT, agent, fresh, reference, statement, void
from tests.http.system import System

WRITE, MINE, READ, STATE, DEFINE, PROFILE, ALL_READ, ALL, PERSON = (
    "statements/write",
    "statements/read/mine",
    "statements/read",
    "state",
    "define",
    "profile",
    "all/read",
    "all",
    "person",
)

# 1.0.3 Part Three 4.2, and `person`, which is ours: what each scope alone lets one do.
MAY: Mapping[str, set[str]] = {
    WRITE: {"statements POST"},
    MINE: {"statements GET", "agents GET", "activities GET"},
    READ: {
        "statements GET",
        "agents GET",
        "activities GET",
        "progress GET",
        "competencies GET",
        "outcomes GET",
    },
    STATE: {"state GET", "state PUT"},
    DEFINE: {"activities GET"},
    PROFILE: {
        "agent_profile GET",
        "agent_profile PUT",
        "activity_profile GET",
        "activity_profile PUT",
        "activities GET",
    },
    ALL_READ: {
        "statements GET",
        "agents GET",
        "activities GET",
        "progress GET",
        "competencies GET",
        "outcomes GET",
        "state GET",
        "agent_profile GET",
        "activity_profile GET",
    },
    ALL: {
        "statements GET",
        "statements POST",
        "agents GET",
        "activities GET",
        "progress GET",
        "competencies GET",
        "outcomes GET",
        "state GET",
        "state PUT",
        "agent_profile GET",
        "agent_profile PUT",
        "activity_profile GET",
        "activity_profile PUT",
    },
    PERSON: {"person GET"},
}
DEEDS = sorted(MAY[ALL] | MAY[PERSON] | {"credentials GET", "credentials POST"})

TO_ALL = {"about", "healthz", "readyz", "metrics", "openapi", "docs"}
"""Resources that ask for no credential."""

QUERIES: Mapping[str, dict[str, Any]] = {
    "state": {"agent": agent("learner"), "activityId": ROOT + "page", "stateId": "s"},
    "agent_profile": {"agent": agent("learner"), "profileId": "p"},
    "activity_profile": {"activityId": ROOT + "page", "profileId": "p"},
    "agents": {"agent": agent("learner")},
    "activities": {"activityId": ROOT + "page"},
    "progress": {"agent": agent("learner")},
    "person": {"agent": agent("learner")},
    "competencies": {"agent": agent("learner")},
}


async def do(client: Client, deed: str) -> Answer:
    """Do something that is in order but for the permission."""
    resource, method = deed.split()
    body = b"[]" if method == "POST" else b"{}" if method == "PUT" else b""
    headers: dict[str, str | None] = {"if-match": "*"} if method == "PUT" else {}
    return await client.request(method, ROUTES[resource], QUERIES.get(resource), body, headers)


@pytest_asyncio.fixture(scope="module")
async def scoped(system: System, lrs: Client) -> Mapping[str, Client]:
    """A client of the module's tenant with each scope alone."""
    return {name: await system.client(lrs.tenant, name) for name in MAY}


def test_every_scope_has_a_meaning() -> None:
    assert set(scope.SCOPES) == set(MAY)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", MAY)
async def test_a_scope_allows_what_it_says_and_nothing_else(
    scoped: Mapping[str, Client], name: str, deed: str
) -> None:
    answer = await do(scoped[name], deed)
    if deed in MAY[name]:
        assert answer.status < 300 or answer.status in (404, 412), answer
        return
    assert (answer.status, answer.json["reason"]) == (403, "forbidden")
    if name == ALL and deed.startswith("credentials"):
        assert "admin" in answer.json["error"]
    else:
        needed = answer.headers["www-authenticate"].partition('scope="')[2].rstrip('"')
        assert needed in answer.json["error"]
        assert deed in MAY[needed] or deed.startswith("credentials")


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - TO_ALL))
async def test_no_resource_is_open_to_a_credential_without_scopes(
    system: System, lrs: Client, name: str
) -> None:
    path = ROUTES[name] + ("x" if name == "more" else "")
    open_methods = {"OPTIONS", "BREW"}
    allowed = (await lrs.request("BREW", path)).headers["allow"].split(", ")
    nothing = await system.client(lrs.tenant, "nothing")
    for method in set(allowed) - open_methods:
        answer = await nothing.request(method, path, QUERIES.get(name), b"{}")
        assert answer.status == 403, (method, answer)


def test_what_a_scope_contains_it_may() -> None:
    for name, contained in scope.SCOPES.items():
        for other in contained:
            assert MAY[other] <= MAY[name], (name, other)


def test_nobody_is_granted_more_than_every_grant_contains() -> None:
    assert scope.granted([WRITE, MINE, "joy"], {ALL}, {WRITE, READ}) == {WRITE, MINE}
    assert scope.granted([ALL, READ], {ALL_READ}) == {READ}
    assert scope.granted([STATE], {STATE}, {DEFINE}) == frozenset()
    assert scope.granted([], {ALL}) == frozenset()


@pytest.mark.parametrize("resource", scope.SUFFICIENT)
def test_a_delegated_credential_never_does_what_concerns_others(resource: str) -> None:
    delegated = Credential(1, "k", 1, "any", frozenset({ALL}), admin=True, subject=Subject("mbox:x", 7))
    others = resource in ("activity_profile", "outcomes", "digest", "person", "credentials")
    if others:
        with pytest.raises(Refusal):
            scope.require(delegated, resource, "GET")
    else:
        scope.require(delegated, resource, "GET")


# -- statements/read/mine ------------------------------------------------------------------------


@pytest_asyncio.fixture
async def two(system: System, alone: Client) -> tuple[Client, Client]:
    """One who reads what is his, and another one of the same tenant who reads everything."""
    return await system.client(alone.tenant, WRITE, MINE, DEFINE), alone


async def test_who_reads_what_is_his_finds_nothing_else_by_list_or_id(two: tuple[Client, Client]) -> None:
    mine, others = two
    own, theirs = statement(id=fresh()), statement(id=fresh())
    gone = statement(id=fresh())
    await mine.post(own)
    await others.post([theirs, gone, void(gone["id"])])
    for query in ({}, {"agent": agent("learner")}, {"related_agents": "true", "agent": agent("learner")}):
        assert await mine.ids(**query) == [own["id"]]
    assert await mine.ids(activity=ROOT + "page", ascending="true") == [own["id"]]
    assert (await mine.get({"statementId": own["id"]})).status == 200
    missing = await mine.get({"statementId": fresh()})
    for query in ({"statementId": theirs["id"]}, {"voidedStatementId": gone["id"]}):
        answer = await mine.get(query)
        assert answer.status == missing.status == 404
    assert {own["id"], theirs["id"]} <= set(await others.ids())


async def test_who_reads_what_is_his_sees_his_own_voided_statement(system: System, alone: Client) -> None:
    mine = await system.client(alone.tenant, WRITE, MINE, voids="own")
    own = statement(id=fresh())
    await mine.post([own, void(own["id"])])
    assert (await mine.get({"voidedStatementId": own["id"]})).status == 200
    assert (await mine.get({"statementId": own["id"]})).status == 404


async def test_a_more_link_of_one_who_reads_everything_shows_only_what_is_ones_own(
    two: tuple[Client, Client],
) -> None:
    mine, others = two
    own = (await mine.post([statement() for _ in range(3)])).json
    await others.post([statement() for _ in range(3)])
    link = (await others.get({"limit": "3"})).json["more"]
    answer = await mine.more(link)
    assert answer.status == 200
    assert {one["id"] for one in answer.json["statements"]} == set(own)


async def test_a_more_link_changed_by_hand_shows_no_more(two: tuple[Client, Client]) -> None:
    mine, others = two
    own = (await mine.post([statement() for _ in range(3)])).json
    await others.post([statement() for _ in range(3)])
    link = (await mine.get({"limit": "1"})).json["more"]
    more = statements._read_more(link.removeprefix(MORE_PATH))
    assert more.query.authority is not None
    for authority in (None, 1, more.query.authority + 1, more.query.authority - 1):
        changed = msgspec.structs.replace(
            more, query=msgspec.structs.replace(more.query, authority=authority, limit=500)
        )
        answer = await mine.more(statements._write_more(changed))
        assert {one["id"] for one in answer.json["statements"]} == set(own[:2])


async def test_no_reference_lets_one_probe_what_another_wrote(two: tuple[Client, Client]) -> None:
    mine, others = two
    secret = statement("secret", verb="confessed", about="crime", id=fresh())
    own = statement("known", verb="asked", about="form", id=fresh())
    await others.post(secret)
    probe = statement("prober", object=reference(secret["id"]), id=fresh())
    honest = statement("prober", object=reference(own["id"]), id=fresh())
    indirect = statement("prober", object=reference(probe["id"]), id=fresh())
    await mine.post([own, probe, honest, indirect])
    for query in (
        {"agent": agent("secret")},
        {"verb": ROOT + "verb/confessed"},
        {"activity": ROOT + "crime"},
        {"agent": agent("secret"), "related_agents": "true"},
        {"agent": agent("prober"), "verb": ROOT + "verb/confessed"},
    ):
        assert await mine.ids(**query) == []
        assert set(await others.ids(**query)) & {probe["id"], indirect["id"]}
    # What refers to one's own is found by it, as the specification wants.
    assert await mine.ids(agent=agent("known")) == [honest["id"], own["id"]]
    assert await mine.ids(verb=ROOT + "verb/asked") == [honest["id"], own["id"]]


async def test_a_person_has_only_names_out_of_statements_that_one_may_read(
    two: tuple[Client, Client],
) -> None:
    mine, others = two
    await mine.post(statement(agent("learner") | {"name": "Mine"}))
    await others.post(statement(agent("learner") | {"name": "Theirs"}))
    query = {"agent": agent("learner")}
    assert (await mine.get(query, ROUTES["agents"])).json["name"] == ["Mine"]
    assert (await others.get(query, ROUTES["agents"])).json["name"] == ["Theirs", "Mine"]


# -- define --------------------------------------------------------------------------------------


def about(page: str, name: str, **members: Any) -> dict[str, Any]:
    """A statement that defines its activity."""
    return statement(object={"id": ROOT + page, "definition": {"name": {"en": name}}}, **members)


async def defined(client: Client, page: str) -> Any:
    """What is known of an activity."""
    return (await client.get({"activityId": ROOT + page}, ROUTES["activities"])).json.get("definition")


async def test_without_define_a_definition_stays_in_its_statement(system: System, alone: Client) -> None:
    writer = await system.client(alone.tenant, WRITE)
    one = about("lesson", "Made up", id=fresh())
    assert (await writer.post(one)).status == 200
    assert (await alone.get({"statementId": one["id"]})).json["object"] == one["object"]
    assert await defined(alone, "lesson") is None
    # The same text by who may define is not taken for one that was sent already.
    await alone.post(about("lesson", "Made up"))
    assert await defined(alone, "lesson") == {"name": {"en": "Made up"}}
    await writer.post(about("lesson", "Worse"))
    assert await defined(alone, "lesson") == {"name": {"en": "Made up"}}


async def test_with_define_a_definition_is_everybodys(system: System, alone: Client) -> None:
    definer = await system.client(alone.tenant, WRITE, DEFINE)
    await definer.post(about("lesson", "Lesson"))
    assert await defined(alone, "lesson") == {"name": {"en": "Lesson"}}


async def test_without_define_nobody_names_an_agent(system: System, alone: Client) -> None:
    writer = await system.client(alone.tenant, WRITE)
    await writer.post(statement(agent("learner") | {"name": "Made up"}))
    assert "name" not in (await alone.get({"agent": agent("learner")}, ROUTES["agents"])).json


# -- voiding -------------------------------------------------------------------------------------


async def test_who_may_not_void_gets_403_and_nothing_of_the_batch_is_stored(
    system: System, alone: Client
) -> None:
    target = statement(id=fresh())
    await alone.post(target)
    writer = await system.client(alone.tenant, voids="none")
    answer = await writer.post([statement(), void(target["id"])])
    assert (answer.status, answer.json["reason"]) == (403, "forbidden")
    assert await system.count(alone.tenant) == 1
    assert (await alone.get({"statementId": target["id"]})).status == 200
    # A reference without the verb is no void.
    assert (await writer.post(statement(object=reference(target["id"])))).status == 200
