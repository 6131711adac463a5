"""The journal of outcomes on a real store: written with what is derived, once, and gone with the person."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import numpy as np
import pytest

from lrs.attachment.postgres import PostgresAttachments
from lrs.log.port import EVIDENCE, Fenced
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.competency import DELTA
from lrs.scoring.readout import day_in_kolkata, read_out
from lrs.store import outcome, rebuilding
from lrs.store.catalogue import load_catalogue
from lrs.store.erasure import Eraser
from lrs.store.horizon import Horizon
from lrs.xapi.timestamp import parse_timestamp
from tests.store.path import OTHER_CATALOGUE, PARTITIONS, Path, learner, said, void

SUMS = "select agent, competency, level, evidence, w, a, e from competency"
EARNED = "http://id.tincanapi.com/verb/earned"


async def told(path: Path, tenant: int = 1) -> list[outcome.Told]:
    """A tenant's journal from its beginning, read in small pages."""
    found: list[outcome.Told] = []
    position = await outcome.position(path.pool)
    while True:
        some, position = await outcome.feed(path.pool, tenant, position, 2)
        if not some:
            return found
        found += some


async def kinds(path: Path) -> list[tuple[str, bool, str | None]]:
    """Kind, whether it holds, and target."""
    return [(one.kind, one.holds, one.target) for one in await told(path)]


async def finish(path: Path, number: int) -> list[dict[str, Any]]:
    """Let a learner complete the course."""
    statements = [said(number), said(number, "completed", "m:text", timestamp="2026-03-02T10:00:00Z")]
    for statement in statements:
        await path.send(statement)
    return statements


async def test_outcomes_are_told_with_the_evidence_in_the_order_of_a_learner(path: Path) -> None:
    quiz, text = await finish(path, 1)
    await path.send(said(1, EARNED, "course:files"))
    found = [one for one in await told(path) if one.level is None]
    assert [(one.kind, one.target) for one in found] == [
        ("module.completed", "m:quiz"),
        ("module.completed", "m:text"),
        ("course.completed", "course:files"),
        ("certificate.earned", "course:files"),
    ]
    assert [one.evidence for one in found[:3]] == [[quiz["id"]], [text["id"]], [text["id"], quiz["id"]]]
    assert found[2].effective == "2026-03-02T10:00:00.000000Z"
    assert {tuple((one.agent or {}).items()) for one in found} == {(("mbox", learner(1)["mbox"]),)}
    assert {one.partition for one in found} == {found[0].partition}
    numbers = [one.number for one in await told(path)]
    assert numbers == sorted(numbers)
    assert found[0].catalogue["digest"] == read_catalogue(await _content(path)).digest
    await path.proven()


async def _content(path: Path) -> str:
    content: str = await path.pool.fetchval("select content from catalogue where in_force and tenant = 1")
    return content


async def test_a_void_takes_back_what_followed_from_it(path: Path) -> None:
    quiz, _ = await finish(path, 1)
    before = {one.kind: one for one in await told(path)}
    await path.send(void(quiz))
    taken = [one for one in await told(path) if one.revision == 2]
    assert [(one.kind, one.target, one.holds) for one in taken] == [
        ("module.completed", "m:quiz", False),
        ("course.completed", "course:files", False),
    ]
    assert taken[0].evidence == [quiz["id"]]
    assert taken[1].retracts == before["course.completed"].id
    await path.send(said(1))
    again = [one for one in await told(path) if one.revision == 3]
    assert [(one.kind, one.holds, one.retracts) for one in again] == [
        ("module.completed", True, None),
        ("course.completed", True, None),
    ]
    assert len({one.id for one in await told(path)}) == len(await told(path))


async def test_levels_are_told_when_they_are_reached_and_when_they_are_lost(path: Path) -> None:
    proofs = [said(1, timestamp=f"2026-{month:02}-01T10:00:00Z") for month in range(1, 9)]
    for proof in proofs:
        await path.send(proof)
    levels = [(one.kind, one.level) for one in await told(path) if one.level]
    assert levels == [("competency.reached", 1), ("competency.reached", 2)]
    [standing] = await path.pool.fetch("select * from standing")
    assert standing["level"] == 2
    await path.send([void(proof) for proof in proofs])
    lost = [one for one in await told(path) if one.kind == "competency.lost"]
    assert [one.level for one in lost] == [1, 2]
    assert set(lost[0].evidence) <= {proof["id"] for proof in proofs}
    assert lost[0].evidence
    assert await path.pool.fetchval("select level from standing") == 0


async def test_levels_are_lost_by_time_alone(path: Path) -> None:
    for number in (1, 2, 3):
        await path.send([said(number, timestamp=f"2026-{month:02}-01T10:00:00Z") for month in range(1, 9)])
    now = max([one.recorded for one in await told(path)])
    reached = [one for one in await told(path) if one.level == 2]
    assert len(reached) == 3
    instant = parse_timestamp(now)
    assert instant is not None
    found = await load_catalogue(path.pool, path.names, 1)
    assert found is not None
    sums = np.array([tuple(row) for row in await path.pool.fetch(SUMS)], DELTA)
    for year in range(1, 12):
        at = instant + year * 366 * 86_400_000_000
        for partition in range(PARTITIONS):
            await path.score.look_again(partition, path.epochs["score", partition], at)
        rows = await path.pool.fetch("select agent, level, look_again from standing")
        exact = read_out(sums, day_in_kolkata(at), found.tables)
        assert {(row["agent"], row["level"]) for row in rows} == set(exact[["agent", "level"]].tolist())
        assert all(row["look_again"] is None or row["look_again"] > day_in_kolkata(at) for row in rows)
    lost = [one for one in await told(path) if one.kind == "competency.lost"]
    assert sorted(one.level or 0 for one in lost) == [1, 1, 1, 2, 2, 2]
    assert not any(one.evidence for one in lost)
    assert {one.retracts for one in lost if one.level == 2} == {one.id for one in reached}
    await path.send(said(1, timestamp="2026-10-01T10:00:00Z"))
    await path.proven()


async def test_a_worker_that_lost_a_partition_looks_at_no_level(path: Path) -> None:
    await path.send([said(1), said(2)])
    await Path.open(path.pool)
    tomorrow = time.time_ns() // 1000 + 86_400_000_000
    for partition in range(PARTITIONS):
        with pytest.raises(Fenced):
            await path.score.look_again(partition, path.epochs["score", partition], tomorrow)


async def test_what_is_not_committed_is_not_told_and_a_replay_tells_nothing(path: Path) -> None:
    await path.accept(said(1))
    await path.do(path.persist)
    for partition in range(2):
        for record in await path.unread(path.score, partition):
            epoch = path.epochs["score", partition]
            with pytest.raises(Fenced):
                await path.score.process(partition, epoch - 1, [record])
            assert await told(path) == []
            await path.score.process(partition, epoch, [record])
            with pytest.raises(Fenced):
                await path.score.process(partition, epoch, [record])
    assert len(await told(path)) == 1
    await path.send(said(1) | {"timestamp": "2026-04-01T10:00:00Z"})
    assert await kinds(path) == [
        ("module.completed", True, "m:quiz"),
        ("competency.reached", True, "c:noting"),
    ], "another proof of what holds already is a proof of the level only"


async def test_what_fails_alone_is_told_of_nobody(path: Path) -> None:
    [bad] = await path.names.numbers("agent", 1, [f"mbox:{learner(3)['mbox']}"])
    await path.pool.execute(f"alter table outcome add constraint refused check (agent <> {bad})")
    await path.send([said(number) for number in range(1, 5)])
    assert await path.count("dead_letter") == 1
    assert await path.count("outcome") == 3
    await path.proven()


async def test_a_rebuilding_tells_nothing_and_a_switch_tells_one_thing(path: Path) -> None:
    await finish(path, 1)
    before = await told(path)
    await path.pool.execute("delete from course_progress")
    await path.pool.execute("update standing set level = 5")
    assert (await rebuilding.repair(path.examiner(), lambda _done, _all: None)).replaced
    assert await told(path) == before
    assert await path.pool.fetchval("select max(level) from standing") < 5

    await rebuilding.replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, lambda _done, _all: None)
    [switch] = [one for one in await told(path) if one not in before]
    assert (switch.kind, switch.agent, switch.target, switch.holds) == (
        "catalogue.switched",
        None,
        None,
        True,
    )
    assert switch.catalogue == {"number": 2, "digest": read_catalogue(OTHER_CATALOGUE).digest}
    assert await path.count("standing where catalogue = 2") == 1
    await path.send(said(2))
    assert [one.catalogue["number"] for one in await told(path)][-1] == 2
    await path.proven()


async def test_what_was_completed_under_an_earlier_catalogue_stays(path: Path) -> None:
    quiz, _ = await finish(path, 1)
    await rebuilding.replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, lambda _done, _all: None)
    await path.send(said(1, timestamp="2026-05-01T10:00:00Z"))
    await path.send(said(1, "completed", "m:text", timestamp="2026-01-01T10:00:00Z"))
    assert [one for one in await told(path) if one.revision > 1] == []
    await path.send(void(quiz))
    moved = [one for one in await told(path) if one.revision > 1 and not one.level]
    assert [(one.kind, one.effective[:10]) for one in moved] == [("module.completed", "2026-05-01")]


async def test_a_tenant_sees_its_own(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    await rebuilding.replace_catalogue(path.examiner(), 2, OTHER_CATALOGUE, lambda _done, _all: None)
    await path.send(said(1), tenant=2)
    assert await told(path) == []
    assert {one.tenant for one in await told(path, 2)} == {"second"}
    assert [one.kind for one in await told(path, 2)] == [
        "catalogue.switched",
        "module.completed",
        "course.completed",
    ]


async def test_a_person_that_is_erased_has_no_outcomes(path: Path) -> None:
    await finish(path, 1)
    await finish(path, 2)
    horizon = Horizon(path.pool, 5.0)
    assert await horizon.caught_up(EVIDENCE)
    eraser = Eraser(path.pool, path.names, path.dictionaries, PostgresAttachments(path.pool), horizon)
    erasing = eraser.erase(1, f"mbox:{learner(1)['mbox']}", "test")
    await _while_scoring(path, erasing)
    assert {(one.agent or {})["mbox"] for one in await told(path)} == {learner(2)["mbox"]}
    assert await path.count("standing s join agent a using (agent) where a.ifi like '%learner1@%'") == 0


async def _while_scoring(path: Path, erasing: Any) -> None:
    task = asyncio.ensure_future(erasing)
    while not task.done():
        await path.settle()
        await asyncio.sleep(0.02)
    task.result()


async def test_who_reads_while_others_write_misses_nothing(path: Path) -> None:
    position = await outcome.position(path.pool)
    seen: list[outcome.Told] = []
    for number in range(1, 9):
        await path.accept(said(number))
        await path.do(path.persist)
        await path.do(path.score, number % 2)
        some, position = await outcome.feed(path.pool, 1, position, 3)
        seen += some
    await path.settle()
    while some := (await outcome.feed(path.pool, 1, position, 3))[0]:
        position = (await outcome.feed(path.pool, 1, position, 3))[1]
        seen += some
    assert len({one.id for one in seen}) == len(seen) == 8
    assert {uuid.UUID(one.id).version for one in seen} == {5}
