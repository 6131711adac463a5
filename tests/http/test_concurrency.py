"""Thirty-two clients at once, each on a connection of its own to the real server: one truth, no error."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.client import STATEMENTS, Client
from tests.http.sample import ROOT, activity, agent, fresh, reference, statement, void
from tests.http.system import System
from tests.http.wire import served

CROWD = 32
ROUNDS = 2

Ask = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@pytest_asyncio.fixture(scope="module")
async def address(system: System) -> AsyncIterator[str]:
    """Where the system's edge listens."""
    async with served(system.edge) as running:
        yield f"http://127.0.0.1:{running.port}"


@asynccontextmanager
async def crowd(address: str, lrs: Client) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients that are connected already."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=address,
                    auth=(lrs.key, lrs.secret),
                    headers={"X-Experience-API-Version": "1.0.3"},
                    timeout=60,
                    trust_env=False,
                    verify=False,
                )
            )
            for _ in range(CROWD)
        ]
        await asyncio.gather(*(client.get("/xapi/about") for client in clients))
        yield clients


async def at_once(clients: list[httpx.AsyncClient], ask: Ask) -> list[httpx.Response]:
    answers = await asyncio.gather(*(ask(client, n) for n, client in enumerate(clients)))
    assert not [answer for answer in answers if answer.status_code >= 500]
    return answers


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_one_statement_from_everybody_is_stored_once(
    address: str, alone: Client, system: System
) -> None:
    async with crowd(address, alone) as clients:
        for _ in range(ROUNDS):
            sent = statement(id=fresh())

            async def ask(client: httpx.AsyncClient, n: int, sent: Any = sent) -> httpx.Response:
                if n % 2:
                    return await client.post(STATEMENTS, json=[statement(), sent])
                return await client.put(STATEMENTS, params={"statementId": sent["id"]}, json=sent)

            assert statuses(await at_once(clients, ask)) == {200: CROWD / 2, 204: CROWD / 2}
    assert await system.count(alone.tenant) == ROUNDS * (1 + CROWD // 2)


async def test_of_different_statements_under_one_id_one_is_stored_and_all_others_are_conflicts(
    address: str, alone: Client, system: System
) -> None:
    async with crowd(address, alone) as clients:
        for _ in range(ROUNDS):
            id_ = fresh()

            async def ask(client: httpx.AsyncClient, n: int, id_: str = id_) -> httpx.Response:
                return await client.post(STATEMENTS, json=statement(id=id_, about=f"page-{n}"))

            answers = await at_once(clients, ask)
            assert statuses(answers) == {200: 1, 409: CROWD - 1}
            [winner] = [n for n, answer in enumerate(answers) if answer.status_code == 200]
            stored = (await alone.get({"statementId": id_})).json
            assert stored["object"] == activity(f"page-{winner}")
    assert await system.count(alone.tenant) == ROUNDS


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_of_everybody_with_one_etag_one_wins_and_31_get_412(
    address: str, alone: Client, method: str
) -> None:
    path = "/xapi/activities/profile"
    query = {"activityId": ROOT + "page", "profileId": method}
    async with crowd(address, alone) as clients:
        first = await clients[0].put(path, params=query, json={"n": -1}, headers={"If-None-Match": "*"})
        assert first.status_code == 204
        for _ in range(ROUNDS):
            tag = (await clients[0].get(path, params=query)).headers["etag"]

            async def ask(client: httpx.AsyncClient, n: int, tag: str = tag) -> httpx.Response:
                headers = {"If-Match": tag}
                return await client.request(
                    method, path, params=query, json={"n": n, "tag": tag}, headers=headers
                )

            answers = await at_once(clients, ask)
            assert statuses(answers) == {204: 1, 412: CROWD - 1}
            [winner] = [n for n, answer in enumerate(answers) if answer.status_code == 204]
            read = await clients[0].get(path, params=query)
            assert read.json() == {"n": winner, "tag": tag}
            assert read.headers["etag"].strip('"').startswith(hashlib.sha1(read.content).hexdigest())


async def test_void_and_target_at_once_leave_the_target_voided(address: str, alone: Client) -> None:
    targets = [fresh() for _ in range(CROWD // 2)]
    voids = {id_: void(id_, id=fresh()) for id_ in targets}
    referring = {id_: statement(id=fresh(), object=reference(id_)) for id_ in targets}

    async def ask(client: httpx.AsyncClient, n: int) -> httpx.Response:
        id_ = targets[n // 2]
        target = statement("target", id=id_)
        sent = [voids[id_], referring[id_]] if n % 2 else [target]
        return await client.post(STATEMENTS, json=sent)

    async with crowd(address, alone) as clients:
        for _ in range(2):
            assert statuses(await at_once(clients, ask)) == {200: CROWD}
    for id_ in targets:
        assert (await alone.get({"statementId": id_})).status == 404
        assert (await alone.get({"voidedStatementId": id_})).status == 200
    seen = set(await alone.ids())
    assert seen == {one["id"] for one in [*voids.values(), *referring.values()]}
    # What refers to a statement matches what it matches, even if that is voided.
    assert set(await alone.ids(agent=agent("target"))) == seen


async def test_who_reads_while_others_define_reads_one_definition_whole(address: str, alone: Client) -> None:
    iri = ROOT + "defined"
    names = {"en": "a", "hi": "a", "ta": "a"}

    async def ask(client: httpx.AsyncClient, n: int) -> httpx.Response:
        if n % 2:
            return await client.get("/xapi/activities", params={"activityId": iri})
        name = dict.fromkeys(names, str(n))
        return await client.post(STATEMENTS, json=statement(object={"id": iri, "definition": {"name": name}}))

    async with crowd(address, alone) as clients:
        for _ in range(ROUNDS):
            for answer in await at_once(clients, ask):
                assert answer.status_code == 200
                found = answer.json()
                if isinstance(found, dict) and "definition" in found:
                    name = found["definition"]["name"]
                    assert set(name) == set(names)
                    assert len(set(name.values())) == 1
    settled = (await alone.get({"activityId": iri}, "/xapi/activities")).json["definition"]["name"]
    newest = (await alone.listed(activity=iri, limit="1"))[0]["object"]["definition"]["name"]
    assert settled == newest


async def test_everything_at_once_ends_in_one_truth(address: str, alone: Client, system: System) -> None:
    shared = [statement(id=fresh(), about=f"shared-{n}") for n in range(8)]
    state = {"activityId": ROOT + "page", "agent": '{"mbox":"mailto:learner@example.org"}', "stateId": "s"}

    async def ask(client: httpx.AsyncClient, n: int) -> httpx.Response:
        kind = n % 4
        if kind == 0:
            return await client.post(STATEMENTS, json=shared[n % 8 :] + shared[: n % 8])
        if kind == 1:
            return await client.post(STATEMENTS, json=[void(shared[n % 8]["id"]), statement()])
        if kind == 2:
            return await client.post("/xapi/activities/state", params=state, json={str(n): n})
        return await client.get(STATEMENTS, params={"limit": 5, "related_agents": "true"})

    async with crowd(address, alone) as clients:
        for _ in range(ROUNDS):
            answers = await at_once(clients, ask)
            assert set(statuses(answers)) == {200, 204}
    merged = await alone.get(state, "/xapi/activities/state")
    assert merged.json == {str(n): n for n in range(CROWD) if n % 4 == 2}
    assert await system.count(alone.tenant) == 8 + ROUNDS * (CROWD // 4) * 2
    voided = {shared[n % 8]["id"] for n in range(CROWD) if n % 4 == 1}
    assert not voided & set(await alone.ids())
