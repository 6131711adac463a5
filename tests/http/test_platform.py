"""The platform API: progress and competencies as they follow from what was acknowledged."""

from __future__ import annotations

import asyncio
import datetime
import zoneinfo
from typing import Any

import pytest

from tests.http.client import Answer, Client
from tests.http.sample import agent, fresh, statement, void
from tests.http.system import System

MODULE = "https://lrs.example.org/module/noting-and-drafting/files"
COURSE = "https://lrs.example.org/course/noting-and-drafting"
COMPETENCY = "https://lrs.example.org/competency/office-procedure"
COMPLETED = {"id": "http://adlnet.gov/expapi/verbs/completed"}


def completion(learner: str, **members: Any) -> dict[str, Any]:
    """A learner completes the first module of a course."""
    return statement(learner, COMPLETED, object={"id": MODULE}, id=fresh(), **members)


async def progress(lrs: Client, learner: str, **query: str) -> dict[str, Any]:
    """A learner's progress."""
    answer = await lrs.get({"agent": agent(learner), **query}, "/api/v1/progress")
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    assert found["caught_up"]
    return found


async def test_a_completed_module_shows_in_its_course(lrs: Client) -> None:
    await lrs.post(completion("asha", timestamp="2026-03-01T12:00:00Z"))
    found = await progress(lrs, "asha")
    assert found["agent"] == agent("asha")
    [course] = found["courses"]
    assert (course["id"], course["modules_satisfied"], course["completed"]) == (COURSE, 1, None)
    assert course["started"] == "2026-03-01T12:00:00.000000Z"
    assert 0 < course["percent"] < 100
    assert [module["id"] for module in course["modules"] if module["satisfied"]] == [MODULE]
    [module] = found["activities"]
    assert (module["id"], module["completed"]) == (MODULE, "2026-03-01T12:00:00.000000Z")


async def test_progress_of_one_activity(lrs: Client) -> None:
    await lrs.post([completion("bina"), statement("bina", COMPLETED, "unlisted")])
    found = await progress(lrs, "bina", activity=MODULE)
    assert ([one["id"] for one in found["activities"]], found["courses"]) == ([MODULE], [])
    assert [one["id"] for one in (await progress(lrs, "bina", activity=COURSE))["courses"]] == [COURSE]
    assert (await progress(lrs, "bina", activity="https://example.org/never"))["activities"] == []


async def test_a_repetition_counts_once_and_a_void_takes_it_back(lrs: Client) -> None:
    one = completion("chitra")
    await asyncio.gather(*(lrs.post(one) for _ in range(8)))
    before = await progress(lrs, "chitra")
    await lrs.post(one)
    assert await progress(lrs, "chitra") == before
    assert before["courses"][0]["modules_satisfied"] == 1
    await lrs.post(void(one["id"]))
    assert [course["modules_satisfied"] for course in (await progress(lrs, "chitra"))["courses"]] in ([], [0])


async def test_a_competency_follows_from_evidence(lrs: Client) -> None:
    await lrs.post(completion("devi"))
    answer = await lrs.get({"agent": agent("devi")}, "/api/v1/competencies")
    assert answer.status == 200
    found = {one["id"]: one for one in answer.json["competencies"]}
    assert COMPETENCY in found
    reached = found[COMPETENCY]["probabilities"]
    assert reached == sorted(reached, reverse=True)
    assert 0 <= reached[-1] <= reached[0] <= 1
    assert found[COMPETENCY]["accumulators"][0]["w"].lstrip("-").isdigit()
    today = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Kolkata")).date()
    assert abs(datetime.date.fromisoformat(answer.json["day"]) - today) <= datetime.timedelta(days=1)


@pytest.mark.parametrize("path", ["/api/v1/progress", "/api/v1/competencies"])
async def test_an_unknown_learner_has_nothing_and_is_no_error(lrs: Client, path: str) -> None:
    answer = await lrs.get({"agent": agent("nobody-at-all")}, path)
    assert answer.status == 200
    assert [value for value in answer.json.values() if isinstance(value, list)] in ([[], []], [[]])
    head = await lrs.request("HEAD", path, {"agent": agent("nobody-at-all")})
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("path", ["/api/v1/progress", "/api/v1/competencies"])
@pytest.mark.parametrize(
    ("query", "at"),
    [
        ({}, "agent"),
        ({"agent": "no json"}, "$"),
        ({"agent": {"mbox": "x"}}, "$.mbox"),
        ({"agent": {"objectType": "Group", "member": [agent("a")]}}, "$"),
        ({"agent": agent("a"), "Agent": "x"}, "Agent"),
        ({"agent": agent("a"), "wait": "1"}, "wait"),
        ({"agent": agent("a"), "wait": "1.²"}, "wait"),
        ({"agent": agent("a"), "wait": "99999.1"}, "wait"),
        ({"agent": agent("a"), "wait": "0.9999999999999999999999"}, "wait"),
        ({"agent": agent("a"), "wait": "0." + "9" * 5000}, "wait"),
    ],
)
async def test_bad_parameters_are_refused(lrs: Client, path: str, query: dict[str, Any], at: str) -> None:
    answer = await lrs.get(query, path)
    assert (answer.status, answer.json["path"]) == (400, at), answer


async def test_an_activity_that_is_no_iri_is_refused(lrs: Client) -> None:
    for text in ("page", "", "a b:c", "\x00"):
        answer = await lrs.get({"agent": agent("a"), "activity": text}, "/api/v1/progress")
        assert (answer.status, answer.json["path"]) == (400, "activity")


async def test_wait_waits_for_a_write(lrs: Client) -> None:
    async def learn(number: int) -> None:
        written = await lrs.post(completion(f"waiter-{number}"))
        found = await progress(lrs, f"waiter-{number}", wait=written.headers["x-lrs-position"])
        assert found["courses"][0]["modules_satisfied"] == 1

    await asyncio.gather(*(learn(number) for number in range(8)))


async def test_waiting_for_what_never_comes_ends_and_says_so(
    system: System, lrs: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system.horizon, "_patience", 0.1)
    for position in ("0.999999999999999999", "9999.1"):
        answer: Answer = await lrs.get({"agent": agent("a"), "wait": position}, "/api/v1/progress")
        assert (answer.status, answer.json["caught_up"]) == (200, False)


async def test_a_tenant_without_a_catalogue_is_told_so(alone: Client) -> None:
    answer = await alone.get({"agent": agent("a")}, "/api/v1/progress")
    assert (answer.status, answer.json["reason"]) == (404, "invalid")
