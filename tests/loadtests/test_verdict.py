"""The verdict: what was promised, what must not be, and when no figure is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtests.histogram import Histogram
from loadtests.reconciliation import Reconciliation
from loadtests.scenario import LoadError
from loadtests.tally import Fate, Latency, Outcome, Tally
from loadtests.verdict import Judgement, Objectives, Verdict, judge, read_objectives

PROMISED = read_objectives()
QUIET: dict[str, Any] = {
    "system": {"edge": 0.4},
    "generator": 0.2,
    "generator_busiest": 0.2,
    "machine": 1.0,
    "cores": 2,
}
PATH: dict[str, Any] = {"delays": {"queryable": {"p99": 0.2}, "scored": {"p99": 0.3}}}


def durations(seconds: float) -> Histogram:
    histogram = Histogram()
    for _ in range(100):
        histogram.add(seconds)
    return histogram


def verdict(
    *,
    intended: float = 0.01,
    lag: float = 0.001,
    fates: dict[int, Fate] | None = None,
    busy: int = 0,
    usage: dict[str, Any] = QUIET,
    path: dict[str, Any] = PATH,
    problem: str | None = None,
    silent: bool = False,
    objectives: Objectives = PROMISED,
) -> Verdict:
    tally = Tally(
        bytearray((fates or {}).get(number, Fate.DONE) for number in range(100)),
        latency={"send 1": Latency(durations(intended), durations(0.01))},
        lag=durations(lag),
        statements=100,
        busy=busy,
    )
    checked = Reconciliation(acknowledged=100, stored=100, drained=0.5)
    if problem:
        checked.progress_problems.append(problem)
    outcome = Outcome([tally, None] if silent else [tally], 0.0)
    return judge(objectives, outcome, {"send 1": "send"}, usage, path, checked, 100)


def test_a_run_that_kept_everything_passes_with_exit_status_0() -> None:
    judged = verdict()
    assert judged.judgement is Judgement.PASSED
    assert int(judged.judgement) == 0
    assert all(promise.kept for promise in judged.promises)
    assert len(judged.promises) == 6


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"intended": 0.3}, "write: intended p99, s"),
        ({"busy": 2}, "busy, share"),
        ({"fates": {3: Fate.IN_DOUBT}}, "given up, share"),
        ({"path": {"delays": {"queryable": {"p99": 6.0}, "scored": {"p99": 1.0}}}}, "queryable p99, s"),
    ],
)
def test_a_broken_promise_fails_with_exit_status_1(changes: dict[str, Any], broken: str) -> None:
    judged = verdict(**changes)
    assert judged.judgement is Judgement.FAILED
    assert int(judged.judgement) == 1
    assert [promise.name for promise in judged.promises if not promise.kept] == [broken]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lag": 0.05}, "the generator was late"),
        ({"usage": {**QUIET, "generator_busiest": 0.97}}, "more processes"),
        ({"usage": {}}, "nobody saw"),
        ({"silent": True}, "1 of 2 generator processes never told"),
        ({"path": {}}, "nothing to measure by: queryable"),
        ({"intended": 0.3, "usage": {**QUIET, "machine": 1.99}}, "the machine was full"),
    ],
)
def test_no_figure_is_claimed_that_may_be_the_generators_own(changes: dict[str, Any], says: str) -> None:
    judged = verdict(**changes)
    assert judged.judgement is Judgement.NO_FIGURE
    assert int(judged.judgement) == 3
    assert says in judged.doubts[0]


def test_a_full_machine_does_not_matter_when_every_promise_is_kept() -> None:
    assert verdict(usage={**QUIET, "machine": 2.0}).judgement is Judgement.PASSED


@pytest.mark.parametrize("changes", [{"problem": "progress differs"}, {"fates": {7: Fate.WRONG}}])
def test_what_is_wrong_fails_however_fast_it_was_and_whatever_is_in_doubt(changes: dict[str, Any]) -> None:
    assert verdict(**changes).judgement is Judgement.FAILED
    assert verdict(**changes, lag=1.0).judgement is Judgement.FAILED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[latency.write]\np98 = 1", "p98"),
        ("[latency.writes]\np99 = 1", "writes"),
        ("[path]\nscored_p99 = -1", r"\$\.path\.scored_p99"),
        ("[generator]\ncolour = 1", "colour"),
        ("[", "slo.toml"),
    ],
)
def test_a_wrong_slo_file_is_refused_with_the_place_of_the_mistake(
    text: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "slo.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(LoadError, match=says):
        read_objectives(file)
    with pytest.raises(LoadError, match="No such file"):
        read_objectives(tmp_path / "nothing")
