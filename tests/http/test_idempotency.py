"""One id, one statement: repetitions change nothing, another content is refused, however many ask at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from lrs.log.port import Record
from tests.http.client import Answer, Client
from tests.http.sample import fresh, statement
from tests.http.system import System

AT_ONCE = 32


async def content(lrs: Client, id_: str) -> Any:
    """The object of the stored statement."""
    answer = await lrs.get({"statementId": id_})
    assert answer.status == 200, answer
    return answer.json["object"]


async def test_the_same_statement_again_is_accepted_and_stored_once(alone: Client, system: System) -> None:
    sent = statement(id=fresh(), timestamp="2026-01-01T00:00:00Z", result={"score": {"raw": 1}})
    assert (await alone.post(sent)).json == [sent["id"]]
    first = (await alone.get({"statementId": sent["id"]})).body
    same = dict(reversed(sent.items())) | {
        "timestamp": "2026-01-01T05:30:00+05:30",
        "result": {"score": {"raw": 1.0}},
        "stored": "2020-01-01T00:00:00Z",
    }
    assert (await alone.post([same])).json == [sent["id"]]
    assert (await alone.put(same)).status == 204
    assert (await alone.get({"statementId": sent["id"]})).body == first
    assert await system.count(alone.tenant) == 1


async def test_another_content_is_refused_with_the_id_and_nothing_changes(alone: Client) -> None:
    sent = statement(id=fresh())
    await alone.post(sent)
    other = [statement(id=fresh()), sent | {"result": {"success": True}}, statement(id=fresh())]
    answer = await alone.post(other)
    assert answer.status == 409
    assert (answer.json["path"], answer.json["value"], answer.json["id"], answer.json["index"]) == (
        "$[1].id",
        sent["id"],
        sent["id"],
        1,
    )
    assert answer.json["ids"] == [sent["id"]]
    assert (await alone.put(other[1])).status == 409
    assert await alone.ids() == [sent["id"]]
    assert "result" not in (await alone.get({"statementId": sent["id"]})).json
    assert (await alone.post(other[0])).status == 200, "its claim was taken back"


async def test_a_refused_put_names_the_id_in_the_statement(lrs: Client) -> None:
    id_ = fresh()
    await lrs.put(statement(), {"statementId": id_})
    answer = await lrs.put(statement(about="other"), {"statementId": id_})
    assert (answer.status, answer.json["path"], answer.json["value"]) == (409, "$.id", id_)


async def test_equal_statements_from_many_clients_at_once_are_stored_once(
    alone: Client, system: System
) -> None:
    for _ in range(5):
        sent = statement(id=fresh())
        posts = [alone.post(sent) if n % 2 else alone.put(sent) for n in range(AT_ONCE)]
        answers = await asyncio.gather(*posts)
        assert {answer.status for answer in answers} == {200, 204}
    assert len(await alone.ids()) == await system.count(alone.tenant) == 5
    dead = await system.pool.fetchval("select count(*) from dead_letter where tenant = $1", alone.tenant)
    assert dead == 0


async def test_of_different_statements_with_one_id_at_once_exactly_one_is_stored(
    alone: Client, system: System
) -> None:
    for _ in range(5):
        id_ = fresh()
        sent = [statement(id=id_, about=f"page-{n}") for n in range(AT_ONCE)]
        answers: list[Answer] = await asyncio.gather(*(alone.post(one) for one in sent))
        won = [one for one, answer in zip(sent, answers, strict=True) if answer.status == 200]
        assert len(won) == 1
        assert {answer.status for answer in answers} == {200, 409}
        assert await content(alone, id_) == won[0]["object"]
    assert await system.count(alone.tenant) == 5


async def test_overlapping_batches_at_once_are_each_stored_whole_or_not_at_all(alone: Client) -> None:
    ids = [fresh() for _ in range(12)]
    batches = [
        [statement(id=ids[(n * 5 + place) % 12], about=f"batch-{n}") for place in range(4)]
        for n in range(AT_ONCE)
    ]
    answers = await asyncio.gather(*(alone.post(batch) for batch in batches))
    assert {answer.status for answer in answers} <= {200, 409}
    found = {one["id"]: one["object"]["id"] for one in await alone.listed()}
    accepted = [batch for batch, answer in zip(batches, answers, strict=True) if answer.status == 200]
    assert accepted
    assert found == {one["id"]: one["object"]["id"] for batch in accepted for one in batch}


async def test_requests_that_share_a_frame_are_refused_alone(alone: Client, system: System) -> None:
    """While one frame is on its way others gather; a conflict in theirs must not harm the good ones."""
    taken = fresh()
    await alone.post(statement(id=taken))
    sent = [statement(id=taken if n % 8 == 3 else fresh(), about=f"page-{n}") for n in range(64)]
    before = await ends(system)
    answers = await asyncio.gather(*(alone.post(one) for one in sent))
    assert [answer.status for answer in answers] == [409 if one["id"] == taken else 200 for one in sent]
    assert len(await alone.ids()) == 1 + 56
    records = await appended(system, before)
    assert len(records) < 64, "requests did share frames"
    assert sum(record.count - len(record.skip) for record in records) == 56


async def test_one_id_twice_among_requests_that_wait_for_one_frame(alone: Client) -> None:
    ids = [fresh() for _ in range(8)]
    sent = [statement(id=id_, about=about) for about in ("same", "same", "other") for id_ in ids]
    answers = await asyncio.gather(*(alone.post(one) for one in sent))
    won = {id_: await content(alone, id_) for id_ in ids}
    for one, answer in zip(sent, answers, strict=True):
        assert answer.status == (200 if won[one["id"]] == one["object"] else 409)


async def test_an_idempotency_key_makes_a_repetition_a_repetition(alone: Client, system: System) -> None:
    key = "order 4711"
    batch = [statement(about="one"), statement(about="two", id=fresh()), statement(about="three")]
    first = await alone.post(batch, idempotency_key=key)
    assert first.status == 200
    assert first.json[1] == batch[1]["id"]
    assert {uuid.UUID(id_).version for id_ in (first.json[0], first.json[2])} == {5}
    assert (await alone.post(batch, idempotency_key=key)).json == first.json
    assert await system.count(alone.tenant) == len(await alone.ids()) == 3
    assert (await alone.post(batch, idempotency_key=key + "2")).json[0] != first.json[0]


async def test_an_idempotency_key_with_another_content_is_refused(alone: Client) -> None:
    await alone.post(statement(), idempotency_key="k")
    answer = await alone.post(statement(about="other"), idempotency_key="k")
    assert answer.status == 409


async def test_an_idempotency_key_belongs_to_its_credential(alone: Client, system: System) -> None:
    other = await system.client(alone.tenant)
    posted = [await client.post(statement(), idempotency_key="k") for client in (alone, other)]
    assert len({answer.json[0] for answer in posted}) == 2


async def test_an_idempotency_key_is_short_and_printable(lrs: Client) -> None:
    for key in ("", "a" * 256, "a\x01b"):
        answer = await lrs.post(statement(), idempotency_key=key)
        assert (answer.status, answer.json["path"]) == (400, "Idempotency-Key")
    assert (await lrs.post(statement(), idempotency_key="a" * 255)).status == 200


async def test_without_id_or_key_each_request_is_a_new_event(alone: Client) -> None:
    for _ in range(3):
        await alone.post(statement())
    assert len(await alone.ids()) == 3


async def ends(system: System) -> dict[int, int]:
    """The offset that comes next in each partition."""
    return {partition: ends.end for partition, ends in (await system.log.ends()).items()}


async def appended(system: System, before: dict[int, int]) -> list[Record]:
    """The records since then that are no ticks."""
    return [record for record in await system.log.read(before, 1000, 1 << 24) if record.count]
