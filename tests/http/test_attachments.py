"""Attachments over HTTP: their data in and out, never whole in memory, and durable before the statement."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lrs.attachment.port import GRACE
from lrs.attachment.postgres import PostgresAttachments
from lrs.http.body import Admission, Bodies
from lrs.http.call import Call
from lrs.http.framing import Framer, Outcome
from lrs.http.spool import PIECE, Spool
from lrs.log.frame import Request
from lrs.log.port import LogUnavailable
from tests.http.client import STATEMENTS, Client
from tests.http.mixed import BOUNDARY, CONTENT_TYPE, attachment, first, part, post, read, sha256, written
from tests.http.sample import fresh, statement
from tests.http.system import Limits, System, assemble
from tests.xapi.test_signature import SIGNED, chain, sign, x5c

TEXT = b"a text\r\n--" + BOUNDARY.encode() + b"x\r\n"
IMAGE = random.Random(1).randbytes(PIECE + 12_345)


def with_data(*data: bytes, **members: Any) -> dict[str, Any]:
    """A statement with an id, with attachments of these data."""
    return statement(id=fresh(), attachments=[attachment(each) for each in data], **members)


async def kept(system: System, client: Client) -> int:
    """How many attachments the client's tenant has."""
    return int(await system.pool.fetchval("select count(*) from attachment where tenant = $1", client.tenant))


# -- out ------------------------------------------------------------------------------------------


async def test_the_statement_comes_first_and_its_data_after_it_with_their_headers(alone: Client) -> None:
    sent = statement(
        id=fresh(),
        attachments=[
            attachment(TEXT, contentType='text/plain; charset="utf-8"'),
            attachment(IMAGE, contentType="image/png"),
        ],
    )
    assert (await post(alone, first(sent), part(IMAGE), part(TEXT))).status == 200
    answer = await alone.get({"statementId": sent["id"], "attachments": "true"})
    [json, text, image] = read(answer)
    assert json.body == (await alone.get({"statementId": sent["id"]})).body
    assert text.body == TEXT
    assert text.headers == {
        "content-type": 'text/plain; charset="utf-8"',
        "content-transfer-encoding": "binary",
        "x-experience-api-hash": sha256(TEXT),
    }
    assert image.body == IMAGE
    assert image.headers["content-type"] == "image/png"
    assert "last-modified" in answer.headers


@pytest.mark.parametrize("query", [{}, {"attachments": "false"}])
async def test_without_attachments_the_answer_is_json(alone: Client, query: dict[str, str]) -> None:
    sent = with_data(TEXT)
    assert (await post(alone, first(sent), part(TEXT))).status == 200
    for answer in (await alone.get({"statementId": sent["id"], **query}), await alone.get(query)):
        assert answer.headers["content-type"] == "application/json"
        assert b"attachments" in answer.body
        assert TEXT not in answer.body


@pytest.mark.parametrize("format", ["exact", "ids", "canonical"])
async def test_data_come_with_every_format(alone: Client, format: str) -> None:
    assert (await post(alone, first(with_data(TEXT)), part(TEXT))).status == 200
    [_, text] = read(await alone.get({"attachments": "true", "format": format}))
    assert text.body == TEXT


async def test_data_of_several_statements_of_a_page_come_once(alone: Client) -> None:
    batch = [with_data(TEXT, IMAGE), with_data(TEXT), statement(), with_data(IMAGE, TEXT)]
    assert (await post(alone, first(batch), part(TEXT), part(IMAGE))).status == 200
    [json, *parts] = read(await alone.get({"attachments": "true", "ascending": "true"}))
    assert json.body.count(b'"actor"') == 4
    assert [each.body for each in parts] == [TEXT, IMAGE]


async def test_each_page_has_the_data_of_its_statements(alone: Client) -> None:
    data = [b"data %d" % number for number in range(5)]
    for each in data:
        assert (await post(alone, first(with_data(each)), part(each))).status == 200
    seen: list[bytes] = []
    answer = await alone.get({"attachments": "true", "limit": "2", "ascending": "true"})
    while True:
        json, *parts = read(answer)
        seen += [each.body for each in parts]
        assert len(parts) <= 2
        link = replace(answer, body=json.body).json["more"]
        if not link:
            break
        answer = await alone.more(link)
    assert seen == data


async def test_head_says_how_long_the_answer_is(alone: Client) -> None:
    sent = with_data(IMAGE)
    assert (await post(alone, first(sent), part(IMAGE))).status == 200
    query = {"statementId": sent["id"], "attachments": "true"}
    answer = await alone.request("HEAD", STATEMENTS, query)
    assert answer.body == b""
    assert int(answer.headers["content-length"]) == len((await alone.get(query)).body) > len(IMAGE)
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=")


async def test_a_statement_that_only_names_data_does_not_give_them(alone: Client) -> None:
    assert (await post(alone, first(with_data(TEXT)), part(TEXT))).status == 200
    named = statement(id=fresh(), attachments=[attachment(TEXT, fileUrl="https://example.org/x")])
    assert (await alone.post(named)).status == 200
    assert len(read(await alone.get({"statementId": named["id"], "attachments": "true"}))) == 1


async def test_another_tenant_has_other_data(system: System, alone: Client) -> None:
    other, sent = await system.tenant(), with_data(TEXT)
    assert (await post(alone, first(sent), part(TEXT))).status == 200
    link = statement(id=sent["id"], attachments=[attachment(TEXT, fileUrl="https://example.org/x")])
    assert (await other.post(link)).status == 200
    assert len(read(await other.get({"statementId": sent["id"], "attachments": "true"}))) == 1
    assert await kept(system, other) == 0


async def test_a_content_type_that_no_header_can_have_is_told_as_bytes(alone: Client) -> None:
    sent = statement(id=fresh(), attachments=[attachment(TEXT, contentType="text/plain; title=संसाधन")])
    assert (await post(alone, first(sent), part(TEXT))).status == 200
    [_, text] = read(await alone.get({"statementId": sent["id"], "attachments": "true"}))
    assert text.headers["content-type"] == "application/octet-stream"


# -- in -------------------------------------------------------------------------------------------


async def test_a_put_brings_data_as_a_post_does(alone: Client) -> None:
    sent = with_data(TEXT)
    body, query = written([first(sent), part(TEXT)]), {"statementId": sent["id"]}
    answer = await alone.request("PUT", STATEMENTS, query, body, {"content-type": CONTENT_TYPE})
    assert answer.status == 204
    assert read(await alone.get({**query, "attachments": "true"}))[1].body == TEXT


async def test_an_assigned_id_is_the_one_that_uses_the_data(alone: Client) -> None:
    answer = await post(alone, first(statement(attachments=[attachment(TEXT)])), part(TEXT))
    [id_] = answer.json
    assert read(await alone.get({"statementId": id_, "attachments": "true"}))[1].body == TEXT


async def test_a_repetition_is_a_repetition(system: System, alone: Client) -> None:
    sent = with_data(TEXT)
    for _ in range(3):
        assert (await post(alone, first(sent), part(TEXT))).status == 200
    assert await system.count(alone.tenant) == await kept(system, alone) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_may_be_packed(alone: Client, coding: str) -> None:
    sent, large = with_data(bytes(3_000_000)), bytes(3_000_000)
    body = written([first(sent), part(large)])
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    pieces = (packed[at : at + 1000] for at in range(0, len(packed), 1000))
    headers = {"content-type": CONTENT_TYPE, "content-encoding": coding}
    assert (await alone.request("POST", STATEMENTS, None, pieces, headers)).status == 200
    assert read(await alone.get({"statementId": sent["id"], "attachments": "true"}))[1].body == large


async def test_eight_who_bring_the_same_data_at_once_all_are_heard(system: System, alone: Client) -> None:
    batch = [with_data(IMAGE) for _ in range(8)]
    answers = await asyncio.gather(*(post(alone, first(sent), part(IMAGE)) for sent in batch))
    assert [answer.status for answer in answers] == [200] * 8
    assert await kept(system, alone) == 1
    for sent in batch:
        assert read(await alone.get({"statementId": sent["id"], "attachments": "true"}))[1].body == IMAGE


async def test_eight_who_bring_several_data_in_turn_all_are_heard(system: System, alone: Client) -> None:
    data = [b"%d" % number * 400_000 for number in range(4)]

    async def bring(number: int) -> int:
        turned = data[number % 4 :] + data[: number % 4]
        answer = await post(alone, first(with_data(*turned)), *(part(each) for each in reversed(turned)))
        return answer.status

    assert await asyncio.gather(*(bring(number) for number in range(8))) == [200] * 8
    assert await kept(system, alone) == 4


SMALL = Limits(max_body=2000, max_attachment=1000, max_attachments=1500)


@pytest.mark.parametrize(
    ("data", "says", "limit"),
    [
        ([bytes(1001)], "part 2 may have 1000 bytes", 1000),
        ([bytes(800), b"x" * 701], "the attachments together may have 1500 bytes", 1500),
    ],
)
async def test_data_above_a_limit_are_refused(
    system: System, alone: Client, data: list[bytes], says: str, limit: int
) -> None:
    client = replace(alone, application=(await assemble(system.pool, SMALL)).edge)
    answer = await post(client, first(with_data(*data)), *(part(each) for each in data))
    assert (answer.status, answer.json["reason"], answer.json["limit"]) == (413, "too_large", limit)
    assert says in answer.json["error"]
    assert await kept(system, alone) == 0
    fitting = [each[:-1] for each in data]
    assert (await post(client, first(with_data(*fitting)), *(part(each) for each in fitting))).status == 200


async def test_statements_above_their_limit_are_refused(system: System, alone: Client) -> None:
    client = replace(alone, application=(await assemble(system.pool, SMALL)).edge)
    answer = await post(client, first(with_data(TEXT, result={"response": "x" * 2000})), part(TEXT))
    assert (answer.status, answer.json["limit"]) == (413, 2000)


async def test_a_body_that_is_announced_too_long_is_not_read(system: System, alone: Client) -> None:
    client = replace(alone, application=(await assemble(system.pool, SMALL)).edge)
    headers = {"content-type": CONTENT_TYPE, "content-length": str(3 << 20), "expect": "100-continue"}
    assert (await client.request("POST", STATEMENTS, None, b"x", headers)).status == 413


async def test_a_packed_body_is_limited_as_it_is_unpacked(system: System, alone: Client) -> None:
    limits = replace(SMALL, max_attachment=2 << 20, max_attachments=2 << 20)
    client = replace(alone, application=(await assemble(system.pool, limits)).edge)
    body = gzip.compress(written([first(with_data(TEXT)), part(TEXT)]) + bytes(40 << 20))
    headers = {"content-type": CONTENT_TYPE, "content-encoding": "gzip"}
    assert (await client.request("POST", STATEMENTS, None, body, headers)).status == 413


async def test_what_unpacks_to_much_comes_in_pieces_that_are_small() -> None:
    packed, size = gzip.compress(bytes(40 << 20)), 0
    call = Call({"method": "POST", "path": "/", "headers": [(b"content-encoding", b"gzip")]})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": packed}

    async for piece in Bodies(Admission(1, 1), 1).stream(call, receive, 40 << 20):
        assert 0 < len(piece) <= 1 << 20
        size += len(piece)
    assert size == 40 << 20


# -- signatures -----------------------------------------------------------------------------------


def signed(signature: bytes) -> dict[str, Any]:
    """The signed statement with its signature attached, and an id of its own."""
    described = attachment(
        signature,
        usageType="http://adlnet.gov/expapi/attachments/signature",
        contentType="application/octet-stream",
    )
    return {**SIGNED, "id": fresh(), "attachments": [attachment(TEXT), described]}


UNSIGNED = {name: value for name, value in SIGNED.items() if name != "id"}


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_a_signed_statement_is_accepted_and_its_signature_given_back(
    alone: Client, version: str
) -> None:
    lrs, signature = replace(alone, version=version), sign(UNSIGNED, x5c(*chain()))
    sent = signed(signature)
    answer = await post(lrs, first([statement(), sent]), part(TEXT), part(signature))
    assert answer.status == 200, answer
    parts = read(await lrs.get({"statementId": sent["id"], "attachments": "true"}))
    assert [each.body for each in parts[1:]] == [TEXT, signature]


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: b"no signature", "must be a JWS in compact form"),
        (lambda: sign(UNSIGNED, {"alg": "HS256"}), "must be signed with RS256, RS384 or RS512"),
        (
            lambda: sign({**UNSIGNED, "result": {"success": True}}),
            "must have the statement that it is attached",
        ),
        (lambda: sign({**UNSIGNED, "id": fresh()}), "must have the id of the statement"),
        (lambda: sign(UNSIGNED, x5c(chain()[1])), "must be verified by the first certificate's key"),
        (lambda: sign({**UNSIGNED, "result": {"response": "x" * 100_000}}), "must have the statement"),
    ],
    ids=range(6),
)
async def test_a_signature_that_does_not_hold_refuses_the_request(
    system: System, alone: Client, make: Callable[[], bytes], rule: str
) -> None:
    signature = make()
    answer = await post(alone, first([statement(), signed(signature)]), part(signature), part(TEXT))
    assert (answer.status, answer.json["reason"]) == (400, "invalid")
    assert answer.json["path"] == "$[1].attachments[1]"
    assert answer.json["index"] == 1
    assert answer.json["rule"].startswith(rule)
    assert await system.count(alone.tenant) == await kept(system, alone) == 0


# -- durability -----------------------------------------------------------------------------------


async def test_data_are_durable_before_the_statement_is_in_the_log(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, there = Framer.submit, []

    async def spied(framer: Framer, tenant: int, request: Request, size: int) -> Outcome:
        pieces = "select count(*) from attachment_piece where tenant = $1"
        there.append(await system.pool.fetchval(pieces, tenant))
        return await submit(framer, tenant, request, size)

    monkeypatch.setattr(Framer, "submit", spied)
    assert (await post(alone, first(with_data(TEXT, IMAGE)), part(IMAGE), part(TEXT))).status == 200
    assert there == [3]


async def test_a_statement_whose_data_cannot_be_stored_is_not_accepted(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionResetError("the store is away")

    with monkeypatch.context() as context:
        context.setattr(PostgresAttachments, "put", away)
        answer = await post(alone, first(with_data(TEXT)), part(TEXT))
    assert (answer.status, answer.json["reason"]) == (503, "store_unavailable")
    assert await system.count(alone.tenant) == await kept(system, alone) == 0


async def test_data_of_a_statement_that_never_came_into_the_log_are_swept_away(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise LogUnavailable("the log is away")

    sent = with_data(IMAGE)
    with monkeypatch.context() as context:
        context.setattr(Framer, "submit", away)
        assert (await post(alone, first(sent), part(IMAGE))).status == 503
    assert (await post(alone, first(with_data(TEXT)), part(TEXT))).status == 200
    assert await kept(system, alone) == 2
    attachments = PostgresAttachments(system.pool)
    await attachments.sweep()
    assert await kept(system, alone) == 2, "both are young"
    older = "update attachment set due_us = due_us - $2 where tenant = $1"
    await system.pool.execute(older, alone.tenant, int(GRACE * 1_000_000) + 1)
    while await attachments.sweep():
        pass
    assert await kept(system, alone) == 1
    [_, text] = read(await alone.get({"attachments": "true"}))
    assert text.body == TEXT
    assert (await post(alone, first(sent), part(IMAGE))).status == 200
    assert read(await alone.get({"statementId": sent["id"], "attachments": "true"}))[1].body == IMAGE


async def test_data_that_are_deleted_while_they_are_sent_cut_the_answer_short(
    system: System, alone: Client
) -> None:
    sent = with_data(IMAGE)
    assert (await post(alone, first(sent), part(IMAGE))).status == 200
    await system.count(alone.tenant)
    await system.pool.execute("delete from attachment_piece where tenant = $1 and place = 2", alone.tenant)
    answer = await alone.get({"statementId": sent["id"], "attachments": "true"})
    assert len(answer.body) < int(answer.headers["content-length"])
    assert IMAGE[:PIECE] in answer.body


# -- memory, room, time ---------------------------------------------------------------------------


async def test_nothing_is_held_when_a_request_is_done(system: System, alone: Client) -> None:
    for data in (IMAGE, b"other"):
        await post(alone, first(with_data(IMAGE)), part(data))
    assert (system.admission.requests, system.admission.bytes) == (0, 0)


async def test_what_is_spooled_is_held_while_it_is_in_memory_only() -> None:
    admission, data = Admission(1, 1 << 30), random.Random(2).randbytes(3 * PIECE + 1000)
    call = Call({"method": "POST", "path": "/", "headers": []})
    spool = Spool(call, admission)
    held = []
    for at in range(0, len(data), 5000):
        await spool.write(data[at : at + 5000])
        held.append(admission.bytes)
    assert max(held) <= PIECE < len(data) == spool.size
    for start, end in (
        (0, len(data)),
        (0, 0),
        (1, PIECE),
        (PIECE - 1, 2 * PIECE + 7),
        (len(data) - 3, len(data)),
    ):
        pieces = [piece async for piece in spool.read(start, end)]
        assert b"".join(pieces) == data[start:end]
        assert all(0 < len(piece) <= PIECE for piece in pieces)
    spool.close()


async def test_without_room_for_a_large_attachment_it_is_refused_for_a_while(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "pwrite", full)
        answer = await post(alone, first(with_data(IMAGE)), part(IMAGE))
    assert (answer.status, answer.json["reason"]) == (503, "disk_full")
    assert int(answer.headers["retry-after"]) > 0
    assert await system.count(alone.tenant) == await kept(system, alone) == 0
