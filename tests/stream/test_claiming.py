"""Ids that the log could not claim are settled by persist, in the order of its commits."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
import pytest

from lrs.log import frame as frames
from lrs.log.claiming import Claiming
from lrs.log.port import LogUnavailable
from lrs.store.evidence import EvidenceWriter
from lrs.store.statement import StatementStore
from lrs.stream.persist import Persist
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from tests.log.contract import claims
from tests.store.path import Path, said


@pytest.fixture
async def refused() -> list[int]:
    """What persist tells of statements that were acknowledged and are refused."""
    return []


@pytest.fixture
async def path(pool: asyncpg.Pool, refused: list[int]) -> Path:
    """An empty path whose persist claims."""
    path = await Path.open(pool)
    path.persist = Persist(
        pool,
        path.names,
        StatementStore(path.names, path.dictionaries),
        EvidenceWriter(path.evidence, path.names, path.dictionaries),
        max_records=100,
        max_statements=10_000,
        claims=True,
        refused=refused.append,
    )
    return path


async def log(path: Path, statements: Sequence[dict[str, Any]], partition: int = 0) -> None:
    """Append a frame as a log does that knows no claims."""
    read = read_statements(msgspec.json.encode(statements), Version.V1_0_3)
    request = frames.Request(
        await path.authority(0), Version.V1_0_3, 0, read, [one.id or b"" for one in read]
    )
    value = frames.encode(1, [request], path.dictionaries.newest, path.dictionaries.compressor())
    await path.statements.append(partition, value, len(read))


async def letters(path: Path) -> list[tuple[str, str]]:
    """Reason and id of every dead letter."""
    rows = await path.pool.fetch("select reason, id from dead_letter order by dead_letter")
    return [(row["reason"], str(row["id"])) for row in rows]


async def test_an_id_is_stored_once_however_often_its_statement_was_logged(
    path: Path, refused: list[int]
) -> None:
    one, two = said(1), said(2)
    await log(path, [one])
    await log(path, [two])
    await log(path, [one])
    await path.do(path.persist, 0)  # the repetition within one batch
    await log(path, [two, one], partition=1)
    await path.settle()
    assert await path.count("statement") == 2
    assert await path.in_sight() == {one["id"], two["id"]}
    assert await letters(path) == []
    assert refused == []
    await path.proven()


async def test_the_loser_of_an_id_goes_to_the_dead_letters_and_the_rest_of_its_request_is_stored(
    path: Path, refused: list[int]
) -> None:
    first, other = said(1), said(3)
    loser = said(2) | {"id": first["id"]}
    await log(path, [first])
    await path.settle()
    await log(path, [other, loser], partition=1)
    await path.settle()
    assert await path.in_sight() == {first["id"], other["id"]}
    assert await letters(path) == [("conflict", first["id"])]
    assert refused == [1]
    raw = await path.pool.fetchval("select raw from dead_letter")
    assert msgspec.json.decode(raw)["actor"] == loser["actor"]
    await path.proven()


async def test_a_claim_holds_the_position_of_its_statement(path: Path) -> None:
    await log(path, [said(1), said(2)])
    await path.settle()
    rows = await path.pool.fetch(
        "select s.id = k.id as same from known_id k join statement s on s.tenant = k.tenant and s.pos = k.pos"
    )
    assert [row["same"] for row in rows] == [True, True]


async def test_two_partitions_that_claim_the_same_ids_at_once_never_deadlock(path: Path) -> None:
    statements = [said(number) for number in range(200)]
    await log(path, statements)
    await log(path, statements[::-1], partition=1)
    await asyncio.gather(path.do(path.persist, 0), path.do(path.persist, 1))
    await path.settle()
    assert await path.count("statement") == 200
    assert await letters(path) == []
    await path.proven()


async def test_poison_leaves_its_id_free(path: Path) -> None:
    bad, good = said(1), said(2)
    await path.pool.execute(f"alter table statement add constraint refused check (id <> '{bad['id']}')")
    await log(path, [bad, good])
    await path.settle()
    known = await path.pool.fetch("select id from known_id")
    assert [str(row["id"]) for row in known] == [good["id"]]
    assert await letters(path) == [("poison", bad["id"])]


async def test_a_record_whose_count_is_not_its_frames_is_damaged(path: Path) -> None:
    """Its instants would be another record's."""
    read = read_statements(msgspec.json.encode([said(1), said(2)]), Version.V1_0_3)
    request = frames.Request(await path.authority(0), Version.V1_0_3, 0, read, [uuid.uuid4().bytes] * 2)
    value = frames.encode(1, [request], path.dictionaries.newest, path.dictionaries.compressor())
    await path.statements.append(0, value, 1)
    await path.settle()
    assert await path.count("statement") == 0
    assert await path.pool.fetchval("select detail from dead_letter") == (
        "a frame of 2 statements in a record of 1"
    )


async def test_claims_are_judged_for_a_time_by_oneself_when_the_store_is_away(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        judging, strict = Claiming(pool), Claiming(pool, grace=0.0)
        async with judging.judged(claims([(1, 1)])) as verdict:
            assert verdict.skip == []
    # The pool is closed: nobody answers any more.
    async with judging.judged(claims([(1, 1)], [(2, 2)])) as verdict:
        assert (verdict.repeated, verdict.skip) == ([0], [0])
    with pytest.raises(LogUnavailable, match="which ids it knows"):
        async with strict.judged(claims([(1, 1)])):
            pass
    async with judging.judged(claims([(2, 9)])) as verdict:
        assert verdict.conflicts == {0: [0]}
    await asyncio.gather(judging.close(), strict.close())


async def test_an_append_that_failed_leaves_its_ids_to_the_next(pool: asyncpg.Pool) -> None:
    judging = Claiming(pool)
    with pytest.raises(ValueError, match="lost"):
        async with judging.judged(claims([(1, 1)])):
            raise ValueError("lost")
    async with judging.judged(claims([(1, 2)])) as verdict:
        assert verdict.skip == []
