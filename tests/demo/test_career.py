"""What the demonstration's learners say: valid, whole, the same for the same seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from lrs.demo.career import career, courses_for, demonstration_catalogue
from lrs.demo.learner import learner
from lrs.demo.sitting import Sitting, Standing
from lrs.scoring.catalogue import ModuleKind
from lrs.scoring.event import MoveOn
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version

CATALOGUE = demonstration_catalogue()
MODULES = {module.id: module for module in CATALOGUE.modules}
BEGIN = 1_795_000_000_000_000
LEARNERS = range(30)


def sittings(seed: int = 1, learners: range = LEARNERS) -> Iterator[Sitting]:
    for number in learners:
        yield from career(learner(number), CATALOGUE, seed)


def spoken(sitting: Sitting) -> list[dict[str, Any]]:
    return [json.loads(statement) for _, statement in sitting.statements(BEGIN)]


def word(statement: dict[str, Any]) -> str:
    return str(statement["verb"]["id"].rsplit("/", 1)[1])


@pytest.mark.parametrize("version", Version)
def test_every_statement_is_valid(version: Version) -> None:
    for sitting in sittings():
        statements = [statement for _, statement in sitting.statements(BEGIN)]
        read = read_statements(b"[" + b",".join(statements) + b"]", version)
        assert [one.raw for one in read] == statements


def test_no_id_stands_twice() -> None:
    ids = [statement["id"] for sitting in sittings() for statement in spoken(sitting)]
    assert len(set(ids)) == len(ids) > 1_000


def test_the_same_seed_says_the_same_and_another_seed_registers_anew() -> None:
    def said(seed: int) -> list[tuple[int, bytes]]:
        return [one for sitting in sittings(seed, range(3)) for one in sitting.statements(BEGIN)]

    def registrations(seed: int) -> set[str]:
        return {json.loads(statement)["context"]["registration"] for _, statement in said(seed)}

    assert said(1) == said(1)
    assert registrations(1).isdisjoint(registrations(2))


def test_a_learner_is_the_same_person_in_every_run() -> None:
    people = [learner(number) for number in range(120)]
    assert people == [learner(number) for number in range(120)]
    assert {person.language for person in people} == {"en", "hi"}
    for person in people:
        assert (person.language == "hi") == any("\u0900" <= letter <= "\u097f" for letter in person.name)


def test_statements_are_about_as_long_as_real_ones() -> None:
    sizes = [len(statement) for sitting in sittings() for _, statement in sitting.statements(BEGIN)]
    assert 900 < sum(sizes) / len(sizes) < 1_500
    assert max(sizes) < 2_000


def test_activities_are_named_in_english_and_hindi() -> None:
    for sitting in sittings(learners=range(3)):
        for statement in spoken(sitting):
            assert {"en", "hi"} <= statement["object"]["definition"]["name"].keys()


def test_time_never_goes_back_within_a_sitting() -> None:
    for sitting in sittings():
        times = [after for after, _ in sitting.phrases]
        assert times[0] >= 0
        assert all(left <= right for left, right in pairwise(times))
        assert times[-1] == sitting.length


def test_a_cmi5_session_is_launched_then_initialized_and_ends_with_terminated_or_abandoned() -> None:
    seen = 0
    for sitting in sittings():
        if sitting.module.kind is not ModuleKind.CMI5:
            continue
        words = [word(s) for s in spoken(sitting)]
        words = [w for w in words if w not in ("registered", "satisfied", "earned")]
        assert words[:2] == ["launched", "initialized"]
        assert words[-1] in ("terminated", "abandoned")
        assert not {"terminated", "abandoned"} & set(words[:-1])
        seen += 1
    assert seen > 100


def test_cmi5_statements_carry_session_publisher_id_and_categories() -> None:
    prefix = "https://w3id.org/xapi/cmi5/context/"
    for sitting in sittings():
        if sitting.module.kind is not ModuleKind.CMI5:
            continue
        sessions = set()
        for statement in spoken(sitting):
            if word(statement) in ("registered", "satisfied", "earned"):
                continue
            context = statement["context"]
            related = context["contextActivities"]
            assert sitting.module.id in [one["id"] for one in related["grouping"]]
            sessions.add(context["extensions"][prefix + "extensions/sessionid"])
            categories = {one["id"] for one in related.get("category", [])}
            defined = word(statement) not in ("experienced", "answered")
            assert (prefix + "categories/cmi5" in categories) == defined
            moves = word(statement) in ("completed", "passed", "failed")
            assert (prefix + "categories/moveon" in categories) == moves
        assert len(sessions) == 1


def test_a_pass_reaches_the_mastery_score_and_a_failure_does_not() -> None:
    verdicts = set()
    for sitting in sittings():
        for statement in spoken(sitting):
            if word(statement) in ("passed", "failed"):
                passed = word(statement) == "passed"
                least = sitting.module.passing_score / 10_000 if sitting.module.passing_score >= 0 else 0.6
                reached = statement["result"]["score"]["scaled"] >= least
                assert statement["result"]["success"] is passed is reached
                verdicts.add(passed)
    assert verdicts == {True, False}


def test_what_is_watched_of_a_video_reaches_its_end_only_when_it_is_completed() -> None:
    key = "https://w3id.org/xapi/video/extensions/"
    ends = set()
    for sitting in sittings():
        if sitting.module.kind is not ModuleKind.VIDEO:
            continue
        statements = spoken(sitting)
        left = next(statement for statement in statements if word(statement) == "terminated")
        length = left["context"]["extensions"][key + "length"]
        last = left["result"]["extensions"]
        completed = "completed" in map(word, statements)
        assert (last[key + "time"] == length) == completed
        assert last[key + "played-segments"].endswith(f"[.]{last[key + 'time']:g}")
        ends.add(completed)
    assert ends == {True, False}


@pytest.mark.parametrize(
    ("move_on", "standing", "satisfied"),
    [
        (MoveOn.PASSED, Standing(1, completed=True), False),
        (MoveOn.PASSED, Standing(1, passed=True), True),
        (MoveOn.COMPLETED, Standing(1, completed=True), True),
        (MoveOn.COMPLETED, Standing(1, passed=True), False),
        (MoveOn.COMPLETED_AND_PASSED, Standing(2, completed=True), False),
        (MoveOn.COMPLETED_AND_PASSED, Standing(2, completed=True, passed=True), True),
        (MoveOn.COMPLETED_OR_PASSED, Standing(1, passed=True), True),
        (MoveOn.COMPLETED_OR_PASSED, Standing(1), False),
        (MoveOn.NOT_APPLICABLE, Standing(), False),
        (MoveOn.NOT_APPLICABLE, Standing(1), True),
    ],
)
def test_a_module_is_satisfied_as_its_move_on_says(
    move_on: MoveOn, standing: Standing, satisfied: bool
) -> None:
    assert standing.satisfies(move_on) is satisfied


def test_a_learner_goes_on_where_the_last_run_stopped() -> None:
    person = learner(0)
    courses = courses_for(0, CATALOGUE)
    first = courses[0].parts[0].module
    left = [sitting.module.id for sitting in career(person, CATALOGUE, 5, {first})]
    assert first not in left
    assert left[0] == courses[0].parts[1].module
    everything = {part.module for course in courses for part in course.parts}
    assert not list(career(person, CATALOGUE, 5, everything))


def test_a_course_ends_with_a_certificate_exactly_when_all_its_modules_are_satisfied() -> None:
    for number in LEARNERS:
        done: set[str] = set()
        for sitting in career(learner(number), CATALOGUE, 3):
            if sitting.standing.satisfies(MODULES[sitting.module.id].move_on):
                done.add(sitting.module.id)
            earned = "earned" in map(word, spoken(sitting))
            assert earned == all(part.module in done for part in sitting.course.parts)
