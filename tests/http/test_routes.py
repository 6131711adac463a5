"""What every answer has, whatever it says: the version, one shape of errors, the right methods."""

from __future__ import annotations

import re

import pytest

from lrs.http.edge import ROUTES
from lrs.metrics.edge import REASONS
from tests.http.client import Client
from tests.http.sample import fresh, statement
from tests.http.system import System

VERSION = "x-experience-api-version"
DELETING = {"state", "agent_profile", "activity_profile", "credentials", "person"}
UNSPOKEN = [None, "", "0.95", "1.1.0", "1.0.3.1", "2.1.0", "3.0.0", "one", "1.0, 2.0", "\xe9"]
SPOKEN = {
    "1.0": "1.0.3",
    "1.0.0": "1.0.3",
    "1.0.9": "1.0.3",
    " 1.0.3 ": "1.0.3",
    "2.0": "2.0.0",
    "2.0.0": "2.0.0",
}


@pytest.mark.parametrize("sent", UNSPOKEN)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
async def test_no_version_that_is_spoken_is_400_and_the_answer_names_one(
    lrs: Client, sent: str | None, method: str
) -> None:
    query = {"statementId": fresh()} if method == "PUT" else None
    answer = await lrs.request(method, ROUTES["statements"], query, b"{}", {VERSION: sent})
    assert answer.status == 400
    assert answer.headers[VERSION] == "1.0.3"
    if method == "GET":
        assert answer.json["path"] == "X-Experience-API-Version"
        assert answer.through


@pytest.mark.parametrize(("sent", "answered"), SPOKEN.items())
async def test_the_version_is_negotiated_and_answered_every_time(
    lrs: Client, sent: str, answered: str
) -> None:
    headers = {VERSION: sent}
    id_ = fresh()
    answers = [
        await lrs.request("POST", ROUTES["statements"], None, b"[]", headers),
        await lrs.request("POST", ROUTES["statements"], None, b"[", headers),
        await lrs.put(statement(), {"statementId": id_}, **{VERSION: sent}),
        await lrs.put(statement(about="other"), {"statementId": id_}, **{VERSION: sent}),
        await lrs.get({"statementId": id_}, **{VERSION: sent}),
        await lrs.get({"statementId": fresh()}, **{VERSION: sent}),
        await lrs.get({}, **{VERSION: sent}),
        await lrs.get({"no": "x"}, **{VERSION: sent}),
        await lrs.get({}, authorization="none", **{VERSION: sent}),
        await lrs.request("DELETE", ROUTES["statements"], None, b"", headers),
        await lrs.request("GET", "/xapi/nothing", None, b"", headers),
        await lrs.request("GET", ROUTES["about"], None, b"", headers),
    ]
    assert [answer.status for answer in answers] == [
        200,
        400,
        204,
        409,
        200,
        404,
        200,
        400,
        401,
        405,
        404,
        200,
    ]
    assert {answer.headers[VERSION] for answer in answers} == {answered}


async def test_about_needs_neither_version_nor_credentials(lrs: Client) -> None:
    for method in ("GET", "HEAD"):
        answer = await lrs.request(method, ROUTES["about"], headers={VERSION: None, "authorization": None})
        assert answer.status == 200
    for version, told in ((None, ("1.0.3", "2.0.0")), ("2.0.0", ("1.0.3", "2.0.0")), ("1.0.1", ("1.0.3",))):
        answer = await lrs.request("GET", ROUTES["about"], headers={VERSION: version})
        assert set(told) <= set(answer.json["version"])
        assert ("2.0.0" in answer.json["version"]) == ("2.0.0" in told)
    assert (await lrs.get({"x": "y"}, ROUTES["about"])).status == 400


@pytest.mark.parametrize(
    "query",
    [{}, {"limit": "3"}, {"format": "ids"}, {"attachments": "true"}, {"x": "y"}, {"statementId": fresh()}],
)
async def test_head_answers_as_get_does_without_a_body(lrs: Client, query: dict[str, str]) -> None:
    await lrs.post([statement(), statement()])
    await lrs.listed(limit="1")
    get, head = [await lrs.request(method, ROUTES["statements"], query) for method in ("GET", "HEAD")]
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers.keys() == get.headers.keys()
    moving = {"x-experience-api-consistent-through", "content-type"}
    assert {n: v for n, v in head.headers.items() if n not in moving} == {
        n: v for n, v in get.headers.items() if n not in moving
    }


async def test_head_of_a_more_link_and_of_a_statement(lrs: Client) -> None:
    [id_, _] = (await lrs.post([statement(), statement()])).json
    link = (await lrs.get({"limit": "1"})).json["more"]
    for path, query in ((link, None), (ROUTES["statements"], {"statementId": id_})):
        answer = await lrs.request("HEAD", path, query)
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["content-length"]) > 100


async def test_a_single_statement_says_when_it_was_stored(lrs: Client) -> None:
    [id_] = (await lrs.post(statement())).json
    answer = await lrs.get({"statementId": id_})
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["last-modified"])


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "CONNECT", "BREW", "get", "options"])
async def test_a_method_that_a_resource_has_not_is_405(lrs: Client, name: str, method: str) -> None:
    path = ROUTES[name] + ("x" if name == "more" else "")
    answer = await lrs.request(method, path)
    allowed = set(answer.headers.get("allow", method).split(", "))
    assert (method in allowed) == (name in DELETING and method == "DELETE")
    if method not in allowed:
        assert (answer.status, answer.json["reason"]) == (405, "malformed")
        assert {"GET", "HEAD", "OPTIONS"} <= allowed


async def test_post_to_a_more_link_is_405(lrs: Client) -> None:
    answer = await lrs.request("POST", ROUTES["more"] + "x", body=b"{}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("name", ROUTES)
async def test_options_tells_what_may_be_done_to_anyone(lrs: Client, name: str) -> None:
    path = ROUTES[name] + ("x" if name == "more" else "")
    answer = await lrs.request("OPTIONS", path, headers={VERSION: None, "authorization": None})
    assert (answer.status, answer.body) == (204, b"")
    allowed = answer.headers["allow"].split(", ")
    refused = await lrs.request("BREW", path)
    assert refused.headers["allow"].split(", ") == allowed


async def test_options_of_nothing_is_404(lrs: Client) -> None:
    assert (await lrs.request("OPTIONS", "/xapi/nothing")).status == 404


async def test_every_refusal_has_the_one_shape(lrs: Client) -> None:
    refusals = [
        await lrs.post(b"{"),
        await lrs.post(statement(id="x")),
        await lrs.get({"no": "x"}),
        await lrs.get({"statementId": fresh()}),
        await lrs.get(authorization="x"),
        await lrs.request("DELETE", ROUTES["statements"]),
        await lrs.request("GET", "/nowhere"),
        await lrs.post(b"x" * (2 << 20)),
        await lrs.post(b"", content_encoding="br"),
    ]
    for answer in refusals:
        assert answer.status >= 400
        assert answer.headers["content-type"] == "application/json"
        body = answer.json
        assert isinstance(body["error"], str)
        assert body["reason"] in REASONS
        assert set(body) <= {
            "error", "reason", "path", "value", "rule", "clause", "index", "id", "ids", "violations", "limit",
        }  # fmt: skip


async def test_a_defect_is_500_with_a_number_and_tells_nothing_else(
    lrs: Client, system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("lrs.http.statements.listing.page", defect)
    answer = await lrs.get()
    assert (answer.status, answer.json["reason"]) == (500, "defect")
    assert isinstance(answer.json["request"], int)
    assert b"secret" not in answer.body
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert system.admission.requests == 0


async def test_health_and_metrics_answer_anyone(lrs: Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = await lrs.request("GET", path, headers={VERSION: None, "authorization": None})
        assert answer.status == 200
        assert VERSION not in answer.headers
    text = (await lrs.get(path="/metrics")).body.decode()
    assert 'lrs_http_requests_total{route="statements",status="2xx"}' in text
    assert lrs.key not in text
