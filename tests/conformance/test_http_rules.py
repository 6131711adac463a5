"""The rules on the Statement resource, each by its row, for each version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
import pytest_asyncio

from lrs.xapi.version import Version
from tests.conformance.http_rules import FRESH, RULES, SAME, STORED, VOIDED, Row
from tests.http.client import STATEMENTS, Client
from tests.http.sample import fresh, void
from tests.http.system import System

CASES = [
    pytest.param(row, version, id=f"{version.value} {row.method} {row.says}")
    for version in Version
    for row in RULES
    if version in row.versions
]


@pytest_asyncio.fixture(scope="module")
async def world(system: System) -> tuple[Client, dict[str, str]]:
    """A client of the module's own tenant, and the ids of what is there."""
    lrs = await system.tenant()
    ids = {STORED: fresh(), VOIDED: fresh()}
    for name in (STORED, VOIDED):
        assert (await lrs.post(SAME.replace(STORED, ids[name]).encode())).status == 200
    assert (await lrs.post(void(ids[VOIDED]))).status == 200
    return lrs, ids


def filled(text: str, ids: Mapping[str, str]) -> str:
    """The text of a row with the ids of this test."""
    for name, id_ in ids.items():
        text = text.replace(name, id_)
    return text


@pytest.mark.parametrize(("row", "version"), CASES)
async def test_the_rule(
    world: tuple[Client, dict[str, str]], system: System, row: Row, version: Version
) -> None:
    client, there = world
    lrs, ids = replace(client, version=version.value), {**there, FRESH: fresh()}
    before = await system.count(lrs.tenant)
    query = {name: filled(value, ids) for name, value in row.query.items()}
    answer = await lrs.request(
        row.method, STATEMENTS, query, filled(row.body, ids).encode(), dict(row.headers)
    )
    assert answer.status == row.status, answer
    assert filled(row.answers, ids) in answer.body.decode()
    assert "x-experience-api-version" in answer.headers
    for name, pattern in row.has.items():
        assert re.search(pattern, answer.headers[name]), answer
    if row.status >= 400:
        assert await system.count(lrs.tenant) == before
        assert (await lrs.get({"statementId": ids[FRESH]})).status == 404
        if row.method != "HEAD":
            assert answer.json["error"]
    elif FRESH in row.body or FRESH in row.query.values():
        assert (await lrs.get({"statementId": ids[FRESH]})).status == 200
