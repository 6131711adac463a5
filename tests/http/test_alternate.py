"""The alternate request syntax: a form that stands for another request, in 1.0.3 only."""

from __future__ import annotations

import json
import uuid
from urllib.parse import urlencode

import pytest

from lrs.http.alternate import FORM
from lrs.http.edge import ROUTES
from tests.http.client import Answer, Client, basic
from tests.http.sample import agent, fresh, statement

VERSION = "x-experience-api-version"
OLD = "1.0.3"


async def send(
    lrs: Client,
    method: str,
    form: dict[str, str] | bytes,
    path: str = ROUTES["statements"],
    headers: dict[str, str | None] | None = None,
    query: bytes | None = None,
    verb: str = "POST",
) -> Answer:
    """A request in this syntax, with nothing in its head but what a browser of that time could send."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    bare: dict[str, str | None] = {"authorization": None, VERSION: None, "content-type": FORM}
    asked = query if query is not None else f"method={method}".encode()
    return await lrs.request(verb, path, asked, body, {**bare, **(headers or {})})


def signed(lrs: Client, **fields: str) -> dict[str, str]:
    """A form with credentials and version in it."""
    return {"Authorization": basic(lrs.key, lrs.secret), "X-Experience-API-Version": OLD, **fields}


async def test_a_put_and_a_get_in_forms(lrs: Client) -> None:
    id_ = fresh()
    sent = statement(result={"response": "a+b & c=d% ख"})
    form = signed(lrs, statementId=id_, content=json.dumps(sent))
    answer = await send(lrs, "PUT", form)
    assert (answer.status, answer.headers[VERSION]) == (204, OLD)
    answer = await send(lrs, "GET", signed(lrs, statementId=id_))
    assert (answer.status, answer.json["result"]) == (200, sent["result"])
    head = await send(lrs, "HEAD", signed(lrs, statementId=id_))
    assert (head.status, head.body) == (200, b"")


async def test_a_post_of_a_batch_and_a_list(alone: Client) -> None:
    ids = (await send(alone, "POST", signed(alone, content=json.dumps([statement(), statement()])))).json
    found = (await send(alone, "GET", signed(alone, limit="1", ascending="true"))).json
    assert [one["id"] for one in found["statements"]] == ids[:1]
    assert len((await alone.more(found["more"])).json["statements"]) == 1


async def test_a_document_with_its_type_and_its_conditions(lrs: Client) -> None:
    path, where = ROUTES["agent_profile"], {"profileId": uuid.uuid4().hex, "agent": json.dumps(agent("a"))}
    made = signed(lrs, **where, content="héllo", **{"Content-Type": "text/plain", "If-None-Match": "*"})
    made["Content-Length"] = "3"
    assert (await send(lrs, "PUT", made, path)).status == 204
    assert (await send(lrs, "PUT", made, path)).status == 412
    answer = await send(lrs, "GET", signed(lrs, **where), path)
    assert (answer.body.decode(), answer.headers["content-type"]) == ("héllo", "text/plain")
    tag = answer.headers["etag"]
    assert (await send(lrs, "DELETE", signed(lrs, **where, **{"If-Match": '"x"'}), path)).status == 412
    assert (await send(lrs, "DELETE", signed(lrs, **where, **{"if-match": tag}), path)).status == 204
    assert (await send(lrs, "GET", signed(lrs, **where), path)).status == 404


async def test_headers_may_stay_where_they_belong_and_the_form_wins(lrs: Client) -> None:
    headers: dict[str, str | None] = {"authorization": basic(lrs.key, lrs.secret), VERSION: OLD}
    assert (await send(lrs, "GET", {"limit": "1"}, headers=headers)).status == 200
    wrong = {"Authorization": "Basic eDp5"}
    assert (await send(lrs, "GET", wrong, headers=headers)).status == 401
    assert (await send(lrs, "GET", b"", headers=headers)).status == 200
    old = {"X-Experience-API-Version": "0.8"}
    assert (await send(lrs, "GET", old, headers=headers)).status == 400


@pytest.mark.parametrize(
    ("method", "fields", "path"),
    [
        pytest.param("PUT", {"statementId": fresh()}, "content", id="no content"),
        pytest.param("POST", {}, "content", id="no content of a POST"),
        pytest.param("GET", {"content": "{}"}, "content", id="content that goes with nothing"),
        pytest.param("GET", {"nothing": "x"}, "nothing", id="an unknown field"),
        pytest.param(
            "GET", {"Accept-Language": "en"}, "Accept-Language", id="a header that is not among them"
        ),
        pytest.param("GET", {"method": "PUT"}, "method", id="the method within"),
        pytest.param("BREW", {}, "method", id="a method that is none"),
        pytest.param("get", {}, "method", id="a method in the wrong case"),
        pytest.param("", {}, "method", id="an empty method"),
        pytest.param(
            "GET", {"X-Experience-API-Version": "2.0.0"}, "method", id="a later version in the form"
        ),
        pytest.param("GET", {"limit": "x"}, "limit", id="a bad parameter"),
    ],
)
async def test_a_form_is_refused_for(lrs: Client, method: str, fields: dict[str, str], path: str) -> None:
    answer = await send(lrs, method, signed(lrs) | fields)
    assert (answer.status, answer.json["path"]) == (400, path)
    assert answer.headers[VERSION] in ("1.0.3", "2.0.0")


@pytest.mark.parametrize(
    "query", [b"method=PUT&statementId=x", b"method=PUT&method=PUT", b"xmethod=PUT", b"method=PUT&x"]
)
async def test_the_query_string_has_the_method_alone(lrs: Client, query: bytes) -> None:
    form = signed(lrs, statementId=fresh(), content=json.dumps(statement()))
    assert (await send(lrs, "", form, query=query)).status == 400


@pytest.mark.parametrize(
    "body", [b"{}", b"limit", b"limit=1&limit=2", b"limit=%zz", b"limit=%ff", b"a=1&" * 99, b"&"]
)
async def test_a_body_that_is_no_form_is_400(lrs: Client, body: bytes) -> None:
    headers: dict[str, str | None] = {"authorization": basic(lrs.key, lrs.secret), VERSION: OLD}
    assert (await send(lrs, "GET", body, headers=headers)).status == 400


async def test_a_field_stands_once_in_any_case(lrs: Client) -> None:
    form = urlencode([*signed(lrs).items(), ("AUTHORIZATION", "x")]).encode()
    answer = await send(lrs, "GET", form)
    assert (answer.status, answer.json["path"]) == (400, "authorization")


async def test_what_is_sent_must_be_a_form_and_posted(lrs: Client) -> None:
    form = signed(lrs, limit="1")
    for content_type in (None, "application/json", "multipart/form-data; boundary=x"):
        answer = await send(lrs, "GET", form, headers={"content-type": content_type})
        assert (answer.status, answer.json["path"]) == (400, "Content-Type")
    headers: dict[str, str | None] = {"authorization": basic(lrs.key, lrs.secret), VERSION: OLD}
    for verb in ("PUT", "GET"):
        assert (await send(lrs, "GET", form, headers=headers, verb=verb)).status == 400


async def test_a_resource_is_only_asked_for_what_it_does(lrs: Client) -> None:
    answer = await send(lrs, "DELETE", signed(lrs))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST, PUT, OPTIONS")
    assert (await send(lrs, "GET", signed(lrs, activityId="x:y"), ROUTES["activities"])).status == 200


@pytest.mark.parametrize("path", ["/xapi/statements", "/xapi/agents/profile", "/xapi/about"])
async def test_2_0_has_it_no_more(lrs: Client, path: str) -> None:
    answer = await send(lrs, "GET", signed(lrs), path, {VERSION: "2.0.0"})
    assert (answer.status, answer.headers[VERSION]) == (400, "2.0.0")
    assert answer.json["clause"] == "1.0.3 Part Three 1.3"
