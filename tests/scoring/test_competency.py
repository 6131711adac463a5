"""Competency evidence: which attempts count, by class, and the integers they add."""

from __future__ import annotations

from typing import Any

import pytest

from lrs.scoring.catalogue import EvidenceClass
from lrs.scoring.competency import explain
from lrs.scoring.decay import (
    HORIZON_DAYS,
    HORIZON_UNITS,
    LUT,
    OverflowedError,
    capacity,
    gain,
    gain_or_overflow,
)
from lrs.scoring.event import LANDMARK_US
from lrs.scoring.fact import Kind, read_facts
from lrs.scoring.state import State
from tests.scoring.world import ADL, AUTHORITIES, CATALOGUE, DAY, STORED, Said, World, world

PROCTOR, BOTH, BOSS, LEARNER = AUTHORITIES
PASSED, FAILED, SCORED, COMPLETED = (ADL + verb for verb in ("passed", "failed", "scored", "completed"))
D = STORED - 30 * DAY


def say(number: int, verb: str, day: float, scaled: int | None = None, **what: Any) -> Said:
    return Said(number, verb, timestamp=D + int(day * DAY), scaled=scaled, registration=number, **what)


def counts(said: list[Said], activity: str, competency: str) -> list[tuple[Any, ...]]:
    """(day, class, weight, score) of all that counts for a competency, by day."""
    place = world()
    state = place.score([Said(**{**vars(one), "activity": activity}) for one in said])
    ((agent, number),) = state.chunks
    rows = explain(b"".join(state.chunks[agent, number]), agent, number, place.tables)
    rows = rows[rows["competency"] == place.numbers[competency]]
    classes = [EvidenceClass(evidence).name for evidence in rows["evidence"]]
    days = (rows["day"] - (D - LANDMARK_US) // DAY).tolist()
    return sorted(zip(days, classes, rows["weight"].tolist(), rows["score"].tolist(), strict=True))


def test_course_assessment_counts_the_first_attempt_of_a_window_and_its_first_pass_at_less() -> None:
    said = [
        say(1, FAILED, 0, 4_000),
        say(2, FAILED, 1, 5_000),
        say(3, PASSED, 2, 7_000),
        say(4, PASSED, 2.5, 10_000),
        say(5, PASSED, 3, 9_000),
        say(6, PASSED, 5, 10_000),
    ]
    assert counts(said, "m:cmi5", "c:one") == [
        (0, "ASSESSMENT", 256, 4_000),
        (2, "ASSESSMENT", 64, 7_000),
        (3, "ASSESSMENT", 256, 9_000),
    ]


def test_a_pass_below_the_passing_score_is_no_pass() -> None:
    said = [say(1, FAILED, 0, 4_000), say(2, PASSED, 1, 5_000)]
    assert counts(said, "m:cmi5", "c:one") == [(0, "ASSESSMENT", 256, 4_000)]


def test_what_says_nothing_of_its_score_proves_no_more_than_its_verb() -> None:
    assert counts([say(1, PASSED, 0)], "m:cmi5", "c:one") == [(0, "ASSESSMENT", 256, 6_000)]
    assert counts([say(1, FAILED, 0)], "m:cmi5", "c:one") == [(0, "ASSESSMENT", 256, 0)]
    assert counts([say(1, PASSED, 0, authority=BOSS)], "m:work", "c:two") == [(0, "WORKPLACE", 128, 10_000)]


def test_a_score_counts_alone_only_where_its_session_has_no_outcome() -> None:
    scored = Said(1, SCORED, timestamp=D, scaled=8_000, registration=5, session=9)
    failed = Said(2, FAILED, timestamp=D + DAY, scaled=3_000, registration=5, session=9)
    assert counts([scored], "m:cmi5", "c:one") == [(0, "ASSESSMENT", 256, 8_000)]
    assert counts([scored, failed], "m:cmi5", "c:one") == [(1, "ASSESSMENT", 256, 3_000)]
    apart = Said(**{**vars(failed), "session": 8})
    assert counts([scored, apart], "m:cmi5", "c:one") == [(0, "ASSESSMENT", 256, 8_000)]


def test_proctored_counts_the_latest_of_a_window() -> None:
    said = [say(n, PASSED, day, 7_000 + n, authority=PROCTOR) for n, day in enumerate((0, 1, 1.9, 2, 5))]
    assert counts(said, "m:exam", "c:one") == [
        (1, "PROCTORED", 256, 7_002),
        (2, "PROCTORED", 256, 7_003),
        (5, "PROCTORED", 256, 7_004),
    ]


def test_workplace_counts_the_mean_of_each_assessors_latest() -> None:
    said = [
        say(1, SCORED, 0, 2_000, authority=BOSS),
        say(2, SCORED, 1, 6_000, authority=BOSS),
        say(3, SCORED, 2, 9_001, authority=BOTH),
    ]
    assert counts(said, "m:work", "c:two") == [(2, "WORKPLACE", 128, 7_501)]


def test_completion_counts_the_earliest_of_a_window_at_full_score() -> None:
    said = [say(n, COMPLETED, day) for n, day in enumerate((3, 4, 8, 1, 2))]
    assert counts(said, "m:video", "c:one") == [
        (1, "COMPLETION", 256, 10_000),
        (8, "COMPLETION", 256, 10_000),
    ]


@pytest.mark.parametrize(
    ("activity", "competency", "trusted", "evidence"),
    [
        ("m:exam", "c:one", (PROCTOR, BOTH), "PROCTORED"),
        ("m:work", "c:two", (BOTH, BOSS), "WORKPLACE"),
    ],
)
def test_evidence_of_an_authority_that_is_not_trusted_is_a_self_claim(
    activity: str, competency: str, trusted: tuple[str, ...], evidence: str
) -> None:
    for authority in AUTHORITIES:
        ((_, found, _, _),) = counts([say(1, PASSED, 0, 8_000, authority=authority)], activity, competency)
        assert found == (evidence if authority in trusted else "SELF_CLAIM")


def test_waived_proves_nothing_and_neither_do_statements_that_are_not_cmi5_defined() -> None:
    waived = Said(1, "https://w3id.org/xapi/adl/verbs/waived", timestamp=D, success=True)
    assert counts([waived], "m:cmi5", "c:one") == []
    assert counts([say(1, PASSED, 0, 9_000, categories=frozenset())], "m:cmi5", "c:one") == []


def test_a_session_to_browse_proves_nothing_even_when_that_is_known_later() -> None:
    place, state = world(), State()
    passed = Said(1, PASSED, timestamp=D, scaled=9_000, registration=1, session=1)
    browse = Said(2, ADL + "launched", timestamp=D, registration=1, session=1, normal=False)
    assert len(place.take(state, [(passed, False)]).competencies) == 2
    place.take(state, [(browse, False)])
    assert set(state.accumulators.values()) == {(0, 0, 0)}
    place.take(state, [(browse, True)])
    assert place.export(state) == place.export(place.score([passed]))


def test_completing_a_course_is_evidence_from_the_day_it_was_complete() -> None:
    place, state = world(), State()
    said = [Said(1, COMPLETED, timestamp=D), Said(2, PASSED, timestamp=D, scaled=9_000)]
    video = Said(3, COMPLETED, "m:video", timestamp=D + DAY)
    key = (place.number("learner"), place.numbers["c:two"], 3, int(EvidenceClass.COMPLETION))
    place.take(state, [(one, False) for one in said])
    assert key not in state.accumulators
    place.take(state, [(video, False)])
    q = gain(2 * 256, (D - LANDMARK_US) // DAY + 1, 540)
    assert state.accumulators[key] == (q, q * 10_000, q * 6_000)
    place.take(state, [(said[0], True)])
    assert state.accumulators[key] == (0, 0, 0)


def test_an_accumulator_takes_the_exact_integers_of_the_decay() -> None:
    place = world()
    day = 2_470
    state = place.score([Said(1, PASSED, timestamp=LANDMARK_US + day * DAY + 5, scaled=7_777)])
    for competency, half_life, weight in (("c:one", 1096, 256), ("c:two", 540, round(0.33 * 256))):
        q = ((weight * int(LUT[256 * day // half_life % 256])) >> 8) << (day // half_life)
        level = 2 if competency == "c:one" else 1
        key = (place.numbers["learner"], place.numbers[competency], level, int(EvidenceClass.ASSESSMENT))
        assert state.accumulators[key] == (q, q * 7_777, q * 5_500)


def test_the_decay_doubles_with_each_half_life_within_a_third_of_a_per_cent() -> None:
    for half_life in (533, 1096):
        for day in range(0, 10_000, 37):
            exact = 2 ** (16 + day / half_life)
            assert abs(gain(256, day, half_life) / exact - 1) < 0.003
            assert gain_or_overflow(256, day, half_life) == gain(256, day, half_life)
    assert gain(256, -5, 1096) == gain(256, 0, 1096) == 1 << 16


def test_overflow_is_detected_and_never_relied_on() -> None:
    assert capacity(90, 2_520) == 52
    assert capacity(533) >= HORIZON_UNITS > capacity(532)
    for half_life, day in ((90, 3_100), (90, 20_000), (1, 63), (1, 64), (1, 10_000), (533, HORIZON_DAYS)):
        exact = gain(256, day, half_life)
        found = gain_or_overflow(256, day, half_life)
        assert found == (exact if exact * 10_000 < 1 << 63 else -1)


def test_an_accumulator_that_would_leave_64_bits_stops_the_scoring() -> None:
    place = world()
    late = Said(1, PASSED, stored=LANDMARK_US + 25_000 * DAY, scaled=9_000)
    with pytest.raises(OverflowedError, match="leaves 64 bits"):
        place.score([late])
    full = place.score([Said(1, PASSED, timestamp=D, scaled=9_000)])
    before = dict(full.accumulators)
    full.accumulators = dict.fromkeys(before, ((1 << 63) - 1, 0, 0))
    with pytest.raises(OverflowedError, match="accumulator"):
        place.score([say(2, PASSED, 9, 9_000)], state=full)
    assert all(sums == ((1 << 63) - 1, 0, 0) for sums in full.accumulators.values())


def test_an_item_without_calibration_has_the_reference_as_its_expected_score() -> None:
    place = world()
    for activity, expected in (("m:cmi5", 5_500), ("m:exam", 6_000), ("plain", 6_000)):
        ((_, _, _, packed),) = place.score([Said(1, PASSED, activity)]).evidence_rows()
        assert read_facts(packed)["expected"].tolist() == [expected]
        assert read_facts(packed)["kind"].tolist() == [Kind.PASSED]


def test_more_evidence_than_there_is_room_for_grows_the_room() -> None:
    text = CATALOGUE.replace("window_days: 3, pass_weight: 0.25", "window_days: 1")
    place = World(7, text)
    said = [
        Said(n, PASSED, timestamp=STORED - n * DAY, scaled=9_000, registration=n) for n in range(1, 1_001)
    ]
    state = place.score(said)
    key = (place.numbers["learner"], place.numbers["c:one"], 2, int(EvidenceClass.ASSESSMENT))
    days = [(STORED - LANDMARK_US) // DAY - n for n in range(1, 1_001)]
    assert state.accumulators[key][0] == sum(gain(256, day, 1096) for day in days)
