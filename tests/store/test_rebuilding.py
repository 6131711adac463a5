"""Rebuilding: what was wrong is right afterwards, another catalogue comes into force whole, at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from lrs.log.port import EVIDENCE
from lrs.scoring.document import DocumentError
from lrs.store import rebuilding, verification
from lrs.store.catalogue import number_in_force
from lrs.store.lease import Leases
from lrs.store.rebuilding import RebuildingRuns, Rebuilt, alone, repair, replace_catalogue, stage
from tests.store.path import CATALOGUE, OTHER_CATALOGUE, PARTITIONS, Path, said, void
from tests.store.test_verification import some_traffic

DERIVED = ("evidence", "course_progress", "competency")


class Killed(Exception):
    """Stands for the end of the process."""


def quiet(_done: int, _total: int) -> None:
    """No progress bar."""


def killed_after(rounds: int) -> Callable[[int, int], None]:
    """A progress bar whose process is killed at some range."""
    left = [rounds]

    def progress(_done: int, _total: int) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise Killed

    return progress


async def rebuild(path: Path, catalogue: str = OTHER_CATALOGUE) -> Rebuilt:
    """Put another catalogue in force."""
    return await replace_catalogue(path.examiner(), 1, catalogue, quiet)


async def levels(path: Path, catalogue: int) -> list[int]:
    """The levels that somebody has evidence of."""
    rows = await path.pool.fetch("select distinct level from competency where catalogue = $1", catalogue)
    return sorted(row["level"] for row in rows)


@pytest.fixture(autouse=True)
def _short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several ranges, also of few statements."""
    monkeypatch.setattr(verification, "RANGE", 15)


@pytest.mark.parametrize("table", DERIVED)
async def test_what_is_derived_is_made_right(path: Path, table: str) -> None:
    await some_traffic(path, 1)
    await path.settle()
    before = await path.proven()
    await path.pool.execute(f"delete from {table}")
    assert (await path.verify()).different
    rebuilt = await repair(path.examiner(), quiet)
    assert rebuilt.replaced > 1
    assert rebuilt.statements == before.statements
    after = await path.proven()
    assert after.digest == before.digest
    assert (await repair(path.examiner(), quiet)).replaced == 0


async def test_rows_that_cannot_be_are_replaced(path: Path) -> None:
    await path.send(said(1))
    await path.pool.execute("update evidence set facts = 'damaged'")
    await path.pool.execute("update course_progress set state = 'damaged'")
    await path.pool.execute("update competency set agent = 123456789")
    await repair(path.examiner(), quiet)
    await path.proven()
    await path.send(said(1))
    assert await path.facts() == 2


async def test_what_score_has_not_done_is_still_done_once(path: Path) -> None:
    lost = said(1)
    await path.send([lost, said(1)])
    await path.accept([said(1), said(2), void(lost)])
    await path.do(path.persist)
    for table in DERIVED:
        await path.pool.execute(f"delete from {table}")
    await repair(path.examiner(), quiet)
    await path.proven()
    assert await path.facts() == 2
    await path.do(path.score)
    assert await path.facts() == 3
    await path.proven()


async def during(path: Path, work: Awaitable[Rebuilt]) -> Rebuilt:
    """Let traffic go on while something is done."""
    doing = asyncio.ensure_future(work)
    seed = 100
    while not doing.done():
        await some_traffic(path, seed, rounds=2)
        await asyncio.gather(
            *(
                path.do(each_stage, each, most=2)
                for each_stage in (path.persist, path.score)
                for each in range(PARTITIONS)
            )
        )
        seed += 1
    return await doing


async def test_repairing_is_exact_while_traffic_goes_on(path: Path) -> None:
    for seed in range(4):
        await some_traffic(path, seed)
    await path.settle()
    await path.pool.execute("delete from evidence where agent % 2 = 0")
    await path.pool.execute("delete from competency")
    await during(path, repair(path.examiner(), quiet))
    await path.proven()
    await path.settle()
    await path.proven()


async def test_score_waits_while_learners_are_replaced(path: Path) -> None:
    await path.accept(said(1))
    await path.do(path.persist)
    async with path.pool.acquire() as connection, connection.transaction():
        await connection.fetch(rebuilding._SQL["stop_scoring"])
        scoring = asyncio.create_task(path.do(path.score))
        await asyncio.sleep(0.2)
        assert not scoring.done()
        assert await path.facts() == 0
    await scoring
    assert await path.facts() == 1


async def test_another_catalogue_comes_into_force_whole(path: Path) -> None:
    lost = said(2)
    await path.send([said(1), said(1, "completed", "m:text"), lost])
    await path.accept([said(3), void(lost)])
    await path.do(path.persist)
    rebuilt = await rebuild(path)
    assert rebuilt.catalogue == await number_in_force(path.pool, 1) == 2
    await path.proven()
    assert (await levels(path, 1), await levels(path, 2)) == ([1, 2], [1, 3])
    await path.settle()
    await path.send(said(4))
    await path.proven()
    assert await path.count("stage_partition where stage = $1", stage(1)) == 0


async def test_a_catalogue_comes_into_force_while_traffic_goes_on(path: Path) -> None:
    for seed in range(3):
        await some_traffic(path, seed)
    await path.do(path.persist)
    await path.do(path.score, 0)
    await during(path, rebuild(path))
    await path.proven()
    await path.settle()
    await path.proven()
    assert await number_in_force(path.pool, 1) == 2


@pytest.mark.parametrize("rounds", [2, 3, 5])
async def test_a_fill_that_was_killed_goes_on(path: Path, rounds: int) -> None:
    for seed in range(3):
        await some_traffic(path, seed)
    await path.settle()
    with pytest.raises(Killed):
        await replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, killed_after(rounds))
    assert await number_in_force(path.pool, 1) == 1
    await path.proven()
    await some_traffic(path, 7)
    await path.settle()
    rebuilt = await rebuild(path)
    assert rebuilt.catalogue == 2
    assert rebuilt.statements < await path.count("statement")
    await path.proven()


async def test_following_that_was_killed_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await some_traffic(path, 1)
    await path.settle()
    monkeypatch.setattr(rebuilding, "_TOGETHER", 1)
    monkeypatch.setattr(rebuilding, "_CLOSE", 0)
    fill, advance = rebuilding._fill, rebuilding._advance
    steps = 0

    async def fill_before_traffic(*arguments: Any) -> Rebuilt:
        rebuilt = await fill(*arguments)
        for seed in range(4):
            await some_traffic(path, seed, rounds=3)
            await path.settle()
        return rebuilt

    async def advance_until_killed(*arguments: Any) -> int:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise Killed
        return await advance(*arguments)

    monkeypatch.setattr(rebuilding, "_fill", fill_before_traffic)
    monkeypatch.setattr(rebuilding, "_advance", advance_until_killed)
    with pytest.raises(Killed):
        await rebuild(path)
    assert await number_in_force(path.pool, 1) == 1
    await path.proven()
    monkeypatch.setattr(rebuilding, "_fill", fill)
    monkeypatch.setattr(rebuilding, "_advance", advance)
    await rebuild(path)
    assert await number_in_force(path.pool, 1) == 2
    await path.proven()


async def test_another_file_gives_up_the_fill_that_was_not_finished(path: Path) -> None:
    await some_traffic(path, 1)
    await path.settle()
    with pytest.raises(Killed):
        await replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, killed_after(2))
    third = CATALOGUE.replace("level: 2", "level: 5")
    await rebuild(path, third)
    await path.proven()
    assert 5 in await levels(path, (await number_in_force(path.pool, 1)) or 0)


async def test_repairing_gives_up_a_fill_that_was_not_finished(path: Path) -> None:
    await some_traffic(path, 1)
    await path.settle()
    with pytest.raises(Killed):
        await replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, killed_after(2))
    assert await path.count("stage_partition where stage = $1", stage(1)) == PARTITIONS
    await repair(path.examiner(), quiet)
    assert await path.count("stage_partition where stage = $1", stage(1)) == 0
    assert await path.count("evidence where catalogue = 2") == 0
    await path.proven()


async def test_the_log_keeps_what_a_fill_has_not_done(path: Path) -> None:
    await some_traffic(path, 1)
    await path.settle()
    with pytest.raises(Killed):
        await replace_catalogue(path.examiner(), 1, OTHER_CATALOGUE, killed_after(1))
    await some_traffic(path, 2)
    await path.settle()
    passed = await Leases(path.pool, "score", "test").passed(EVIDENCE)
    assert passed[0] < (await path.evidence.ends())[0].end
    await path.evidence.trim(passed)
    await rebuild(path)
    await path.proven()


async def test_the_version_before_stays_and_older_ones_go(path: Path) -> None:
    await path.send(said(1))
    for level in (3, 4, 5):
        await rebuild(path, CATALOGUE.replace("level: 2", f"level: {level}"))
        await path.send(said(level))
    rows = await path.pool.fetch("select distinct catalogue from evidence order by 1")
    assert [row["catalogue"] for row in rows] == [3, 4]
    await path.proven()


async def test_the_first_catalogue_may_come_late(pool: asyncpg.Pool) -> None:
    path = await Path.open(pool, None)
    await path.send([said(1), said(2)])
    assert await path.facts() == 0
    await rebuild(path, CATALOGUE)
    assert await path.facts() == 2
    await path.send(said(1))
    await path.proven()


async def test_a_store_in_which_score_never_ran_can_be_rebuilt(path: Path) -> None:
    await path.accept([said(1), said(2)])
    await path.do(path.persist)
    await path.pool.execute("delete from stage_partition where stage = 'score'")
    await rebuild(path)
    await path.proven()
    await path.seize()
    await path.do(path.score)
    assert await path.facts() == 2
    await path.proven()


async def test_only_one_rebuilds(path: Path) -> None:
    async with alone(path.pool):
        with pytest.raises(RebuildingRuns):
            await rebuild(path)
    await rebuild(path)


async def test_a_wrong_catalogue_changes_nothing(path: Path) -> None:
    with pytest.raises(DocumentError):
        await rebuild(path, "format: 9")
    assert await path.count("catalogue") == 1


async def test_what_score_gave_up_stays_given_up(path: Path) -> None:
    [bad] = await path.names.numbers("agent", 1, ["mbox:mailto:learner3@example.org"])
    await path.pool.execute(
        f"alter table competency add constraint refused check (agent <> {bad} or catalogue = 2)"
    )
    await path.send([said(3), said(4)])
    assert await path.facts() == 1
    await rebuild(path)
    await path.proven()
    assert await path.count("evidence where catalogue = 2") == 1
