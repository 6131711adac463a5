"""The formats of statements: canonical with all that is known of an activity, ids with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.client import Client
from tests.http.sample import ROOT, activity, agent, fresh, statement

NAMES = {"en": "Page", "hi": "पृष्ठ", "ta": "பக்கம்"}


def named(name: str, language: str) -> dict[str, Any]:
    """An activity with its name in one language."""
    return {**activity(name), "definition": {"name": {language: NAMES[language]}}}


def planned(thing: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A SubStatement."""
    return {
        "objectType": "SubStatement",
        "actor": agent("planner"),
        "verb": {"id": ROOT + "verb/planned"},
        "object": thing,
        **members,
    }


async def test_canonical_shows_what_other_statements_say_of_an_activity(alone: Client) -> None:
    about: dict[str, Any] = {
        "context": {"contextActivities": {"parent": [activity("b")], "other": [activity("unknown")]}}
    }
    sent = statement(id=fresh(), object=planned(activity("a"), **about), **about)
    sent["object"]["object"] = named("a", "en")
    await alone.post(sent)
    await alone.post([statement(object=named("a", "hi")), statement(object=named("b", "ta"))])
    one = {"statementId": sent["id"], "format": "canonical"}
    for query in (one, {"format": "canonical", "activity": ROOT + "b", "related_activities": "true"}):
        answer = await alone.get(query, accept_language="hi;q=0.9, ta;q=0.8, en;q=0.7")
        found = next(s for s in answer.json.get("statements", [answer.json]) if s["id"] == sent["id"])
        assert found["object"]["object"]["definition"]["name"] == {"hi": NAMES["hi"]}
        for context in (found["context"], found["object"]["context"]):
            [parent] = context["contextActivities"]["parent"]
            assert parent["definition"]["name"] == {"ta": NAMES["ta"]}
            assert context["contextActivities"]["other"] == [activity("unknown")]
        assert answer.headers["vary"].split(", ")[0] == "Accept-Language"
    exact = await alone.get({"statementId": sent["id"]}, accept_language="ta")
    assert exact.json["object"] == sent["object"]
    assert "Accept-Language" not in exact.headers.get("vary", "")


async def test_canonical_keeps_agents_and_groups_as_they_were_sent(lrs: Client) -> None:
    actor = {"objectType": "Group", "name": "Team", "member": [agent("a") | {"name": "A"}]}
    sent = statement(actor, id=fresh())
    await lrs.post(sent)
    assert (await lrs.get({"statementId": sent["id"], "format": "canonical"})).json["actor"] == actor


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("ta", "ta"),
        ("hi-IN", "hi"),
        ("fr, hi;q=0.1", "hi"),
        ("ta;q=0.2, hi;q=0.3, en;q=0.1", "hi"),
        ("ta;q=0, hi", "hi"),
        ("fr", "en"),
        ("*", "en"),
        ("hi;q=x, ta", "ta"),
    ],
)
async def test_the_language_is_the_one_liked_most_of_those_there_are(
    lrs: Client, accepted: str | None, language: str
) -> None:
    sent = statement(id=fresh(), object={**activity("all"), "definition": {"name": NAMES}})
    await lrs.post(sent)
    query = {"statementId": sent["id"], "format": "canonical"}
    answer = await lrs.request("GET", "/xapi/statements", query, headers={"accept-language": accepted})
    assert answer.json["object"]["definition"]["name"] == {language: NAMES[language]}


async def test_a_canonical_page_ends_before_it_is_too_long(alone: Client) -> None:
    long = {**activity("long"), "definition": {"extensions": {ROOT + "x": "x" * 900_000}}}
    await alone.post(statement(object=long))
    await alone.post([statement(about="long") for _ in range(30)])
    sizes = []
    link, answer = None, await alone.get({"format": "canonical"})
    while link != "":
        sizes.append(len(answer.json["statements"]))
        assert len(answer.body) < 17 << 20
        link = answer.json["more"]
        answer = await alone.more(link) if link else answer
    assert sum(sizes) == 31
    assert len(sizes) > 1


async def test_ids_keeps_what_identifies_groups_and_their_members(lrs: Client) -> None:
    members = [agent("a") | {"name": "A", "objectType": "Agent"}, agent("b") | {"name": "B"}]
    bare = [agent("a") | {"objectType": "Agent"}, agent("b")]
    anonymous = {"objectType": "Group", "name": "Team", "member": members}
    identified = {**anonymous, **agent("team")}
    verb = {"id": ROOT + "verb/saw", "display": {"en": "saw"}}
    context = {
        "instructor": agent("i") | {"name": "I"},
        "team": identified,
        "contextActivities": {"category": [named("c", "en")]},
        "contextAgents": [{"objectType": "contextAgent", "agent": agent("x") | {"name": "X"}}],
        "contextGroups": [{"objectType": "contextGroup", "group": anonymous}],
    }
    sent = statement(anonymous, verb, id=fresh(), object=planned(named("o", "hi")), context=context)
    answer = await lrs.post(sent, x_experience_api_version="2.0.0")
    assert answer.status == 200
    found = (await lrs.get({"statementId": sent["id"], "format": "ids"})).json
    assert found["actor"] == {"objectType": "Group", "member": bare}
    assert found["verb"] == {"id": verb["id"]}
    assert found["object"]["object"] == activity("o")
    assert found["context"] == {
        "instructor": agent("i"),
        "team": {"objectType": "Group", **agent("team")},
        "contextActivities": {"category": [activity("c")]},
        "contextAgents": [{"objectType": "contextAgent", "agent": agent("x")}],
        "contextGroups": [{"objectType": "contextGroup", "group": {"objectType": "Group", "member": bare}}],
    }
