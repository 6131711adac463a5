"""Lists with every filter, held against a plain reading of the specification (1.0.3 Part Three 2.1.3)."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.http.client import Client
from tests.http.sample import ROOT, activity, agent, fresh, reference, statement, void
from tests.http.system import System

Statement = dict[str, Any]
REGISTRATION = str(uuid.uuid4())
NIL = str(uuid.UUID(int=0))
ACCOUNT = {"account": {"homePage": "https://example.org/home", "name": "आशा %27;--"}}
SHA1 = {"mbox_sha1sum": "3fb9bb8d8c1f2a0b0c2a7d6e5f4e3d2c1b0a9f8e"}
TEAM = {"objectType": "Group", "account": {"homePage": "https://example.org/home", "name": "team"}}


def _written() -> list[Statement]:
    """Statements that are alike in some ways and differ in others; the last ones refer to earlier ones."""
    inside = statement("inner", "inside", "inside-page", objectType="SubStatement")
    inside["context"] = {
        "instructor": agent("inner-teacher"),
        "contextActivities": {"parent": [activity("inside-course")]},
    }
    context = {
        "registration": REGISTRATION,
        "instructor": agent("teacher"),
        "team": {"objectType": "Group", "member": [agent("mate"), ACCOUNT]},
        "contextActivities": {
            "parent": [activity("course")],
            "grouping": [activity("program")],
            "category": [activity("kind"), activity("page")],
            "other": [activity("else")],
        },
    }
    written = [
        statement(),
        statement("other"),
        statement(verb="completed"),
        statement(about="page-2"),
        statement(verb="completed", about="page-2", context={"registration": REGISTRATION}),
        statement(context=context),
        statement("other", "completed", context=context),
        statement(context={"registration": NIL}),
        statement(actor=ACCOUNT | {"name": "Asha"}),
        statement(actor=SHA1),
        statement(actor={"openid": "https://example.org/openid"}),
        statement(actor=TEAM | {"member": [agent("learner"), agent("other")]}),
        statement(actor={"objectType": "Group", "member": [agent("learner"), SHA1]}),
        statement(object={"objectType": "Agent", **agent("learner")}),
        statement(object=TEAM),
        statement(object={"objectType": "Group", "member": [agent("mate")]}),
        statement(object=inside),
        statement(object=reference(fresh())),
        statement(about="course", context={"contextActivities": {"other": activity("page-2")}}),
    ]
    for one in written:
        one["id"] = fresh()
    for target in (4, 5, 11, 16):
        written.append(statement("pointer", "pointed", object=reference(written[target]["id"]), id=fresh()))
    # A reference to a reference, to a voided statement, and one that comes before its target.
    written.append(statement("pointer", "pointed", object=reference(written[-3]["id"]), id=fresh()))
    voided, later = statement("gone", "vanished", "lost-page", id=fresh()), statement("late", id=fresh())
    written += [voided, void(voided["id"], id=fresh())]
    written += [statement("pointer", object=reference(later["id"]), id=fresh()), later]
    return written


FILTERS: tuple[Mapping[str, Any], ...] = (
    *({"agent": agent(name)} for name in ("learner", "other", "mate", "teacher", "inner", "late", "gone")),
    {"agent": agent("inner-teacher")},
    {"agent": ACCOUNT},
    {"agent": {"objectType": "Agent", **SHA1, "name": "no matter"}},
    {"agent": TEAM},
    {"agent": agent("nobody")},
    *({"verb": f"{ROOT}verb/{name}"} for name in ("experienced", "completed", "inside", "vanished", "no")),
    {"verb": "http://adlnet.gov/expapi/verbs/voided"},
    *(
        {"activity": ROOT + name}
        for name in ("page", "page-2", "course", "kind", "inside-page", "inside-course", "lost-page", "no")
    ),
    {"registration": REGISTRATION},
    {"registration": REGISTRATION.upper()},
    {"registration": NIL},
    {"registration": fresh()},
)


def queries() -> Iterator[dict[str, Any]]:
    """Each filter alone, each pair of different kinds, and some triples; related and not."""
    yield {}
    related = {"related_agents": "true", "related_activities": "true"}
    for one in FILTERS:
        yield dict(one)
        yield {**one, **related}
    for first, second in itertools.combinations(FILTERS, 2):
        if first.keys() != second.keys() and "no" not in str((first, second)):
            yield {**first, **second, **related}


def identifiers(agent: Statement) -> set[bytes]:
    """What identifies an agent or group, and its members."""
    kept = {name: agent[name] for name in ("mbox", "mbox_sha1sum", "openid", "account") if name in agent}
    own = {msgspec.json.encode(kept, order="sorted")} if kept else set()
    return own.union(*(identifiers(member) for member in agent.get("member", [])))


def agents(one: Statement, related: bool) -> set[bytes]:
    """The agents that the filter `agent` may find a statement by."""
    parts = [one["actor"], one["object"]]
    context = one.get("context", {})
    if related:
        parts += [one.get("authority", {}), context.get("instructor", {}), context.get("team", {})]
    found: set[bytes] = set().union(*(identifiers(part) for part in parts))
    if related and one["object"].get("objectType") == "SubStatement":
        found |= agents(one["object"], related)
    return found


def activities(one: Statement, related: bool) -> set[str]:
    """The activities that the filter `activity` may find a statement by."""
    kind = one["object"].get("objectType", "Activity")
    found = {one["object"]["id"]} if kind == "Activity" else set()
    if related:
        for some in one.get("context", {}).get("contextActivities", {}).values():
            found |= {each["id"] for each in (some if isinstance(some, list) else [some])}
        if kind == "SubStatement":
            found |= activities(one["object"], related)
    return found


def matches(one: Statement, query: Mapping[str, Any], by_id: Mapping[str, Statement]) -> bool:
    """Whether a statement matches every filter, by itself or through what it refers to."""
    chain = [one]
    while chain[-1]["object"].get("objectType") == "StatementRef":
        target = by_id.get(chain[-1]["object"]["id"])
        if target is None:
            break
        chain.append(target)
    related_agents = query.get("related_agents") == "true"
    related_activities = query.get("related_activities") == "true"

    def any_of(found: Iterator[bool]) -> bool:
        return any(found)

    return (
        ("agent" not in query
            or any_of(identifiers(query["agent"]) <= agents(each, related_agents) for each in chain))
        and ("verb" not in query or any_of(each["verb"]["id"] == query["verb"] for each in chain))
        and ("activity" not in query
            or any_of(query["activity"] in activities(each, related_activities) for each in chain))
        and ("registration" not in query
            or any_of(
                each.get("context", {}).get("registration") == query["registration"].lower()
                for each in chain))
    )  # fmt: skip


class World:
    """What was written, by a client of a tenant of its own."""

    def __init__(self, client: Client, written: list[Statement]) -> None:
        self.client, self.written = client, written
        self.by_id = {one["id"]: one for one in written}
        voided = {one["object"]["id"] for one in written if one["verb"]["id"].endswith("/voided")}
        self.seen = [one["id"] for one in written if one["id"] not in voided]

    def expected(self, query: Mapping[str, Any]) -> list[str]:
        """The ids that a query should find, in the order in which they were stored."""
        return [id_ for id_ in self.seen if matches(self.by_id[id_], query, self.by_id)]


@pytest_asyncio.fixture(scope="module")
async def world(system: System) -> World:
    """Written one by one, so that their order is known."""
    client = await system.tenant()
    written = _written()
    for place, one in enumerate(written):
        answer = await (client.post(one) if place % 2 else client.put(one))
        assert answer.status in (200, 204), answer
    return World(client, written)


async def test_every_filter_finds_what_the_specification_says(world: World) -> None:
    differences = []
    for query in queries():
        found = (await world.client.ids(**query))[::-1]
        if found != world.expected(query):
            differences.append((query, found, world.expected(query)))
    assert not differences, f"{len(differences)} differ, the first: {differences[0]}"


async def test_the_queries_that_are_tried_find_something_and_tell_statements_apart(world: World) -> None:
    found = {tuple(world.expected(query)) for query in queries()}
    assert len(found) > 30


async def test_related_agents_finds_the_authority(world: World) -> None:
    authority = (await world.client.listed(limit="1"))[0]["authority"]
    assert len(await world.client.ids(agent=authority, related_agents="true")) == len(world.seen)
    assert await world.client.ids(agent=authority) == []


async def test_the_newest_comes_first_unless_ascending(world: World) -> None:
    assert await world.client.ids() == world.seen[::-1]
    assert await world.client.ids(ascending="true") == world.seen
    for query in ({"agent": agent("learner")}, {"activity": ROOT + "page", "related_activities": "true"}):
        assert await world.client.ids(ascending="true", **query) == world.expected(query)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_of_any_size_join_to_the_whole(world: World, limit: int) -> None:
    for query in ({}, {"agent": agent("learner")}, {"ascending": "true", "agent": agent("pointer")}):
        answer = await world.client.get({**query, "limit": str(limit)})
        assert len(answer.json["statements"]) <= limit
        whole = world.expected(query)
        if "ascending" not in query:
            whole.reverse()
        assert await world.client.ids(limit=str(limit), **query) == whole


async def test_a_limit_of_zero_is_the_servers_own(world: World) -> None:
    assert await world.client.ids(limit="0") == world.seen[::-1]
    assert (await world.client.get({"limit": "999999999"})).json["more"] == ""


async def test_since_excludes_and_until_includes_the_instant(world: World) -> None:
    stored = {one["id"]: one["stored"] for one in await world.client.listed()}
    for place in (0, 5, len(world.seen) - 1):
        instant = stored[world.seen[place]]
        assert await world.client.ids(since=instant, ascending="true") == world.seen[place + 1 :]
        assert await world.client.ids(until=instant, ascending="true") == world.seen[: place + 1]
        finer = instant.replace("Z", "9Z")
        assert await world.client.ids(since=finer, ascending="true") == world.seen[place + 1 :]
        assert await world.client.ids(until=finer, ascending="true") == world.seen[: place + 1]
    first, last = stored[world.seen[3]], stored[world.seen[9]]
    assert await world.client.ids(since=first, until=last, ascending="true") == world.seen[4:10]
    assert await world.client.ids(since=last, until=first) == []


async def test_since_and_until_take_any_offset_and_any_year(world: World) -> None:
    for instant in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00+05:30", "2019-12-31T23:59:59.999999Z"):
        assert await world.client.ids(since=instant) == world.seen[::-1]
        assert await world.client.ids(until=instant) == []
    for instant in ("9999-12-31T23:59:59Z", "2100-01-01T00:00:00-11:00"):
        assert await world.client.ids(until=instant) == world.seen[::-1]
        assert await world.client.ids(since=instant) == []


async def test_since_concerns_the_reference_not_its_target(world: World) -> None:
    stored = {one["id"]: one["stored"] for one in await world.client.listed()}
    reference_to_5 = next(
        one["id"] for one in world.written if one["object"].get("id") == world.written[5]["id"]
    )
    query = {"registration": REGISTRATION, "since": stored[world.seen[18]], "ascending": "true"}
    found = await world.client.ids(**query)
    assert reference_to_5 in found
    assert world.written[5]["id"] not in found


async def test_format_ids_keeps_identifiers_only(world: World) -> None:
    sent = world.written[8]
    [found] = [one for one in await world.client.listed(format="ids") if one["id"] == sent["id"]]
    assert found["actor"] == ACCOUNT
    [found] = [one for one in await world.client.listed(format="exact") if one["id"] == sent["id"]]
    assert found["actor"]["name"] == "Asha"


async def test_canonical_chooses_one_language(lrs: Client) -> None:
    names = {"en-US": "Page", "hi": "पृष्ठ", "de": "Seite"}
    sent = statement(id=fresh(), verb={"id": ROOT + "verb/saw", "display": names})
    sent["object"]["definition"] = {"name": names}
    await lrs.post(sent)
    for accepted, tag in (("hi, en;q=0.5", "hi"), ("en", "en-US"), ("fr, *;q=0.1", "en-US"), ("", "en-US")):
        query = {"statementId": sent["id"], "format": "canonical"}
        found = (await lrs.get(query, accept_language=accepted)).json
        assert found["verb"]["display"] == found["object"]["definition"]["name"] == {tag: names[tag]}
    exact = await lrs.get({"statementId": sent["id"]}, accept_language="hi")
    assert exact.json["verb"]["display"] == names


async def test_a_canonical_list_keeps_its_language_on_later_pages(system: System) -> None:
    client = await system.tenant()
    display = {"en": "saw", "hi": "देखा"}
    for _ in range(3):
        await client.post(statement(verb={"id": ROOT + "verb/saw", "display": display}))
    answer = await client.get({"format": "canonical", "limit": "1"}, accept_language="hi")
    for _ in range(2):
        assert answer.json["statements"][0]["verb"]["display"] == {"hi": "देखा"}
        answer = await client.more(answer.json["more"])
    assert answer.json["statements"][0]["verb"]["display"] == {"hi": "देखा"}
    assert answer.json["more"] == ""


@pytest.mark.parametrize("single", [True, False])
async def test_attachments_are_answered_in_multipart_with_json_first(world: World, single: bool) -> None:
    query = {"statementId": world.seen[0]} if single else {"limit": "2"}
    answer = await world.client.get({**query, "attachments": "true"})
    plain = await world.client.get({**query, "attachments": "false"})
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status, kind) == (200, "multipart/mixed")
    delimiter = b"--" + boundary.encode()
    empty, part, end = answer.body.split(delimiter)
    assert (empty, end) == (b"", b"--\r\n")
    head, _, body = part.partition(b"\r\n\r\n")
    assert head == b"\r\nContent-Type: application/json"
    if single:
        assert body.removesuffix(b"\r\n") == plain.body
    else:
        parsed = msgspec.json.decode(body)
        assert parsed["statements"] == plain.json["statements"]
        assert (await world.client.more(parsed["more"])).headers["content-type"].startswith(kind)


@pytest.mark.parametrize("tamper", ["", "x", "!", "ä", "a" * 5000, "kgEC", "lAGiAA", "%00", "../about"])
async def test_a_more_link_that_was_not_given_is_404(world: World, tamper: str) -> None:
    answer = await world.client.more("/xapi/statements/more/" + tamper)
    assert answer.status == 404, answer
    assert answer.through


async def test_any_tampering_with_a_more_link_is_harmless(world: World) -> None:
    link = (await world.client.get({"limit": "2", "agent": agent("learner")})).json["more"]
    prefix, _, token = link.rpartition("/")
    for place in range(len(token)):
        for letter in "A_9":
            changed = f"{prefix}/{token[:place]}{letter}{token[place + 1 :]}"
            answer = await world.client.more(changed)
            assert answer.status in (200, 404)
            if answer.status == 200:
                found = re.findall(rb'"id":"([0-9a-f-]{36})","timestamp"', answer.body)
                assert {id_.decode() for id_ in found} <= set(world.seen)
