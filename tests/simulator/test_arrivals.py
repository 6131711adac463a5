from __future__ import annotations

import numpy as np
import pytest

from simulator.arrivals import arrivals, sums
from simulator.behaviour import compile_behaviour, start_ms
from simulator.client import BACKLOG, REPEATED, online_from
from simulator.population import STATE, person
from simulator.record import new_record
from simulator.rng import uniform
from simulator.scenario import Scenario, load
from simulator.walk import Lines, lines_of, new_buffers
from simulator.word import marks_of, statements_of


def test_any_number_of_shards_gives_the_same_bytes(small: Scenario) -> None:
    wide = small.but(population__learners=120_000)
    one = arrivals(wide, 5, shards=1, seconds=300.0)
    two = arrivals(wide, 5, shards=2, seconds=300.0)
    assert one.words.tobytes() == two.words.tobytes()
    assert one.requests > 1_000
    assert one.words.tobytes() != arrivals(wide, 6, seconds=300.0).words.tobytes()
    assert sums(wide, 5, thin=4, shards=1) == sums(wide, 5, thin=4, shards=2)


def test_requests_and_statements_are_the_same_walk(small: Scenario) -> None:
    came = arrivals(small, 3)
    begin = int(start_ms(small, small.run.begin))
    lines = new_record(Lines)
    n, reached = lines_of(
        compile_behaviour(small), 3, 0, 20_000, begin, begin + 1_800_000, new_buffers(), lines
    )
    assert reached == 20_000
    assert n == came.statements


def test_a_window_of_a_window_is_what_was_generated_for_it(small: Scenario) -> None:
    whole = arrivals(small, 1)
    part = arrivals(small, 1, begin_s=600.0, seconds=300.0)
    assert whole.window(600.0, 300.0).words.tobytes() == part.words.tobytes()


def test_a_thinned_population_sends_as_much(small: Scenario) -> None:
    wide = small.but(population__learners=200_000)
    full, thin = arrivals(wide, 1), arrivals(wide, 1, thin=10)
    assert thin.statements == pytest.approx(full.statements, rel=0.05)
    assert np.all(thin.words[1:] >= thin.words[:-1])


def test_load_multiplies_requests(small: Scenario) -> None:
    came = arrivals(small, 1)
    assert came.times_load(2.5, 1).requests == pytest.approx(2.5 * came.requests, rel=0.02)
    assert came.times_load(0.25, 1).requests == pytest.approx(0.25 * came.requests, rel=0.1)


def test_web_and_mobile_batches_stay_within_their_size(small: Scenario) -> None:
    sizes = statements_of(arrivals(small, 1).words)
    assert sizes.min() >= 1
    assert sizes.max() <= small.client.mobile_batch


def test_some_mobile_requests_are_repeated_and_some_wait(small: Scenario) -> None:
    flags = marks_of(arrivals(small, 1).words)
    assert 0 < np.mean((flags & np.uint64(REPEATED)) > 0) < 0.02
    assert 0 < np.mean((flags & np.uint64(BACKLOG)) > 0) < 0.3


def test_a_state_without_network_is_silent_and_then_storms() -> None:
    calm = load(["learning-week"], ["population.learners=60000", 'run.begin="10:00"', "run.hours=4"])
    storm = load(["state-outage"], ["population.learners=60000", 'run.begin="10:00"', "run.hours=4"])
    without, with_ = arrivals(calm, 1), arrivals(storm, 1)
    before, after = without.per_second(), with_.per_second()
    assert np.array_equal(before[:1700], after[:1700])
    assert after[2000:7000].sum() < 0.9 * before[2000:7000].sum()
    assert after[7200:7500].sum() > 1.3 * before[7200:7500].sum()
    assert with_.statements == pytest.approx(without.statements, rel=0.02)


def test_nobody_of_the_state_has_a_connection_in_its_outage() -> None:
    storm = load(["state-outage"])
    b = compile_behaviour(storm)
    begin, end = int(b.outages[0, 1]), int(b.outages[0, 2])
    for number in range(2_000):
        key = np.uint64(person(1, number))
        affected = uniform(key, STATE) < b.states[0]
        assert (online_from(b, key, begin) >= end) or not affected


def test_a_live_address_brings_everybody_at_once() -> None:
    address = load(["pm-address"], ["population.learners=20000"])
    per_second = arrivals(address, 1).per_second()
    assert per_second[1800:2100].sum() > 5 * per_second[1200:1500].sum()
