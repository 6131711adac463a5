"""The read-out: probabilities, levels, caps, and the day on which a level changes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrs.scoring.beta import incomplete_beta
from lrs.scoring.catalogue import EvidenceClass
from lrs.scoring.competency import DELTA
from lrs.scoring.decay import gain
from lrs.scoring.event import LANDMARK_US
from lrs.scoring.readout import NEVER, POLICY, UNCALIBRATED, Calibration, Policy, day_in_kolkata, read_out
from tests.scoring.world import DAY, world

TODAY = 2_517
PROCTORED, WORKPLACE, ASSESSMENT, COMPLETION, CLAIM = EvidenceClass

Evidence = tuple[int, EvidenceClass, int, int, int]
"""Level, class, score, day, expected score."""


def accumulators(evidence: list[Evidence], half_life: int = 1096) -> npt.NDArray[np.void]:
    """The accumulators of c:one."""
    number = world().numbers["c:one"]
    sums: dict[tuple[int, int], list[int]] = {}
    for level, kind, score, day, expected in evidence:
        q = gain(256, day, half_life)
        row = sums.setdefault((level, int(kind)), [0, 0, 0])
        for place, value in enumerate((q, q * score, q * expected)):
            row[place] += value
    return np.array([(1, number, *key, *row) for key, row in sums.items()], DELTA)


def stand(evidence: list[Evidence], day: int = TODAY, **how: Any) -> np.void:
    (standing,) = read_out(accumulators(evidence), day, world().tables, **how)
    return standing


def simpson(a: float, b: float, x: float, steps: int = 20_000) -> float:
    """I_x(a, b) by quadrature of t = sin^2, which takes the ends' singularities away."""

    def density(angle: float) -> float:
        return 2 * math.sin(angle) ** (2 * a - 1) * math.cos(angle) ** (2 * b - 1)

    end = math.asin(math.sqrt(x))
    width = end / steps
    inner = sum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return front * width / 3 * (density(0.0) + inner + density(end))


@pytest.mark.parametrize("a", [0.5, 1.0, 3.7, 40.0, 300.0])
@pytest.mark.parametrize("b", [0.5, 1.0, 2.2, 150.0])
@pytest.mark.parametrize("x", [0.001, 0.4, 0.6, 0.97])
def test_the_incomplete_beta_function_is_the_integral(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(simpson(a, b, x), abs=1e-8)
    assert incomplete_beta(a, b, x) + incomplete_beta(b, a, 1 - x) == pytest.approx(1, abs=1e-12)


def test_the_incomplete_beta_function_has_its_closed_forms() -> None:
    assert incomplete_beta(1.0, 1.0, 0.3) == pytest.approx(0.3, abs=1e-14)
    assert incomplete_beta(3.0, 1.0, 0.6) == pytest.approx(0.6**3, abs=1e-14)
    assert (incomplete_beta(2.0, 3.0, 0.0), incomplete_beta(2.0, 3.0, 1.0)) == (0.0, 1.0)
    assert incomplete_beta(1e6, 1e6, 0.5) == pytest.approx(0.5, abs=1e-6)


def plain(evidence: list[Evidence], day: int, half_life: int = 1096, policy: Policy = POLICY) -> list[float]:
    """P_1 to P_5 as the documents say, in plain Python."""
    delta = 2.0 ** (-day / half_life - 16)
    sums: dict[tuple[int, int], tuple[int, int, int]] = {}
    for row in accumulators(evidence, half_life).tolist():
        sums[row[2], row[3]] = row[4:]
    found = []
    for level in range(1, 6):
        a, b = policy.a0, policy.b0
        for (at, kind), (w, gained, expected) in sums.items():
            good = min(max(gained + 6_000 * w - expected, 0), 10_000 * w)
            factor = min(1.0, policy.caps[kind] / (delta * w)) * delta / 10_000 * policy.weights[kind]
            a += factor * good if at >= level else 0
            b += factor * (10_000 * w - good) if at <= level else 0
        found.append(incomplete_beta(b, a, 1 - policy.m))
    return found


pieces = st.tuples(
    st.integers(1, 5),
    st.sampled_from(EvidenceClass),
    st.integers(0, 10_000),
    st.integers(0, TODAY),
    st.integers(2_000, 9_000),
)


@settings(max_examples=150)
@given(st.lists(pieces, min_size=1, max_size=12))
def test_the_read_out_is_what_the_documents_say(evidence: list[Evidence]) -> None:
    standing = stand(evidence)
    expected = plain(evidence, TODAY)
    assert standing["raw"].tolist() == pytest.approx(expected, abs=1e-9)
    assert standing["probability"].tolist() == standing["raw"].tolist()
    assume(all(abs(p - POLICY.gamma) > 1e-9 for p in expected))
    assert standing["level"] == max((level for level in range(1, 6) if expected[level - 1] >= 0.8), default=0)
    assert all(left >= right - 1e-12 for left, right in pairwise(expected))
    assert standing["claimed"] == max((one[0] for one in evidence if one[1] is CLAIM), default=0)


@settings(max_examples=60)
@given(st.lists(pieces, min_size=1, max_size=10))
def test_the_next_change_is_the_first_day_with_another_level(evidence: list[Evidence]) -> None:
    standing = stand(evidence)
    change = int(standing["next_change"])
    last = TODAY + 12 * 1096 if change == NEVER else change
    for day in {TODAY + 1, *range(TODAY + 1, last, 97), last - 1}:
        if TODAY < day < last:
            assert stand(evidence, day)["level"] == standing["level"]
    if change != NEVER:
        assert stand(evidence, change)["level"] != standing["level"]


def test_completions_and_self_claims_alone_never_reach_a_level() -> None:
    alone = [
        (level, kind, 10_000, TODAY, expected)
        for level in range(1, 6)
        for kind in (COMPLETION, CLAIM)
        for expected in (0, 6_000)
        for _ in range(200)
    ]
    standing = stand(alone)
    assert standing["level"] == 0
    assert standing["raw"][0] < POLICY.gamma - 0.01
    assert standing["claimed"] == 5


def test_evidence_of_a_level_counts_for_those_below_and_failure_for_those_above() -> None:
    good = stand([(3, PROCTORED, 9_500, TODAY, 6_000)])
    assert good["level"] == 3
    assert good["raw"][0] == good["raw"][1] > good["raw"][2] > good["raw"][3]
    bad = stand([(3, PROCTORED, 9_500, TODAY, 6_000), (2, PROCTORED, 0, TODAY, 6_000)])
    assert bad["level"] < 3
    assert bad["raw"][0] == good["raw"][0]


def test_a_hard_item_proves_more_than_an_easy_one() -> None:
    hard, easy = (stand([(1, ASSESSMENT, 7_000, TODAY, expected)])["raw"][0] for expected in (4_000, 8_000))
    assert hard > easy


def test_a_level_fades_without_evidence_and_is_back_with_it() -> None:
    evidence: list[Evidence] = [(2, ASSESSMENT, 9_000, TODAY, 6_000)] * 2
    standing = stand(evidence)
    assert standing["level"] == 2
    change = int(standing["next_change"])
    assert TODAY < change < TODAY + 2 * 1096
    assert stand(evidence, change - 1)["level"] == 2
    assert stand(evidence, change)["level"] == 1
    assert stand([*evidence, (2, ASSESSMENT, 9_000, change, 6_000)], change)["level"] == 2
    later = int(stand(evidence, change)["next_change"])
    assert stand(evidence, later)["level"] == 0
    assert stand(evidence, later)["next_change"] == NEVER


def test_a_level_that_a_cap_held_down_may_rise_as_failures_fade() -> None:
    evidence: list[Evidence] = [(1, ASSESSMENT, 10_000, TODAY, 6_000)] * 60 + [
        (1, PROCTORED, 0, TODAY, 6_000)
    ] * 2
    standing = stand(evidence)
    assert standing["level"] == 0
    assert stand(evidence, int(standing["next_change"]))["level"] > 0


def test_a_calibration_maps_raw_probabilities_to_published_ones() -> None:
    evidence: list[Evidence] = [(2, ASSESSMENT, 9_000, TODAY, 6_000)]
    raw = stand(evidence)["raw"][0]
    half = Calibration(1, (0.0, float(raw), 1.0), (0.0, 0.9, 1.0))
    standing = stand(evidence, calibration=half)
    assert standing["probability"][0] == pytest.approx(0.9)
    assert standing["raw"][0] == raw
    assert standing["level"] == 2
    assert stand(evidence, calibration=UNCALIBRATED)["level"] == 0
    for raw_points, published in (
        ((0.0, 0.5), (0.0, 1.0)),
        ((0.0, 1.0), (0.5, 0.1)),
        ((0.0, 0.0, 1.0), (0, 0, 1)),
    ):
        with pytest.raises(ValueError, match="calibration 1: raw must rise from 0 to 1"):
            Calibration(1, raw_points, published)


def test_the_next_change_is_never_where_the_prior_itself_is_enough() -> None:
    generous = Policy(gamma=0.1)
    standing = stand([(5, PROCTORED, 9_000, TODAY, 6_000)], policy=generous)
    assert (standing["level"], standing["next_change"]) == (5, NEVER)


def test_learners_and_competencies_are_read_out_apart_and_unknown_ones_left_out() -> None:
    place = world()
    rows = accumulators([(2, PROCTORED, 9_000, TODAY, 6_000)])
    other = rows.copy()
    other["agent"] = 0
    second, strange = rows.copy(), rows.copy()
    second["competency"], strange["competency"] = place.numbers["c:two"], 999_999
    found = read_out(np.concatenate((strange, second, rows, other)), TODAY, place.tables)
    keys = {(0, place.numbers["c:one"]), (1, place.numbers["c:one"]), (1, place.numbers["c:two"])}
    assert {(row["agent"].item(), row["competency"].item()) for row in found} == keys
    assert len(read_out(rows[:0], TODAY, place.tables)) == 0


def test_the_day_begins_at_midnight_in_kolkata() -> None:
    midnight = LANDMARK_US + 10 * DAY - 19_800_000_000
    assert day_in_kolkata(midnight) == 10
    assert day_in_kolkata(midnight - 1) == 9
