"""POST and PUT of the Statement resource: what is acknowledged is stored whole, what is refused is not."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.http.client import Client
from tests.http.sample import agent, fresh, statement, void
from tests.http.system import System


async def stored(lrs: Client, id_: str) -> dict[str, Any]:
    """The statement of an id, which must be there."""
    answer = await lrs.get({"statementId": id_})
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


async def test_a_single_statement_is_answered_with_an_array_of_its_id(lrs: Client) -> None:
    sent = statement(id=fresh())
    answer = await lrs.post(sent)
    assert (answer.status, answer.json) == (200, [sent["id"]])
    assert answer.headers["content-type"] == "application/json"
    assert sent.items() <= (await stored(lrs, sent["id"])).items()


async def test_a_batch_is_answered_with_its_ids_in_order(lrs: Client) -> None:
    batch = [statement(id=fresh()) for _ in range(20)]
    batch[7].pop("id")
    answer = await lrs.post(batch)
    assert answer.status == 200
    assert [id_ for place, id_ in enumerate(answer.json) if place != 7] == [
        sent["id"] for place, sent in enumerate(batch) if place != 7
    ]
    assert len({(await stored(lrs, id_))["stored"] for id_ in answer.json}) == 20


async def test_an_id_that_the_lrs_assigns_is_a_uuid_of_version_4(lrs: Client) -> None:
    [id_] = (await lrs.post(statement())).json
    assert uuid.UUID(id_).version == 4
    assert uuid.UUID(id_).variant == uuid.RFC_4122


async def test_an_array_of_one_and_an_empty_one_are_batches(alone: Client, system: System) -> None:
    assert len((await alone.post([statement()])).json) == 1
    answer = await alone.post([])
    assert (answer.status, answer.json) == (200, [])
    assert len(await alone.ids()) == await system.count(alone.tenant) == 1


async def test_put_is_answered_without_a_body(lrs: Client) -> None:
    sent = statement(id=fresh())
    answer = await lrs.put(sent)
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    assert (await stored(lrs, sent["id"]))["actor"] == sent["actor"]


async def test_put_gives_its_parameter_as_id_to_a_statement_without_one(lrs: Client) -> None:
    id_ = fresh()
    assert (await lrs.put(statement(), {"statementId": id_})).status == 204
    assert (await stored(lrs, id_))["id"] == id_


@pytest.mark.parametrize(
    ("query", "body", "path"),
    [
        ({}, statement(), "statementId"),
        ({"statementId": "no-uuid"}, statement(), "statementId"),
        ({"statementId": fresh()}, statement(id=fresh()), "statementId"),
        ({"statementid": fresh()}, statement(), "statementid"),
        ({"statementId": fresh(), "format": "exact"}, statement(), "format"),
        ({"statementId": fresh()}, [statement()], None),
        ({"statementId": fresh()}, [], None),
    ],
)
async def test_put_without_one_statement_and_its_id_is_refused(
    lrs: Client, query: dict[str, str], body: Any, path: str | None
) -> None:
    answer = await lrs.put(body, query)
    assert (answer.status, answer.json.get("path")) == (400, path)


async def test_one_bad_statement_refuses_the_whole_batch(alone: Client, system: System) -> None:
    batch = [statement(id=fresh()) for _ in range(5)]
    batch[3]["actor"]["mbox"] = "nobody"
    answer = await alone.post(batch)
    assert answer.status == 400
    refusal = answer.json
    assert (refusal["path"], refusal["value"], refusal["index"], refusal["id"]) == (
        "$[3].actor.mbox",
        '"nobody"',
        3,
        batch[3]["id"],
    )
    assert refusal["rule"]
    assert refusal["clause"]
    assert refusal["violations"][0]["path"] == refusal["path"]
    for sent in batch:
        assert (await alone.get({"statementId": sent["id"]})).status == 404
    assert await system.count(alone.tenant) == 0


async def test_a_batch_that_repeats_an_id_is_refused(alone: Client) -> None:
    id_ = fresh()
    answer = await alone.post([statement(id=id_), statement(), statement(id=id_.upper())])
    assert (answer.status, answer.json["path"]) == (400, "$[2].id")
    assert await alone.ids() == []


async def test_an_id_in_capitals_is_the_same_id(lrs: Client) -> None:
    id_ = fresh()
    assert (await lrs.post(statement(id=id_.upper()))).json == [id_]
    assert (await lrs.put(statement(id=id_), {"statementId": id_.upper()})).status == 204
    assert (await lrs.post(statement(id=id_, about="other"))).status == 409
    for asked in (id_, id_.upper()):
        assert (await stored(lrs, asked))["id"].lower() == id_


async def test_what_the_lrs_assigns_takes_the_place_of_what_was_sent(lrs: Client) -> None:
    sent = statement(id=fresh(), stored="2013-01-01T00:00:00Z", authority=agent("somebody"), version="1.0.7")
    before = (await stored(lrs, (await lrs.post(statement())).json[0]))["stored"]
    await lrs.post(sent)
    found = await stored(lrs, sent["id"])
    assert found["stored"] > before
    assert found["timestamp"] == found["stored"]
    assert found["authority"]["account"]["name"] == lrs.key
    assert found["version"] == "1.0.7"


@pytest.mark.parametrize(("spoken", "version"), [("1.0.3", "1.0.0"), ("1.0", "1.0.0"), ("2.0.0", "2.0.0")])
async def test_a_version_that_was_not_sent_is_assigned(lrs: Client, spoken: str, version: str) -> None:
    [id_] = (await lrs.post(statement(), x_experience_api_version=spoken)).json
    assert (await stored(lrs, id_))["version"] == version


async def test_exactly_what_was_sent_comes_back(lrs: Client) -> None:
    digits = b"3." + b"14159265" * 50
    sent = (
        b'{ "actor" : {"mbox":"mailto:a@example.org"},\n"verb":{"id":"http:\\/\\/example.org\\/v",'
        b'"display":{"hi":"\xe0\xa4\xaa\xe0\xa4\xa2\xe0\xa4\xbc\xe0\xa4\xbe","x-nul":"a\\u0000b"}},'
        b'"object":{"id":"http://example.org/a"},"result":{"score":{"scaled":0.12123434, "raw":1.0E1},'
        b'"extensions":{"http://example.org/e":[' + digits + b',-0.0,1e-999,null,"",{"a":[]}]}}}'
    )
    [id_] = (await lrs.post(b"  " + sent + b"\r\n ")).json
    assert (await lrs.get({"statementId": id_})).body.startswith(sent[:-1])
    answer = await lrs.get({"agent": agent("a")})
    assert sent[:-1] in answer.body


async def test_a_write_returns_its_position(lrs: Client) -> None:
    answer = await lrs.post(statement())
    assert re.fullmatch(r"\d+\.\d+", answer.headers["x-lrs-position"])


async def test_an_attachment_without_its_data_is_refused_but_not_one_elsewhere(lrs: Client) -> None:
    attachment = {
        "usageType": "http://example.org/use",
        "display": {"en": "x"},
        "contentType": "text/plain",
        "length": 3,
        "sha2": "a" * 64,
    }
    answer = await lrs.post([statement(), statement(attachments=[attachment])])
    assert (answer.status, answer.json["path"]) == (400, "$[1].attachments[0]")
    elsewhere = {**attachment, "fileUrl": "https://example.org/file"}
    assert (await lrs.post(statement(attachments=[elsewhere]))).status == 200


async def test_a_credential_that_may_not_void_is_refused(system: System, alone: Client) -> None:
    [target] = (await alone.post(statement())).json
    answer = await (await system.client(alone.tenant, voids="none")).post(void(target))
    assert (answer.status, answer.json["reason"]) == (403, "forbidden")
    assert (await alone.get({"statementId": target})).status == 200
