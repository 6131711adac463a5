"""Documents of the store: one step a change, no scan, nothing left behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from lrs.store.document import PIECE, Document, DocumentStore, Draft, Kind, Shelf
from lrs.store.sql import queries

SHELF = Shelf(1, Kind.STATE, 5, 7)


def draft(data: bytes) -> Draft:
    """A draft; who hashes is not the store."""
    return Draft("text/plain", b"s" * 20, data)


async def seen(store: DocumentStore) -> Document:
    """The document that every test has."""
    found = await store.find(SHELF, "x", whole=True)
    assert found is not None
    return found


async def left(pool: asyncpg.Pool) -> tuple[int, int]:
    """How many documents and pieces there are."""
    counts = "select (select count(*) from document), (select count(*) from document_piece)"
    row = await pool.fetchrow(counts)
    assert row is not None
    return row[0], row[1]


async def test_a_change_that_saw_another_content_is_refused(pool: asyncpg.Pool) -> None:
    store = DocumentStore(pool)
    assert await store.put(SHELF, "x", None, draft(b"1"))
    assert not await store.put(SHELF, "x", None, draft(b"2"))
    first = await seen(store)
    assert await store.put(SHELF, "x", first, draft(b"3"))
    assert not await store.put(SHELF, "x", first, draft(b"4"))
    assert not await store.delete(SHELF, "x", first)
    second = await seen(store)
    assert (second.whole, await left(pool)) == (b"3", (1, 1))
    assert await store.read(SHELF, replace(first, whole=None)) is None
    assert await store.delete(SHELF, "x", second)
    assert not await store.put(SHELF, "x", second, draft(b"5"))
    assert await store.find(SHELF, "x") is None
    assert await left(pool) == (0, 0)


async def test_of_changes_at_once_one_is_done(pool: asyncpg.Pool) -> None:
    store = DocumentStore(pool)
    made = await asyncio.gather(*(store.put(SHELF, "x", None, draft(b"%d" % n)) for n in range(32)))
    assert sorted(made) == [False] * 31 + [True]
    first = await seen(store)
    changes = [store.put(SHELF, "x", first, draft(b"%d" % n)) for n in range(16)]
    done = await asyncio.gather(*changes, *(store.delete(SHELF, "x", first) for _ in range(16)))
    assert sorted(done) == [False] * 31 + [True]
    assert (await left(pool))[0] == (await left(pool))[1] == (1 if any(done[:16]) else 0)


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1])
async def test_a_document_is_kept_in_pieces_and_goes_with_them(pool: asyncpg.Pool, size: int) -> None:
    store = DocumentStore(pool)
    await store.put(SHELF, "x", None, draft(b"x" * size))
    assert await left(pool) == (1, -(-size // PIECE))
    found = await seen(store)
    assert (found.whole is None) == (size > PIECE)
    assert await store.read(SHELF, found) == b"x" * size
    await store.clear(SHELF)
    assert await left(pool) == (0, 0)


async def test_the_time_of_change_rises_even_when_the_clock_does_not(pool: asyncpg.Pool) -> None:
    store = DocumentStore(pool)
    await store.put(SHELF, "x", None, draft(b"1"))
    ahead = 1 << 52
    await pool.execute("update document set updated_us = $1", ahead)
    await store.put(SHELF, "x", await seen(store), draft(b"2"))
    assert (await seen(store)).updated == ahead + 1
    assert await store.ids(SHELF, ahead) == ["x"]
    assert await store.ids(SHELF, ahead + 1) == []


async def test_no_query_scans_the_table(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "insert into document"
        " (tenant, kind, agent, activity, registration, key, id, content_type, sha1, size, updated_us)"
        " select 1, 1, n % 1000, n % 77, gen_random_uuid(), gen_random_uuid(), n, 't', '', 1, n"
        " from generate_series(1, 20000) n"
    )
    await pool.execute("insert into document_piece select tenant, content, 1, 'x' from document")
    await pool.execute("analyze document, document_piece")
    place = "1, 1::smallint, 5, 7, gen_random_uuid(), gen_random_uuid()"
    arguments = {
        "find": f"{place}, true, 1048576",
        "pieces": "1, 5",
        "piece": "1, 5, 1",
        "create": f"{place}, 'x', 't', '', 1, array[''::bytea]",
        "replace": f"{place}, 9, 't', '', 1, array[''::bytea]",
        "delete": f"{place}, 9",
        "ids": "1, 1::smallint, 5, 7, null, 0",
        "clear": "1, 1::smallint, 5, 7, null",
    }
    assert set(arguments) == set(queries("document"))
    async with pool.acquire() as connection:
        for mode in ("force_generic_plan", "force_custom_plan"):
            await connection.execute(f"set plan_cache_mode = {mode}")
            for name, values in arguments.items():
                await connection.execute(f"prepare asked as {queries('document')[name]}")
                rows = await connection.fetch(f"explain execute asked ({values})")
                await connection.execute("deallocate asked")
                plan = "\n".join(row[0] for row in rows)
                assert "Seq Scan on document" not in plan, plan
