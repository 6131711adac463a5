"""cmi5 progress: moveOn in all its forms, what launched overrides, what does not count."""

from __future__ import annotations

from typing import Any

import pytest

from lrs.scoring.course import satisfied_bits
from lrs.scoring.event import ABSENT
from lrs.scoring.progress import read_progress
from lrs.scoring.state import State
from tests.scoring.world import ADL, CMI5, STORED, Said, number_of, world

MOVE_ONS = ("Passed", "Completed", "CompletedAndPassed", "CompletedOrPassed", "NotApplicable")
T = STORED - 1_000_000_000


def say(verb: str, at: int = 0, **what: Any) -> Said:
    """A cmi5-defined statement about m:cmi5 of registration 1, `at` seconds after T."""
    prefix = CMI5 if verb in ("waived", "abandoned", "satisfied") else ADL
    usual = {"number": 1, "timestamp": T + at * 1_000_000, "registration": 1, "session": 1}
    return Said(verb=prefix + verb, **usual | what)


def satisfied(*said: Said, activity: str = "m:cmi5") -> int | None:
    """Seconds after T at which these statements satisfied the activity; None: they did not."""
    place = world()
    numbered = [Said(**{**vars(one), "number": number}) for number, one in enumerate(said, start=1)]
    state = place.score(numbered)
    agent, number = place.numbers["learner"], place.numbers[activity]
    row = read_progress(b"".join(state.chunks[agent, number]), number, place.tables)
    return None if row["satisfied"] == ABSENT else (int(row["satisfied"]) - T) // 1_000_000


@pytest.mark.parametrize(
    ("move_on", "completed", "passed", "both"),
    [
        ("Passed", None, 20, 20),
        ("Completed", 10, None, 10),
        ("CompletedAndPassed", None, None, 20),
        ("CompletedOrPassed", 10, 20, 10),
        ("NotApplicable", 0, 0, 0),
    ],
)
def test_each_move_on_is_met_by_what_the_specification_says(
    move_on: str, completed: int | None, passed: int | None, both: int | None
) -> None:
    launched = say("launched", move_on=move_on)
    assert satisfied(launched, say("completed", 10)) == completed
    assert satisfied(launched, say("passed", 20)) == passed
    assert satisfied(launched, say("passed", 20), say("completed", 10)) == both
    assert satisfied(launched, say("failed", 5)) == (0 if move_on == "NotApplicable" else None)


def test_completed_in_one_registration_and_passed_in_another_do_not_add_up() -> None:
    assert satisfied(say("completed", 1), say("passed", 2, registration=2)) is None
    assert satisfied(say("completed", 1), say("passed", 2, session=2)) == 2


def test_the_latest_launched_of_a_registration_decides_whenever_it_comes() -> None:
    done = say("completed", 10)
    late = say("launched", 3, move_on="Completed", session=2)
    early = say("launched", 2, move_on="Passed")
    assert satisfied(done, late, early) == 10
    assert satisfied(early, late, done) == 10
    assert satisfied(done, early) is None
    assert satisfied(done, say("launched", 2, move_on="Completed", registration=2)) is None


@pytest.mark.parametrize("sessions", [(1, 2), (2, 1)])
def test_the_latest_launched_is_so_by_time_then_by_id(sessions: tuple[int, int]) -> None:
    one, other = sessions
    done = say("completed", 10)
    completed, passed = (say("launched", 3, move_on=name) for name in ("Completed", "Passed"))

    def launched(said: Said, at: int, session: int) -> Said:
        return Said(**{**vars(said), "timestamp": T + at, "session": session})

    assert satisfied(launched(completed, 2, one), launched(passed, 1, other), done) == 10
    assert satisfied(launched(completed, 1, one), launched(passed, 2, other), done) is None
    # Of statements 1 and 2 the first has the greater id.
    assert satisfied(launched(completed, 1, one), launched(passed, 1, other), done) == 10
    assert satisfied(launched(passed, 1, one), launched(completed, 1, other), done) is None


@pytest.mark.parametrize(("low", "expected"), [((2, 1), True), ((1, 2), False), ((1, 1 << 63), False)])
def test_ids_that_differ_in_their_lower_half_only_decide_too(low: tuple[int, int], expected: bool) -> None:
    place = world()
    completed, passed = (number_of((1 << 64) + half) for half in low)
    said = [
        say("launched", number=completed, move_on="Completed"),
        say("launched", number=passed, move_on="Passed", session=2),
        say("completed", 10),
    ]
    state = place.score(said)
    ((key, chunks),) = state.chunks.items()
    assert (read_progress(chunks[0], key[1], place.tables)["satisfied"] != ABSENT) == expected


def test_launched_overrides_mastery_and_what_it_leaves_out_is_the_catalogues() -> None:
    done = say("completed", 1)
    assert satisfied(done, say("passed", 2, scaled=5_999)) is None
    assert satisfied(done, say("passed", 2, scaled=6_000)) == 2
    assert satisfied(done, say("passed", 2)) == 2
    assert satisfied(done, say("passed", 2, scaled=6_000), say("launched", mastery=8_000)) is None
    assert satisfied(done, say("passed", 2, scaled=5_000), say("launched", mastery=4_000)) == 2
    assert satisfied(done, say("passed", 2, scaled=5_999), say("launched")) is None


def test_a_launched_that_is_not_cmi5_overrides_nothing() -> None:
    plain = frozenset[str]()
    assert satisfied(say("completed", 1), say("launched", move_on="Completed", categories=plain)) is None


@pytest.mark.parametrize("categories", [frozenset(), frozenset(("cmi5",)), frozenset(("moveon",))])
def test_only_cmi5_defined_statements_satisfy_a_cmi5_module(categories: frozenset[str]) -> None:
    rest = say("passed", 2)
    assert satisfied(say("completed", 1), rest) == 2
    assert satisfied(say("completed", 1, categories=categories), rest) is None


def test_any_statement_satisfies_a_module_of_another_kind() -> None:
    plain = {"activity": "m:work", "categories": frozenset[str]()}
    assert satisfied(say("completed", 1, **plain), activity="m:work") == 1
    assert satisfied(say("passed", 1, **plain), activity="m:work") == 1
    assert satisfied(say("mastered", 1, **plain), activity="m:work") == 1
    assert satisfied(say("experienced", 1, **plain), activity="m:work") is None


def test_waived_satisfies_with_success_whatever_the_move_on() -> None:
    assert satisfied(say("waived", 7, success=True)) == 7
    assert satisfied(say("waived", 7)) is None
    assert satisfied(say("waived", 7, success=True, categories=frozenset(("cmi5",)))) is None
    assert satisfied(say("waived", 7, success=True), say("launched", move_on="Passed")) == 7


@pytest.mark.parametrize("order", [1, -1])
def test_a_session_launched_to_browse_or_review_satisfies_nothing(order: int) -> None:
    browse = say("launched", normal=False)
    session = (browse, say("completed", 1), say("passed", 2))
    assert satisfied(*session[::order]) is None
    assert satisfied(*session[::order], say("completed", 3, session=2), say("passed", 4, session=2)) == 4


def test_the_lms_satisfied_is_kept_beside_and_does_not_decide() -> None:
    place = world()
    state = place.score([say("satisfied", 4, number=1)])
    ((agent, number),) = state.chunks
    row = read_progress(state.chunks[agent, number][0], number, place.tables)
    assert row["lms_satisfied"] == T + 4_000_000
    assert row["satisfied"] == ABSENT


def test_an_lms_that_calls_a_course_satisfied_too_early_is_counted() -> None:
    place, state = world(), State()
    said = say("satisfied", 4, activity="lms:unit", related=("course:a",))
    unit = [say("completed", 1, number=2), say("passed", 2, number=3)]
    video = say("completed", 3, number=4, activity="m:video")
    assert place.take(state, [(said, False)]).counts["lms_disagrees"] == 1
    assert place.take(state, [(said, False)]).counts["lms_disagrees"] == 0
    together = place.take(State(), [(one, False) for one in (said, *unit, video)])
    assert together.counts["lms_disagrees"] == 0


def test_a_module_that_asks_for_nothing_counts_in_its_course_from_the_start() -> None:
    place = world()
    state = place.score([say("launched", number=1)])
    ((_, _, slots),) = state.course_rows()
    assert satisfied_bits(slots) == 0
    output = place.take(state, [(say("completed", 1, number=2), False), (say("passed", 2, number=3), False)])
    assert [satisfied_bits(slots) for _, _, slots in output.courses.rows()] == [1]
    assert output.courses.before["percent"].tolist() == [10_000 * 2 // 6]
    assert output.courses.after["percent"].tolist() == [10_000 * 5 // 6]
    video = Said(4, ADL + "completed", "m:video", timestamp=T + 9_000_000)
    done = place.take(state, [(video, False)])
    by_course = dict(zip(done.courses.keys["activity"].tolist(), done.courses.after, strict=True))
    assert by_course[place.numbers["course:a"]]["completed"] == T + 9_000_000
    assert by_course[place.numbers["course:a"]]["started"] == T
    assert by_course[place.numbers["course:b"]]["completed"] == ABSENT
    assert by_course[place.numbers["course:b"]]["percent"] == 10_000 * 5 // 7
    undone = place.take(state, [(video, True)])
    assert (undone.courses.after["completed"] == ABSENT).all()


def _ended(at: int, seconds: int, **what: Any) -> Said:
    return say("terminated", at, duration_ms=seconds * 1_000, **what)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ((_ended(100, 40),), 40),
        ((say("initialized", 80), _ended(100, 40)), 20),
        ((say("initialized", 0), _ended(100, 40)), 40),
        (
            (
                say("initialized"),
                say("passed", 90, duration_ms=90_000),
                say("terminated", 100, duration_ms=100_000),
            ),
            100,
        ),
        ((say("initialized"), say("experienced", 100), say("completed", 1_000)), 100 + 300),
        ((say("initialized"), say("terminated", 100)), 100),
        ((say("initialized"), say("abandoned", 900, duration_ms=60_000)), 60),
        (
            (
                say("terminated", 100, duration_ms=100_000),
                say("terminated", 120, duration_ms=50_000, session=2),
            ),
            120,
        ),
        (
            (
                say("terminated", 100, duration_ms=10_000),
                say("terminated", 200, duration_ms=10_000, session=2),
            ),
            20,
        ),
        ((say("waived", 0, success=True), say("satisfied", 60)), 0),
        ((), 0),
    ],
    ids=[
        "its duration",
        "no longer than since it was opened",
        "no more than it says",
        "once, though cmi5 repeats it",
        "silences count five minutes",
        "no duration: from fact to fact",
        "abandoned",
        "overlapping sessions are united",
        "apart they add up",
        "the system's statements are no time",
        "nothing",
    ],
)
def test_time_spent_is_the_union_of_the_sessions(said: tuple[Said, ...], seconds: int) -> None:
    place = world()
    state = place.score([Said(**{**vars(one), "number": number}) for number, one in enumerate(said, start=1)])
    packed = b"".join(chunk for chunks in state.chunks.values() for chunk in chunks)
    row = read_progress(packed, place.numbers["m:cmi5"], place.tables)
    assert row["duration_ms"] == seconds * 1_000
