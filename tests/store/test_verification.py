"""Verification: it is silent about what is right, at every moment, and tells of everything that is not."""

from __future__ import annotations

import asyncio
import random
import uuid
from itertools import pairwise
from typing import Any

import pytest
import zstandard

from lrs.store import verification
from lrs.store.tail import Tail
from lrs.store.verification import EVERYBODY, SHOWN, Report, sample, snapshot
from tests.store.path import PARTITIONS, Path, learner, ref, said, void


async def some_traffic(path: Path, seed: int, learners: int = 12, rounds: int = 6) -> list[dict[str, Any]]:
    """Accept statements of several learners, with voids and references among them."""
    dice = random.Random(seed)
    statements: list[dict[str, Any]] = []
    for _ in range(rounds):
        batch = [
            said(
                dice.randrange(learners),
                dice.choice(["passed", "failed", "completed", "attempted"]),
                dice.choice(["m:quiz", "m:text", "course:files", "a:other"]),
            )
            for _ in range(dice.randint(1, 20))
        ]
        if statements:
            batch.append(void(dice.choice(statements)))
            batch.append(said(dice.randrange(learners)) | {"object": ref(dice.choice(statements))})
        await path.accept(batch, partition=dice.randrange(PARTITIONS))
        statements += batch
    return statements


def kinds(report: Report) -> set[str]:
    """The kinds of the differences."""
    return {difference.kind for difference in report.differences}


def texts(report: Report) -> str:
    """All that is said about differences."""
    return "\n".join(f"{one.kind} {one.of} {one.text}" for one in report.differences)


async def test_an_empty_store_is_right(path: Path) -> None:
    report = await path.proven()
    assert (report.learners, report.statements, report.facts) == (0, 0, 0)


async def test_what_was_done_is_counted(path: Path) -> None:
    await path.send([said(1), said(1, "completed", "m:text"), said(2)], void(lost := said(3)), lost)
    report = await path.proven()
    assert (report.learners, report.statements, report.facts) == (4, 5, 3)


@pytest.mark.parametrize("length", [1, 7, 1_000])
async def test_the_lengths_of_ranges_and_slices_make_no_difference(
    path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    await some_traffic(path, 1)
    await path.do(path.persist)
    await path.do(path.score, 0, most=2)
    whole = await path.proven()
    assert whole.facts > 0
    monkeypatch.setattr(verification, "RANGE", length)
    monkeypatch.setattr("lrs.store.recomputation._SLICE", length)
    monkeypatch.setattr("lrs.store.recomputation._FOLD", length)
    parts = await path.proven()
    parts.seconds = whole.seconds
    assert parts == whole


async def test_it_is_exact_while_traffic_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "RANGE", 10)
    done = asyncio.Event()

    async def traffic() -> None:
        for seed in range(12):
            await some_traffic(path, seed, rounds=3)
            await asyncio.gather(*(path.do(path.persist, each) for each in range(PARTITIONS)))
            await asyncio.gather(*(path.do(path.score, each, most=1) for each in range(PARTITIONS)))
        done.set()

    sending = asyncio.create_task(traffic())
    proven = 0
    while not done.is_set():
        await path.proven()
        proven += 1
    await sending
    assert proven > 2
    await path.settle()
    await path.proven()


async def test_a_tail_that_goes_on_is_the_tail_that_begins_anew(path: Path) -> None:
    tail = Tail("score")
    for seed in range(6):
        await some_traffic(path, seed, rounds=2)
        await path.do(path.persist)
        await path.do(path.score, seed % PARTITIONS, most=1)
        fresh = Tail("score")
        async with snapshot(path.pool) as connection:
            await tail.look(connection)
            await fresh.look(connection)
        for of in (Tail.facts, Tail.retractions):
            assert sorted(of(tail, 1)) == sorted(of(fresh, 1))
        assert len(fresh.facts(1))


TAMPERING = {
    "a fact is gone": ("delete from evidence where agent = $1", "only recomputed"),
    "a course row is gone": ("delete from course_progress where agent = $1", "only recomputed"),
    "a sum is gone": ("delete from competency where agent = $1", "only recomputed"),
    "a sum is off by one": ("update competency set w = w + 1 where agent = $1", "only live"),
    "a learner without statements has a sum": (
        "insert into competency select tenant, catalogue, 987654321, competency, level, evidence, w, a, e"
        " from competency where agent = $1",
        "only live",
    ),
    "a learner without statements has evidence": (
        "insert into evidence select tenant, catalogue, 987654321, activity, chunk, facts"
        " from evidence where agent = $1",
        "only live",
    ),
    "a fact is another learner's too": (
        "insert into evidence select tenant, catalogue, $1 + 1000, activity, chunk, facts from evidence"
        " where agent = $1",
        "only live",
    ),
    "a byte of a fact is another": (
        "update evidence set facts = set_byte(facts, 33, 7) where agent = $1",
        "only live",
    ),
    "a chunk is cut": ("update evidence set facts = substr(facts, 1, 50) where agent = $1", "damage"),
    "a chunk is missing": ("update evidence set chunk = 1 where agent = $1", "damage"),
    "a chunk is of another format": (
        "update evidence set facts = set_byte(facts, 0, 9) where agent = $1",
        "damage",
    ),
    "a course has a module less": (
        "update course_progress set state = substr(state, 1, 16) where agent = $1",
        "damage",
    ),
    "a course is none": ("update course_progress set course = 123456 where agent = $1", "damage"),
    "a voided statement is in sight": ("update statement set voided = false where voided", "only recomputed"),
    "a statement is voided by nobody": ("update statement set voided = true where actor = $1", "only live"),
    "a statement is gone": ("delete from statement where actor = $1", "only live"),
    "an id is not claimed": (
        "delete from known_id where id in (select id from statement where actor = $1)",
        "statement",
    ),
    "an id is claimed for another place": ("update known_id set pos = pos + 4096 where $1 > 0", "statement"),
    "an id is claimed with another digest": (
        "update known_id set digest = gen_random_uuid() where $1 > 0",
        "statement",
    ),
    "a statement is another learner's": (
        "update statement set actor = actor + 1000 where actor = $1",
        "statement",
    ),
    "a statement has another verb": ("update statement set verb = verb + 7 where actor = $1", "statement"),
    "a statement has another registration": (
        "update statement set registration = gen_random_uuid() where actor = $1",
        "statement",
    ),
    "a statement has other flags": ("update statement set flags = flags | 64 where actor = $1", "statement"),
    "a statement is not compressed": (
        "update statement set raw = substr(raw, 9) where actor = $1",
        "statement",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_whatever_is_changed_is_told(path: Path, what: str) -> None:
    voided = said(5)
    await path.send([said(1), said(1, "completed", "m:text"), said(2)], [voided, void(voided)])
    [number] = await path.names.numbers("agent", 1, [f"mbox:{learner(1)['mbox']}"])
    before = await path.proven()
    query, kind = TAMPERING[what]
    changed = await path.pool.execute(query, *([number] if "$1" in query else []))
    assert not changed.endswith(" 0")
    report = await path.verify()
    assert kind in kinds(report), texts(report)
    assert report.different == len(report.differences) < SHOWN
    if kind == "only recomputed" and "sight" not in what:
        assert report.digest == before.digest


async def test_a_statement_that_is_not_what_it_was_is_told_by_its_id(path: Path) -> None:
    statements = [said(1), said(1), said(2)]
    await path.send(statements)
    bad = statements[1]["id"]
    for raw in (b"{}", b"[]", b"not JSON"):
        query = "update statement set raw = $2, dictionary = 0 where id = $1"
        await path.pool.execute(query, uuid.UUID(bad), zstandard.compress(raw))
        report = await path.verify()
        assert {one.of for one in report.differences if one.kind == "statement"} == {bad}
        assert kinds(report) == {"statement", "only live"}


async def test_a_missing_posting_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrs.store.recomputation._SAMPLE", 1)
    target = said(1, context={"instructor": learner(7)})
    await path.send([target, said(2) | {"object": ref(target)}])
    await path.proven()
    for row in await path.pool.fetch("select tenant, term, pos from posting"):
        await path.pool.execute("delete from posting where term = $1 and pos = $2", row["term"], row["pos"])
        report = await path.verify()
        assert f"term {row['term']}: the posting is missing" in texts(report)
        await path.pool.execute("insert into posting values ($1, $2, $3)", *row)
    await path.proven()


async def test_a_posting_too_many_is_told(path: Path) -> None:
    statement = said(1)
    await path.send(statement)
    pos = await path.pool.fetchval("select pos from statement")
    await path.pool.execute("insert into posting values (1, $1, $2)", 4711 << 3, pos)
    report = await path.verify()
    assert [one.of for one in report.differences] == [statement["id"]]
    await path.pool.execute("update posting set pos = pos + 4096")
    assert "a statement does not" in texts(await path.verify())


async def test_a_statement_may_have_many_postings(path: Path) -> None:
    related = {"parent": [{"id": f"p:{number}"} for number in range(9)]}
    target = said(1, context={"contextActivities": related, "instructor": learner(7)})
    await path.send([target, said(2) | {"object": ref(target)}])
    assert await path.count("posting") > 20
    await path.proven()


async def test_only_the_first_differences_are_shown_and_all_are_counted(path: Path) -> None:
    await path.send([said(number) for number in range(SHOWN)])
    await path.pool.execute("delete from evidence")
    await path.pool.execute("delete from competency")
    report = await path.verify()
    assert len(report.differences) == SHOWN
    assert report.different == 2 * SHOWN


def test_a_sample_is_the_same_each_time_and_of_the_size_that_was_asked_for() -> None:
    runs = list(sample(1, 1_000_000, 0.1))
    assert runs == list(sample(1, 1_000_000, 0.1))
    assert all(low < high for low, high in runs)
    assert all(high < low for (_, high), (low, _) in pairwise(runs))
    assert 0.08 < sum(high - low for low, high in runs) / 1_000_000 < 0.12
    assert runs != list(sample(2, 1_000_000, 0.1))
    assert list(sample(1, 1_000_000, 1.0)) == [(0, EVERYBODY)]


async def test_a_sample_of_the_learners_is_verified(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BLOCK", 2)
    await path.send([said(number) for number in range(60)])
    whole, half = await path.verify(), await path.verify(0.5)
    assert 5 < half.learners < 55 < whole.learners
    await path.pool.execute("update competency set w = w + 1")
    assert (await path.verify(0.5)).different == half.learners * 2


async def test_all_tenants_are_verified(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    statement = said(1)
    await path.send(statement, tenant=2)
    await path.proven()
    await path.pool.execute("update statement set flags = flags | 64")
    [difference] = (await path.verify()).differences
    assert (difference.tenant, difference.of) == (2, statement["id"])


async def test_statements_of_nobody_are_verified_too(path: Path) -> None:
    group = said(1) | {"actor": {"objectType": "Group", "member": [learner(1)]}}
    await path.send(group)
    assert (await path.proven()).statements == 1
    await path.pool.execute("delete from known_id")
    assert kinds(await path.verify()) == {"statement"}


async def test_it_writes_nothing(path: Path) -> None:
    await some_traffic(path, 3)
    await path.settle()
    tables = ("agent", "activity", "verb", "evidence", "competency", "statement", "posting", "log_record")
    before = [await path.count(table) for table in tables]
    await path.proven()
    assert [await path.count(table) for table in tables] == before
