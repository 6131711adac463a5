"""Bodies made beforehand: always new statements, always valid."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem
from typing import Any

import pytest

from loadtests.bodies import Body, Supply
from loadtests.rendering import make_bodies
from lrs.demo.career import demonstration_catalogue
from lrs.xapi.reader import read_statements
from lrs.xapi.render import format_uuid
from lrs.xapi.version import Version

NOW = 1_795_000_000_000_000


def bodies(batch: int, interleaved: int, seed: int = 1, statements: int = 600) -> list[Body]:
    return make_bodies(
        demonstration_catalogue(),
        seed,
        batch=batch,
        interleaved=interleaved,
        statements=statements,
        now=NOW,
    )


@pytest.mark.parametrize("generation", [0, 1, 9_999, 10_000, 2**32 - 1])
def test_a_body_is_valid_in_every_round_and_tells_its_ids(generation: int) -> None:
    for body in bodies(50, 10):
        fresh = body.fresh(generation)
        statements = read_statements(fresh.content, Version.V1_0_3)
        assert [format_uuid(statement.id) for statement in statements if statement.id] == fresh.ids
        assert len(fresh.ids) == body.statements == 50


def test_single_statements_go_without_an_array() -> None:
    for body in bodies(0, 5, statements=20):
        fresh = body.fresh(3)
        assert json.loads(fresh.content)["id"] == fresh.ids[0]
        assert len(fresh.ids) == 1


def test_no_id_no_registration_and_no_learner_comes_again_in_the_next_round() -> None:
    body = bodies(50, 10)[0]
    first, second = (json.loads(body.fresh(generation).content) for generation in (4, 5))
    assert _unlike(first, second, "id")
    assert _unlike(first, second, "context", "registration")
    assert _unlike(first, second, "actor", "account", "name")


def _unlike(first: list[Any], second: list[Any], *path: str) -> bool:
    return {reduce(getitem, path, one) for one in first}.isdisjoint(
        reduce(getitem, path, one) for one in second
    )


def test_what_belongs_together_stays_together_in_a_round() -> None:
    def groups(generation: int) -> list[tuple[int, int]]:
        said = [one for body in made for one in json.loads(body.fresh(generation).content)]
        learners = [one["actor"]["account"]["name"] for one in said]
        registrations = [one["context"]["registration"] for one in said]
        return [
            (learners.index(learner), registrations.index(registration))
            for learner, registration in zip(learners, registrations, strict=True)
        ]

    made = bodies(50, 10)
    assert groups(0) == groups(7_777)


def test_learners_alternate_in_a_batch() -> None:
    said = json.loads(bodies(50, 10)[0].fresh(0).content)
    names = [one["actor"]["account"]["name"] for one in said]
    assert names[:10] == names[10:20]
    assert len(set(names)) == 10


def test_a_supply_goes_round_without_repeating_an_id() -> None:
    made = bodies(50, 10, statements=200)
    supply = Supply(made)
    ids = [name for _ in range(3 * len(made)) for name in next(supply).ids]
    assert len(set(ids)) == len(ids) == 3 * 200


def test_two_seeds_have_no_id_in_common() -> None:
    first, second = (
        {name for body in bodies(50, 10, seed, 200) for name in body.fresh(0).ids} for seed in (1, 2)
    )
    assert first.isdisjoint(second)


def test_an_empty_supply_and_impossible_interleaving_are_refused() -> None:
    with pytest.raises(ValueError, match="a body at least"):
        Supply([])
    with pytest.raises(ValueError, match="not 0"):
        bodies(50, 0)
