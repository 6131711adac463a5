from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.path.system import POSTGRESQL, running
from loadtests.meter import Mark, between, mark
from loadtests.target import Target

BUCKET = "lrs_statement_delay_seconds_bucket le={} until=scored"


def moment(at: float, *counts: float, cpu: float = 0.0, busy: float = 0.0) -> Mark:
    names = (BUCKET.format("0.1"), BUCKET.format("0.5"), "lrs_statements_accepted_total")
    return Mark(at, dict(zip(names, counts, strict=True)), {"edge": cpu}, [busy, 0.0])


def test_what_others_took_of_the_systems_cores_is_what_it_did_not_use_itself() -> None:
    first, last = moment(10.0, 0, 2, 5, cpu=1.0, busy=100.0), moment(20.0, 0, 4, 9, cpu=4.0, busy=108.0)
    told = between(first, last, last, [0])
    assert told["seconds"] == 10.0
    assert told["cpu_s"] == {"edge": 3.0}
    assert told["foreign_s"] == 5.0
    assert between(first, last, last, [])["foreign_s"] is None


def test_delays_count_until_everything_has_settled_and_empty_buckets_are_kept() -> None:
    first, last, settled = moment(0.0, 0, 2, 5), moment(10.0, 0, 4, 9), moment(12.0, 0, 8, 11)
    counts = between(first, last, settled, [0])["counts"]
    assert counts == {
        BUCKET.format("0.1"): 0.0,
        BUCKET.format("0.5"): 6.0,
        "lrs_statements_accepted_total": 4.0,
    }


@pytest.mark.postgres
async def test_what_postgresql_spends_is_told_by_whom_it_serves(tmp_path: Path) -> None:
    async with running(tmp_path) as system:
        target = Target.of(system)
        first = await mark(target)
        last = await mark(target)
    names = {name for name, _ in last.served}
    assert {"lrs edge", "lrs persist", "lrs score", "lrs score upkeep"} <= names
    assert 0 < sum(last.served.values()) < last.cpu[POSTGRESQL]
    assert between(first, last, last, [])["served_s"].keys() == names


def test_a_connection_that_was_replaced_takes_nothing_from_the_others_and_is_told() -> None:
    score, other = ("lrs score", 7), ("lrs score", 8)
    first = Mark(0.0, {}, {}, [], {score: 30.0, other: 5.0, ("lrs edge", 9): 1.0, ("lrs edge", 10): 4.0})
    last = Mark(10.0, {}, {}, [], {other: 6.5, ("lrs score", 11): 0.25, ("lrs edge", 9): 3.0})
    told = between(first, last, last, [])
    assert told["served_s"] == {"lrs score": 1.75, "lrs edge": 2.0}
    assert told["served_replaced"] == ["lrs score"]
