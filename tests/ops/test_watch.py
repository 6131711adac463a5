"""The watch over the store: it reports, and outlives whatever a look raises."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from lrs.composition import watch as watching
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from lrs.process import Process
from lrs.settings import load


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setattr(watching, "WATCH", 0.01)
    return Process(load({}), "edge", process_registry("edge"), Readiness(["store"]), asyncio.Event(), "")


@pytest.mark.parametrize(
    "error",
    [
        OSError("gone"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.InterfaceError("connection is closed"),
        RuntimeError("nobody foresaw this"),
    ],
)
async def test_a_look_that_fails_is_reported_and_the_next_one_that_succeeds_makes_ready(
    process: Process, error: Exception
) -> None:
    reports: list[tuple[bool, dict[str, str]]] = []

    async def look() -> None:
        reports.append(process.readiness.report())
        if len(reports) == 1:
            raise error

    task = asyncio.create_task(watching.watch(process, look))
    while len(reports) < 3:
        await asyncio.sleep(0.005)
        assert not task.done()
    task.cancel()
    assert [ready for ready, _ in reports] == [False, False, True]
    assert reports[1][1]["store"] == f"does not answer: {error}"


async def test_a_look_that_hangs_is_given_up(process: Process) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            await asyncio.Event().wait()

    task = asyncio.create_task(watching.watch(process, look))
    while not process.readiness.report()[0]:
        await asyncio.sleep(0.005)
    task.cancel()
    assert looks >= 2
