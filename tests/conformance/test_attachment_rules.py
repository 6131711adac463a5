"""The rules on requests with attachments, each by its row, for each version."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import pytest_asyncio

from lrs.xapi.version import Version
from tests.conformance.attachment_rules import HELLO, RULES, Row
from tests.http.client import STATEMENTS, Client
from tests.http.mixed import read
from tests.http.sample import fresh
from tests.http.system import System

CASES = [pytest.param(row, version, id=f"{version.value} {row.says}") for version in Version for row in RULES]


@pytest_asyncio.fixture(scope="module")
async def client(system: System) -> Client:
    """A client of the module's own tenant."""
    return await system.tenant()


@pytest.mark.parametrize(("row", "version"), CASES)
async def test_the_rule(client: Client, system: System, row: Row, version: Version) -> None:
    lrs, sent = replace(client, version=version.value), row.of() | {"id": fresh()}
    kept = "select count(*) from attachment where tenant = $1"
    stored, before = await system.count(lrs.tenant), await system.pool.fetchval(kept, lrs.tenant)
    answer = await lrs.request("POST", STATEMENTS, None, row.body(sent), {"content-type": row.content_type})
    assert answer.status == row.status, answer
    if row.status == 200:
        assert answer.json == [sent["id"]]
        statement, *parts = read(await lrs.get({"statementId": sent["id"], "attachments": "true"}))
        assert f'"id":"{sent["id"]}"'.encode() in statement.body
        assert sum(part.body == HELLO for part in parts) == (HELLO in row.body(sent))
        return
    assert answer.json.get("path", "") == row.path or not row.path
    assert re.search(row.rule, answer.json["error"])
    assert await system.count(lrs.tenant) == stored
    assert await system.pool.fetchval(kept, lrs.tenant) == before
    assert (await lrs.get({"statementId": sent["id"]})).status == 404
