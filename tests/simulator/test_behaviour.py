from __future__ import annotations

import numpy as np
import pytest

from simulator.behaviour import compile_behaviour, inverse_clock, time_of_day
from simulator.enrolment import STREAM, Plan, enrolments, plan
from simulator.marginals import Marginal, marginals
from simulator.population import learner, person, takes_part
from simulator.record import new_record
from simulator.rng import child
from simulator.scenario import Scenario
from simulator.sitting import COMPLETED, INITIALIZED, LAUNCHED, PASSED, TERMINATED, Statements, sitting

FOUND = marginals(learners=400_000)


@pytest.mark.parametrize("marginal", FOUND, ids=[f"{m.scenario}: {m.name}" for m in FOUND])
def test_published_figures_are_reproduced(marginal: Marginal) -> None:
    assert marginal.numerator != marginal.denominator
    assert abs(marginal.error) <= marginal.tolerance


def test_learners_are_functions_of_seed_and_number(small: Scenario) -> None:
    b = compile_behaviour(small)
    people = [learner(small, b, 1, i) for i in range(4_000)]
    assert people[7] == learner(small, b, 1, 7)
    assert people[7] != learner(small, b, 2, 7)
    shares = {
        kind: sum(p.kind == kind for p in people) / len(people) for kind in ("central", "state", "local")
    }
    assert shares == pytest.approx({"central": 0.24, "state": 0.70, "local": 0.06}, abs=0.03)
    assert sum(p.mobile for p in people) / len(people) == pytest.approx(0.35, abs=0.03)
    assert {p.language for p in people if p.state == "TN"} == {"en", "ta"}


def test_starts_follow_the_hours_of_the_day() -> None:
    hourly = [0.0] * 8 + [1.0, 3.0, 2.0] + [0.0] * 13
    clock = inverse_clock(hourly)
    moments = np.array([time_of_day(clock, (i + 0.5) / 10_000) for i in range(10_000)]) / 3_600_000
    assert np.all(np.diff(moments) >= 0)
    assert np.mean((moments >= 9) & (moments < 10)) == pytest.approx(0.46, abs=0.03)
    assert np.mean((moments < 7) | (moments > 12)) < 0.01


def test_every_sitting_follows_its_grammar(small: Scenario) -> None:
    b, items, said = compile_behaviour(small), new_record(Plan), new_record(Statements)
    seen = 0
    for number in range(3_000):
        key = np.uint64(person(1, number))
        if not takes_part(b, key):
            continue
        for e in range(enrolments(b, key)):
            enrolment = np.uint64(child(key, STREAM + e))
            n, done = plan(b, enrolment, items)
            count = sitting(b, enrolment, items, 0, n, done, said)
            kinds = said.kind[:count]
            for item in range(n):
                own = kinds[(said.planned[:count] == item) & (said.module[:count] >= 0)]
                assert own[0] == LAUNCHED
                assert own[1] == INITIALIZED
                assert own[-1] == TERMINATED
                assert (own == COMPLETED).sum() <= 1
            assert np.all(np.diff(said.at[:count]) >= 0)
            assert (kinds == PASSED).sum() <= 1
            assert not done or PASSED in kinds
            seen += 1
    assert seen > 3_000
