"""Erasure of a person: what goes, what stays, and that everything else is as it was."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from lrs.attachment.postgres import PostgresAttachments
from lrs.log.port import Appended
from lrs.reconciliation import Digest
from lrs.store import digest, erasure, term
from lrs.store.dictionary import Dictionaries
from lrs.store.digest import EVERYBODY
from lrs.store.document import DocumentStore, Draft, Kind, Shelf
from lrs.store.erasure import Eraser, Erasure, NobodyKnown, StagesBehind, trail
from lrs.store.horizon import Horizon
from lrs.store.listing import Query, page
from lrs.store.name import Names
from lrs.store.rebuilding import RebuildingRuns, alone
from tests.store.path import Path, learner, ref, said, void


def named(number: int) -> str:
    """A learner's canonical identifier."""
    return f"mbox:{learner(number)['mbox']}"


def eraser(path: Path, patience: float = 5.0) -> Eraser:
    """An eraser that remembers nothing."""
    horizon = Horizon(path.pool, patience)
    return Eraser(path.pool, Names(path.pool), Dictionaries(), PostgresAttachments(path.pool), horizon)


async def erase(path: Path, number: int, **how: Any) -> Erasure:
    return await eraser(path).erase(1, named(number), "tester", **how)


async def found_by(path: Path, number: int) -> set[str]:
    """Ids of statements that are found by a learner."""
    agent = await path.names.find("agent", 1, named(number))
    query = Query(limit=1000, agent=agent, related_agents=True)
    return {str(uuid.UUID(bytes=one.id)) for one in (await page(path.pool, 1, query)).statements}


async def everything(path: Path) -> Digest:
    return await digest.digest(path.pool, 1, EVERYBODY, term.EPOCH - 1, term.LAST)


async def test_statements_postings_and_what_is_derived_go_and_others_stay(path: Path) -> None:
    mine, others = [said(1) for _ in range(5)], [said(2), said(3)]
    context = {"instructor": learner(7), "contextActivities": {"parent": [{"id": "course:files"}]}}
    mine.append(said(1, activity="m:text", verb="completed", context=context))
    await path.send(mine)
    await path.send(others, partition=1)
    before = await everything(path)
    done = await erase(path, 1)
    assert (done.statements, done.kept, done.requested_by, done.related) == (6, 0, "tester", False)
    assert done.finished is not None
    assert await path.in_sight() == {one["id"] for one in others}
    assert await found_by(path, 1) == await found_by(path, 7) == set()
    agent = await path.names.find("agent", 1, named(1))
    for table in ("evidence", "course_progress", "competency", "document"):
        assert await path.count(f"{table} where agent = $1", agent) == 0
    assert await path.facts() == 2
    assert await everything(path) == before, "what was stored was stored"
    assert await path.pool.fetchval("select ifi from agent where agent = $1", agent) != named(1)
    await path.proven()


async def test_a_repetition_stays_a_repetition_and_another_content_a_conflict(path: Path) -> None:
    one = said(1)
    await path.send(one)
    await erase(path, 1)
    again: Appended = await path.accept(one)
    assert list(again.repeated) == [0]
    other = await path.accept(one | {"object": {"id": "m:text"}})
    assert other.conflicts == {0: [0]}
    await path.settle()
    assert await path.in_sight() == set()
    await path.proven()


async def test_who_refers_to_what_is_erased_is_no_longer_found_by_it(path: Path) -> None:
    target = said(1)
    first, second = said(2) | {"object": ref(target)}, said(3)
    second |= {"object": ref(first)}
    other = said(4) | {"object": ref(second)}
    await path.send(first, partition=1)
    await path.send(target)
    await path.send(second)
    await path.send(other, partition=1)
    assert await found_by(path, 1) == {one["id"] for one in (target, first, second, other)}
    await erase(path, 1)
    assert await found_by(path, 1) == set()
    assert await found_by(path, 2) == {first["id"], second["id"], other["id"]}
    await path.proven()
    await erase(path, 2)
    assert await found_by(path, 2) == set()
    assert await found_by(path, 3) == {second["id"], other["id"]}
    await path.proven()


async def test_voids_of_and_by_the_person_leave_nothing_undone(path: Path) -> None:
    own, others = said(1), said(2)
    await path.send([own, others])
    await path.send(void(own))
    await path.send(void(others, 1))
    await erase(path, 1)
    assert others["id"] not in await path.in_sight(), "voided it stays"
    await path.send(void(said(1)["id"]))
    await path.send(void(own))
    await path.proven()


async def test_statements_of_others_stay_and_are_counted_unless_they_are_asked_for(path: Path) -> None:
    taught = said(2, context={"instructor": learner(1)})
    together = said(2) | {"actor": {"objectType": "Group", "member": [learner(1), learner(3)]}}
    referring = said(4) | {"object": ref(taught)}
    await path.send([said(1), taught, together])
    await path.send(referring, partition=1)
    assert await path.facts() == 2
    done = await erase(path, 1)
    assert (done.statements, done.kept) == (1, 3)
    assert await found_by(path, 1) == {one["id"] for one in (taught, together, referring)}
    agent = await path.names.find("agent", 1, named(1))
    assert await path.pool.fetchval("select ifi from agent where agent = $1", agent) == named(1)
    await path.proven()
    done = await erase(path, 1, related=True)
    assert (done.statements, done.kept) == (2, 0)
    assert await path.in_sight() == {referring["id"]}, "it names nobody but its own actor"
    assert await found_by(path, 1) == set()
    assert await path.facts() == 0, "what the others' statements said of them is gone, too"
    await path.proven()


async def test_killed_in_the_middle_and_begun_again_it_is_complete(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await path.send([said(1) for _ in range(7)])
    monkeypatch.setattr(erasure, "_TOGETHER", 2)
    killed = eraser(path)
    steps = 0

    async def dies(*arguments: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise ConnectionResetError
        await Eraser._erase(killed, *arguments)

    monkeypatch.setattr(killed, "_erase", dies)
    with pytest.raises(ConnectionResetError):
        await killed.erase(1, named(1), "tester")
    [open_] = await trail(path.pool, 1)
    assert (open_.statements, open_.finished) == (4, None)
    assert len(await path.in_sight()) == 3
    done = await erase(path, 1)
    assert (done.erasure, done.statements) == (open_.erasure, 7)
    assert await trail(path.pool, 1) == [done]
    assert await path.facts() == 0
    await path.proven()


async def test_killed_before_scores_are_made_anew_it_is_complete_when_begun_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = said(2, context={"instructor": learner(1)})
    await path.send([said(1), taught])
    killed = eraser(path)

    async def dies(*_: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(killed, "_refold", dies)
    with pytest.raises(ConnectionResetError):
        await killed.erase(1, named(1), "tester", related=True)
    assert await path.facts() == 2
    done = await erase(path, 1)
    assert (done.related, done.statements) == (True, 2)
    assert await path.facts() == 0
    assert await path.count("erased where learner is not null") == 0
    await path.proven()


async def test_what_is_still_in_the_log_is_waited_for_and_goes_as_well(path: Path) -> None:
    await path.send(said(1))
    await path.accept([said(1), said(2)], partition=1)
    with pytest.raises(StagesBehind):
        await eraser(path, patience=0.05).erase(1, named(1), "tester")
    await path.do(path.persist)
    with pytest.raises(StagesBehind):
        await eraser(path, patience=0.05).erase(1, named(1), "tester")
    await path.settle()
    done = await erase(path, 1)
    assert done.statements == 2
    assert len(await trail(path.pool, 1)) == 1
    await path.proven()


async def test_what_comes_later_is_kept_until_it_is_asked_for_again(path: Path) -> None:
    await path.send(said(1))
    await erase(path, 1)
    later = said(1)
    await path.send(later)
    assert await path.in_sight() == await found_by(path, 1) == {later["id"]}
    await path.proven()
    assert (await erase(path, 1)).statements == 1
    assert [one.statements for one in await trail(path.pool, 1)] == [1, 1]
    await path.proven()


async def test_the_persons_documents_go(path: Path) -> None:
    await path.send([said(1), said(2)])
    store = DocumentStore(path.pool)
    numbers = [await path.names.find("agent", 1, named(number)) for number in (1, 2)]
    for number in numbers:
        assert number is not None
        for kind, activity in ((Kind.STATE, 5), (Kind.AGENT_PROFILE, 0)):
            draft = Draft("text/plain", b"\0" * 20, b"x" * (3 << 20))
            assert await store.put(Shelf(1, kind, number, activity), "d", None, draft)
    done = await erase(path, 1)
    assert done.documents == 2
    assert await path.count("document where agent = $1", numbers[0]) == 0
    assert await path.count("document where agent = $1", numbers[1]) == 2
    assert await path.count("document_piece") == 6


async def test_a_dead_letter_of_the_person_loses_its_content(path: Path) -> None:
    await path.send(said(1))
    for number, raw in enumerate(
        (b'{"actor": {"mbox": "mailto:learner1\\u0040example.org"}}', b'"learner2"')
    ):
        await path.pool.execute(
            'insert into dead_letter (tenant, stage, partition, "offset", place, reason, detail, raw)'
            " values (1, 'persist', 0, 0, $1, 'poison', '', $2)",
            number,
            raw,
        )
    await erase(path, 1)
    rows = await path.pool.fetch("select raw from dead_letter order by place")
    assert [row["raw"] for row in rows] == [None, b'"learner2"']


async def test_nobody_is_told_from_somebody(path: Path) -> None:
    with pytest.raises(NobodyKnown):
        await erase(path, 1)
    assert await trail(path.pool, 1) == []


async def test_while_something_is_rebuilt_nobody_is_erased(path: Path) -> None:
    await path.send(said(1))
    async with alone(path.pool):
        with pytest.raises(RebuildingRuns):
            await erase(path, 1)


async def test_another_tenants_person_stays(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    await path.send(said(1), tenant=1)
    theirs = said(1)
    await path.send(theirs, tenant=2)
    await erase(path, 1)
    assert await path.in_sight(2) == {theirs["id"]}
    await path.proven()
