"""The rules on lists, each by its row, on one page and on pages of one statement."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import pytest_asyncio

from lrs.xapi.version import Version
from tests.conformance.list_rules import NEWER, RULES, WORLD, Row
from tests.http.client import Client
from tests.http.sample import fresh
from tests.http.system import System

CASES = [
    pytest.param(row, version, id=f"{version.value} {row.says}") for row in RULES for version in row.versions
]


@pytest_asyncio.fixture(scope="module")
async def there(system: System) -> tuple[Client, dict[str, str], dict[str, str]]:
    """A client of the module's own tenant; the names' ids, and the instants at which they were stored."""
    lrs = await system.tenant()
    ids = {name: fresh() for name in (*WORLD, *NEWER)}
    stored = {}
    for name, sent in (WORLD | NEWER).items():
        filled = json.loads(_filled(json.dumps(sent | {"id": ids[name]}), "@", ids))
        version = "2.0.0" if name in NEWER else "1.0.3"
        assert (await lrs.post(filled, x_experience_api_version=version)).status == 200, name
        # One after the other, so that their order is known.
        found = {one["id"]: one["stored"] for one in await lrs.listed(limit="2")}
        stored[name] = found[ids[name]]
        if name == "voiding":
            stored["gone"] = stored["planned"]
    return lrs, ids, stored


def _filled(text: str, mark: str, values: dict[str, str]) -> str:
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(mark + name, values[name])
    return text


@pytest.mark.parametrize(("row", "version"), CASES)
async def test_the_list_has(
    there: tuple[Client, dict[str, str], dict[str, str]], row: Row, version: Version
) -> None:
    client, ids, stored = there
    lrs = replace(client, version=version.value)
    query = {
        name: _filled(value, "<", stored) if isinstance(value, str) else value
        for name, value in row.query.items()
    }
    names = {id_: name for name, id_ in ids.items()}
    for more in ({}, {"limit": "1"}):
        found = [names[id_] for id_ in await lrs.ids(**query, **more)]
        assert ", ".join(found) == row.finds, more
