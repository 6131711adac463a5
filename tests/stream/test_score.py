"""Score as a plain function on a real PostgreSQL: counted once, at every moment what statements say."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

import asyncpg
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrs.log.port import Fenced
from lrs.scoring.event import EVENT, EventFormatError, encode_events, no_pairs
from lrs.scoring.fact import FactFlag, read_facts
from lrs.store.catalogue import ensure_catalogue
from lrs.store.evidence import unpack
from tests.store.path import OTHER_CATALOGUE, PARTITIONS, Path, learner, said, void


@pytest.fixture
async def path(pool: asyncpg.Pool) -> Path:
    """An empty path."""
    return await Path.open(pool)


async def number_of(path: Path, number: int) -> int:
    """The store's number of a learner."""
    [found] = await path.names.numbers("agent", 1, [f"mbox:{learner(number)['mbox']}"])
    return found


async def dead_letters(path: Path) -> list[tuple[int, int, str]]:
    """Offset, place and id of what score gave up, in order."""
    rows = await path.pool.fetch("select * from dead_letter where stage = 'score' order by dead_letter")
    return [(row["offset"], row["place"], str(row["id"])) for row in rows]


async def test_an_event_counts_once_under_redelivery(path: Path) -> None:
    await path.accept([said(1), said(2, "completed", "m:text")])
    await path.do(path.persist)
    for partition in range(PARTITIONS):
        for record in await path.unread(path.score, partition):
            await path.score.process(partition, path.epochs["score", partition], [record])
            with pytest.raises(Fenced):
                await path.score.process(partition, path.epochs["score", partition], [record])
    assert await path.facts() == 2
    await path.proven()


async def test_the_output_of_a_lost_partition_is_refused_whole(path: Path, pool: asyncpg.Pool) -> None:
    await path.accept(said(1))
    await path.do(path.persist)
    await Path.open(pool)
    with pytest.raises(Fenced):
        await path.do(path.score)
    for table in ("evidence", "course_progress", "competency"):
        assert await path.count(table) == 0


async def test_a_learner_whose_events_fail_holds_no_other(path: Path) -> None:
    bad = await number_of(path, 3)
    await path.pool.execute(f"alter table competency add constraint refused check (agent <> {bad})")
    statements = [said(number) for number in range(8)]
    await path.accept(statements[:2])
    await path.accept(statements[2:])
    await path.settle()
    [(_, _, id_)] = await dead_letters(path)
    assert id_ == statements[3]["id"]
    assert await path.facts() == 7
    await path.send(said(4))
    await path.proven()


async def test_a_dead_letter_tells_where_its_event_stood(path: Path) -> None:
    bad = await number_of(path, 1)
    await path.pool.execute(f"alter table competency add constraint refused check (agent <> {bad})")
    await path.accept([said(2), said(1)])
    await path.accept(said(1))
    await path.settle()
    letters = await dead_letters(path)
    assert len(letters) == 2
    for offset, place, id_ in letters:
        [record] = await path.evidence.read({bad % PARTITIONS: offset}, 1, 1 << 20)
        event = unpack(record.value)[0][place]
        assert uuid.UUID(int=int(event["id_hi"]) << 64 | int(event["id_lo"])) == uuid.UUID(id_)


async def test_a_sum_that_leaves_64_bits_is_poison(path: Path) -> None:
    await path.send([said(1), said(2)])
    agent = await number_of(path, 1)
    await path.pool.execute("update competency set a = $2 where agent = $1", agent, (1 << 63) - 1)
    good = said(2, timestamp="2026-06-01T10:00:00Z")
    bad = said(1, timestamp="2026-06-01T10:00:00Z")
    await path.send([bad, good])
    assert [id_ for _, _, id_ in await dead_letters(path)] == [bad["id"]]
    assert await path.facts() == 3


async def test_damaged_evidence_stops_the_worker(path: Path) -> None:
    await path.send(said(1))
    await path.pool.execute("update evidence set facts = 'damaged'")
    await path.accept(said(1))
    await path.do(path.persist)
    with pytest.raises(Exception, match="not a multiple"):
        await path.do(path.score)
    assert await dead_letters(path) == []


async def test_events_of_an_unknown_format_stop_the_worker(path: Path) -> None:
    foreign = bytearray(encode_events(np.zeros(0, EVENT), no_pairs()))
    foreign[0] = 9
    await path.evidence.append(1, zstandard.compress(bytes(foreign)), 1)
    with pytest.raises(EventFormatError, match="9"):
        await path.do(path.score)
    assert await path.unread(path.score, 1)


async def test_a_tenant_without_a_catalogue_is_counted_and_passed(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    await path.send(said(1), tenant=2)
    assert sum(found["no_catalogue"] for found in path.counts) == 1
    assert await path.count("evidence") == 0
    await path.proven()


async def test_tenants_are_scored_apart(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    await ensure_catalogue(path.pool, 2, OTHER_CATALOGUE)
    statement = said(1)
    await path.accept(statement, tenant=1)
    await path.accept(statement, tenant=2)
    await path.settle()
    assert await path.facts(1) == await path.facts(2) == 1
    levels = await path.pool.fetch("select tenant, level from competency where level > 1 order by tenant")
    assert [(row["tenant"], row["level"]) for row in levels] == [(1, 2), (2, 3)]
    await path.send(void(statement), tenant=1)
    assert (await path.facts(1), await path.facts(2)) == (0, 1)
    await path.proven()


async def test_the_catalogue_is_the_one_in_force_when_the_batch_is_committed(path: Path) -> None:
    await path.send(said(1))
    async with path.pool.acquire() as connection, connection.transaction():
        await connection.fetch("select from stage_partition where stage = 'score' for update")
        await path.accept([said(2), said(3)])
        await path.do(path.persist)
        scoring = asyncio.create_task(path.do(path.score))
        await asyncio.sleep(0.2)
        assert not scoring.done()
        await connection.execute("update catalogue set in_force = false")
        await connection.execute(
            "insert into catalogue (tenant, catalogue, digest, content, in_force) select 1, 2, '', $1, true",
            OTHER_CATALOGUE,
        )
    await scoring
    rows = await path.pool.fetch("select catalogue, count(*) as facts from evidence group by 1 order by 1")
    assert [(row["catalogue"], row["facts"]) for row in rows] == [(1, 1), (2, 2)]


async def test_a_browsing_session_counts_for_nothing(path: Path) -> None:
    browsing = {"extensions": {"https://w3id.org/xapi/cmi5/context/extensions/launchmode": "Browse"}}
    await path.send([said(1, "completed", "m:text", context=browsing), said(2, "completed", "m:text")])
    rows = await path.pool.fetch("select agent from course_progress")
    satisfied = {row["agent"] for row in rows}
    flags = await path.pool.fetch("select agent, facts from evidence")
    marked = {row["agent"] for row in flags if read_facts(row["facts"])["flags"][0] & FactFlag.NOT_NORMAL}
    assert marked == {await number_of(path, 1)}
    assert await number_of(path, 2) in satisfied
    await path.proven()


STEP = st.one_of(
    st.tuples(
        st.just("say"),
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from(["passed", "failed", "completed", "attempted"])),
            min_size=1,
            max_size=4,
        ),
        st.integers(0, PARTITIONS - 1),
    ),
    st.tuples(st.just("void"), st.integers(0, 5), st.integers(0, PARTITIONS - 1)),
    st.tuples(st.just("persist"), st.integers(1, 2), st.integers(0, PARTITIONS - 1)),
    st.tuples(st.just("score"), st.integers(1, 2), st.integers(0, PARTITIONS - 1)),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=8, max_size=20))
async def test_at_every_moment_what_is_derived_is_what_the_statements_say(
    path: Path, steps: Sequence[tuple[str, object, int]]
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(21)]
    next_id = 0
    for what, how, partition in steps:
        if what == "say":
            assert isinstance(how, list)
            statements = []
            for number, verb in how:
                statements.append(
                    said(number, verb, "m:text" if verb == "completed" else "m:quiz")
                    | {"id": ids[next_id] if next_id < len(ids) else str(uuid.uuid4())}
                )
                next_id += 1
            await path.accept(statements, partition=partition)
        elif what == "void":
            assert isinstance(how, int)
            await path.accept(void(ids[how]), partition=partition)
        else:
            assert isinstance(how, int)
            await path.do(path.persist if what == "persist" else path.score, partition, most=how)
            await path.proven()
    await path.settle()
    await path.proven()
