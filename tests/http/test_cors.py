"""Pages of other origins: what a browser is told, so that it lets them ask and read."""

from __future__ import annotations

import pytest
import pytest_asyncio

from lrs.http.cors import Cors
from lrs.http.edge import ROUTES, Edge
from lrs.settings import SettingsError, load
from tests.http.client import Client
from tests.http.sample import fresh, statement
from tests.http.system import System

PAGE = "https://course.example.org"
OTHER = "https://evil.example.org"
ALLOW, EXPOSE = "access-control-allow-origin", "access-control-expose-headers"
READABLE = {
    "etag", "last-modified", "x-experience-api-version", "x-lrs-position",
    "x-experience-api-consistent-through",
}  # fmt: skip


@pytest_asyncio.fixture
async def strict(system: System, lrs: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of an edge that lets only two origins in."""
    edge = system.edge
    assert isinstance(edge, Edge)
    monkeypatch.setattr(edge, "_cors", Cors(f"{PAGE}, http://localhost:3000"))
    return lrs


@pytest.mark.parametrize("status", [200, 400, 401, 404, 405])
async def test_any_page_may_read_any_answer_and_its_headers(lrs: Client, status: int) -> None:
    queries = {400: {"no": "x"}, 404: {"statementId": fresh()}}
    query = queries.get(status)
    headers = {"origin": PAGE} | ({"authorization": "none"} if status == 401 else {})
    answer = await lrs.request("PATCH" if status == 405 else "GET", ROUTES["statements"], query, b"", headers)
    assert answer.status == status
    assert answer.headers[ALLOW] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert {name.strip().lower() for name in answer.headers[EXPOSE].split(",")} >= READABLE


async def test_who_is_no_page_is_told_nothing_of_pages(lrs: Client) -> None:
    answer = await lrs.get()
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("name", [n for n in ROUTES if n not in ("healthz", "readyz", "metrics", "docs")])
async def test_a_preflight_needs_no_credentials_and_allows_what_is_asked_for(lrs: Client, name: str) -> None:
    wanted = "authorization,content-type,x-experience-api-version,if-match"
    headers: dict[str, str | None] = {
        "authorization": None,
        "x-experience-api-version": None,
        "origin": PAGE,
        "access-control-request-method": "GET",
        "access-control-request-headers": wanted,
    }
    answer = await lrs.request("OPTIONS", ROUTES[name], headers=headers)
    assert (answer.status, answer.headers[ALLOW]) == (204, "*")
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
    assert answer.headers["access-control-allow-headers"] == wanted
    assert int(answer.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize("wanted", ["a b", "a\r\nx: y", "a" * 5000, "", "é"])
async def test_headers_that_are_none_are_not_allowed(lrs: Client, wanted: str) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "GET", "access-control-request-headers": wanted}
    answer = await lrs.request("OPTIONS", ROUTES["statements"], headers=dict(asked))
    assert len(answer.headers.get("access-control-allow-headers", "a")) <= 1000
    assert "\n" not in answer.headers.get("access-control-allow-headers", "")


async def test_only_origins_that_are_listed_are_let_in(strict: Client) -> None:
    for origin in (PAGE, "http://localhost:3000"):
        answer = await strict.get(origin=origin)
        assert (answer.headers[ALLOW], answer.headers["vary"]) == (origin, "Origin")
    for method in ("GET", "OPTIONS"):
        asked = {"origin": OTHER, "access-control-request-method": "GET"}
        answer = await strict.request(method, ROUTES["statements"], headers=dict(asked))
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("name", ["healthz", "readyz", "metrics"])
async def test_no_page_reads_what_is_for_the_operator(lrs: Client, name: str) -> None:
    answer = await lrs.request("GET", ROUTES[name], headers={"origin": PAGE})
    assert ALLOW not in answer.headers


@pytest.mark.parametrize("origins", ["", "*", "https://a.example", "http://a:8080, https://b.example"])
def test_origins_are_set_as_a_list(origins: str) -> None:
    assert load({"LRS_CORS_ORIGINS": origins}).cors_origins == origins


@pytest.mark.parametrize("origins", ["a.example", "https://a.example/", "https://a, *", "ftp://a", "null"])
def test_what_is_no_origin_stops_the_start(origins: str) -> None:
    with pytest.raises(SettingsError, match="LRS_CORS_ORIGINS"):
        load({"LRS_CORS_ORIGINS": origins})


async def test_a_page_may_write(lrs: Client) -> None:
    answer = await lrs.post(statement(), origin=PAGE)
    assert (answer.status, answer.headers[ALLOW]) == (200, "*")
