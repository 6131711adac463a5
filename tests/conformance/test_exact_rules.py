"""The rules on what comes back, each by its row, by id and in a list."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from lrs.xapi.version import Version
from tests.conformance.exact_rules import RULES, Row
from tests.http.client import Client
from tests.http.sample import fresh
from tests.http.system import System

CASES = [
    pytest.param(row, version, id=f"{version.value} {row.says}") for row in RULES for version in row.versions
]
REST = {
    "id": '"id":"ID"',
    "actor": '"actor":{"mbox":"mailto:a@example.org"}',
    "verb": '"verb":{"id":"http://example.org/v"}',
    "object": '"object":{"id":"http://example.org/o"}',
}


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant."""
    return await system.tenant()


@pytest.mark.parametrize(("row", "version"), CASES)
async def test_it_comes_back(lrs: Client, row: Row, version: Version) -> None:
    client, id_ = replace(lrs, version=version.value), fresh().upper()
    own = row.member.split('"')[1]
    members = [*(text for name, text in REST.items() if name != own), row.member]
    sent = ("{" + ",".join(members) + "}").replace('"ID"', f'"{id_}"')
    assert (await client.post(sent.encode())).status == 200
    one = (await client.get({"statementId": id_, "format": "exact"})).body.decode()
    several = (await client.get({"limit": "1"})).body.decode()
    assert one in several
    comes = (row.comes or row.member).replace('"ID"', f'"{id_}"')
    assert comes in one
    if not row.comes:
        assert one.startswith(sent[:-1])
    for name in ("stored", "authority", "timestamp", "version"):
        assert one.count(f'"{name}":') == 1
