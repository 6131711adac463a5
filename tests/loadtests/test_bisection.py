"""Bisection finds what a listing of everything finds, whatever the clocks say, and reads little of it."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.bisection import CUTS, LISTED, Found, find
from loadtests.sent import Digest, Role, Sent
from tests.loadtests.shelf import Harm, Run, Way, run

WAYS = st.builds(
    Way,
    requests=st.integers(0, 1_200),
    batch=st.integers(1, 12),
    rate=st.sampled_from([5.0, 500.0, 50_000.0]),
    latency=st.sampled_from([0.001, 0.05, 1.0]),
    lag=st.sampled_from([0.0, 0.0, 0.1, 10.0]),
    skew=st.sampled_from([0, 3_600_000_000, -86_400_000_000]),
    creep=st.sampled_from([0.0, 0.0001, -0.5]),
    grain=st.sampled_from([1, 1_000, 1_000_000]),
    blind=st.sampled_from([False, False, False, True]),
    lying=st.sampled_from([False, False, False, True]),
)
FEW = st.integers(0, 3)
HARMS = st.builds(
    Harm,
    missing=st.one_of(FEW, st.integers(0, 5_000)),
    doubled=st.one_of(FEW, st.integers(0, 500)),
    foreign=st.one_of(FEW, st.integers(0, 1_000)),
    doubted=st.one_of(FEW, st.integers(0, 300)),
    torn=st.booleans(),
    gap=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
)
MANY = Way(requests=40_000, batch=3, rate=1_000.0, latency=0.04, skew=-7_200_000_000, creep=0.00001)


async def examined(made: Run) -> Found:
    """What bisection finds, after it was held against a listing of everything."""
    found = await find(made.sent, made.shelf, made.since, made.until)
    everything = made.shelf.everything(made.since, made.until)
    own = {made.sent.id(place): int(times) for place, times in enumerate(found.times)}
    assert {id_: times for id_, times in own.items() if times} == {
        id_: times for id_, times in everything.items() if id_ in own
    }
    assert found.others == {id_: times for id_, times in everything.items() if id_ not in own}
    shelf = made.shelf
    assert (found.digests, found.listed, found.asked) == (shelf.digests, shelf.listed, shelf.asked)
    return found


@given(st.integers(0, 1 << 32), WAYS, HARMS)
@settings(max_examples=150)
async def test_the_same_is_found_as_by_listing_everything(seed: int, way: Way, harm: Harm) -> None:
    await examined(run(seed, way, harm))


@pytest.mark.parametrize("seed", range(2))
async def test_a_few_that_are_missing_or_doubled_cost_a_few_thousand_ids(seed: int) -> None:
    made = run(seed, MANY, Harm(missing=3, doubled=1))
    assert len(made.sent) > 75_000
    found = await examined(made)
    assert int((found.times == 0).sum()) == len(made.lost) == 3
    assert int((found.times > 1).sum()) == 1
    assert found.listed + found.asked < 8_000
    assert found.digests < 150


async def test_requests_in_doubt_are_settled_and_cost_one_id_each() -> None:
    made = run(1, MANY, Harm(doubted=400))
    found = await examined(made)
    assert int((found.times[made.sent.of_role(Role.IN_DOUBT)] > 0).sum()) > 100
    assert (found.digests, found.listed, found.asked) == (1, 0, 400)
    both = await examined(run(1, MANY, Harm(doubted=400, missing=2, foreign=2)))
    assert both.listed + both.asked < 8_000


async def test_a_gap_is_found_at_its_two_ends() -> None:
    made = run(2, MANY, Harm(gap=0.2))
    found = await examined(made)
    assert len(made.lost) > 10_000
    assert found.listed + found.asked < 6_000


async def test_where_acknowledgement_comes_long_before_store_windows_are_wider() -> None:
    at_once = await examined(run(3, replace(MANY, requests=20_000), Harm(missing=1)))
    later = await examined(run(3, replace(MANY, requests=20_000, lag=0.5), Harm(missing=1)))
    assert at_once.listed + at_once.asked < 3_000
    assert at_once.listed < later.listed < 40_000


@pytest.mark.parametrize("way", [Way(blind=True), Way(lying=True), Way(latency=60.0)])
async def test_what_times_cannot_decide_is_listed(way: Way) -> None:
    made = run(4, replace(way, requests=2_000), Harm(missing=2))
    found = await examined(made)
    stored = len(made.sent) - 2
    assert 0.5 * stored < found.listed <= stored + CUTS
    assert found.asked < stored / 8


async def test_losses_everywhere_cost_no_more_ids_than_listing_everything() -> None:
    made = run(5, MANY, Harm(missing=4_000))
    found = await examined(made)
    assert found.listed <= len(made.sent) - 4_000 + CUTS
    assert found.digests <= 2 * CUTS + 1


async def test_too_many_requests_in_doubt_are_listed_with_all_the_others() -> None:
    made = run(6, Way(requests=12_000, batch=1), Harm(doubted=7_000))
    found = await examined(made)
    assert (found.digests, found.asked) == (0, 0)
    assert found.listed == sum(made.shelf.everything(made.since, made.until).values())


async def test_a_store_without_anything_is_told_by_one_digest() -> None:
    found = await examined(run(7, Way(requests=2 * LISTED), Harm(gap=1.0, missing=10_000)))
    assert (found.digests, found.listed, found.asked) == (1, 0, 0)
    assert not found.times.any()


def test_ids_are_found_again_whatever_zeros_are_in_them() -> None:
    ids = [bytes(16), b"\1" + bytes(15), bytes(15) + b"\1", uuid4().bytes]
    none = np.zeros(len(ids), np.int64)
    sent = Sent.of(ids, range(4), [Role.ACKNOWLEDGED] * 4, none, none)
    assert [sent.id(place).bytes for place in range(4)] == ids
    other = uuid4()
    asked = [other, *(sent.id(place) for place in (3, 0, 2, 1))]
    assert sent.places(asked).tolist() == [-1, 3, 0, 2, 1]
    assert sent.digest(np.array([0, 3])) == Digest.of([str(sent.id(0)), str(sent.id(3))])
    assert sent.digest(np.array([], np.int64)) == Digest(0, 0)
