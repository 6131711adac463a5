"""Statements read again are the arrays that persist had."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
import zstandard

from lrs.store import reread as rereading
from lrs.store.dictionary import Dictionaries, UnknownDictionary
from lrs.store.name import Names
from lrs.store.reread import Stored, Unreadable, reread
from lrs.xapi.version import Version
from tests.store.path import Path, learner, said, void


async def everything(path: Path) -> list[Stored]:
    """Every stored statement."""
    return [Stored.of(1, row) for row in await path.pool.fetch("select * from statement order by pos")]


@pytest.mark.parametrize("together", [1, 1_000, 1 << 20])
async def test_every_column_comes_back(path: Path, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(rereading, "_TOGETHER", together)
    batches = []
    write = path.persist._statements.write

    async def spy(connection, batch):  # type: ignore[no-untyped-def]
        batches.append(batch)
        return await write(connection, batch)

    monkeypatch.setattr(path.persist._statements, "write", spy)
    statements = [
        said(number, context={"registration": str(uuid.uuid4()), "instructor": learner(number + 1),
                              "contextActivities": {"parent": [{"id": "p:1"}], "grouping": [{"id": "g:1"}]}})
        for number in range(5)
    ]  # fmt: skip
    await path.accept(statements[:3], void(statements[0]), authority=1)
    await path.accept(statements[3:], authority=2, version=Version.V2_0_0)
    await path.do(path.persist)
    [had] = batches
    stored = await everything(path)
    async with path.pool.acquire() as connection:
        again = await reread(stored, Dictionaries(), Names(path.pool), connection)
    for name, column in had.columns.items():
        if name not in ("request", "size", "received", "dictionary"):
            assert np.array_equal(again.columns[name], column), name
    for name in ("agents", "activities"):
        assert sorted(getattr(again, name).tolist()) == sorted(getattr(had, name).tolist())
    assert again.refs == had.refs


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"1", b'{"id":1}', b"[1,2]"])
async def test_what_is_no_statement_is_told_by_its_id(path: Path, raw: bytes) -> None:
    await path.send([said(1), said(2), said(3)])
    stored = await everything(path)
    bad = Stored(1, stored[1].pos, stored[1].id, 1, 0, 0, zstandard.compress(raw))
    async with path.pool.acquire() as connection:
        with pytest.raises(Unreadable, match=str(uuid.UUID(bytes=bad.id))):
            await reread([stored[0], bad, stored[2]], path.dictionaries, path.names, connection)


async def test_a_dictionary_that_the_store_lacks_is_told(path: Path) -> None:
    async with path.pool.acquire() as connection:
        with pytest.raises(UnknownDictionary, match="99"):
            await reread([Stored(1, 1, bytes(16), 1, 0, 99, b"")], path.dictionaries, path.names, connection)
