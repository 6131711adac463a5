"""Persist as a plain function on a real PostgreSQL: stored once, and only poison is set aside."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lrs.log import frame as frames
from lrs.log.port import Fenced
from lrs.store.batch import check
from lrs.store.dictionary import UnknownDictionary
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from tests.store.path import CATALOGUE, Path, learner, ref, said, void


@pytest.fixture
async def path(pool: asyncpg.Pool) -> Path:
    """An empty path."""
    return await Path.open(pool)


async def reasons(path: Path) -> list[tuple[str, str | None]]:
    """Reason and id of every dead letter of persist, in order."""
    rows = await path.pool.fetch(
        "select reason, id from dead_letter where stage = 'persist' order by dead_letter"
    )
    return [(row["reason"], row["id"] and str(row["id"])) for row in rows]


async def refuse(path: Path, *statements: dict[str, Any]) -> None:
    """Let the statement table refuse these statements, as a data error that only they have."""
    listed = ", ".join(f"'{statement['id']}'" for statement in statements)
    await path.pool.execute(f"alter table statement add constraint refused check (id not in ({listed}))")


async def test_a_statement_is_stored_once_under_redelivery(path: Path) -> None:
    await path.accept([said(), said()])
    records = await path.unread(path.persist, 0)
    await path.persist.process(0, path.epochs["persist", 0], records)
    with pytest.raises(Fenced):
        await path.persist.process(0, path.epochs["persist", 0], records)
    assert await path.count("statement") == 2
    assert len(await path.unread(path.score, 0)) + len(await path.unread(path.score, 1)) == 1


async def test_the_output_of_a_lost_partition_is_refused_whole(path: Path, pool: asyncpg.Pool) -> None:
    await path.accept([said(), void(str(uuid.uuid4()))])
    await Path.open(pool)
    with pytest.raises(Fenced):
        await path.do(path.persist)
    for table in ("statement", "posting", "void", "statement_ref", "log_record where statements > 2"):
        assert await path.count(table) == 0
    assert await path.unread(path.persist, 0)


async def test_a_killed_transaction_leaves_nothing_and_is_done_again(path: Path) -> None:
    await path.accept([said(), said()])
    await path.pool.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$ begin raise exception 'away' using errcode = 'connection_failure'; end $$;"
        " create trigger fail before insert on log_record for each row when (new.statements > 0)"
        " execute function fail()"
    )
    with pytest.raises(asyncpg.PostgresConnectionError):
        await path.do(path.persist)
    assert await path.count("statement") == 0
    assert await path.count("dead_letter") == 0
    await path.pool.execute("drop trigger fail on log_record")
    await path.settle()
    assert await path.facts() == 2
    await path.proven()


async def test_only_the_statement_that_fails_alone_goes_to_the_dead_letters(path: Path) -> None:
    statements = [said(number % 7, activity=f"m:{number}") for number in range(100)]
    bad = statements[37], statements[91]
    await refuse(path, *bad)
    await path.accept(statements[:50], statements[50:80], partition=1)
    await path.accept(statements[80:], partition=1)
    await path.settle()
    assert await path.in_sight() == {one["id"] for one in statements} - {one["id"] for one in bad}
    assert await reasons(path) == [("poison", one["id"]) for one in bad]
    kept = await path.pool.fetch('select "offset", place, raw from dead_letter order by dead_letter')
    assert [(row["offset"], row["place"]) for row in kept] == [(0, 37), (1, 11)]
    assert b"m:37" in kept[0]["raw"]
    await path.proven()


async def test_a_batch_of_nothing_but_poison_is_passed(path: Path) -> None:
    bad = said()
    await refuse(path, bad)
    await path.accept(bad)
    await path.accept(good := said())
    await path.do(path.persist, 0, most=1)
    await path.do(path.persist, 0, most=1)
    assert await path.in_sight() == {good["id"]}
    assert await reasons(path) == [("poison", bad["id"])]


async def test_a_void_of_damaged_bytes_is_poison_and_holds_nobody(path: Path) -> None:
    target, other = said(1), said(2)
    await path.send([target, other])
    await path.pool.execute("update statement set raw = raw || 'x' where id = $1", uuid.UUID(target["id"]))
    await path.pool.execute(
        "update statement set raw = $2 where id = $1", uuid.UUID(target["id"]), zstandard.compress(b"{}")
    )
    bad = void(target)
    await path.send([said(3), bad, void(other)])
    assert await reasons(path) == [("poison", bad["id"])]
    assert target["id"] in await path.in_sight()
    assert other["id"] not in await path.in_sight()


async def test_a_damaged_record_goes_to_the_dead_letters_with_its_bytes(path: Path) -> None:
    await path.accept(first := said())
    await path.statements.append(0, b"\x93\x01 no frame", 3)
    await path.accept(last := said())
    await path.settle()
    assert await path.in_sight() == {first["id"], last["id"]}
    [row] = await path.pool.fetch("select * from dead_letter")
    assert (row["tenant"], row["offset"], row["place"], row["reason"]) == (0, 1, -1, "damaged")
    assert row["raw"] == b"\x93\x01 no frame"


async def test_a_frame_of_an_unknown_version_stops_the_worker(path: Path) -> None:
    await path.accept(said())
    await path.statements.append(0, b"\x91\x63", 1)
    with pytest.raises(frames.UnknownFrame, match="99"):
        await path.do(path.persist)
    assert len(await path.unread(path.persist, 0)) == 2
    assert await path.count("statement") == 0


async def tiny(path: Path, activity: str, dictionary: int) -> bytes:
    """A frame of one statement."""
    body = {"actor": learner(1), "verb": {"id": "v:1"}, "object": {"id": activity}}
    statements = read_statements(msgspec.json.encode(body), Version.V1_0_3)
    request = frames.Request(await path.authority(0), Version.V1_0_3, 0, statements, [uuid.uuid4().bytes])
    return frames.encode(1, [request], dictionary, zstandard.compress)


async def test_a_frame_with_a_dictionary_that_the_store_lacks_stops_the_worker(path: Path) -> None:
    await path.statements.append(0, await tiny(path, "a:1", 77), 1)
    with pytest.raises(UnknownDictionary, match="77"):
        await path.do(path.persist)
    assert await path.unread(path.persist, 0)


def sample_frame() -> bytes:
    """A frame with everything in it."""
    related = {"contextActivities": {"grouping": [{"id": "g:1"}]}, "instructor": learner(7)}
    statements = [
        said(1, context=related),
        void("6f6c9b1e-0f8e-4dfa-b4c4-24d2ed1e3b0a"),
        said(2, "completed", "m:text"),
    ]
    read = read_statements(msgspec.json.encode(statements), Version.V1_0_3)
    request = frames.Request(1, Version.V1_0_3, 5, read, [one.id or b"" for one in read])
    return frames.encode(1, [request], 0, zstandard.compress)


SAMPLE = sample_frame()


@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_frame_with_other_bytes_is_damaged_or_unknown_or_fits_together(
    changes: list[tuple[int, int]],
) -> None:
    value = bytearray(SAMPLE)
    for at, byte in changes:
        value[at] = byte
    try:
        frame = frames.decode(bytes(value))
        check(frame)
    except (ValueError, frames.UnknownFrame):
        return
    assert len(frame.raws()) == frame.rows
    assert frame.columns["verb"].max() < len(frame.verbs)


async def test_frames_with_other_bytes_stop_nobody(path: Path) -> None:
    for at in range(0, len(SAMPLE), 7):
        value = bytearray(SAMPLE)
        value[at] ^= 0xFF
        try:
            frame = frames.decode(bytes(value))
        except (ValueError, frames.UnknownFrame):
            continue
        if frame.dictionary == 0:
            await path.statements.append(0, bytes(value), 3)
    await path.accept(last := said())
    await path.do(path.persist)
    assert not await path.unread(path.persist, 0)
    assert last["id"] in await path.in_sight()


async def test_a_name_that_the_store_does_not_take_damages_its_frame_only(path: Path) -> None:
    value = (await tiny(path, "a:XX1", 0)).replace(b"a:XX1", b"a:\x00\x001")
    await path.accept(first := said())
    await path.statements.append(0, value, 1)
    await path.accept(last := said())
    await path.do(path.persist)
    assert await path.in_sight() == {first["id"], last["id"]}
    assert await reasons(path) == [("damaged", None)]


async def test_identifiers_of_any_length_are_stored(path: Path) -> None:
    unique = "".join(str(uuid.uuid4()) for _ in range(3_000))
    long = said(verb=f"v:{unique}", activity=f"a:{unique}")
    long["actor"] = {"account": {"homePage": "https://example.org", "name": unique}}
    await path.send(long)
    assert await path.in_sight() == {long["id"]}
    await path.proven()


async def test_a_tick_moves_the_time_on(path: Path) -> None:
    await path.statements.tick(0.0)
    await path.do(path.persist)
    thetas = await path.pool.fetch("select theta_us from stage_partition where stage = 'persist'")
    assert all(row["theta_us"] > 0 for row in thetas)


async def test_a_repeated_statement_and_a_refused_request_are_passed_over(path: Path) -> None:
    first, second, third = said(1), said(2), said(3)
    await path.accept(first)
    changed = first | {"actor": {"mbox": "mailto:other@example.org"}}
    appended = await path.accept([second, first], [third, changed], partition=1)
    assert list(appended.repeated) == [1]
    assert appended.conflicts == {1: [3]}
    await path.settle()
    assert await path.in_sight() == {first["id"], second["id"]}
    assert await path.facts() == 2
    await path.proven()


async def test_pos_contains_partition_and_stored_in_the_order_of_the_log(path: Path) -> None:
    statements = [said() for _ in range(5)]
    appended = await path.accept(statements[:2], statements[2:], partition=1)
    await path.do(path.persist)
    rows = await path.pool.fetch("select id, pos from statement order by pos")
    assert [str(row["id"]) for row in rows] == [one["id"] for one in statements]
    assert [row["pos"] & 4095 for row in rows] == [1] * 5
    instants = [(row["pos"] >> 12) + 1_577_836_800_000_000 for row in rows]
    assert instants == list(range(appended.end - 4, appended.end + 1))


@pytest.mark.parametrize("order", ["before", "after", "in one batch", "in one batch, before", "at once"])
async def test_a_void_takes_its_target_away_whatever_the_order(path: Path, order: str) -> None:
    target, kept = said(1), said(1)
    voiding = void(target)
    if order == "before":
        await path.send(voiding, partition=1)
        await path.send([target, kept])
    elif order == "after":
        await path.send([target, kept])
        await path.send(voiding, partition=1)
    elif order == "in one batch":
        await path.send([target, kept, voiding])
    elif order == "in one batch, before":
        await path.send([voiding, target, kept])
    else:
        await path.accept([target, kept])
        await path.accept(voiding, partition=1)
        await asyncio.gather(path.do(path.persist, 0), path.do(path.persist, 1))
    await path.settle()
    assert await path.in_sight() == {kept["id"], voiding["id"]}
    assert await path.facts() == 1
    await path.proven()


async def test_voids_and_targets_through_two_partitions_at_once_always_meet(path: Path) -> None:
    targets = [said(number) for number in range(60)]
    for target in targets:
        await path.accept(target, partition=0)
        await path.accept(void(target), partition=1)

    async def persist(partition: int) -> None:
        while await path.unread(path.persist, partition):
            await path.do(path.persist, partition, most=1)

    await asyncio.gather(persist(0), persist(1))
    assert not await path.in_sight() & {target["id"] for target in targets}
    await path.do(path.score)
    assert await path.facts() == 0
    await path.proven()


async def test_two_voids_subtract_once(path: Path) -> None:
    target = said(1)
    await path.send([target, said(1)])
    await path.accept(void(target, 5))
    await path.accept(void(target, 6), partition=1)
    await asyncio.gather(path.do(path.persist, 0), path.do(path.persist, 1))
    await path.do(path.score)
    assert await path.facts() == 1
    assert sum(found["retracted"] for found in path.counts) == 1
    await path.proven()


async def test_two_early_voids_and_a_late_one_void_once(path: Path) -> None:
    target = said(1)
    await path.send([void(target, 5), void(target, 6)])
    await path.send(target)
    await path.send(void(target, 7))
    assert await path.facts() == 0
    assert await path.count("void where target_pos is not null") == 3
    await path.proven()


@pytest.mark.parametrize("early", [True, False])
async def test_a_voiding_statement_is_not_voided(path: Path, early: bool) -> None:
    target = said(1)
    first = void(target)
    second = void(first)
    for statement in (second, first, target) if early else (target, first, second):
        await path.send(statement)
    assert await path.in_sight() == {first["id"], second["id"]}
    await path.proven()


@pytest.mark.parametrize("early", [True, False])
async def test_who_may_void_only_its_own_voids_no_others(path: Path, early: bool) -> None:
    own, others = said(1), said(2)

    async def voids() -> None:
        await path.send([void(own), void(others)], authority=1, voids_anyones=False)

    if early:
        await voids()
    await path.send(own, authority=1)
    await path.send(others, authority=2)
    if not early:
        await voids()
    in_sight = await path.in_sight()
    assert own["id"] not in in_sight
    assert others["id"] in in_sight
    await path.proven()


async def test_a_void_reaches_no_other_tenant(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    statement = said(1)
    await path.send(statement, tenant=1)
    await path.send(statement, tenant=2)
    await path.send(void(statement), tenant=2)
    assert statement["id"] in await path.in_sight(1)
    assert statement["id"] not in await path.in_sight(2)
    await path.proven()


async def test_a_single_connection_is_enough_for_voids_and_references(database: str, path: Path) -> None:
    target, other = said(1), said(2)
    await path.send([target, other])
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as narrow:
        fresh = await Path.open(narrow, CATALOGUE)
        await fresh.accept([void(target), said(3) | {"object": ref(other)}])
        async with asyncio.timeout(20):
            await fresh.settle()
        assert await fresh.facts() == 1


async def test_records_are_told_as_stored_when_they_are_committed(path: Path) -> None:
    told: list[int] = []
    path.persist._stored = lambda received: told.append(len(received))
    await path.accept([said(), said()])
    await path.statements.append(0, b"garbage", 1)
    await path.do(path.persist)
    assert told == [2]
