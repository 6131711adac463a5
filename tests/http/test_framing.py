"""Framing: requests put together into frames, each answered for itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from lrs.http.edge import ROUTES
from lrs.http.framing import FLIGHTS, Framer
from lrs.log import frame as frames
from lrs.log.memory import MemoryLog
from lrs.log.port import Appended, Claims, LogUnavailable
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.xapi.reader import read_statements
from lrs.xapi.statement import Statement
from lrs.xapi.version import Version
from tests.http.sample import fresh
from tests.http.sample import statement as sample


class GatedLog(MemoryLog):
    """A log that can be held up; it keeps what was appended."""

    def __init__(self) -> None:
        super().__init__("statements", 4)
        self.gate = asyncio.Event()
        self.gate.set()
        self.frames: list[frames.Frame] = []
        self.under_way = self.most_under_way = 0

    async def append(
        self, partition: int, value: bytes, count: int, claims: Claims | None = None
    ) -> Appended:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            self.frames.append(frames.decode(value))
            return await super().append(partition, value, count, claims)
        finally:
            self.under_way -= 1


def framer(log: GatedLog, *, most: int = 500, size: int = 1 << 20, patience: float = 15.0) -> Framer:
    """A framer onto the log."""
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry, ROUTES)
    return Framer(
        log,
        bytes,
        0,
        metrics,
        LogMetrics(registry),
        wait=0.003,
        max_statements=most,
        max_bytes=size,
        patience=patience,
    )


@pytest_asyncio.fixture
async def log() -> AsyncIterator[GatedLog]:
    """A log that is open."""
    log = GatedLog()
    yield log
    log.gate.set()


def statements(count: int = 1, **members: Any) -> list[Statement]:
    """Statements as they are accepted."""
    body = msgspec.json.encode([sample(id=fresh(), **members) for _ in range(count)])
    return read_statements(body, Version.V1_0_3)


def fresh_id() -> bytes:
    """A statement id that nobody has."""
    return uuid.uuid4().bytes


def request(sent: list[Statement]) -> frames.Request:
    """A request of these statements."""
    return frames.Request(1, Version.V1_0_3, 0, sent, [one.id or b"" for one in sent])


async def test_a_request_that_comes_alone_goes_at_once(log: GatedLog) -> None:
    outcome = await framer(log).submit(1, request(statements()), 100)
    assert (list(outcome.conflicts), outcome.repeated) == ([], 0)
    assert len(log.frames) == 1


async def test_requests_that_come_while_frames_are_on_their_way_go_together(log: GatedLog) -> None:
    carrier = framer(log)
    log.gate.clear()
    tasks = [asyncio.create_task(carrier.submit(1, request(statements()), 100)) for _ in range(50)]
    await asyncio.sleep(0.05)
    log.gate.set()
    positions = {(await task).position for task in tasks}
    assert sum(frame.rows for frame in log.frames) == 50
    assert len(log.frames) == len(positions) <= 1 + FLIGHTS
    assert log.most_under_way <= FLIGHTS


async def test_a_frame_holds_no_more_than_it_may(log: GatedLog) -> None:
    carrier = framer(log, most=10)
    await asyncio.gather(*(carrier.submit(1, request(statements(4)), 100) for _ in range(20)))
    assert max(frame.rows for frame in log.frames) <= 10
    small = framer(log, size=250)
    log.frames.clear()
    await asyncio.gather(*(small.submit(1, request(statements()), 100) for _ in range(20)))
    assert max(frame.rows for frame in log.frames) <= 2
    log.frames.clear()
    await small.submit(1, request(statements(700)), 10_000)
    assert [frame.rows for frame in log.frames] == [700], "a larger request is still one frame"


async def test_a_frame_is_of_one_tenant_and_has_no_id_twice(log: GatedLog) -> None:
    carrier = framer(log)
    same = statements()
    await asyncio.gather(
        *(carrier.submit(1 + number % 3, request(statements()), 100) for number in range(30)),
        *(carrier.submit(1, request(same), 100) for _ in range(5)),
    )
    for frame in log.frames:
        ids = frame.columns["id"].tolist()
        assert len(ids) == len(set(ids))
    assert {frame.tenant for frame in log.frames} == {1, 2, 3}


async def test_a_request_with_a_taken_id_is_refused_alone(log: GatedLog) -> None:
    carrier = framer(log)
    first = statements()
    await carrier.submit(1, request(first), 100)
    [other] = statements(about="other")
    taken = frames.Request(1, Version.V1_0_3, 0, [*statements(), other], [fresh_id(), first[0].id or b""])
    sent = (request(statements(2)), request(statements(3)), taken, request(first), request(statements(2)))
    log.gate.clear()
    tasks = [asyncio.create_task(carrier.submit(1, one, 100)) for one in sent]
    await asyncio.sleep(0.05)
    log.gate.set()
    outcomes = [await task for task in tasks]
    assert [list(outcome.conflicts) for outcome in outcomes] == [[], [], [1], [], []]
    assert [outcome.repeated for outcome in outcomes] == [0, 0, 0, 1, 0]


async def test_a_log_that_is_away_refuses_everything_and_then_goes_on(log: GatedLog) -> None:
    carrier = framer(log)
    log.away = True
    results = await asyncio.gather(
        *(carrier.submit(1, request(statements()), 100) for _ in range(20)), return_exceptions=True
    )
    assert {type(result) for result in results} == {LogUnavailable}
    log.away = False
    await carrier.submit(1, request(statements()), 100)


async def test_nobody_waits_for_ever_and_what_did_not_leave_is_dropped(log: GatedLog) -> None:
    carrier = framer(log, most=1, patience=0.2)
    log.gate.clear()
    results = await asyncio.gather(
        *(carrier.submit(1, request(statements()), 100) for _ in range(20)), return_exceptions=True
    )
    assert {type(result) for result in results} == {LogUnavailable}
    log.gate.set()
    await carrier.drain()
    assert len(log.frames) <= FLIGHTS


async def test_who_gave_up_harms_nobody_in_his_frame(log: GatedLog) -> None:
    carrier = framer(log)
    log.gate.clear()
    tasks = [asyncio.create_task(carrier.submit(1, request(statements()), 100)) for _ in range(9)]
    await asyncio.sleep(0.05)
    tasks[4].cancel()
    log.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 1
    assert sum(frame.rows for frame in log.frames) == 9


async def test_a_drain_ends_when_everything_is_durable(log: GatedLog) -> None:
    carrier = framer(log, most=1)
    log.gate.clear()
    tasks = [asyncio.create_task(carrier.submit(1, request(statements()), 100)) for _ in range(9)]
    await asyncio.sleep(0.02)
    draining = asyncio.create_task(carrier.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    log.gate.set()
    await draining
    assert len(log.frames) == 9
    await asyncio.gather(*tasks)


async def test_a_definition_that_came_with_a_refused_statement_goes_again(log: GatedLog) -> None:
    carrier = framer(log)
    first = statements()
    await carrier.submit(1, request(first), 100)
    defined = {"id": "https://example.org/a", "definition": {"name": {"en": "A"}}}
    refused = frames.Request(1, Version.V1_0_3, 0, statements(object=defined), [first[0].id or b""])
    assert (await carrier.submit(1, refused, 100)).conflicts
    await carrier.submit(1, request(statements(object=defined)), 100)
    assert len(log.frames[-1].definitions) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_a_definition_goes_once_for_each_tenant_unless_it_was_lost(log: GatedLog, lost: bool) -> None:
    carrier = framer(log)
    defined = {"id": "https://example.org/a", "definition": {"name": {"en": "A"}}}
    log.away = lost
    for tenant in (1, 1, 2, 2):
        await asyncio.gather(
            carrier.submit(tenant, request(statements(object=defined)), 100), return_exceptions=True
        )
    log.away = False
    log.frames.clear()
    for tenant in (1, 2, 1):
        await carrier.submit(tenant, request(statements(object=defined)), 100)
    assert [len(frame.definitions) for frame in log.frames] == ([1, 1, 0] if lost else [0, 0, 0])
