"""The open loop: a server that stalls is charged for all whom it kept waiting; processes agree."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadtests.planning import make_plan
from loadtests.reconciliation import Reconciliation
from loadtests.scenario import Curve, RequestKind, Scenario
from loadtests.span import TICK_US
from loadtests.tally import Outcome
from loadtests.target import Target
from loadtests.trial import Trial
from loadtests.verdict import GeneratorLimits, Judgement, Objectives, judge, read_objectives
from loadtests.watch import Watch

NOW = 1_795_000_000_000_000
STALL = 1.0
PATIENT = Objectives(generator=GeneratorLimits(lag_p99=60.0, cpu=64.0))

EVEN = Scenario(
    "Even",
    "?",
    peak=80.0,
    seconds=2.5,
    curve=Curve(points=[(0.0, 1.0), (1.0, 1.0)]),
    request=[RequestKind("send", 1)],
    connections=4,
)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ID = re.compile(rb'\{"id":"([0-9a-f-]{36})","actor"')


@asynccontextmanager
async def stalling(stall: float) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that acknowledges statements at once, but for one stall, a second after the first: then
    nobody is answered. Gives its address, and how often it was asked."""
    asked = [0]
    loop = asyncio.get_running_loop()
    begun: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                asked[0] += 1
                begun.append(loop.time())
                into = loop.time() - begun[0] - 1.0
                if 0 <= into < stall:
                    await asyncio.sleep(stall - into)
                ids = msgspec.json.encode([id_.decode() for id_ in _ID.findall(body)])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ids), ids))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def carried_out(directory: Path, address: str, processes: int) -> Outcome:
    """The outcome of EVEN by so many generator processes."""
    trial = Trial(EVEN, PATIENT, directory, processes)
    plan = await asyncio.to_thread(make_plan, EVEN, 5, NOW)
    plan.write(directory / "plan")
    target = Target(address, "key", "secret")
    return await trial.generate(target, directory / "plan", directory / "outcome", Watch(target))


async def test_a_stall_is_charged_for_every_request_that_was_due_meanwhile(tmp_path: Path) -> None:
    async with stalling(STALL) as (address, asked):
        outcome = await carried_out(tmp_path, address, 1)
    total = outcome.merged()
    latency = total.latency["send 1"]
    due = sum(interval.due for interval in total.intervals)
    assert due == asked[0] == latency.intended.count == latency.service.count > 100
    assert total.outstanding > 4
    intended, service = latency.intended.quantile(0.8), latency.service.quantile(0.8)
    worst = latency.intended.quantile(1.0)
    assert intended is not None
    assert service is not None
    assert worst is not None
    assert worst >= 0.8 * STALL
    # A third of the requests came in the stall: some 20 % of all waited longer than two fifths of it. A
    # client that waits for its answers would have seen just as many slow ones as it has connections.
    assert intended > 0.2 * STALL
    slow_by_a_closed_loop = EVEN.connections / due
    far_beyond = latency.intended.quantile(1 - 3 * slow_by_a_closed_loop)
    assert far_beyond is not None
    assert far_beyond > 0.5 * STALL


async def test_several_processes_send_and_see_what_one_does(tmp_path: Path) -> None:
    found = []
    for processes in (1, 2):
        directory = tmp_path / str(processes)
        directory.mkdir()
        # What the server does is what both have to tell: some answers late by up to STALL, the rest at once.
        async with stalling(STALL) as (address, asked):
            found.append((await carried_out(directory, address, processes), asked[0]))
    (one, once), (two, twice) = found
    assert len(two.tallies) == 2
    assert two.complete
    assert once == twice
    assert [len(tally.fates) for tally in two.tallies if tally] == [(once + 1) // 2, once // 2]
    due = np.frombuffer(make_plan(EVEN, 5, NOW).due) * 1e6
    for outcome in (one, two):
        spans = outcome.spans(once)
        begun, ended = spans.begun * np.int64(TICK_US), spans.ended * np.int64(TICK_US)
        assert (begun > due - TICK_US).all()
        assert (ended >= begun).all()
        assert (spans.ended < np.iinfo(np.uint32).max).all(), "each was noted"
    alone, together = one.merged(), two.merged()
    assert together.statements == alone.statements == once
    assert [interval.due for interval in together.intervals] == [interval.due for interval in alone.intervals]
    # What the stall alone costs is seen by either; a slow machine can only add to it.
    for share, least in ((0.8, 0.2), (0.95, 0.6), (1.0, 0.8)):
        for total in (alone, together):
            assert (total.latency["send 1"].intended.quantile(share) or 0.0) > least * STALL


async def test_no_figure_is_claimed_when_the_generator_is_the_bottleneck(
    target: Target, tmp_path: Path
) -> None:
    strict = Objectives(generator=GeneratorLimits(lag_p99=0.0))
    findings, verdict = await Trial(EVEN, strict, tmp_path).run(target, lambda _: None)
    assert verdict.judgement is Judgement.NO_FIGURE
    assert "the generator was late" in verdict.doubts[0]
    assert findings["reconciliation"]["missing_count"] == 0


async def test_an_overloaded_generator_claims_no_figure_by_the_shipped_limits(tmp_path: Path) -> None:
    flood = msgspec.structs.replace(EVEN, peak=40_000.0, seconds=0.1)
    async with stalling(0.0) as (address, _):
        target = Target(address, "key", "secret")
        watch = Watch(target)
        plan = await asyncio.to_thread(make_plan, flood, 5, NOW)
        plan.write(tmp_path / "plan")
        trial = Trial(flood, read_objectives(), tmp_path)
        outcome = await trial.generate(target, tmp_path / "plan", tmp_path / "outcome", watch)
    statements = outcome.merged().statements
    judged = judge(
        Objectives(generator=trial.objectives.generator),
        outcome,
        {"send 1": "send"},
        watch.usage(outcome.begun, outcome.begun + plan.seconds),
        {},
        Reconciliation(acknowledged=statements, stored=statements, drained=0.0),
        len(plan.kind),
    )
    assert statements == len(plan.kind) > 500
    assert judged.judgement is Judgement.NO_FIGURE
    assert any("the generator was late" in doubt for doubt in judged.doubts)


async def test_an_lrs_that_cannot_be_reached_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="read statements"):
        async with stalling(0.0) as (address, _):
            await Trial(EVEN, PATIENT, tmp_path).run(Target(address, "key", "secret"), lambda _: None)
