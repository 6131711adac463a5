"""Statements as rows: postings through references, whatever the order in which they come."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest

from lrs.store.statement import LONGEST_CHAIN
from tests.store.path import Path, learner, ref, said

Postings = dict[str, set[int]]


async def postings(path: Path, statements: list[dict[str, Any]]) -> Postings:
    """The terms of each statement's postings."""
    rows = await path.pool.fetch(
        "select s.id, p.term from statement s left join posting p on p.tenant = s.tenant and p.pos = s.pos"
    )
    found: Postings = {one["id"]: set() for one in statements}
    for row in rows:
        if str(row["id"]) in found and row["term"] is not None:
            found[str(row["id"])].add(row["term"])
    return found


def renewed(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same statements with other ids, referring to each other alike."""
    ids = {one["id"]: str(uuid.uuid4()) for one in statements}
    copies = []
    for one in statements:
        copy = one | {"id": ids[one["id"]]}
        if "StatementRef" in str(one["object"]):
            copy["object"] = ref(ids.get(one["object"]["id"], one["object"]["id"]))
        copies.append(copy)
    return copies


def chain(length: int) -> list[dict[str, Any]]:
    """Statements of which each refers to the one before, the first to an activity."""
    found = [said(0, "v:0", "a:0")]
    for number in range(1, length):
        found.append(said(number, f"v:{number}") | {"object": ref(found[-1])})
    return found


def circle(length: int) -> list[dict[str, Any]]:
    """Statements of which each refers to the one before, the first to the last."""
    found = chain(length)
    found[0]["object"] = ref(found[-1])
    return found


def fork() -> list[dict[str, Any]]:
    """A statement to which two refer, to one of which another refers."""
    root = said(0, "v:0", "a:0")
    left, right = (said(number, "v:1") | {"object": ref(root)} for number in (1, 2))
    return [root, left, right, said(3, "v:2") | {"object": ref(left)}]


@pytest.mark.parametrize("shape", [chain(4), circle(1), circle(2), circle(3), fork()])
async def test_every_order_gives_the_same_postings(path: Path, shape: list[dict[str, Any]]) -> None:
    results = []
    for order in itertools.permutations(range(len(shape))):
        statements = renewed(shape)
        for place in order:
            await path.accept(statements[place], partition=place % 2)
            await path.do(path.persist)
        found = await postings(path, statements)
        results.append([found[one["id"]] for one in statements])
    whole = renewed(shape)
    await path.accept(whole)
    await path.do(path.persist)
    found = await postings(path, whole)
    results.append([found[one["id"]] for one in whole])
    assert all(result == results[0] for result in results)
    assert any(results[0])
    await path.proven()


@pytest.mark.parametrize("forwards", [True, False])
async def test_a_chain_inherits_up_to_its_longest_length_and_no_farther(path: Path, forwards: bool) -> None:
    statements = chain(LONGEST_CHAIN + 4)
    for statement in statements if forwards else statements[::-1]:
        await path.accept(statement)
    await path.do(path.persist, most=99)
    numbers = [await path.names.numbers("agent", 1, [f"mbox:{learner(n)['mbox']}"]) for n in range(2)]
    found = await postings(path, statements)
    [first] = numbers[0]
    inherits = [statement["id"] for statement in statements if first << 3 in found[statement["id"]]]
    assert inherits == [statement["id"] for statement in statements[1 : LONGEST_CHAIN + 1]]
    await path.proven()


async def test_what_many_refer_to_may_come_last(path: Path) -> None:
    target = said(0, "v:0", "a:0")
    referring = [said(number, "v:1") | {"object": ref(target)} for number in range(1_500)]
    await path.accept(referring)
    await path.do(path.persist)
    await path.accept(target, partition=1)
    await path.do(path.persist)
    number = await path.names.find("activity", 1, "a:0")
    assert number is not None
    assert await path.count("posting where term = $1", number << 3 | 3) == 1_500


async def test_a_nil_registration_is_one_that_can_be_found(path: Path) -> None:
    nil, none = said(context={"registration": str(uuid.UUID(int=0))}), said()
    await path.send([nil, none])
    rows = await path.pool.fetch("select id from statement where registration <> $1", uuid.UUID(int=0))
    assert [str(row["id"]) for row in rows] == [nil["id"]]
    await path.proven()
