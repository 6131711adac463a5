"""Large things, over the real server where memory counts: they go through, or are refused with 413."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.http.sample import ROOT, fresh, statement
from tests.http.system import Limits, System, assemble
from tests.http.wire import Connection, connection, head, served

MIB = 1 << 20
STATE = "/xapi/activities/state"
BLOCK = bytes(range(256)) * 256


@dataclass
class Memory:
    """How far this process, in which the edge runs, grows while it is watched."""

    first: int = field(default_factory=lambda: Memory.resident())
    most: int = 0

    @staticmethod
    def resident() -> int:
        """Resident bytes, now."""
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def look(self) -> None:
        """Remember the size if it is the greatest so far."""
        self.most = max(self.most, self.resident() - self.first)


@pytest_asyncio.fixture(scope="module")
async def roomy(system: System) -> System:
    """An edge with the limits that it has by default."""
    return await assemble(system.pool, Limits(max_body=16 * MIB, max_document=128 * MIB, max_bytes=64 * MIB))


@pytest_asyncio.fixture(scope="module")
async def port(roomy: System) -> AsyncIterator[int]:
    """The port of that edge."""
    async with served(roomy.edge) as running:
        yield running.port


def state_of(id_: str) -> dict[str, str]:
    return {"activityId": ROOT + "page", "agent": '{"mbox":"mailto:learner@example.org"}', "stateId": id_}


def line(method: str, id_: str) -> str:
    agent = "%7B%22mbox%22%3A%22mailto%3Alearner%40example.org%22%7D"
    return f"{method} {STATE}?activityId={ROOT}page&agent={agent}&stateId={id_}"


async def send_blocks(wire: Connection, blocks: int, memory: Memory) -> str:
    """Send so many blocks; the SHA-256 of all."""
    hashed = hashlib.sha256()
    for number in range(blocks):
        block = number.to_bytes(8, "big") + BLOCK[8:]
        hashed.update(block)
        await wire.send(block)
        memory.look()
    return hashed.hexdigest()


@pytest.mark.timeout(120)
async def test_a_document_of_100_mb_goes_in_and_out_in_little_memory(roomy: System, port: int) -> None:
    lrs = await roomy.tenant()
    blocks = 100 * MIB // len(BLOCK)
    memory = Memory()
    async with connection(port) as wire:
        length = f"Content-Length: {blocks * len(BLOCK)}"
        await wire.send(head(lrs, line("PUT", "large"), length, "Content-Type: video/mp4"))
        sent = await send_blocks(wire, blocks, memory)
        answer = await wire.answer(60)
        assert answer is not None
        assert answer.status == 204
        memory.look()
        await wire.send(head(lrs, line("GET", "large")))
        top = (await wire.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert top.startswith("http/1.1 200")
        assert f"content-length: {blocks * len(BLOCK)}" in top
        hashed, left = hashlib.sha256(), blocks * len(BLOCK)
        while left:
            part = await wire.reader.read(min(left, len(BLOCK)))
            assert part
            hashed.update(part)
            left -= len(part)
            memory.look()
    assert hashed.hexdigest() == sent
    assert memory.most < 48 * MIB, f"{memory.most / MIB:.0f} MB"
    assert roomy.admission.bytes == 0
    assert (await lrs.request("DELETE", STATE, state_of("large"))).status == 204


async def test_a_document_above_its_limit_is_413_and_leaves_nothing(system: System) -> None:
    edge = await assemble(system.pool, Limits(max_body=MIB, max_document=3 * MIB))
    lrs = await edge.tenant()
    for size, status in ((3 * MIB, 204), (3 * MIB + 1, 413)):
        for parts in ([b"x" * size], [b"x" * 70_000] * (size // 70_000) + [b"x" * (size % 70_000)]):
            answer = await lrs.request(
                "PUT", STATE, state_of(f"{size}"), parts, {"content-type": "text/plain", "if-match": None}
            )
            assert answer.status == status, answer
    found = await lrs.request("GET", STATE, {k: v for k, v in state_of("").items() if k != "stateId"})
    assert found.json == [f"{3 * MIB}"]
    left = await system.pool.fetchval("select count(*) from document_piece where tenant = $1", lrs.tenant)
    assert 12 <= left <= 13, "one document's pieces of at least 256 kB"
    assert edge.admission.bytes == 0


async def test_what_is_merged_has_the_limit_of_a_body(system: System) -> None:
    edge = await assemble(system.pool, Limits(max_body=MIB, max_document=3 * MIB))
    lrs = await edge.tenant()
    json_type = {"content-type": "application/json"}
    body = json.dumps({"a": "x" * 2 * MIB}).encode()
    assert (await lrs.request("PUT", STATE, state_of("s"), body, json_type)).status == 204
    for sent in (b'{"b": 1}', body):
        answer = await lrs.request("POST", STATE, state_of("s"), sent, json_type)
        assert (answer.status, answer.json["limit"]) == (413, MIB)
    assert (await lrs.request("GET", STATE, state_of("s"))).body == body


async def test_of_a_crowd_that_replaces_a_large_document_one_wins(system: System) -> None:
    edge = await assemble(system.pool, Limits(max_document=3 * MIB, max_bytes=64 * MIB))
    lrs = await edge.tenant()
    plain = {"content-type": "text/plain"}
    first = await lrs.request("PUT", STATE, state_of("s"), b"-" * 2 * MIB, plain)
    tag = {"if-match": first.headers["etag"]}
    bodies = [bytes([65 + n]) * 2 * MIB for n in range(8)]
    answers = await asyncio.gather(
        *(lrs.request("PUT", STATE, state_of("s"), body, plain | tag) for body in bodies)
    )
    assert sorted(answer.status for answer in answers) == [204, *[412] * 7]
    [won] = [body for body, answer in zip(bodies, answers, strict=True) if answer.status == 204]
    assert (await lrs.request("GET", STATE, state_of("s"))).body == won


async def test_a_statement_of_1_mb_is_stored_and_read_as_it_was_sent(roomy: System) -> None:
    lrs = await roomy.tenant()
    long = {"response": "आशा" * (MIB // 9), "extensions": {ROOT + "many": list(range(1000))}}
    sent = statement(id=fresh(), result=long)
    assert len(json.dumps(sent, ensure_ascii=False).encode()) > MIB
    assert (await lrs.post(sent)).status == 200
    assert (await lrs.get({"statementId": sent["id"]})).json["result"] == long
    assert (await lrs.listed(verb=sent["verb"]["id"]))[0]["result"] == long
    assert (await lrs.post(sent)).status == 200, "a repetition is recognised"


async def test_an_activity_in_5000_languages_is_defined_and_told(roomy: System) -> None:
    lrs = await roomy.tenant()
    names = {f"x-{n:08d}"[:10]: f"name {n}" for n in range(5000)}
    assert len(names) == 5000
    thing = {"id": ROOT + "polyglot", "definition": {"name": names, "description": names}}
    assert (await lrs.post(statement(object=thing))).status == 200
    found = await lrs.get({"activityId": ROOT + "polyglot"}, "/xapi/activities")
    assert found.json["definition"] == thing["definition"]
    one = await lrs.get({"format": "canonical"}, accept_language="x-00004711")
    assert list(one.json["statements"][0]["object"]["definition"]["name"]) == ["x-00004711"]


async def test_how_many_statements_a_request_may_have_can_be_set(system: System) -> None:
    narrow = await assemble(system.pool, replace(Limits(), max_statements=3))
    lrs = await narrow.tenant()
    assert (await lrs.post([statement() for _ in range(3)])).status == 200
    refused = await lrs.post([statement() for _ in range(4)])
    assert (refused.status, refused.json["path"]) == (413, "$")
    assert "3" in refused.json["rule"]
    assert await narrow.count(lrs.tenant) == 3


async def test_a_batch_of_10000_is_stored_and_a_larger_one_or_a_longer_body_is_not(roomy: System) -> None:
    lrs = await roomy.tenant()
    batch = [statement() for _ in range(10_000)]
    answer = await lrs.post(batch)
    assert answer.status == 200
    assert await roomy.count(lrs.tenant) == len(set(answer.json)) == 10_000
    refused = await lrs.post([*batch, statement()])
    assert (refused.status, refused.json["path"]) == (413, "$")
    longer = await lrs.post(statement(result={"response": "x" * 16 * MIB}))
    assert (longer.status, longer.json["limit"]) == (413, 16 * MIB)
    assert await roomy.count(lrs.tenant) == 10_000
    assert roomy.admission.bytes == 0
