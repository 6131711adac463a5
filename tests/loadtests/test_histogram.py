"""Histograms of latencies: exact to 1 %, whatever they are merged from."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.histogram import SHARES, Histogram

DURATIONS = st.lists(st.floats(0, 5_000), min_size=1, max_size=200)


def filled(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


@settings(max_examples=60)
@given(DURATIONS)
def test_a_quantile_is_exact_to_one_percent_and_never_too_low(durations: list[float]) -> None:
    histogram, ordered = filled(durations), sorted(durations)
    for share in SHARES:
        exact = ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
        found = histogram.quantile(share)
        assert found is not None
        assert exact - 1e-6 <= found <= exact * 1.01 + 1e-6


@settings(max_examples=40)
@given(DURATIONS, DURATIONS)
def test_what_several_processes_counted_is_what_one_would_have(one: list[float], other: list[float]) -> None:
    merged = Histogram.unpacked(filled(one).packed())
    merged.merge(Histogram.unpacked(filled(other).packed()))
    together = filled(one + other)
    assert merged.packed() == together.packed()
    assert merged.quantiles() == together.quantiles()
    assert merged.count == len(one) + len(other)


def test_the_mean_is_that_of_the_durations_and_nothing_has_none() -> None:
    assert filled([0.001, 0.002, 0.006]).mean == pytest.approx(0.003)
    assert Histogram().mean is None
    assert Histogram().quantile(0.5) is None


def test_a_clock_that_went_back_counts_as_nothing_waited() -> None:
    assert filled([-0.5]).quantile(1.0) == 0.0
