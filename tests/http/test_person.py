"""Export and erasure of a person over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

import pytest

from tests.http.client import Answer, Client
from tests.http.sample import agent, fresh, reference, statement, void
from tests.http.system import System

PERSON = "/api/v1/person"
ERASURES = "/api/v1/person/erasures"
MODULE = "https://lrs.example.org/module/noting-and-drafting/files"
COMPLETED = {"id": "http://adlnet.gov/expapi/verbs/completed"}


async def exported(lrs: Client, name: str) -> tuple[dict[str, list[Any]], zipfile.ZipFile]:
    """The archive, and its lines by member."""
    answer = await lrs.get({"agent": agent(name)}, PERSON)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert archive.testzip() is None
    lines = {
        member: [json.loads(line) for line in archive.read(member).splitlines()]
        for member in archive.namelist()
        if member.endswith("json")
    }
    return lines, archive


async def erased(lrs: Client, name: str, **more: str) -> Answer:
    return await lrs.request("DELETE", PERSON, {"agent": agent(name), **more})


async def state(lrs: Client, name: str, content: bytes = b"", method: str = "GET") -> Answer:
    query = {"activityId": "https://example.org/page", "agent": agent(name), "stateId": "s"}
    headers = {"content-type": "text/plain"}
    return await lrs.request(method, "/xapi/activities/state", query, content, headers)


async def test_an_export_has_everything_that_is_kept_of_a_person(system: System) -> None:
    lrs = await system.tenant(catalogue=True)
    own = statement("asha", id=fresh(), verb=COMPLETED, object={"id": MODULE})
    hidden = statement("asha", id=fresh())
    taught = statement("ravi", id=fresh(), context={"instructor": agent("asha")})
    team = {"objectType": "Group", "member": [agent("asha"), agent("ravi")]}
    together = statement(team, id=fresh())
    about = statement("ravi", id=fresh(), object={"objectType": "Agent", **agent("asha")})
    referring = statement("ravi", id=fresh(), object=reference(own["id"]))
    other = statement("ravi", id=fresh())
    body = json.dumps([own, hidden, taught, together, about, referring, other], indent=2).encode()
    assert (await lrs.post(body)).status == 200
    assert (await lrs.post(void(hidden["id"]))).status == 200
    for name in ("asha", "ravi"):
        assert (await state(lrs, name, name.encode() * 100, "PUT")).status == 204
    lines, archive = await exported(lrs, "asha")
    found = {
        line["statement"]["id"]: (line["relation"], line["voided"]) for line in lines["statements.ndjson"]
    }
    assert found[own["id"]] == ("actor", False)
    assert found[hidden["id"]] == ("actor", True)
    for one in (taught, together, about, referring):
        assert found[one["id"]] == ("related", False)
    assert other["id"] not in found
    [exact] = [
        line["statement"] for line in lines["statements.ndjson"] if line["statement"]["id"] == own["id"]
    ]
    assert exact == (await lrs.get({"statementId": own["id"]})).json
    [document] = lines["documents.ndjson"]
    assert (document["kind"], document["id"], document["content_type"]) == ("state", "s", "text/plain")
    assert archive.read(document["file"]) == b"asha" * 100
    assert {line[0] for line in lines["derived.ndjson"]} == {"evidence", "course", "competency"}
    assert all(line[1] == "mbox:mailto:asha@example.org" for line in lines["derived.ndjson"])
    assert {line["agent"]["mbox"] for line in lines["outcomes.ndjson"]} == {"mailto:asha@example.org"}
    assert {line["kind"] for line in lines["outcomes.ndjson"]} >= {"module.completed"}
    [manifest] = lines["manifest.json"]
    assert (manifest["statements"], manifest["documents"]) == (len(found), 1)


async def test_after_an_erasure_nothing_is_found_and_repetitions_are_repetitions(system: System) -> None:
    lrs = await system.tenant(catalogue=True)
    own = [statement("asha", id=fresh(), verb=COMPLETED, object={"id": MODULE}) for _ in range(3)]
    other = statement("ravi", id=fresh())
    await lrs.post([*own, other])
    await state(lrs, "asha", b"here", "PUT")
    answer = await erased(lrs, "asha")
    assert answer.status == 200, answer
    line = answer.json
    assert (line["statements"], line["documents"], line["kept"]) == (3, 1, 0)
    assert line["requested_by"] == f"credential {lrs.key}"
    assert line["finished"]
    assert b"asha" not in answer.body
    for one in own:
        assert (await lrs.get({"statementId": one["id"]})).status == 404
        assert (await lrs.get({"voidedStatementId": one["id"]})).status == 404
        assert (await lrs.post(one)).status == 200
        assert (await lrs.put(one | {"object": {"id": MODULE + "/other"}})).status == 409
    assert await lrs.ids() == [other["id"]]
    assert (await state(lrs, "asha")).status == 404
    progress = await lrs.get({"agent": agent("asha")}, "/api/v1/progress")
    assert (progress.json["activities"], progress.json["courses"]) == ([], [])
    assert (await lrs.get({"agent": agent("asha")}, "/api/v1/competencies")).json["competencies"] == []
    assert (await lrs.get(path=ERASURES)).json == {"erasures": [line]}
    lines, _ = await exported(lrs, "asha")
    assert lines["statements.ndjson"] == lines["documents.ndjson"] == lines["derived.ndjson"] == []
    assert lines["outcomes.ndjson"] == []


async def test_an_erasure_while_the_person_writes_leaves_only_what_came_later(system: System) -> None:
    lrs = await system.tenant(catalogue=True)
    before = (await lrs.post([statement("asha") for _ in range(300)])).json
    done = asyncio.Event()
    during: list[str] = []

    async def write() -> None:
        while not done.is_set():
            answer = await lrs.post([statement("asha", verb=COMPLETED, object={"id": MODULE})])
            assert answer.status == 200
            during.extend(answer.json)

    writers = [asyncio.create_task(write()) for _ in range(3)]
    answer = await erased(lrs, "asha")
    done.set()
    await asyncio.gather(*writers)
    assert answer.status == 200, answer
    left = set(await lrs.ids())
    assert not left & set(before)
    assert left <= set(during)
    assert answer.json["statements"] == len(before) + len(during) - len(left)
    facts = await lrs.get({"agent": agent("asha")}, "/api/v1/progress")
    assert bool(facts.json["activities"]) == bool(left)


async def test_who_is_not_known_is_404(alone: Client) -> None:
    assert (await erased(alone, "nobody")).status == 404
    assert (await alone.get({"agent": agent("nobody")}, PERSON)).status == 404


@pytest.mark.parametrize(
    ("query", "path"),
    [({}, "agent"), ({"agent": {"name": "x"}}, "$"), ({"agent": agent("a"), "related": "yes"}, "related")],
)
async def test_a_wrong_parameter_is_named(lrs: Client, query: dict[str, Any], path: str) -> None:
    answer = await lrs.request("DELETE", PERSON, query)
    assert (answer.status, answer.json["path"]) == (400, path)


async def test_a_person_needs_a_permission_of_its_own(alone: Client, system: System) -> None:
    await alone.post(statement("asha"))
    key, secret = fresh(), fresh()
    await system.credentials.ensure(alone.tenant, key, secret, ("all",), admin=True)
    less = Client(alone.application, key, secret, alone.tenant)
    for method, path, query in (
        ("GET", PERSON, {"agent": agent("asha")}),
        ("DELETE", PERSON, {"agent": agent("asha")}),
        ("GET", ERASURES, {}),
    ):
        assert (await less.request(method, path, query)).status == 403
    assert len(await alone.ids()) == 1


async def test_another_tenants_person_is_nobody(alone: Client, lrs: Client) -> None:
    await alone.post(statement("only-here"))
    assert (await lrs.get({"agent": agent("only-here")}, PERSON)).status == 404
    assert (await erased(lrs, "only-here")).status == 404
    assert len(await alone.ids()) == 1
