"""Plans: rates become due times, requests are shared out, ids and learners do not repeat."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadtests.curve import rates
from loadtests.plan import Agenda, Plan
from loadtests.planning import make_plan
from loadtests.scenario import WRITING, Curve, LoadError, RequestKind, Scenario, read_scenario, shipped

NOW = 1_795_000_000_000_000


def scenario(**changes: object) -> Scenario:
    ground = Scenario(
        "Test",
        "?",
        peak=40.0,
        seconds=10.0,
        curve=Curve(points=[(0.0, 0.5), (1.0, 1.0)]),
        request=[
            RequestKind("send", 3, statements=5, learners=2),
            RequestKind("send", 2),
            RequestKind("again", 1, statements=3),
            RequestKind("progress", 2),
        ],
    )
    return msgspec.structs.replace(ground, **changes)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(scenario(), 11, NOW)


def test_the_same_seed_gives_the_same_plan_and_another_one_another(plan: Plan) -> None:
    again, other = make_plan(scenario(), 11, NOW), make_plan(scenario(), 12, NOW)
    assert again == plan
    assert other.due != plan.due
    first, second = (
        {id_ for n in sends(Agenda(p)) for id_ in Agenda(p).sending(n).body.ids} for p in (plan, other)
    )
    assert first.isdisjoint(second)


def ids_of(agenda: Agenda) -> set[str]:
    return {id_ for number in sends(agenda) for id_ in agenda.sending(number).body.ids}


def sends(agenda: Agenda) -> list[int]:
    return [number for number in range(len(agenda)) if agenda.request(number).kind in WRITING]


def test_no_id_and_no_learner_comes_twice_in_a_run(plan: Plan) -> None:
    agenda = Agenda(plan)
    sendings = [agenda.sending(number) for number in sends(agenda)]
    ids = [id_ for sending in sendings for id_ in sending.body.ids]
    learners = [learner for sending in sendings for learner in sending.learners]
    assert len(set(ids)) == len(ids) == agenda.statements
    assert len(set(learners)) == len(learners)


def test_a_body_has_the_drawn_learners_in_it_and_no_others(plan: Plan) -> None:
    agenda = Agenda(plan)
    for number in sends(agenda):
        sending = agenda.sending(number)
        content = json.loads(sending.body.content)
        said = content if isinstance(content, list) else [content]
        names = [one["actor"]["account"]["name"] for one in said]
        assert list(dict.fromkeys(names)) == [f"GOV-{learner:08d}" for learner in sending.learners]
        assert number in agenda.speaking(sending.learners[0])


def test_learners_come_again_only_when_all_have_come(plan: Plan) -> None:
    few = Agenda(msgspec.structs.replace(plan, learners=20))
    learners = [learner for number in sends(few) for learner in few.sending(number).learners]
    assert set(learners) <= set(range(20))
    assert len(few.speaking(learners[0])) > 1


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_processes_share_all_requests_without_overlap(plan: Plan, of: int) -> None:
    agenda = Agenda(plan)
    shares = [agenda.share(place, of) for place in range(of)]
    assert sorted(number for share in shares for number in share) == list(range(len(agenda)))


def test_who_reads_asks_about_somebody_whose_statements_were_due_before(plan: Plan) -> None:
    agenda = Agenda(plan)
    drawn: set[int] = set()
    asked = 0
    for number in range(len(agenda)):
        if agenda.request(number).kind in WRITING:
            drawn |= set(agenda.sending(number).learners)
        elif len(drawn) > 20:
            asked += agenda.learner(number) in drawn
    # A body may have fewer learners than were drawn for it.
    assert asked > 10


def test_a_plan_is_read_as_it_was_written(plan: Plan, tmp_path: Path) -> None:
    plan.write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == plan


def test_requests_come_at_the_curves_rate() -> None:
    curve = rates(scenario(peak=2_000.0, seconds=20.0), 3)
    due = curve.due(np.random.default_rng(3))
    assert curve.rate.max() == pytest.approx(2_000)
    assert len(due) == pytest.approx(curve.expected, rel=0.02)
    assert (np.diff(due) >= 0).all()
    assert 0 <= due[0] <= due[-1] <= 20.0
    halves = np.histogram(due, bins=2, range=(0, 20))[0]
    assert halves[1] / halves[0] == pytest.approx(0.875 / 0.625, rel=0.05)
    # A Poisson process: in equal short times the variance is the mean.
    expected = np.interp(np.linspace(0, 1, 400), [0, 1], [1_000, 2_000]) * 0.05
    counts = np.histogram(due, bins=400, range=(0, 20))[0]
    assert ((counts - expected) ** 2 / expected).mean() == pytest.approx(1.0, rel=0.25)


def test_a_day_of_the_simulator_is_compressed_with_its_form_kept() -> None:
    curve = rates(scenario(curve=Curve(simulator=["weekday"]), seconds=24.0, peak=100.0), 1)
    assert curve.seconds == 24.0
    assert curve.rate.max() == pytest.approx(100)
    by_hour = curve.rate.reshape(24, -1).mean(axis=1)
    assert by_hour[3] < 0.15 * by_hour[11]
    assert by_hour[8:20].mean() > 4 * by_hour[0:5].mean()
    # And the requests are due by that form: each hour's share within four standard deviations.
    due = np.histogram(curve.due(np.random.default_rng(1)), bins=24, range=(0, 24.0))[0]
    assert (np.abs(due - by_hour) < 4 * np.sqrt(by_hour) + 1).all()


@pytest.mark.parametrize("name", shipped())
def test_every_scenario_that_ships_can_be_read(name: str) -> None:
    assert read_scenario(name).question.endswith("?")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("peak = 0", r"\$\.peak"),
        ("request = []", r"\$\.request"),
        ('request = [{ kind = "shout", weight = 1 }]', r"\$\.request\[0\]\.kind"),
        ("colour = 1", "colour"),
        ('request = [{ kind = "send", weight = 1, learners = 2 }]', "learners = 2"),
        ('request = [{ kind = "list", weight = 1 }, { kind = "list", weight = 2 }]', "more than once"),
        ("curve = {}", r"\$\.curve"),
        ("curve = { points = [[0.5, 1], [1, 1]] }", "from 0 to 1"),
        ("curve = { points = [[0, 0], [1, 0]] }", "0 everywhere"),
        ('curve = { simulator = ["nowhere"] }', "nowhere"),
        ("peak = 1e12", "at most"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_place_of_the_mistake(
    text: str, says: str, tmp_path: Path
) -> None:
    given = {
        "title": '"Test"',
        "question": '"?"',
        "peak": "1",
        "seconds": "1",
        "curve": "{ points = [[0, 1], [1, 1]] }",
        "request": '[{ kind = "list", weight = 1 }]',
    }
    key, _, value = text.partition(" = ")
    given[key] = value
    file = tmp_path / "wrong.toml"
    file.write_text("\n".join(f"{name} = {value}" for name, value in given.items()), "utf-8")
    with pytest.raises(LoadError, match=says):
        make_plan(read_scenario(str(file)), 1, NOW)


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LoadError, match="mixed"):
        read_scenario("nonsense")
