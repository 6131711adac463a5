"""The rules that every resource shares, each by its row, for each resource and version."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from lrs.http.edge import ROUTES
from lrs.xapi.version import Version
from tests.conformance.surface_rules import RESOURCES, RULES, Row
from tests.http.client import STATEMENTS, Client
from tests.http.sample import fresh, statement
from tests.http.system import System

CASES = [
    pytest.param(row, path, version, id=f"{version.value} {path} {row.says}")
    for row in RULES
    for path in row.on
    for version in row.versions
]


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant."""
    return await system.tenant()


@pytest.mark.parametrize(("row", "path", "version"), CASES)
async def test_the_rule(lrs: Client, row: Row, path: str, version: Version) -> None:
    client = replace(lrs, version=version.value)
    needed = {} if row.alone else RESOURCES[path]
    body = row.body
    if "method" in row.query and row.method == "POST":
        # What a GET needs is in the form then.
        body = b"&".join(filter(None, (urlencode(RESOURCES[path]).encode(), row.body)))
    answer = await client.request(row.method, path, {**needed, **row.query}, body, dict(row.sent))
    assert answer.status == row.status, answer
    for name, pattern in row.has.items():
        assert re.search(pattern.replace("VERSION", re.escape(version.value)), answer.headers[name]), answer
    assert answer.headers["x-experience-api-version"]
    if row.method in ("HEAD", "OPTIONS"):
        assert answer.body == b""
    elif row.status >= 400:
        assert answer.json["error"]
        assert answer.json["reason"]


def test_every_resource_of_the_specification_is_here() -> None:
    others = {"/xapi/statements/more/"}
    assert {path for path in ROUTES.values() if path.startswith("/xapi/")} == set(RESOURCES) | others


@pytest.mark.parametrize("version", [version.value for version in Version])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_may_be_packed_and_an_answer_is(lrs: Client, coding: str, version: str) -> None:
    client, id_ = replace(lrs, version=version), fresh()
    sent = statement(id=id_, result={"response": "क" * 5000})
    body = json.dumps(sent).encode()
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    headers: dict[str, str | None] = {"content-encoding": coding}
    assert (await client.request("POST", STATEMENTS, None, packed, headers)).json == [id_]
    answer = await client.get({"statementId": id_}, accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["result"] == sent["result"]
