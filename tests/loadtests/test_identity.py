"""Identities: a bijection of all learners, shared out without overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.identity import LEARNERS, identities


@settings(max_examples=40)
@given(st.integers(1, 5_000), st.integers(0, 2**63))
def test_every_learner_comes_once_before_one_comes_twice(learners: int, seed: int) -> None:
    drawn = identities(np.arange(2 * learners), seed, learners)
    assert sorted(drawn[:learners]) == list(range(learners))
    assert (drawn[learners:] == drawn[:learners]).all()


@settings(max_examples=20)
@given(st.integers(0, 2**63), st.integers(0, 10**12))
def test_draws_anywhere_are_two_crore_different_learners(seed: int, first: int) -> None:
    drawn = identities(np.arange(first, first + 20_000), seed)
    assert len(np.unique(drawn)) == 20_000
    assert 0 <= drawn.min() <= drawn.max() < LEARNERS


def test_a_draw_does_not_depend_on_what_else_is_drawn() -> None:
    together = identities(np.arange(1_000), 5)
    apart = np.concatenate([identities(np.arange(place, 1_000, 3), 5) for place in range(3)])
    assert sorted(together) == sorted(apart)
    assert identities(np.array([77]), 5)[0] == together[77]


def test_neighbours_are_not_neighbours_and_seeds_differ() -> None:
    first, second = identities(np.arange(10_000), 1), identities(np.arange(10_000), 2)
    assert (np.abs(np.diff(first)) > 1).mean() > 0.99
    assert (first == second).mean() < 0.01
    # Evenly spread: of ten equal parts of the numbers each has its tenth, within 15 %.
    assert np.bincount(first // (LEARNERS // 10), minlength=10) == pytest.approx(np.full(10, 1_000), rel=0.15)


def test_impossible_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="not 0"):
        identities(np.arange(3), 1, 0)
    with pytest.raises(ValueError, match="from -1"):
        identities(np.array([3, -1]), 1)
