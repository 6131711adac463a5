"""The feed of outcomes over HTTP: it goes on where one left off, and is a tenant's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.client import Client
from tests.http.sample import agent, void
from tests.http.system import System
from tests.http.test_platform import MODULE, completion, progress

FEED = "/api/v1/outcomes"


async def read(lrs: Client, **query: str) -> Any:
    answer = await lrs.get(query, FEED)
    assert answer.status == 200, answer
    return answer.json


async def test_outcomes_come_once_and_in_order_to_who_goes_on(system: System) -> None:
    lrs = await system.tenant(catalogue=True)
    begin = (await read(lrs, limit="1"))["after"]
    assert (await read(lrs, after=begin)) == {"outcomes": [], "after": begin}
    said = [completion(name, timestamp="2026-03-01T12:00:00Z") for name in ("asha", "bina", "chitra")]
    await lrs.post(said)
    await progress(lrs, "asha")
    found: list[dict[str, Any]] = []
    after = begin
    while some := (page := await read(lrs, after=after, limit="2"))["outcomes"]:
        found += some
        after = page["after"]
    assert [(one["kind"], one["target"], one["holds"]) for one in found] == 3 * [
        ("module.completed", MODULE, True)
    ]
    assert sorted(one["evidence"][0] for one in found) == sorted(one["id"] for one in said)
    assert {one["effective"] for one in found} == {"2026-03-01T12:00:00.000000Z"}

    await lrs.post(void(said[0]["id"]))
    await progress(lrs, "asha")
    [taken] = (await read(lrs, after=after))["outcomes"]
    told = next(one for one in found if one["evidence"] == [said[0]["id"]])
    assert (taken["holds"], taken["retracts"], taken["revision"]) == (False, told["id"], 2)
    assert taken["agent"] == {name: agent("asha")[name] for name in ("mbox",)}
    assert (await read(lrs))["outcomes"] == [*found, taken]


async def test_a_tenant_sees_nothing_of_another(system: System, lrs: Client) -> None:
    await lrs.post(completion("deepa"))
    await progress(lrs, "deepa")
    assert (await read(lrs))["outcomes"]
    assert (await read(await system.tenant(catalogue=True)))["outcomes"] == []


@pytest.mark.parametrize(
    "query", [{"after": "1"}, {"after": "0-0-0-x"}, {"after": ""}, {"limit": "-1"}, {"since": "1"}]
)
async def test_what_is_no_position_is_refused(lrs: Client, query: dict[str, str]) -> None:
    answer = await lrs.get(query, FEED)
    assert answer.status == 400
    assert answer.json["path"] in query
