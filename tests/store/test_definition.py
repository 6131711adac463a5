"""Activity definitions of the store: merged once each, without deadlocks, whatever is repeated."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import numpy as np
import pytest_asyncio

from lrs.log import frame as frames
from lrs.store import definition
from lrs.store.definition import Definitions, fresh_definitions
from lrs.store.name import Names
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from tests.store.path import said


@pytest_asyncio.fixture
async def definitions(pool: asyncpg.Pool) -> AsyncIterator[Definitions]:
    """Those of a store of the test's own."""
    yield Definitions(pool)


def named(**names: str) -> bytes:
    """A definition with a name in each language."""
    return json.dumps({"name": names}).encode()


async def known(definitions: Definitions, *iris: str) -> Any:
    """The names that activities have by now."""
    found = await definitions.of(1, iris)
    return {iri: json.loads(text)["name"] for iri, text in found.items()}


async def test_definitions_are_merged_in_the_order_of_their_statements_whatever_comes_first(
    pool: asyncpg.Pool, definitions: Definitions
) -> None:
    a, b = await Names(pool).numbers("activity", 1, ["a:a", "a:b"])
    old, new = named(en="old", ta="அ"), named(en="A", hi="अ")
    await definitions.merge([(1, b, 5, named(en="B")), (1, a, 7, new), (1, a, 6, old)])
    await definitions.merge([])
    await definitions.merge([(1, a, 7, named(fr="Á"))])
    await definitions.merge([(1, a, 4, named(fr="late", de="spät"))])
    expected = {"a:a": {"en": "A", "hi": "अ", "ta": "அ", "fr": "Á", "de": "spät"}, "a:b": {"en": "B"}}
    assert await known(definitions, "a:a", "a:b", "a:unknown") == expected


async def test_definitions_of_one_activity_do_not_cross_tenants(
    pool: asyncpg.Pool, definitions: Definitions
) -> None:
    names = Names(pool)
    [mine], [other] = await names.numbers("activity", 1, ["a:a"]), await names.numbers("activity", 2, ["a:a"])
    await definitions.merge([(1, mine, 1, named(en="mine")), (2, other, 1, named(en="other"))])
    await definitions.merge([(1, other, 1, named(en="crossed"))])
    assert await known(definitions, "a:a") == {"a:a": {"en": "mine"}}


async def test_what_is_no_definition_or_grows_too_long_is_passed_over(
    pool: asyncpg.Pool, definitions: Definitions, monkeypatch: Any
) -> None:
    monkeypatch.setattr(definition, "LONGEST", 60)
    [a] = await Names(pool).numbers("activity", 1, ["a:a"])
    texts = [named(en="A"), b"[1]", b"{", named(hi="x" * 60), named(fr="B")]
    await definitions.merge([(1, a, 1, text) for text in texts])
    assert await known(definitions, "a:a") == {"a:a": {"en": "A", "fr": "B"}}


async def test_many_that_define_the_same_activities_at_once_lose_nothing(
    pool: asyncpg.Pool, definitions: Definitions
) -> None:
    iris = [f"a:{number}" for number in range(8)]
    numbers = await Names(pool).numbers("activity", 1, iris)

    async def define(language: str, seed: int) -> None:
        chosen = random.Random(seed).sample(numbers, len(numbers))
        await definitions.merge([(1, number, seed, named(**{language: "x"})) for number in chosen])

    languages = [f"{first}{second}" for first in "abcdef" for second in "abcd"]
    await asyncio.gather(*(define(language, seed) for seed, language in enumerate(languages)))
    found = await known(definitions, *iris)
    assert all(set(found[iri]) == set(languages) for iri in iris)


def test_definitions_that_only_skipped_statements_bring_are_left_out() -> None:
    def about(activity: str, **context: object) -> dict[str, Any]:
        return (
            said(activity=activity)
            | {"object": {"id": activity, "definition": {"name": {"en": "x"}}}}
            | context
        )

    parent = {"context": {"contextActivities": {"parent": [{"id": "a:p", "definition": {"type": "t:t"}}]}}}
    sent = [about("a:0"), about("a:1", **parent), about("a:2")]
    statements = read_statements(json.dumps(sent).encode(), Version.V1_0_3)
    ids = [statement.id or b"" for statement in statements]
    request = frames.Request(1, Version.V1_0_3, 0, statements, ids)
    frame = frames.decode(frames.encode(1, [request], 0, lambda raw: raw))

    def left(*skip: int) -> set[str]:
        return {frame.activities[place] for place, _ in fresh_definitions(frame, skip)}

    assert left() == {"a:0", "a:1", "a:2", "a:p"}
    assert left(0) == {"a:1", "a:2", "a:p"}
    assert left(1) == {"a:0", "a:2"}
    assert left(*np.arange(3).tolist()) == set()
