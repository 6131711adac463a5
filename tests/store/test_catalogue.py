"""The catalogue in force: one for each tenant, noticed when it changes."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from lrs.scoring.document import DocumentError
from lrs.store.catalogue import Catalogues, OtherCatalogue, ensure_catalogue, load_catalogue
from lrs.store.name import Names
from tests.store.path import CATALOGUE, OTHER_CATALOGUE


async def test_the_first_catalogue_comes_into_force_once(pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(ensure_catalogue(pool, 1, CATALOGUE) for _ in range(5)))
    assert await pool.fetchval("select count(*) from catalogue where in_force") == 1
    found = await load_catalogue(pool, Names(pool), 1)
    assert found is not None
    assert found.number == 1
    assert [course.id for course in found.catalogue.courses] == ["course:files"]
    assert await load_catalogue(pool, Names(pool), 2) is None


async def test_another_one_is_refused_and_the_way_is_told(pool: asyncpg.Pool) -> None:
    await ensure_catalogue(pool, 1, CATALOGUE)
    await ensure_catalogue(pool, 1, CATALOGUE + "\n# a comment changes nothing\n")
    with pytest.raises(OtherCatalogue, match="lrs rebuild --catalogue"):
        await ensure_catalogue(pool, 1, OTHER_CATALOGUE)
    await ensure_catalogue(pool, 2, OTHER_CATALOGUE)


async def test_a_wrong_catalogue_leaves_nothing(pool: asyncpg.Pool) -> None:
    with pytest.raises(DocumentError):
        await ensure_catalogue(pool, 1, "format: 1")
    assert await pool.fetchval("select count(*) from catalogue") == 0


async def test_who_asks_gets_the_one_in_force_now_compiled_once(pool: asyncpg.Pool) -> None:
    catalogues = Catalogues(pool, Names(pool))
    assert await catalogues.in_force(1) is None
    await ensure_catalogue(pool, 1, CATALOGUE)
    first = await catalogues.in_force(1)
    assert first is not None
    assert await catalogues.in_force(1) is first
    await pool.execute("update catalogue set in_force = false")
    assert catalogues.loaded(1) is first
    assert await catalogues.in_force(1) is None
    assert catalogues.loaded(1) is None
    await pool.execute(
        "insert into catalogue (tenant, catalogue, digest, content, in_force) values (1, 2, '', $1, true)",
        OTHER_CATALOGUE,
    )
    second = await catalogues.in_force(1)
    assert second is not None
    assert (second.number, len(second.tables.homes)) == (2, len(first.tables.homes) - 1)
