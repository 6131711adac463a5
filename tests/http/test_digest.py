"""The digest over HTTP: it never changes, adds up, and leads to what is missing."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from lrs.reconciliation import Digest, compare
from lrs.xapi.timestamp import format_timestamp, parse_timestamp
from tests.http.client import Client
from tests.http.sample import fresh, statement
from tests.http.system import System

DIGEST = "/api/v1/digest"
IDS = "/api/v1/digest/ids"
EVER, NEVER = "2020-01-01T00:00:00Z", "2050-01-01T00:00:00Z"


async def asked(lrs: Client, since: str = EVER, until: str = NEVER, **more: str) -> Any:
    answer = await lrs.get({"since": since, "until": until, **more}, DIGEST)
    assert answer.status == 200, answer
    assert answer.json["until"] <= answer.through
    return answer.json


def of(ids: list[str]) -> dict[str, Any]:
    """Count and sum of ids, as an answer has them."""
    found = Digest.of(uuid.UUID(id_).bytes for id_ in ids)
    return {"count": found.count, "sum": f"{found.sum:032x}"}


def parts(answer: Any) -> dict[str, Any]:
    return {name: answer[name] for name in ("count", "sum")}


async def test_what_was_acknowledged_is_counted(alone: Client) -> None:
    assert parts(await asked(alone)) == of([])
    ids = (await alone.post([statement() for _ in range(20)])).json
    assert parts(await asked(alone)) == of(ids)
    await alone.put(statement(id=ids[0]))
    await alone.post(statement(id=ids[0], about="another"))
    assert parts(await asked(alone)) == of(ids), "neither a repetition nor a conflict counts"


async def test_an_answer_never_changes_while_others_write(alone: Client) -> None:
    sent: list[str] = []
    done = asyncio.Event()

    async def write() -> None:
        while not done.is_set():
            sent.extend((await alone.post([statement() for _ in range(5)])).json)

    writers = [asyncio.create_task(write()) for _ in range(4)]
    answers = []
    for _ in range(15):
        answers.append(await asked(alone))
        await asyncio.sleep(0.02)
    done.set()
    await asyncio.gather(*writers)
    for answer in answers:
        again = await asked(alone, answer["since"], answer["until"])
        assert again == answer
    edges = [EVER, *(answer["until"] for answer in answers), NEVER]
    pieces = [await asked(alone, *edge) for edge in itertools.pairwise(edges)]
    total = Digest()
    for piece in pieces:
        total += Digest(piece["count"], int(piece["sum"], 16))
    whole = {"count": total.count, "sum": f"{total.sum:032x}"}
    assert whole == of(sent) == parts(await asked(alone))


async def test_a_credential_has_a_digest_of_its_own(alone: Client, system: System) -> None:
    other = await system.client(alone.tenant)
    mine = (await alone.post([statement() for _ in range(3)])).json
    theirs = (await other.post([statement() for _ in range(4)])).json
    assert parts(await asked(alone, credential=alone.key)) == of(mine)
    assert parts(await asked(alone, credential=other.key)) == of(theirs)
    assert parts(await asked(other)) == of(mine + theirs)


async def test_another_tenants_credential_is_none(alone: Client, lrs: Client) -> None:
    answer = await alone.get({"since": EVER, "until": NEVER, "credential": lrs.key}, DIGEST)
    assert answer.status == 404


@dataclass
class Api:
    """What the LRS stored, over HTTP; an implementation of `lrs.reconciliation.Store`."""

    lrs: Client
    digests: int = 0
    listed: int = 0

    async def digest(self, since: int, until: int) -> Digest:
        self.digests += 1
        answer = await asked(self.lrs, format_timestamp(since), format_timestamp(until))
        return Digest(answer["count"], int(answer["sum"], 16))

    async def ids(self, since: int, until: int) -> set[uuid.UUID]:
        query = {"since": format_timestamp(since), "until": format_timestamp(until), "limit": "400"}
        found: set[uuid.UUID] = set()
        while True:
            answer = await self.lrs.get(query, IDS)
            assert answer.status == 200, answer
            found |= {uuid.UUID(one["id"]) for one in answer.json["ids"]}
            if answer.json["after"] is None:
                self.listed += len(found)
                return found
            query["after"] = answer.json["after"]


async def test_three_missing_ones_among_20_000_are_found(alone: Client) -> None:
    dice = random.Random(7)
    total, size = 20_000, 500
    lost = dict.fromkeys(dice.sample(range(total), 3))
    sent: list[tuple[int, uuid.UUID]] = []
    for start in range(0, total, size):
        batch = [statement(id=fresh()) for _ in range(size)]
        arriving = [one for place, one in enumerate(batch, start) if place not in lost]
        answer = await alone.post(arriving)
        assert answer.status == 200
        at = time.time_ns() // 1000
        sent += [(at, uuid.UUID(one["id"])) for one in batch]
        for place, one in enumerate(batch, start):
            if place in lost:
                lost[place] = one["id"]
    through = await asked(alone)
    assert through["count"] == total - 3
    until = parse_timestamp(through["until"])
    assert until is not None
    api = Api(alone)
    found = await compare(sent, api, 0, until)
    assert {str(id_) for id_ in found.missing} == set(lost.values())
    assert not found.surplus
    assert api.digests < 40
    assert api.listed < 5_000


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"until": NEVER}, "since"),
        ({"since": EVER}, "until"),
        ({"since": "yesterday", "until": NEVER}, "since"),
        ({"since": EVER, "until": NEVER, "limit": "-1"}, "limit"),
        ({"since": EVER, "until": NEVER, "after": "x"}, "after"),
        ({"since": EVER, "until": NEVER, "agent": "{}"}, "agent"),
    ],
)
async def test_a_wrong_parameter_is_named(lrs: Client, query: dict[str, str], path: str) -> None:
    answer = await lrs.get(query, IDS)
    assert (answer.status, answer.json["path"]) == (400, path)


async def test_a_range_that_ends_before_it_begins_is_empty(alone: Client) -> None:
    await alone.post(statement())
    assert parts(await asked(alone, NEVER, EVER)) == of([])
