"""The rules on statements of one id, each by its row, over POST and PUT."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import pytest_asyncio

from lrs.xapi.version import Version
from tests.conformance.sameness_rules import RULES, Row
from tests.conformance.statement import ABSENT, changed
from tests.http.client import Client
from tests.http.sample import fresh
from tests.http.system import System

CASES = [
    pytest.param(row, version, id=f"{version.value} {row.says} {row.same}")
    for row in RULES
    for version in row.versions
]
SENT = changed(dict.fromkeys(("id", "stored", "authority", "version"), ABSENT))


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant."""
    return await system.tenant()


@pytest.mark.parametrize(("row", "version"), CASES)
async def test_the_same_is_accepted_again_and_nothing_else(lrs: Client, row: Row, version: Version) -> None:
    client, id_ = replace(lrs, version=version.value), fresh()
    first = {**changed(row.before, SENT), "id": id_}
    again = {**changed(row.change, SENT), "id": id_}
    assert (await client.post(first)).status == 200
    assert (await client.post(again)).status == (200 if row.same else 409)
    assert (await client.put(again)).status == (204 if row.same else 409)
    there = (await client.get({"statementId": id_})).json
    assert {name: there[name] for name in first if name != "context"} == {
        name: value for name, value in first.items() if name != "context"
    }


async def test_the_order_of_members_does_not_count(lrs: Client) -> None:
    first = {**SENT, "id": fresh()}
    again = json.loads(json.dumps(first), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert list(again) != list(first)
    assert (await lrs.post(first)).status == (await lrs.post(again)).status == 200
