from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.arrivals import Arrivals, arrivals
from simulator.calibration import Calibration
from simulator.engine.state import (
    ANSWER,
    APPEND,
    EDGE,
    FLUSH,
    PERSIST_CPU,
    PERSIST_PG,
    REPLICATE,
    SCORE_CPU,
    SCORE_PG,
)
from simulator.measures import band, drained_after, over, quantile
from simulator.parameters import Fault
from simulator.scenario import Scenario, ScenarioError
from simulator.system import Outcome, simulate
from simulator.theory import QUEUES, against_theory, mg1, mmc
from simulator.word import EACH, TICKS_PER_S, word_of


@pytest.mark.parametrize("queue", QUEUES)
def test_the_engine_agrees_with_the_closed_form(queue: str) -> None:
    check = against_theory(queue)
    assert check.covered
    assert abs(check.error) <= 0.01


def test_closed_forms_agree_with_each_other() -> None:
    assert mmc(0.8, 1, 1.0) == pytest.approx(5.0)
    assert mg1(0.8, 1.0, 1.0) == pytest.approx(5.0)
    assert mg1(0.8, 1.0, 0.0) == pytest.approx(3.0)
    assert mmc(0.8, 2, 1.0) == pytest.approx(1 / (1 - 0.64))


def run(
    scenario: Scenario,
    calibration: Calibration,
    *faults: Fault,
    load: float = 1.0,
    seconds: float | None = None,
) -> Outcome:
    came = arrivals(scenario, 1, seconds=seconds).times_load(load, 1)
    return simulate(replace(scenario, faults=faults), calibration, came, 1)


def whole(outcome: Outcome) -> None:
    """Nothing is made and nothing vanishes on the way."""
    c = outcome.counts
    assert c["accepted_statements"] == c["persisted_statements"] == c["scored_statements"]
    assert c["acknowledged_requests"] + c["given_up_requests"] == c["requests"]
    kept = c["statements"] - c["given_up_statements"] + c["given_up_but_stored"]
    assert c["accepted_statements"] <= kept
    assert outcome.drained


def test_what_comes_in_is_accepted_persisted_and_scored_once(small: Scenario, assumed: Calibration) -> None:
    outcome = run(small, assumed)
    whole(outcome)
    c = outcome.counts
    first_time_duplicates = c["statements"] - c["accepted_statements"]
    assert c["duplicate_statements"] == first_time_duplicates
    for name, count in (("acknowledged", c["requests"]), ("queryable", c["accepted_statements"])):
        assert outcome.latency(name).sum() == count


def test_statements_of_many_learners_are_scored_in_as_many_partitions(
    small: Scenario, assumed: Calibration
) -> None:
    calm = replace(small, faults=())
    ticks = np.arange(10, dtype=np.uint64) * np.uint64(TICKS_PER_S)
    none = np.zeros_like(ticks)
    of_one, of_two, of_many = (
        simulate(calm, assumed, Arrivals(word_of(ticks, none + size, none, none + more, none), 20.0, 1), 1)
        for size, more in ((np.uint64(100), np.uint64(number)) for number in (0, 1, EACH))
    )
    for outcome in (of_one, of_two, of_many):
        whole(outcome)
        assert outcome.counts["persists"] == 10
        assert outcome.latency("scored").sum() == 1000
    assert of_one.counts["scores"] == 10 < of_two.counts["scores"] <= 20
    partitions = small.system.partitions
    touched = partitions * (1 - (1 - 1 / partitions) ** 100)
    assert of_many.counts["scores"] == pytest.approx(10 * touched, rel=0.2)


def calm_system(small: Scenario, assumed: Calibration, **system: float) -> tuple[Scenario, Calibration]:
    """One process of each kind, without faults, noise, flush, or work for edge and score."""
    service = assumed.service.copy()
    service[:, 3:] = 0.0
    service[[EDGE, ANSWER, APPEND, REPLICATE, FLUSH, SCORE_CPU, SCORE_PG], :3] = 0.0
    service[PERSIST_CPU, :3], service[PERSIST_PG, :3] = (0.012, 0.0, 0.0), (0.006, 0.0, 0.0)
    settings = {"persist_workers": 1, "score_workers": 1, "edges": 1, "linger_ms": 0.0, **system}
    scenario = small.but(**{f"system__{name}": value for name, value in settings.items()})
    standing = {"edge": 0.0, "persist": 0.1, "score": 0.1, "postgresql": 0.05}
    return replace(scenario, faults=()), replace(assumed, service=service, standing=standing)


def sent_together(number: int) -> Arrivals:
    """So many requests of a statement at once, ten times a second apart."""
    ticks = np.repeat(np.arange(10, dtype=np.uint64) * np.uint64(TICKS_PER_S), number)
    none = np.zeros_like(ticks)
    return Arrivals(word_of(ticks, none + np.uint64(1), none, none, none), 20.0, 1)


def test_a_transaction_alone_takes_as_long_in_turns_as_in_one(small: Scenario, assumed: Calibration) -> None:
    found = []
    for turns in (1, 12):
        scenario, calibration = calm_system(small, assumed, turns=turns)
        outcome = simulate(scenario, calibration, sent_together(1), 1)
        whole(outcome)
        found.append(outcome)
    one, many = found
    assert many.means["queryable"] == pytest.approx(one.means["queryable"])
    assert many.cpu_s == pytest.approx(one.cpu_s)


def test_a_worker_serves_its_partitions_by_turns(small: Scenario, assumed: Calibration) -> None:
    found = []
    for turns in (1, 12):
        scenario, calibration = calm_system(small, assumed, turns=turns, poll_ms=0, poll_idle_ms=0)
        outcome = simulate(scenario, calibration, sent_together(2), 1)
        whole(outcome)
        assert outcome.counts["persists"] == 20
        first, last = (quantile(outcome.latency("queryable"), share) or 0.0 for share in (0.25, 0.75))
        found.append((first, last))
    one, many = found
    # One after the other: 12 + 6 ms, and 12 ms more. By turns the worker ends after its own 24 ms, with one
    # part of thirteen of the second transaction.
    assert one == pytest.approx((0.018, 0.030), rel=0.02)
    assert many == pytest.approx((0.024 - 0.012 / 13, 0.024), rel=0.02)


def test_a_killed_worker_that_looks_or_waits_for_an_answer_leaves_nothing_behind(
    small: Scenario, assumed: Calibration
) -> None:
    losses = [
        Fault("worker-loss", f"11:{i:02d}", 20.0, "chosen", stage=stage, index=i % 2)
        for i, stage in enumerate(["persist", "score"] * 10)
    ]
    looking = replace(assumed, standing={**assumed.standing, "persist": 0.3, "score": 0.3, "postgresql": 0.2})
    whole(run(small.but(system__turns=12), looking, *losses, load=40.0))


def test_the_same_arguments_give_the_same_outcome(small: Scenario, assumed: Calibration) -> None:
    a, b = run(small, assumed), run(small, assumed)
    assert a.series.tobytes() == b.series.tobytes()
    assert a.histogram.tobytes() == b.histogram.tobytes()


FAULTS = [
    Fault("broker-loss", "11:10", 120, "chosen", index=1),
    Fault("database-down", "11:10", 60, "chosen"),
    Fault("slow-database", "11:10", 300, "chosen", factor=0.02),
    Fault("slow-disk", "11:10", 300, "chosen", factor=100),
    Fault("worker-loss", "11:10", 120, "chosen", stage="persist", index=0),
    Fault("worker-loss", "11:10", 5, "chosen", stage="score", index=1),
    Fault("deploy", "11:10", 60, "chosen", stage="persist"),
    Fault("deploy", "11:10", 60, "chosen", stage="edge"),
    Fault("poison", "11:10", 300, "chosen", factor=0.01),
    Fault("edge-loss", "11:10", 120, "chosen", index=3),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{f.kind} {f.stage}" for f in FAULTS])
def test_a_fault_delays_statements_and_loses_none(
    small: Scenario, assumed: Calibration, fault: Fault
) -> None:
    calm, hurt = run(small, assumed, load=4.0), run(small, assumed, fault, load=4.0)
    whole(hurt)
    assert hurt.lost_statements == 0
    if fault.kind not in ("edge-loss", "deploy", "poison"):
        assert (
            hurt.means["scored"] + hurt.means["acknowledged"]
            > calm.means["scored"] + calm.means["acknowledged"]
        )


def test_two_faults_at_once_end_each_on_its_own(small: Scenario, assumed: Calibration) -> None:
    whole(
        run(
            small,
            assumed,
            Fault("database-down", "11:10", 120, "chosen"),
            Fault("worker-loss", "11:11", 120, "chosen", stage="persist", index=0),
            Fault("deploy", "11:11", 30, "chosen", stage="score"),
        )
    )


def test_a_dead_workers_partitions_wait_for_the_lease(small: Scenario, assumed: Calibration) -> None:
    fault = Fault("worker-loss", "11:10", 600, "chosen", stage="persist", index=0)
    lag = run(small, assumed, fault).column("persist_lag_s").max()
    assert small.system.lease_s - 1 <= lag <= small.system.lease_s + 3


def test_clients_that_wait_in_vain_give_up_or_come_again(small: Scenario, assumed: Calibration) -> None:
    fault = Fault("database-down", "11:10", 120, "chosen")
    tight = small.but(system__log="postgresql", client__timeout_s=5.0, client__retry="none")
    gone = run(tight, assumed, fault)
    whole(gone)
    assert gone.counts["timed_out"] == gone.counts["given_up_requests"] > 0
    patient = run(
        tight.but(client__retry="backoff", client__retry_s=1.0, client__retry_limit=50), assumed, fault
    )
    whole(patient)
    assert patient.counts["given_up_requests"] == 0
    assert patient.counts["duplicate_statements"] > gone.counts["duplicate_statements"]
    narrow = run(tight.but(system__inflight=5), assumed, fault)
    assert narrow.counts["rejected"] > 0


def test_an_overloaded_store_falls_behind_and_says_so(small: Scenario, assumed: Calibration) -> None:
    tiny = small.but(
        system__log="postgresql",
        system__shared_cores=1,
        system__edges=1,
        system__partitions=1,
        system__persist_workers=1,
        system__score_workers=1,
    )
    outcome = run(tiny, assumed, load=3000.0, seconds=60.0)
    assert outcome.column("postgresql_cores").max() > 0.99
    assert (quantile(outcome.latency("acknowledged"), 0.99) or 0) > 1.0


def test_a_shared_row_serialises_the_scorers(small: Scenario, assumed: Calibration) -> None:
    hot = small.but(learning__hot_course_share=1.0)
    free = run(hot, assumed, load=300.0, seconds=120.0)
    locked = run(hot.but(system__shared_row=0.9), assumed, load=300.0, seconds=120.0)
    whole(locked)
    assert locked.means["scored"] > 1.3 * free.means["scored"]


def test_a_kafka_log_has_cores_of_its_own(small: Scenario, assumed: Calibration) -> None:
    with pytest.raises(ScenarioError, match="must be 0 when the log is Kafka"):
        run(small.but(system__shared_cores=2), assumed)


def test_measures() -> None:
    times, age = np.arange(10.0), np.array([0, 1, 5, 9, 7, 4, 2, 1, 0, 0.0])
    assert drained_after(times, age, 3.0) == 3.0
    assert drained_after(times, age, 10.0) == 0.0
    assert drained_after(times[:5], age[:5], 3.0) is None
    assert over(times, age, 3.0) == 4.0
    assert quantile(np.zeros(5, np.int64), 0.5) is None
    assert band([1.0, 2.0, 3.0]) == pytest.approx((1.1, 2.9))
