"""Dead letters: found by what they are, and sent again under their ids, once."""

from __future__ import annotations

import asyncio
import datetime
import os
import subprocess
import sys
import uuid
from typing import Any

import asyncpg
import msgspec
import pytest

from lrs.store.dead_letter import DeadLetter, Filter, NotRetried, content, dead_letters, discard, retry
from tests.store.path import Path, said


@pytest.fixture
async def path(pool: asyncpg.Pool) -> Path:
    """An empty path."""
    return await Path.open(pool)


async def put_aside(path: Path, *statements: dict[str, Any]) -> list[DeadLetter]:
    """Bring persist to put these statements aside, then let the store take them; the letters."""
    listed = ", ".join(f"'{statement['id']}'" for statement in statements)
    await path.pool.execute(f"alter table statement add constraint refused check (id not in ({listed}))")
    await path.accept(list(statements))
    await path.settle()
    await path.pool.execute("alter table statement drop constraint refused")
    return await dead_letters(path.pool, Filter(), 100)


async def again(path: Path, number: int) -> None:
    """Send a letter again."""
    await retry(path.pool, path.statements, path.dictionaries, number, 0)


async def test_a_letter_is_found_by_what_it_is(path: Path) -> None:
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    one, two = said(1), said(2)
    await put_aside(path, one, two)
    await path.statements.append(0, b"no frame", 1)
    await path.settle()
    everything = await dead_letters(path.pool, Filter(), 10)
    assert [letter.reason for letter in everything] == ["damaged", "poison", "poison"]
    assert [letter.place for letter in everything] == [-1, 1, 0]
    for wanted, numbers in (
        (Filter(tenant=1), [1, 2]),
        (Filter(tenant=2), []),
        (Filter(reason="damaged"), [0]),
        (Filter(stage="score"), []),
        (Filter(id=uuid.UUID(one["id"])), [2]),
        (Filter(tenant=1, stage="persist", since=before), [1, 2]),
        (Filter(since=before + datetime.timedelta(days=1)), []),
    ):
        assert await dead_letters(path.pool, wanted, 10) == [everything[number] for number in numbers]
    assert await dead_letters(path.pool, Filter(), 1) == everything[:1]
    found = await content(path.pool, everything[2].number)
    assert found is not None
    assert msgspec.json.decode(found[1] or b"")["id"] == one["id"]


async def test_a_statement_that_is_sent_again_is_stored_under_its_id_for_its_authority(path: Path) -> None:
    first, bad = said(1), said(2)
    await path.accept(first)
    [letter] = await put_aside(path, bad)
    await again(path, letter.number)
    await path.settle()
    assert await path.in_sight() == {first["id"], bad["id"]}
    assert await dead_letters(path.pool, Filter(), 10) == []
    authorities = await path.pool.fetch("select distinct authority from statement")
    assert len(authorities) == 1
    stale = await path.pool.fetchval(
        "select count(*) from known_id k where not exists"
        " (select from statement s where s.tenant = k.tenant and s.pos = k.pos)"
    )
    assert stale == 0
    await path.proven()


async def test_retrying_twice_stores_once_wherever_the_first_retry_ended(path: Path) -> None:
    bad = said(1)
    [letter] = await put_aside(path, bad)
    row = await path.pool.fetchrow("select * from dead_letter")
    assert row is not None
    await asyncio.gather(*(again(path, letter.number) for _ in range(3)), return_exceptions=True)
    await path.pool.execute(  # as if it had been killed before the letter was forgotten
        'insert into dead_letter (tenant, stage, partition, "offset", place, id, reason, detail, raw, pos,'
        " authority, flags) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        *(
            row[name]
            for name in ("tenant", "stage", "partition", "offset", "place", "id", "reason", "detail", "raw")
        ),
        *(row[name] for name in ("pos", "authority", "flags")),
    )
    [letter] = await dead_letters(path.pool, Filter(), 10)
    await again(path, letter.number)  # before the first is stored
    await path.settle()
    assert await path.count("statement") == 1
    assert await dead_letters(path.pool, Filter(), 10) == []
    await path.proven()


async def test_what_is_still_poison_comes_back_as_a_new_letter(path: Path) -> None:
    bad = said(1)
    [letter] = await put_aside(path, bad)
    await path.pool.execute(f"alter table statement add constraint refused check (id <> '{bad['id']}')")
    await again(path, letter.number)
    await path.settle()
    [fresh] = await dead_letters(path.pool, Filter(), 10)
    assert (fresh.reason, str(fresh.id)) == ("poison", bad["id"])
    assert fresh.number != letter.number


async def test_only_what_persist_put_aside_alone_is_sent_again(path: Path) -> None:
    await path.statements.append(0, b"no frame", 1)
    await path.settle()
    [damaged] = await dead_letters(path.pool, Filter(), 10)
    with pytest.raises(NotRetried, match="only a statement that persist put aside"):
        await again(path, damaged.number)
    await path.pool.execute("update dead_letter set reason = 'conflict'")
    with pytest.raises(NotRetried, match="can only be discarded"):
        await again(path, damaged.number)
    assert await discard(path.pool, damaged.number)
    assert not await discard(path.pool, damaged.number)
    with pytest.raises(NotRetried, match="no such letter"):
        await again(path, damaged.number)


async def test_an_id_that_was_given_away_meanwhile_makes_a_letter_a_conflict(path: Path) -> None:
    bad = said(1)
    [letter] = await put_aside(path, bad)
    await path.pool.execute("delete from known_id")
    await path.accept(said(2) | {"id": bad["id"]})
    with pytest.raises(NotRetried, match="another statement has its id by now"):
        await again(path, letter.number)
    assert await content(path.pool, letter.number) is not None


async def test_the_command_lists_shows_retries_and_discards(path: Path, database: str) -> None:
    def lrs(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LRS_STORE": database, "LRS_PARTITIONS": "2"}
        return subprocess.run(
            [sys.executable, "-m", "lrs", "dead-letters", *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    one, two = said(1), said(2)
    await put_aside(path, one, two)
    listed = await asyncio.to_thread(lrs, "list", "--json", "--reason", "poison")
    letters = msgspec.json.decode(listed.stdout)
    assert [letter["id"] for letter in letters] == [two["id"], one["id"]]
    shown = await asyncio.to_thread(lrs, "show", str(letters[0]["number"]))
    assert msgspec.json.decode(shown.stdout)["id"] == two["id"]
    assert (await asyncio.to_thread(lrs, "retry")).returncode == 2
    retried = await asyncio.to_thread(lrs, "retry", "--id", one["id"])
    assert (retried.returncode, retried.stdout) == (0, "1 sent again\n"), retried.stderr
    discarded = await asyncio.to_thread(lrs, "discard", str(letters[0]["number"]), "99")
    assert (discarded.returncode, discarded.stdout) == (1, "1 discarded\n")
    assert discarded.stderr == "99: there is no such letter\n"
    await path.settle()
    assert await path.in_sight() == {one["id"]}
