"""The Agents and Activities resources."""

from __future__ import annotations

from typing import Any

import pytest

from lrs.http.people import NEWEST
from tests.http.client import Answer, Client
from tests.http.sample import ROOT, agent, fresh, statement, void
from tests.http.system import System

AGENTS, ACTIVITIES = "/xapi/agents", "/xapi/activities"


async def person(lrs: Client, of: object) -> Any:
    """The Person of an agent."""
    answer = await lrs.get({"agent": of}, AGENTS)
    assert answer.status == 200, answer
    return answer.json


async def activity(lrs: Client, iri: str) -> Any:
    """What is known of an activity."""
    answer = await lrs.get({"activityId": iri}, ACTIVITIES)
    assert answer.status == 200, answer
    return answer.json


def about(page: str, /, **definition: object) -> dict[str, Any]:
    """A statement that defines its activity."""
    return statement(object={"id": ROOT + page, "definition": definition})


# -- agents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
@pytest.mark.parametrize(
    "identifier",
    [
        {"mbox": "mailto:someone@example.org"},
        {"mbox_sha1sum": "356a192b7913b04c54574d18c28d46e6395428ab"},
        {"openid": "https://someone.example.org/"},
        {"account": {"homePage": "https://example.org", "name": "someone"}},
    ],
    ids=lambda identifier: next(iter(identifier)),
)
async def test_an_agent_that_was_never_seen_is_a_person_with_what_was_asked(
    alone: Client, identifier: dict[str, Any], version: str
) -> None:
    lrs = Client(alone.application, alone.key, alone.secret, alone.tenant, version)
    [(name, value)] = identifier.items()
    assert await person(lrs, identifier) == {"objectType": "Person", name: [value]}
    asked = identifier | {"objectType": "Agent", "name": "Some One"}
    assert await person(lrs, asked) == {"objectType": "Person", "name": ["Some One"], name: [value]}


async def test_a_person_has_the_names_that_statements_give_it_the_newest_first(alone: Client) -> None:
    one, other = agent("one"), agent("other")
    await alone.post(statement(actor="x") | {"actor": one | {"name": "First"}})
    await alone.post(
        statement()
        | {"actor": other | {"name": "Other"}, "object": one | {"objectType": "Agent", "name": "Second"}}
    )
    await alone.post(statement(context={"instructor": one | {"name": "Third"}}))
    await alone.post(statement() | {"actor": one | {"name": "First"}})
    assert (await person(alone, one))["name"] == ["First", "Third", "Second"]
    assert (await person(alone, one | {"name": "Asked"}))["name"] == ["Asked", "First", "Third", "Second"]


async def test_names_of_voided_statements_and_of_other_tenants_are_not_told(system: System) -> None:
    mine, other = await system.tenant(), await system.tenant()
    voided = statement(id=fresh()) | {"actor": agent("one") | {"name": "Voided"}}
    await mine.post([voided, void(voided["id"])])
    await other.post(statement() | {"actor": agent("one") | {"name": "Other"}})
    assert "name" not in await person(mine, agent("one"))


async def test_so_many_of_the_newest_statements_are_asked_for_names(alone: Client) -> None:
    await alone.post(statement() | {"actor": agent("one") | {"name": "Oldest"}})
    await alone.post([statement("one") for _ in range(NEWEST - 1)])
    assert (await person(alone, agent("one")))["name"] == ["Oldest"]
    await alone.post(statement("one"))
    assert "name" not in await person(alone, agent("one"))


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"agent=",
        {"agent": {}},
        {"agent": {"name": "x"}},
        {"agent": {"objectType": "agent", "mbox": "mailto:a@b.c"}},
        {"agent": {"mbox": "a@b.c"}},
        {"agent": {"mbox": "mailto:a@b.c", "openid": "https://a.b/"}},
        {"agent": {"objectType": "Group", "mbox": "mailto:a@b.c"}},
        {"agent": agent("x"), "name": "x"},
        {"Agent": agent("x")},
    ],
)
async def test_what_is_no_agent_is_refused(lrs: Client, given: Any) -> None:
    assert (await lrs.get(given, AGENTS)).status == 400


# -- activities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_an_activity_that_was_never_seen_is_told_without_a_definition(
    lrs: Client, version: str
) -> None:
    lrs = Client(lrs.application, lrs.key, lrs.secret, lrs.tenant, version)
    iri = ROOT + fresh()
    assert await activity(lrs, iri) == {"objectType": "Activity", "id": iri}


async def test_definitions_add_up_wherever_they_stand(alone: Client) -> None:
    page = {"id": ROOT + "page"}
    await alone.post(about("page", name={"en": "Page"}, type=ROOT + "type"))
    parent = [page | {"definition": {"name": {"fr": "Feuille"}}}]
    await alone.post(statement(about="x", context={"contextActivities": {"parent": parent}}))
    inner = statement(object=page | {"definition": {"description": {"en": "All of it"}}})
    await alone.post(statement(object=inner | {"objectType": "SubStatement"}))
    await alone.post(about("page", name={"en": "The page"}))
    await alone.post(statement(about="page"))
    assert (await activity(alone, page["id"]))["definition"] == {
        "name": {"en": "The page", "fr": "Feuille"},
        "description": {"en": "All of it"},
        "type": ROOT + "type",
    }


async def test_a_definition_of_five_thousand_languages_comes_back(alone: Client) -> None:
    letters = "abcdefghijklmnopqr"
    names = {f"{a}{b}{c}": a * 20 for a in letters for b in letters for c in letters[:16]}
    assert len(names) > 5000
    assert (await alone.post(about("wide", name=names))).status == 200
    assert (await activity(alone, ROOT + "wide"))["definition"]["name"] == names


async def test_a_refused_request_defines_nothing(alone: Client) -> None:
    taken = statement(id=fresh())
    await alone.post(taken)
    refused = about("refused", name={"en": "Refused"}) | {"id": taken["id"]}
    assert (await alone.post([about("beside", name={"en": "Beside"}), refused])).status == 409
    invalid = about("invalid", name={"en": "Invalid"}) | {"verb": {"id": "no scheme"}}
    assert (await alone.post(invalid)).status == 400
    await alone.post(statement())
    for name in ("refused", "beside", "invalid"):
        assert "definition" not in await activity(alone, ROOT + name)


async def test_definitions_do_not_cross_tenants(system: System) -> None:
    mine, other = await system.tenant(), await system.tenant()
    await other.post(about("secret", name={"en": "Secret"}))
    assert "definition" not in await activity(mine, ROOT + "secret")


@pytest.mark.parametrize("given", [None, b"activityId=", {"activityId": "no scheme"}, {"activityid": ROOT}])
async def test_what_is_no_activity_id_is_refused(lrs: Client, given: Any) -> None:
    assert (await lrs.get(given, ACTIVITIES)).status == 400


# -- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [AGENTS, ACTIVITIES])
async def test_head_version_method_and_credentials(lrs: Client, path: str) -> None:
    query = {"agent": agent("x")} if path == AGENTS else {"activityId": ROOT}

    async def ask(method: str, **headers: str | None) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await lrs.request(method, path, query, headers=sent)

    get, head = await ask("GET"), await ask("HEAD")
    assert (head.status, head.body, head.headers) == (200, b"", get.headers)
    assert get.headers["content-type"] == "application/json"
    assert get.headers["x-experience-api-version"] == "1.0.3"
    assert (await ask("GET", x_experience_api_version=None)).status == 400
    assert (await ask("GET", authorization=None)).status == 401
    refused = await ask("PUT")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
