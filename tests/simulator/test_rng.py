from __future__ import annotations

from statistics import NormalDist

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.population import root
from simulator.rng import child, exponential, lognormal, mix, normal, sigma, uniform

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
