"""The cohort: what it sends, and where it goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from lrs.demo import cohort as cohort_module
from lrs.demo.career import courses_for, demonstration_catalogue
from lrs.demo.client import Client
from lrs.demo.cohort import Cohort
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from tests.demo.test_client import served

CATALOGUE = demonstration_catalogue()


class Lrs:
    """Keeps statements by id, and tells of learners that they have satisfied what `satisfied` says."""

    def __init__(self, satisfied: dict[str, list[str]] | None = None) -> None:
        self.satisfied = satisfied or {}
        self.stored: dict[str, bytes] = {}
        self.times_sent: Counter[str] = Counter()
        self.sizes: Counter[int] = Counter()
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            name = json.loads(request.query["agent"])["account"]["name"]
            self.asked.append(name)
            return web.json_response(
                {"activities": [self._done(iri) for iri in self.satisfied.get(name, [])]}
            )
        statements = read_statements(await request.read(), Version.V1_0_3)
        self.sizes[len(statements)] += 1
        for statement in statements:
            sent = json.loads(statement.raw)["id"]
            assert self.stored.setdefault(sent, statement.raw) == statement.raw
            self.times_sent[sent] += 1
        return web.json_response([])

    @staticmethod
    def _done(iri: str) -> dict[str, Any]:
        return {"id": iri, "satisfied": "2026-11-01T00:00:00Z", "last": "2026-11-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learners who need no rest."""
    monkeypatch.setattr(cohort_module, "_REST", (0.0, 0.01))
    monkeypatch.setattr(cohort_module, "_RECONNECTS", (0.0, 0.01))


async def played(lrs: Lrs, seats: int, seconds: float) -> Client:
    async with served(lrs.handle) as address, Client(address, "key", "secret") as client:
        cohort = Cohort(client, CATALOGUE, seed=11, seats=seats, pace=1e6)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cohort.run(), seconds)
    return client


async def test_it_sends_singles_small_batches_and_backlogs_and_repeats_some_unchanged() -> None:
    lrs = Lrs()
    client = await played(lrs, 40, 3.0)
    assert client.sent.acknowledged > 500
    assert client.sent.refused == 0
    assert lrs.sizes[1] > 0
    assert lrs.sizes[4] > 0
    assert any(size > 6 for size in lrs.sizes)
    assert client.sent.repeated > 0
    assert max(lrs.times_sent.values()) == 2


async def test_no_statement_is_from_the_future() -> None:
    lrs = Lrs()
    await played(lrs, 10, 1.0)
    newest = max(json.loads(raw)["timestamp"] for raw in lrs.stored.values())
    assert datetime.fromisoformat(newest) <= datetime.now(UTC)


async def test_who_has_finished_is_followed_by_another() -> None:
    everything = [part.module for course in courses_for(0, CATALOGUE) for part in course.parts]
    lrs = Lrs({"GOV-00000000": everything})
    await played(lrs, 3, 1.0)
    assert {"GOV-00000000", "GOV-00000003"} <= set(lrs.asked)
    actors = {json.loads(raw)["actor"]["account"]["name"] for raw in lrs.stored.values()}
    assert "GOV-00000000" not in actors
    assert "GOV-00000003" in actors


async def test_a_second_run_goes_on_where_the_first_one_stopped() -> None:
    course = courses_for(0, CATALOGUE)[0]
    lrs = Lrs({"GOV-00000000": [course.parts[0].module]})
    await played(lrs, 1, 1.0)
    said = [json.loads(raw) for raw in lrs.stored.values()]
    objects = {one["object"]["id"] for one in said if one["actor"]["account"]["name"] == "GOV-00000000"}
    assert course.parts[0].module not in objects
    assert course.parts[-1].module.replace("/module/", "/unit/") in objects
