"""Service times are found again from what a system with known ones would have reported."""

from __future__ import annotations

import base64
import tomllib
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from simulator.calibrating import LOADS as RUN_LOADS
from simulator.calibrating import UNSEEN, calibrate, keep, turns
from simulator.calibration import Calibration, load_calibration, shipped, written
from simulator.cli import main
from simulator.fitting import fit, not_negative, variation
from simulator.measurement import Measured, measured
from simulator.measures import quantile
from simulator.scenario import ScenarioError
from simulator.system import Outcome, simulate, standing_cores
from simulator.validation import (
    SAMPLE_S,
    console_table,
    interpolated,
    page,
    regrouped,
    replayed,
    system_of,
    together,
    validate,
)

SECONDS = 480.0
BOUNDS = np.array([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, np.inf])
TRUE = {
    "edge": (0.0, 400.0, 30.0),
    "answer": (300.0, 200.0, 0.0),
    "read_edge": (900.0, 0.0, 0.0),
    "append": (400.0, 0.0, 20.0),
    "persist_cpu": (3000.0, 0.0, 10.0),
    "persist_postgresql": (1500.0, 0.0, 12.0),
    "score_cpu": (2000.0, 0.0, 11.0),
    "score_postgresql": (1000.0, 0.0, 8.0),
    "read_postgresql": (700.0, 0.0, 0.0),
    "flush": (1000.0, 0.0, 0.0),
    "wire": (2000.0, 0.0, 0.0),
}
EVENTS = 0.75
"""Learning events of a statement."""
STANDING = {"edge": 0.01, "persist": 0.02, "score": 0.02, "postgresql": 0.005, "source": "chosen"}
ABOUT = {"measured": False, "statement": "chosen", "date": "2026-11-22", "machine": "none"}
LOADS = (
    (20.0, (1,)),
    (8.0, (20,)),
    (4.0, (100,)),
    (60.0, (1,)),
    (25.0, (20,)),
    (20.0, (20, 0)),
    (500.0, (1,)),
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """A machine whose service times are known, and do not vary."""
    names = ("transaction_us", "request_us", "statement_us")
    components = {
        name: {**dict(zip(names, times, strict=True)), "shape": "constant", "cv": 0.0, "source": "chosen"}
        for name, times in TRUE.items()
    }
    file = tmp_path_factory.mktemp("known") / "known.toml"
    file.write_text(written(components, STANDING, ABOUT))
    return load_calibration(file)


def report(rate: float, sizes: tuple[int, ...], seed: int = 1) -> dict[str, Any]:
    """The part of a load test's findings that says what came."""
    rng = np.random.default_rng(seed)
    due = np.sort(rng.uniform(0.0, SECONDS, int(rate * SECONDS)))
    ticks = np.diff(np.round(due * 1e4).astype(np.int64), prepend=0).astype("<u4")
    kinds = [
        {"kind": "send" if size else "progress", "statements": size or 1, "learners": 1} for size in sizes
    ]
    kind = rng.integers(0, len(kinds), len(due)).astype(np.uint8)
    return {
        "scenario": {"title": f"{rate:g}/s of {sizes}", "seconds": SECONDS},
        "run": {"at": "2026-11-22T00:00:00+00:00", "machine": "none"},
        "arrivals": {
            "kinds": kinds,
            "due": base64.b64encode(zlib.compress(ticks.tobytes())).decode(),
            "kind": base64.b64encode(zlib.compress(kind.tobytes())).decode(),
            "acknowledged": {},
        },
        "meter": {
            "seconds": SECONDS,
            "cores": [0],
            "cpu_s": {"edge": 1.0},
            "foreign_s": 0.0,
            "after_end_s": 1.0,
            "counts": {"lrs_statements_accepted_total": 1.0},
        },
        "flush": [0.001, 0.0],
        "reconciliation": {"drained": 0.1},
        "lrs_over_time": {"seconds": [], "accepted": [], "queryable": [], "scored": []},
    }


def told_by(outcome: Outcome, run: dict[str, Any]) -> Measured:
    """The findings of a load test on a system that behaves as the engine did."""
    cpu, counts = outcome.cpu_s, outcome.counts
    meter = run["meter"]
    meter["cpu_s"] = {
        "supervisor": 0.0,
        "edge": cpu["edge"] + cpu["answer"] + cpu["read_edge"] + SECONDS * 0.01,
        "persist-0": cpu["persist_cpu"] + SECONDS * 0.02,
        "score-0": cpu["score_cpu"] + SECONDS * 0.02,
        "PostgreSQL": sum(
            cpu[n] for n in ("append", "persist_postgresql", "score_postgresql", "read_postgresql")
        )
        + SECONDS * 0.01,
    }
    meter["served_s"] = {
        "lrs edge": cpu["append"] + cpu["read_postgresql"],
        "lrs persist": cpu["persist_postgresql"],
        "lrs persist upkeep": 0.0,
        "lrs score": cpu["score_postgresql"],
    }
    busy = sum(meter["cpu_s"].values()) / SECONDS

    def took(*names: str, number: int) -> float:
        return sum(cpu[name] for name in names) / (1.0 - busy) + 0.001 * number

    batch, accepted = "lrs_stage_batch_duration_seconds", float(counts["accepted_statements"])
    sizes = "lrs_stage_batch_statements"
    meter["counts"] = {
        "lrs_statements_accepted_total": accepted,
        "lrs_log_append_duration_seconds_count": counts["appends"],
        "lrs_log_append_duration_seconds_sum": took("append", number=counts["appends"]),
        f"{sizes}_sum stage=persist": float(counts["persisted_statements"]),
        f"{sizes}_sum stage=score": EVENTS * counts["scored_statements"],
        f"{batch}_count stage=persist": counts["persists"],
        f"{batch}_sum stage=persist": took("persist_cpu", "persist_postgresql", number=counts["persists"]),
        f"{batch}_count stage=score": counts["scores"],
        f"{batch}_sum stage=score": took("score_cpu", "score_postgresql", number=counts["scores"]),
        "lrs_http_request_duration_seconds_count route=statements": counts["acknowledged_requests"],
        "lrs_http_request_duration_seconds_sum route=statements": 0.01 * counts["acknowledged_requests"],
    }
    for until in ("queryable", "scored"):
        cumulative = np.cumsum(regrouped(outcome.latency(until), BOUNDS))
        for bound, value in zip(BOUNDS, cumulative, strict=True):
            meter["counts"][f"lrs_statement_delay_seconds_bucket le={bound} until={until}"] = float(value)
    acknowledged = outcome.latency("acknowledged")
    run["arrivals"]["acknowledged"] = {
        "mean": 0.012,
        **{
            name: quantile(acknowledged, share)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        },
    }
    return measured(run, "test")


def engine_run(known: Calibration, rate: float, sizes: tuple[int, ...], seed: int = 1) -> Measured:
    run = report(rate, sizes, seed)
    blank = measured(run, "test")
    return told_by(simulate(system_of(blank), known, replayed(blank, seed), seed, sample_s=SAMPLE_S), run)


@pytest.fixture(scope="module")
def runs(known: Calibration) -> list[Measured]:
    return [engine_run(known, rate, sizes) for rate, sizes in LOADS]


def test_known_service_times_are_found_again(runs: list[Measured]) -> None:
    found = fit(runs)
    us = {name: 1e6 * value for name, value in found.seconds.items()}
    for name, wanted in (
        *(("edge frame", 300), ("edge request", 600), ("edge statement", 30), ("edge read", 900)),
        *(("persist transaction", 3000), ("persist statement", 10)),
        *(("score transaction", 2000), ("score statement", 11)),
        *(("edge there transaction", 400), ("edge there statement", 20), ("edge there read", 700)),
        *(("persist there transaction", 1500), ("persist there statement", 12)),
        *(("score there transaction", 1000), ("score there statement", 8)),
    ):
        assert us[name] == pytest.approx(wanted, rel=0.1, abs=3), name
    for name, share in (("edge", 0.01), ("persist", 0.02), ("score", 0.02), ("postgresql", 0.01)):
        assert found.seconds[f"{name} standing"] == pytest.approx(share, abs=0.001)
    assert max(found.worst.values()) < 0.01
    assert found.wire_s == pytest.approx((0.002, 0.0), abs=1e-5)


def test_a_fitted_file_predicts_a_run_that_it_has_not_seen(
    known: Calibration, runs: list[Measured], tmp_path: Path
) -> None:
    text, _ = calibrate(runs, tmp_path)
    file = tmp_path / "fitted.toml"
    file.write_text(text.replace("lognormal", "constant"))
    fitted = load_calibration(file)
    assert fitted.measured
    assert "assumed" in fitted.sources["reject"]
    told = validate(engine_run(known, 45.0, (5, 40, 0), seed=3), fitted, seeds=2)
    assert told["doubts"] == []
    both = msgspec.json.decode(msgspec.json.encode(together([told, told])))
    assert both["counting"] == 2
    assert {row["runs"] for row in both["summary"]} == {2}
    assert "Prediction beside measurement" in page(both)
    assert console_table(both).row_count == 2 * len(told["rows"])
    for row in told["rows"]:
        if row["error"] is not None:
            assert abs(row["error"]) < 0.1, row


def test_what_a_dearer_machine_did_is_told_apart_from_what_the_model_misses(known: Calibration) -> None:
    rate, sizes = 30.0, (5, 40)
    blank = measured(report(rate, sizes), "test")
    dear = known.dearer(1.3)
    slow = told_by(
        simulate(system_of(blank), dear, replayed(blank, 1), 1, sample_s=SAMPLE_S), report(rate, sizes)
    )
    standing = sum(standing_cores(system_of(blank), known))
    slow.meter["cpu_s"] |= {"supervisor": 0.3 * standing * SECONDS}
    plain, own = validate(slow, known, seeds=2), validate(slow, known, seeds=2, own_cost=True)
    assert plain["cost"] == 1.0
    assert own["cost"] == pytest.approx(1.3, rel=0.02)
    errors = [
        {row["name"]: row["error"] for row in one["rows"] if row["error"] is not None} for one in (plain, own)
    ]
    assert errors[0]["utilisation"] < -0.2
    assert abs(errors[1]["utilisation"]) < 0.02
    assert abs(errors[1]["acknowledged p95"]) < 0.1 < -errors[0]["acknowledged p95"]
    assert "costs x 1.3" in str([*console_table(together([own])).columns[0].cells])


def test_a_run_that_others_disturbed_or_that_shared_its_cores_is_not_taken_for_more(
    known: Calibration, runs: list[Measured], tmp_path: Path
) -> None:
    disturbed = engine_run(known, *LOADS[0])
    disturbed.meter["foreign_s"] = 0.25 * SECONDS
    assert any("others used 25 %" in text for text in validate(disturbed, known, seeds=1)["doubts"])
    disturbed.meter["cores"] = []
    with pytest.raises(ScenarioError, match="shared cores"):
        validate(disturbed, known, seeds=1)
    with pytest.raises(ScenarioError, match="cores of its own"):
        calibrate([disturbed], tmp_path)
    with pytest.raises(ScenarioError, match="three different loads"):
        calibrate(runs[:2], tmp_path)


def test_what_is_no_load_test_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text, rule in (("{", "must be the JSON"), ("{}", "arrivals"), ("[]", "arrivals")):
        file.write_text(text)
        done = CliRunner().invoke(main, ["validate", str(file)])
        assert done.exit_code == 1
        assert rule in done.output
    large = report(10.0, (300,))
    with pytest.raises(ScenarioError, match="255 at most"):
        replayed(measured(large, "large"), 1)


def test_a_least_squares_answer_that_would_be_negative_is_nothing() -> None:
    matrix = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    assert not_negative(matrix, matrix @ np.array([2.0, 3.0])) == pytest.approx([2.0, 3.0], rel=1e-6)
    rising = not_negative(matrix, np.array([1.0, 3.0, 5.0]))
    assert rising[0] == 0.0
    assert rising[1] == pytest.approx(22 / 14)


def test_quantiles_and_spread_come_from_buckets() -> None:
    bounds, counts = np.array([1.0, 2.0, np.inf]), np.array([50.0, 50.0, 0.0])
    assert interpolated(bounds, counts, 0.75) == 1.5
    assert interpolated(bounds, np.array([0.0, 0.0, 4.0]), 0.5) == 2.0
    assert interpolated(bounds, np.zeros(3), 0.5) is None
    assert variation(bounds, counts) == pytest.approx(0.5)
    assert variation(np.empty(0), np.empty(0)) == 0.0


def test_a_written_calibration_says_which_parts_stayed_assumed() -> None:
    data = tomllib.loads(written({}, STANDING, ABOUT))
    assert data["reject"]["source"].startswith("assumed")
    assert data["standing"]["persist"] == 0.02


def test_unseen_loads_run_in_turn_with_those_of_the_fit_and_are_kept_apart(tmp_path: Path) -> None:
    assert turns(0) == list(RUN_LOADS)
    two = turns(2)
    assert two[:4] == [RUN_LOADS[0], UNSEEN[0], RUN_LOADS[1], UNSEEN[1]]
    assert [two.count(load) for load in (*RUN_LOADS, *UNSEEN)] == [2] * len(RUN_LOADS + UNSEEN)
    keep([(load, {"scenario": {"title": load.name}}) for load in two], tmp_path)
    for name, loads in (("calibration", RUN_LOADS), ("unseen", UNSEEN)):
        titles = [
            msgspec.json.decode((tmp_path / f"{name}-{number}.json").read_bytes())["scenario"]["title"]
            for number in range(2 * len(loads))
        ]
        assert titles == [load.name for load in loads] * 2
    done = CliRunner().invoke(main, ["calibrate", "--unseen", "1"])
    assert done.exit_code == 2
    assert "--keep" in done.output


def test_a_shipped_calibration_goes_by_its_name() -> None:
    assert "one-core" in shipped()
    assert load_calibration(Path("one-core")).measured
    assert not load_calibration().measured
    with pytest.raises(ScenarioError, match="one of assumed, one-core"):
        load_calibration(Path("unheard-of"))
