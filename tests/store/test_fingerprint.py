"""A fingerprint does not know a store's numbers, and knows everything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrs.store.derivation import Derivation
from lrs.store.fingerprint import fingerprint
from lrs.store.tail import Tail
from lrs.store.verification import EVERYBODY, snapshot
from tests.store.path import Path, said


async def derived(path: Path) -> Derivation:
    """What is derived in tenant 1."""
    examined = await path.examiner().examine(1, 0, EVERYBODY)
    assert examined.same
    return examined.live


def shifted(derivation: Derivation, by: int) -> Derivation:
    """The same with other numbers."""
    keys, facts, sums = derivation.keys.copy(), derivation.facts.copy(), derivation.accumulators.copy()
    for array, names in (
        (keys, ("agent", "activity")),
        (facts, ("authority",)),
        (sums, ("agent", "competency")),
    ):
        for name in names:
            array[name] += by
    facts["origin"][facts["origin"] != 0] += by
    courses = [(agent + by, course + by, state) for agent, course, state in derivation.courses]
    return Derivation(keys, facts, courses, sums)


async def some(path: Path) -> Derivation:
    """Something of everything."""
    parents = {"contextActivities": {"parent": [{"id": "p:1"}]}}
    await path.send([said(1, context=parents), said(1, "completed", "m:text"), said(2)])
    return await derived(path)


async def test_other_numbers_give_the_same_fingerprint(path: Path) -> None:
    derivation = await some(path)
    before = await fingerprint(path.pool, 1, derivation)
    for columns in ("agent (tenant, key, agent, ifi)", "activity (tenant, key, activity, iri)"):
        table, *_ = columns.split()
        values = columns.partition("(")[2].replace("tenant", "2").replace(f" {table},", f" {table} + 500,")
        query = f"insert into {columns} overriding system value select {values[:-1]} from {table}"
        await path.pool.execute(f"{query} where tenant = 1")
    assert await fingerprint(path.pool, 2, shifted(derivation, 500)) == before
    assert await fingerprint(path.pool, 2, derivation) != before


async def test_fingerprints_of_learners_add_up(path: Path) -> None:
    derivation = await some(path)
    parts = []
    for agent in derivation.learners():
        parts.append(
            Derivation(
                derivation.keys[derivation.keys["agent"] == agent],
                derivation.facts[derivation.keys["agent"] == agent],
                [row for row in derivation.courses if row[0] == agent],
                derivation.accumulators[derivation.accumulators["agent"] == agent],
            )
        )
    assert len(parts) == 2
    total = sum([await fingerprint(path.pool, 1, part) for part in parts])
    assert total % (1 << 128) == await fingerprint(path.pool, 1, derivation)


@pytest.mark.parametrize("what", ["score", "effective", "flags", "authority", "origin", "course", "sum"])
async def test_every_change_is_another_fingerprint(path: Path, what: str) -> None:
    derivation = await some(path)
    before = await fingerprint(path.pool, 1, derivation)
    facts, sums, courses = derivation.facts.copy(), derivation.accumulators.copy(), list(derivation.courses)
    if what == "course":
        agent, course, state = courses[0]
        courses[0] = (agent, course, state[::-1])
    elif what == "sum":
        sums["a"][0] += 1
    elif what == "authority":
        facts[what][0] = derivation.keys["agent"][0]
    elif what == "origin":
        facts[what][0][1] = derivation.keys["activity"][0]
    else:
        facts[what][0] ^= 1
    changed = replace(derivation, facts=facts, accumulators=sums, courses=courses)
    assert await fingerprint(path.pool, 1, changed) != before


async def test_nothing_has_no_fingerprint(path: Path) -> None:
    assert await fingerprint(path.pool, 1, await derived(path)) == 0


async def test_a_derivation_has_no_chunks(path: Path) -> None:
    await path.send([said(1) for _ in range(200)])
    rows = await path.pool.fetch("select chunk from evidence")
    assert len(rows) == 4
    derivation = await derived(path)
    assert derivation.count == 200
    assert len(derivation.evidence) == 1
    async with snapshot(path.pool) as connection:
        await Tail("score").look(connection)
    assert np.all(np.diff(derivation.keys["agent"]) == 0)
