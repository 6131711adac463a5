from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.population import root
from simulator.rng import (
    SHARES,
    child,
    exponential,
    lognormal,
    lognormal_of,
    mix,
    normal,
    shares,
    sigma,
    uniform,
)

KEY = np.uint64(root(1))


@given(st.integers(0, 2**63 - 1))
def test_a_number_depends_on_key_and_place_only(place: int) -> None:
    assert uniform(KEY, place) == uniform(KEY, place)
    assert 0.0 < uniform(KEY, place) < 1.0


def test_moments_of_the_distributions() -> None:
    n = 200_000
    assert abs(np.mean([uniform(KEY, k) for k in range(n)]) - 0.5) < 0.003
    assert abs(np.mean([exponential(KEY, k) for k in range(n)]) - 1.0) < 0.01
    noise = [lognormal(KEY, k, sigma(0.8)) for k in range(n)]
    assert abs(np.mean(noise) - 1.0) < 0.01
    assert abs(np.std(noise) - 0.8) < 0.03


@pytest.mark.parametrize("cv", [0.0, 0.3, 1.5])
def test_a_table_of_shares_is_the_distribution_that_it_stands_for(cv: float) -> None:
    means, s = shares(sigma(cv)), sigma(cv)
    assert np.all(np.diff(means) > -1e-12)
    assert abs(means.mean() - 1.0) < 1e-12
    own = np.array([lognormal(KEY, k, s) for k in range(50_000)])
    quick = np.array([lognormal_of(means, KEY, k, s) for k in range(50_000)])
    outermost = (own < means[1]) & (quick == own) | (own > means[SHARES - 2]) & (quick == own)
    assert 0 < outermost.sum() < 3 * 50_000 / SHARES or cv == 0.0
    # The same number of the same share: it differs by no more than the share is wide.
    assert np.abs(np.log(quick / own)).max() < 0.35 * s + 1e-9
    assert abs(quick.mean() - own.mean()) < 1e-4
    assert abs(quick.std() - own.std()) < 2e-3 * cv + 1e-9


def test_normal_is_the_inverse_of_the_normal_distribution() -> None:
    exact = NormalDist()
    for k in range(5_000):
        assert abs(normal(KEY, k) - exact.inv_cdf(uniform(KEY, k))) < 1e-6


def test_neighbouring_keys_and_children_share_nothing() -> None:
    words = {int(child(KEY, i)) for i in range(50_000)} | {int(mix(np.uint64(i))) for i in range(50_000)}
    assert len(words) == 100_000
    a = np.array([uniform(np.uint64(child(KEY, i)), 0) for i in range(20_000)])
    b = np.array([uniform(np.uint64(child(KEY, i + 1)), 0) for i in range(20_000)])
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
