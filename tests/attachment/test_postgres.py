"""Attachments in PostgreSQL keep the contract, and what only they promise."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from lrs.attachment.port import NotTheData
from lrs.attachment.postgres import PIECE, PostgresAttachments
from tests import postgres
from tests.attachment.contract import (
    LARGE,
    TENANT,
    AttachmentsContract,
    Home,
    cut,
    pieces,
    put,
    sha2,
    statement,
    whole,
)


@pytest_asyncio.fixture(scope="module")
async def shared(postgres_url: str, migrated: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the module's own database."""
    async with (
        postgres.copy(postgres_url, migrated) as url,
        asyncpg.create_pool(url, min_size=1, max_size=10) as pool,
    ):
        yield pool


@pytest_asyncio.fixture
async def empty(shared: asyncpg.Pool) -> asyncpg.Pool:
    """The same without anything in it."""
    await shared.execute("truncate attachment, attachment_piece, attachment_use, known_id")
    return shared


class TestPostgresAttachments(AttachmentsContract):
    @pytest.fixture
    async def home(self, empty: asyncpg.Pool) -> Home:
        async def accept(tenant: int, id: bytes) -> None:
            known = "insert into known_id (tenant, id, digest, pos) values ($1, $2, $2, 0)"
            await empty.execute(known, tenant, uuid.UUID(bytes=id))

        return Home(PostgresAttachments(empty), PostgresAttachments(empty, grace=0), accept)


async def rows(pool: asyncpg.Pool) -> tuple[int, int, int]:
    """How many attachments, pieces and uses there are."""
    counts = [f"(select count(*) from attachment{table})" for table in ("", "_piece", "_use")]
    [(data, parts, uses)] = await pool.fetch(f"select {', '.join(counts)}")
    return data, parts, uses


async def test_data_are_stored_once_in_pieces_outside_the_row(empty: asyncpg.Pool) -> None:
    attachments = PostgresAttachments(empty)
    for length in (1000, PIECE, len(LARGE)):
        await attachments.put(TENANT, sha2(LARGE), len(LARGE), pieces(*cut(LARGE, length)), [statement()])
    assert await rows(empty) == (1, -(-len(LARGE) // PIECE), 3)
    column = "attrelid = 'attachment_piece'::regclass and attname = 'bytes'"
    assert await empty.fetchval(f"select attstorage from pg_attribute where {column}") == b"e"


async def test_nothing_is_left_of_what_was_deleted(empty: asyncpg.Pool) -> None:
    hasty, user = PostgresAttachments(empty, grace=0), statement()
    await put(hasty, LARGE, user)
    await hasty.release(TENANT, [user])
    assert await rows(empty) == (0, 0, 0)
    await put(hasty, LARGE, user)
    assert await hasty.sweep() == 1
    assert await rows(empty) == (0, 0, 0)


async def test_nothing_is_left_of_what_was_refused(empty: asyncpg.Pool) -> None:
    with pytest.raises(NotTheData):
        await PostgresAttachments(empty).put(TENANT, sha2(b"other"), len(LARGE), pieces(LARGE), [statement()])
    assert await rows(empty) == (0, 0, 0)


async def test_a_sweep_goes_on_past_what_is_used(empty: asyncpg.Pool) -> None:
    hasty, accepted = PostgresAttachments(empty, grace=0), statement()
    for number in range(250):
        await put(hasty, b"%d" % number, accepted)
    lost = await put(hasty, b"lost", statement())
    known = "insert into known_id (tenant, id, digest, pos) values ($1, $2, $2, 0)"
    await empty.execute(known, TENANT, uuid.UUID(bytes=accepted))
    assert await hasty.sweep() == 1
    assert await hasty.sweep() == 0
    assert await hasty.sizes(TENANT, [lost]) == {}


async def test_what_is_put_while_it_is_swept_or_released_is_there_afterwards(empty: asyncpg.Pool) -> None:
    hasty, attachments = PostgresAttachments(empty, grace=0), PostgresAttachments(empty)
    for _ in range(15):
        old, new = statement(), statement()
        await put(hasty, LARGE, old)
        await asyncio.gather(
            hasty.sweep(), put(attachments, LARGE, new), hasty.release(TENANT, [old]), hasty.sweep()
        )
        assert await whole(attachments, sha2(LARGE)) == LARGE
        await attachments.release(TENANT, [new])
        assert await rows(empty) == (0, 0, 0)


async def test_large_data_leave_connections_to_others(empty: asyncpg.Pool) -> None:
    attachments, go, begun = PostgresAttachments(empty), asyncio.Event(), asyncio.Semaphore(0)

    async def slow(data: bytes) -> AsyncIterator[bytes]:
        begun.release()
        await go.wait()
        yield data

    putting = [
        asyncio.create_task(attachments.put(TENANT, sha2(data), len(data), slow(data), [statement()]))
        for data in (b"%d" % number for number in range(30))
    ]
    async with asyncio.timeout(20):
        await begun.acquire()
        # Long enough for all of them to have taken a connection, if they took one.
        await asyncio.sleep(0.2)
        assert await attachments.sizes(TENANT, [sha2(b"0")]) == {}
        go.set()
        await asyncio.gather(*putting)
    assert (await rows(empty))[0] == 30
