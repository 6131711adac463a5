"""Scores do not depend on the order, the repetition or the batches in which events come."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.scoring.canonical import digest
from lrs.scoring.event import LANDMARK_US, MOVE_ON
from lrs.scoring.order import argsort_rows
from lrs.scoring.state import State
from tests.scoring.test_agreement import assert_agrees
from tests.scoring.world import AUTHORITIES, DAY, OBJECTS, RELATED, STORED, VERBS, Said, histories, world

_scores = st.none() | st.sampled_from((0, 5_999, 6_000, 7_000, 10_000)) | st.integers(-10_000, 10_000)
_moments = st.sampled_from(
    (STORED - DAY, STORED, STORED + 1, STORED + DAY // 2, LANDMARK_US, LANDMARK_US - 1)
)
_outcomes = tuple(
    verb for verb in VERBS if verb.rpartition("/")[2] in ("launched", "passed", "failed", "completed")
)

statements = st.builds(
    Said,
    number=st.integers(1, 40),
    verb=st.sampled_from(_outcomes) | st.sampled_from(VERBS),
    activity=st.sampled_from(("m:cmi5", "m:exam")) | st.sampled_from(OBJECTS),
    agent=st.sampled_from(("learner", "other learner")),
    timestamp=st.none() | _moments,
    categories=st.sampled_from((frozenset(("cmi5", "moveon")), frozenset(("cmi5",)), frozenset[str]())),
    related=st.lists(st.sampled_from(RELATED), max_size=3).map(tuple),
    registration=st.integers(0, 2),
    session=st.integers(0, 2),
    authority=st.sampled_from(AUTHORITIES),
    scaled=_scores,
    success=st.none() | st.booleans(),
    completion=st.none() | st.booleans(),
    mastery=st.none() | st.sampled_from((5_000, 8_000)),
    move_on=st.none() | st.sampled_from(tuple(MOVE_ON)),
    duration_ms=st.none() | st.integers(0, 10_000_000),
    normal=st.sampled_from((True, True, True, False)),
)
sets = st.lists(statements, max_size=12, unique_by=lambda one: one.number).map(
    lambda said: [Said(**{**vars(one), "stored": STORED + place}) for place, one in enumerate(said)]
)


@settings(max_examples=200)
@given(said=sets, data=st.data())
def test_any_permutation_repetition_split_and_void_end_in_the_same_export(
    said: list[Said], data: st.DataObject
) -> None:
    place = world()
    gone = {one.id for one in said if data.draw(st.booleans(), label=f"void {one.number}")}
    arrivals = [(one, False) for one in said] + [(one, True) for one in said if one.id in gone]
    repeated = data.draw(st.lists(st.sampled_from(arrivals), max_size=6) if arrivals else st.just([]))
    arrivals = data.draw(st.permutations(arrivals + repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arrivals)), max_size=4)))
    state = State()
    for start, stop in pairwise([0, *cuts, len(arrivals)]):
        place.take(state, arrivals[start:stop])

    left = [one for one in said if one.id not in gone]
    assert place.export(state) == place.export(place.score(left))
    assert_agrees(place, state, said=left)


@settings(max_examples=50)
@given(said=sets)
def test_interned_numbers_leave_no_trace_in_the_export(said: list[Said]) -> None:
    exports = {digest(world(salt).export(world(salt).score(said))) for salt in (0, 1, 2)}
    assert len(exports) == 1


def test_an_event_or_a_retraction_repeated_changes_nothing() -> None:
    place = world()
    said = histories(np.random.default_rng(3), ["a", "b", "c"])
    state = place.score(said)
    place.take(state, [(one, True) for one in said[::4]])
    before = place.export(state)
    for arrivals in ([(one, False) for one in said], [(one, True) for one in said[::4]]):
        output = place.take(state, arrivals)
        assert not len(output.evidence)
        assert not len(output.courses)
        assert not len(output.competencies)
        assert not len(output.keys)
        assert output.counts["added"] == output.counts["retracted"] == 0
    assert place.export(state) == before


def test_a_retraction_of_the_unknown_waits_and_derives_nothing() -> None:
    place, state = world(), State()
    said = Said(1, VERBS[3], scaled=9_000)
    output = place.take(state, [(said, True)])
    assert output.counts["retracted_ahead"] == 1
    assert not len(output.courses)
    assert not len(output.competencies)
    assert place.export(state) == []
    assert place.take(state, [(said, False)]).counts["repeated"] == 1
    assert place.export(state) == []


def test_everything_voided_leaves_an_empty_export() -> None:
    place = world()
    said = histories(np.random.default_rng(8), [str(number) for number in range(30)])
    state = place.score(said)
    assert place.export(state)
    place.take(state, [(one, True) for one in said])
    assert place.export(state) == []


def test_rows_are_sorted_stably_whatever_their_number() -> None:
    rng = np.random.default_rng(4)
    for count in (0, 1, 2, 23, 24, 25, 48, 49, 1_000):
        keys = rng.integers(0, 4, (count, 3)).astype(np.uint64)
        keys[rng.random(count) < 0.1, 0] = np.uint64(2**64 - 1)
        expected = sorted((*row, place) for place, row in enumerate(keys.tolist()))
        assert argsort_rows(keys, count).tolist() == [row[3] for row in expected]
