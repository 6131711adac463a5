"""Overload, a full disk, a log or store that is away: refused with Retry-After before memory grows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from lrs.cluster import Cluster
from lrs.http.call import Call
from lrs.http.disk import Disk
from lrs.http.error import Refusal
from lrs.store.migration import migrate
from tests.http.client import Answer, Client
from tests.http.sample import fresh, statement
from tests.http.system import Limits, System, assemble, working
from tests.ops.conftest import held


def unavailable(answer: Answer, reason: str) -> bool:
    """Whether it is a 503 for this reason that says when to come again."""
    return (
        (answer.status, answer.json["reason"]) == (503, reason)
        and int(answer.headers["retry-after"]) >= 1
        and answer.headers.get("x-experience-api-version") == "1.0.3"
    )


async def test_more_requests_than_allowed_are_sent_away(system: System, alone: Client) -> None:
    small = await assemble(system.pool, replace(Limits(), max_requests=4))
    client = replace(alone, application=small.edge)
    assert (await client.get()).status == 200, "its credential is known now"
    gate = asyncio.Event()
    sent = asyncio.create_task(_waiting(client, gate, 4))
    while small.admission.requests < 4:
        await asyncio.sleep(0.01)
    for answer in (
        await client.post(statement()),
        await client.get(),
        await client.put(statement(id=fresh())),
    ):
        assert unavailable(answer, "overload")
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await client.get(path=path)).status == 200
    gate.set()
    assert [answer.status for answer in await sent] == [200] * 4
    assert small.admission.requests == small.admission.bytes == 0
    assert (await client.post(statement())).status == 200
    assert await system.count(alone.tenant) == 5


async def _waiting(client: Client, gate: asyncio.Event, count: int) -> list[Answer]:
    """Requests whose log is away until the gate opens."""

    class Gated:
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            async def gated() -> object:
                await gate.wait()
                return await receive()  # type: ignore[operator]

            await client.application(scope, gated, send)

    gated = replace(client, application=Gated())
    return list(await asyncio.gather(*(gated.post(statement()) for _ in range(count))))


async def test_more_bytes_than_allowed_are_sent_away(system: System, alone: Client) -> None:
    small = await assemble(system.pool, replace(Limits(), max_bytes=10_000))
    client = replace(alone, application=small.edge)
    large = statement(result={"response": "x" * 9_000})
    assert (await client.post(large)).status == 200
    small.admission.bytes += 2_000
    assert unavailable(await client.post(large), "overload")
    assert unavailable(await client.get(), "overload"), "answers count as well"
    small.admission.bytes -= 2_000
    assert (await client.get()).status == 200
    assert small.admission.bytes == 0


async def test_refused_requests_leave_nothing_at_the_admission(system: System, lrs: Client) -> None:
    for body in (b"x" * 5000, b"", b"x" * (2 << 20)):
        await lrs.post(body)
    assert (system.admission.requests, system.admission.bytes) == (0, 0)


async def test_a_full_disk_refuses_writes_while_reads_go_on(system: System, alone: Client) -> None:
    full = False
    edge = (await assemble(system.pool, replace(Limits(), writable=lambda: not full))).edge
    client = replace(alone, application=edge)
    [id_] = (await client.post(statement())).json
    full = True
    assert unavailable(await client.post(statement()), "disk_full")
    assert unavailable(await client.put(statement(id=fresh())), "disk_full")
    assert (await client.get({"statementId": id_})).status == 200
    full = False
    assert (await client.post(statement())).status == 200


def test_the_disk_is_low_below_its_floor() -> None:
    free = int(Disk(Path(), 0).free())
    assert not Disk(Path(), 0).low
    assert Disk(Path(), 2 * free + 1).low
    assert not Disk(None, 1 << 62).low, "nothing is known of a store elsewhere"


async def test_a_log_that_hangs_is_not_waited_for_for_ever(system: System, alone: Client) -> None:
    edge = await assemble(system.pool, Limits())
    edge.framer._patience = 0.3
    client = replace(alone, application=edge.edge)
    sent = statement(id=fresh())
    async with system.pool.acquire() as holding, holding.transaction():
        await holding.execute("select from log_head for update")
        assert unavailable(await client.post(sent), "log_unavailable")
    await edge.framer.drain()
    assert (await client.post(sent)).status == 200, "a repetition, if it was stored after all"
    assert await system.count(alone.tenant) == 1


async def test_a_store_that_is_away_is_503_and_comes_back_by_itself() -> None:
    """Statements of before are there; what was not acknowledged may be sent again."""
    with held() as directory:
        cluster = Cluster(directory)
        await cluster.start()
        try:
            connection = await asyncpg.connect(cluster.url)
            await migrate(connection)
            await connection.close()
            async with asyncpg.create_pool(cluster.url, min_size=2, max_size=8) as pool:
                edge = await assemble(pool, Limits())
                client = await edge.tenant(catalogue=True)
                before = (await client.post([statement(), statement()])).json
                await cluster.stop()
                lost = statement(id=fresh())
                for _ in range(2):
                    assert unavailable(await client.post(lost), "log_unavailable")
                    assert unavailable(await client.get(), "store_unavailable")
                    assert unavailable(await client.get({"statementId": before[0]}), "store_unavailable")
                    progress = await client.get({"agent": lost["actor"]}, "/api/v1/progress")
                    assert (progress.status, progress.json["reason"]) == (503, "store_unavailable")
                    assert (await client.get({"limit": "x"})).status == 400, "a bad one is bad all the same"
                assert unavailable(await replace(client, secret="new").get(), "store_unavailable")
                assert (await client.get(path="/healthz")).status == 200
                await cluster.start()
                assert (await client.post(lost)).status == 200
                async with working(cluster.url):
                    assert await client.ids(ascending="true") == [*before, lost["id"]]
        finally:
            await cluster.stop()


async def test_requests_that_wait_when_the_store_goes_away_are_answered() -> None:
    with held() as directory:
        cluster = Cluster(directory)
        await cluster.start()
        try:
            connection = await asyncpg.connect(cluster.url)
            await migrate(connection)
            await connection.close()
            async with asyncpg.create_pool(cluster.url, min_size=2, max_size=8) as pool:
                edge = await assemble(pool, Limits())
                client = await edge.tenant()
                await client.post(statement())
                holding = await asyncpg.connect(cluster.url)
                await holding.execute("begin; select from log_head for update")
                posts = [asyncio.create_task(client.post(statement(id=fresh()))) for _ in range(20)]
                await asyncio.sleep(0.3)
                await cluster.stop(timeout=5)
                for answer in await asyncio.gather(*posts):
                    assert unavailable(answer, "log_unavailable")
                holding.terminate()
                await cluster.start()
                assert (await client.post(statement())).status == 200
        finally:
            await cluster.stop()


def test_who_leaves_gives_back_what_it_held(system: System) -> None:
    admission = system.admission
    call = Call({"method": "GET", "path": "/", "headers": []})
    admission.enter()
    admission.hold(call, 7)
    assert (admission.requests, admission.bytes) == (1, 7)
    admission.leave(call)
    assert (admission.requests, admission.bytes, call.held) == (0, 0, 0)


def test_what_does_not_fit_is_not_held(system: System) -> None:
    call = Call({"method": "GET", "path": "/", "headers": []})
    with pytest.raises(Refusal) as refused:
        system.admission.hold(call, 1 << 40)
    assert (refused.value.status, call.held, system.admission.bytes) == (503, 0, 0)
