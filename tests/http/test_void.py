"""Voiding: before, after and with the target, in one batch, through one partition or two."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tests.http.client import Client
from tests.http.sample import agent, fresh, reference, statement, void
from tests.http.system import System


async def sight(lrs: Client, id_: str) -> tuple[int, int, bool]:
    """What is answered by statementId and by voidedStatementId, and whether lists show it."""
    by_id = await lrs.get({"statementId": id_})
    by_voided = await lrs.get({"voidedStatementId": id_})
    return by_id.status, by_voided.status, id_ in await lrs.ids()


IN_SIGHT, VOIDED = (200, 404, True), (404, 200, False)


@pytest.mark.parametrize("order", ["target first", "void first", "one batch", "void first in a batch"])
async def test_a_voided_statement_is_out_of_sight_whatever_came_first(lrs: Client, order: str) -> None:
    target = statement(id=fresh())
    voiding = void(target["id"], id=fresh())
    sent = [voiding, target] if "void first" in order else [target, voiding]
    if "batch" in order:
        assert (await lrs.post(sent)).status == 200
    else:
        for one in sent:
            assert (await lrs.post(one)).status == 200
            await lrs.ids(limit="1")
    assert await sight(lrs, target["id"]) == VOIDED
    assert await sight(lrs, voiding["id"]) == IN_SIGHT


async def test_void_and_target_at_the_same_moment(lrs: Client) -> None:
    targets = [statement(id=fresh()) for _ in range(40)]
    both = [[target, void(target["id"])] for target in targets]
    answers = await asyncio.gather(*(lrs.post(one) for one in itertools.chain(*both)))
    assert {answer.status for answer in answers} == {200}
    for target in targets[::8]:
        assert await sight(lrs, target["id"]) == VOIDED
    assert not {target["id"] for target in targets} & set(await lrs.ids())


async def test_voiding_twice_and_voiding_the_unknown_is_accepted(lrs: Client) -> None:
    target = statement(id=fresh())
    await lrs.post(target)
    for id_ in (target["id"], target["id"], fresh()):
        assert (await lrs.post(void(id_))).status == 200
    assert await sight(lrs, target["id"]) == VOIDED


@pytest.mark.parametrize("first", [True, False])
async def test_a_voiding_statement_cannot_be_voided(lrs: Client, first: bool) -> None:
    target = statement(id=fresh())
    voiding = void(target["id"], id=fresh())
    unvoiding = void(voiding["id"], id=fresh())
    for one in (target, unvoiding, voiding) if first else (target, voiding, unvoiding):
        assert (await lrs.post(one)).status == 200
    assert await sight(lrs, target["id"]) == VOIDED
    assert await sight(lrs, voiding["id"]) == IN_SIGHT


async def test_a_voided_statement_comes_back_as_it_was(lrs: Client) -> None:
    target = statement(id=fresh(), result={"response": "as it was"})
    await lrs.post(target)
    before = (await lrs.get({"statementId": target["id"]})).body
    await lrs.post(void(target["id"]))
    answer = await lrs.get({"voidedStatementId": target["id"].upper()})
    assert answer.body == before
    assert answer.through


async def test_what_refers_to_a_voided_statement_is_found_by_its_filters(alone: Client) -> None:
    target = statement("gone", id=fresh())
    pointing = statement("pointer", object=reference(target["id"]), id=fresh())
    voiding = void(target["id"], id=fresh())
    await alone.post([target, pointing])
    await alone.post(voiding)
    assert await alone.ids(agent=agent("gone"), ascending="true") == [pointing["id"], voiding["id"]]


async def test_the_object_of_voided_must_be_a_reference(lrs: Client) -> None:
    answer = await lrs.post(void(fresh()) | {"object": {"id": "https://example.org/page"}})
    assert (answer.status, answer.json["path"]) == (400, "$.object")


@pytest.mark.parametrize("first", [True, False])
async def test_who_may_void_his_own_cannot_void_anothers(system: System, alone: Client, first: bool) -> None:
    own = await system.client(alone.tenant, voids="own")
    anothers, his = statement(id=fresh()), statement(id=fresh())
    voids = [void(anothers["id"]), void(his["id"])]
    if first:
        assert (await own.post(voids)).status == 200
    await alone.post(anothers)
    await own.post(his)
    if not first:
        assert (await own.post(voids)).status == 200
    assert await sight(alone, anothers["id"]) == IN_SIGHT
    assert await sight(alone, his["id"]) == VOIDED


async def test_the_same_statement_again_does_not_bring_it_back(lrs: Client) -> None:
    target = statement(id=fresh())
    await lrs.post(target)
    await lrs.post(void(target["id"]))
    assert (await lrs.post(target)).status == 200
    assert await sight(lrs, target["id"]) == VOIDED
