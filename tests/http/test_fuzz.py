"""Fuzzing the edge: a few thousand requests here, a hundred thousand by `make fuzz` (tests/fuzz.py)."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import SEED, fuzz
from tests.http.client import Client
from tests.http.sample import statement
from tests.http.system import System


async def test_nothing_odd_breaks_the_edge_and_nothing_refused_is_left_behind(system: System) -> None:
    statuses = await fuzz(system, 2000, SEED)
    assert {"write 200", "write 204", "write 400", "read 200", "read 400"} <= statuses.keys()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def _names() -> st.SearchStrategy[str]:
    return st.sampled_from(["statementId", "agent", "limit", "since", "format"]) | st.text(max_size=10)


ANY = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@ANY
@given(body=st.binary(max_size=200) | JSON)
async def test_any_body_is_refused_or_stored(lrs: Client, body: Any) -> None:
    answer = await lrs.post(body)
    nothing = body == [] or (isinstance(body, bytes) and body.strip(b" \t\r\n") == b"[]")
    assert answer.status == (200 if nothing else 400)


@ANY
@given(extension=JSON)
async def test_any_extension_comes_back(lrs: Client, extension: Any) -> None:
    key = "https://example.org/any"
    answer = await lrs.post(statement(result={"extensions": {key: extension}}))
    assert answer.status == 200, answer
    found = await lrs.get({"statementId": answer.json[0]})
    assert found.json["result"]["extensions"][key] == extension


@ANY
@given(
    query=st.binary(max_size=100) | st.dictionaries(_names(), st.text(max_size=40), max_size=3),
    headers=st.dictionaries(
        st.sampled_from(["x-experience-api-version", "accept-language", "authorization", "content-length"]),
        st.text(st.characters(max_codepoint=255), max_size=30),
        max_size=2,
    ),
    path=st.sampled_from(["/xapi/statements", "/xapi/statements/more/", "/xapi/about", "/api/v1/progress"]),
)
async def test_any_query_and_header_get_an_answer(
    lrs: Client, query: bytes | dict[str, str], headers: dict[str, str], path: str
) -> None:
    answer = await lrs.request("GET", path, query, headers=dict(headers))
    assert answer.status in (200, 400, 401, 404)
